"""A recurrent layer of any neuron: the spikes of one step are part of the next step's input.

With W [n, n] from neuron to neuron and z₀ = 0, for t = 1..T:

    iₜ = xₜ + zₜ₋₁ W                       then the neuron's own step: iₜ -> zₜ

zₜ reaches L directly (z̄ₜ) and through iₜ₊₁, so the neuron's adjoint of step t takes
z̄ₜ + īₜ₊₁ Wᵀ and returns īₜ = dL/diₜ.  For t = T..1, with ī = 0 beyond T:

    īₜ = back(…, z̄ₜ + īₜ₊₁ Wᵀ)             ∂L/∂xₜ = īₜ           ∂L/∂W = Σₜ zₜ₋₁ᵀ īₜ

and ∂L/∂W is one matrix product over all steps and examples.  zₜ are the spikes of step t; a
convention with late spikes (`spike_from="old"`) delays the output, not the recurrence, as in
Spyx.
"""

from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp

from jaxdigits import checks
from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.keys import uniform
from jaxdigits.layer import Layer
from jaxdigits.options import require_name
from jaxdigits.spikes import unroll
from jaxdigits.spikes.adaptive import alif_neuron
from jaxdigits.spikes.convention import Convention
from jaxdigits.spikes.lif import lif_neuron
from jaxdigits.spikes.synapse import cuba_lif_neuron


@constructor
def recurrent(
    neuron: unroll.Neuron,
    *,
    gain: float = 1 / 3,
    emit: Literal["spikes", "potential"] = "spikes",
) -> Layer:
    """Neurons with weights between them: currents [T, ..., n] -> spikes [T, ..., n].

    Args:
      neuron: `lif_neuron`, `cuba_lif_neuron`, `alif_neuron` or one of your own.
      gain: the weights start uniform with variance gain / n, as in `dense`; 1/3 is the habit of
        spiking networks.
      emit: "spikes" or "potential", as for `over_time`.

    Params: "weight" [n, n], and the neuron's params.  The weights join the last axis; behind a
    convolution, the channels of one pixel.  The residual is as for `over_time`.

    Raises:
      ValueError: unless gain > 0 and `emit` is one of the two; for a `neuron` that is none; in
        `forward`, for currents that are not floats.
    """
    unroll.require_neuron(neuron, "recurrent")
    checks.positive(gain=gain)
    require_name("emit", unroll.EMITS, emit)

    def init(key, shape):
        n = shape[-1]
        return {"weight": uniform(key, (n, n), gain / n), **neuron.init(shape)}, shape

    def forward(params, x, key=None):
        x = unroll.as_current(x)
        k, weight = neuron.constants(params, x.dtype), params["weight"]

        def step(carry, x_t):
            state, z_tm1 = carry
            state, trace_t, z_t = neuron.step(k, state, x_t + z_tm1 @ weight)
            return (state, z_t), trace_t

        start = neuron.rest(x[0]), jnp.zeros_like(x[0])
        _, trace = jax.lax.scan(step, start, x)
        return unroll.output_of(neuron, k, trace, emit)

    def backward(params, residual, y_bar):
        k, weight = neuron.constants(params, y_bar.dtype), params["weight"]
        trace, zeros = unroll.trace_of(residual), jnp.zeros_like(y_bar[0])

        def step(carry, xs):
            (state_bar, i_bar_tp1, grads), (trace_t, y_bar_t) = carry, xs
            z_bar_t, m_bar_t = unroll.slopes_of(y_bar_t, emit)
            z_bar_t = z_bar_t + i_bar_tp1 @ weight.T
            state_bar, i_bar_t, grads_t = neuron.back(k, trace_t, state_bar, z_bar_t, m_bar_t)
            return (state_bar, i_bar_t, unroll.add_grads(grads, grads_t)), i_bar_t

        own = {name: zeros for name in params if name != "weight"}
        start = neuron.rest(zeros), zeros, own
        xs = trace, unroll.shift_slopes(neuron, y_bar, emit)
        (_, _, own), i_bar = jax.lax.scan(step, start, xs, reverse=True)
        rows = lambda a: a.reshape(-1, a.shape[-1])
        w_bar = rows(neuron.fire(k, trace)[:-1]).T @ rows(i_bar[1:])
        return {"weight": w_bar, **unroll.sum_grads(own)}, i_bar

    return Layer(init, forward, backward)


_FREE = Convention(differentiate_reset=True)
CASES = {
    f"recurrent, {name}": Case(partial(recurrent, neuron, gain=1.0), (5,), "current")
    for name, neuron in {
        "lif": lif_neuron(
            decay=0.9, threshold=0.5, learn=("decay", "threshold"), convention=_FREE
        ),
        "cuba_lif": cuba_lif_neuron(
            synapse_decay=0.5, decay=0.75, threshold=0.75, convention=_FREE,
            learn=("decay", "threshold", "synapse_decay"),
        ),
        "alif": alif_neuron(
            adaptation=1.0, adaptation_decay=0.75, decay=0.9, threshold=0.5, convention=_FREE,
            learn=("decay", "threshold", "adaptation", "adaptation_decay"),
        ),
    }.items()
}  # fmt: skip
