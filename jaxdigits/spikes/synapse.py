"""Current-based neurons: a synaptic current that decays, then any membrane.

From rest (j₀ = 0), for t = 1..T, with α the decay of the current:

    jₜ = α jₜ₋₁ + iₜ                       a spike through a weight is an exponential current
    the neuron's own step, with jₜ in the place of iₜ

The current that arrives in a step reaches the membrane in the same step (as in snnTorch's
`Synaptic`; where a library lets it wait for the next, the input comes one step earlier).

The neuron's adjoint returns qₜ, which is dL/djₜ through the membrane of step t.  jₜ also
reaches L through jₜ₊₁.  So with j̄ₜ = dL/djₜ, for t = T..1 and j̄ = 0 beyond T:

    j̄ₜ = qₜ + α j̄ₜ₊₁           ∂L/∂iₜ = j̄ₜ           ∂L/∂α = Σₜ j̄ₜ₊₁ jₜ

A learned α is stored as 1 / (1 + e^−ρ).  Units: j has that of the neuron's input.

[1] Neftci, Mostafa & Zenke, IEEE Signal Process. Mag. 36(6), 2019, arXiv:1901.09948.
"""

from collections.abc import Collection

import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.spikes.constants import aligned, constants, require_learnable, through_bounds
from jaxdigits.spikes.convention import Convention
from jaxdigits.spikes.lif import DEFAULT, lif_neuron
from jaxdigits.spikes.surrogates import AnySurrogate
from jaxdigits.spikes.unroll import Neuron, as_layer


@constructor
def cuba_lif_neuron(
    surrogate: AnySurrogate = "fast_sigmoid",
    *,
    synapse_decay: ArrayLike = 0.8,
    decay: ArrayLike = 0.95,
    threshold: ArrayLike = 1.0,
    convention: Convention = DEFAULT,
    learn: Collection[str] = (),
) -> Neuron:
    """Current-based LIF neurons.

    `cuba_lif` is the layer over time, currents [T, ..., n] -> spikes [T, ..., n];
    `cuba_lif_neuron` one step of it, for `recurrent`.

    Args:
      surrogate, decay, threshold, convention: as for `lif`.
      synapse_decay: share of a synaptic current left after a step, α; 0 makes it `lif`.
      learn: constants that are trained too, one per neuron.

    The residual of the layer is (`Traces`, {"current": j [T, ..., n]}).

    Raises:
      ValueError: as `lif`, and unless 0 <= synapse_decay <= 1 (strictly inside, if learned).
    """
    require_learnable(learn, ("synapse_decay", "decay", "threshold"))
    neuron = lif_neuron(
        surrogate, decay=decay, threshold=threshold, convention=convention,
        learn=[name for name in learn if name != "synapse_decay"],
    )  # fmt: skip
    return current_based(neuron, decay=synapse_decay, learn="synapse_decay" in learn)


@constructor
def current_based(neuron: Neuron, *, decay: ArrayLike = 0.8, learn: bool = False) -> Neuron:
    """`neuron` behind a synaptic current, "current" in the trace.

    Args:
      neuron: one without a synapse.
      decay: α, one number or one per neuron [n].
      learn: whether the decay is a param, "synapse_decay".

    Raises:
      ValueError: unless 0 <= decay <= 1 (strictly inside, if learned); in `step`, for a neuron
        that is behind a synapse already.
    """
    init, read = constants({"synapse_decay": decay}, ("synapse_decay",) if learn else ())

    def step(k, state, i_t):
        j_tm1, inner = state
        j_t = k["synapse_decay"] * j_tm1 + i_t
        inner, trace, z_t = neuron.step(k, inner, j_t)
        if "current" in trace:
            raise ValueError("current_based takes a neuron without a synapse of its own")
        return (j_t, inner), trace | {"current": j_t}, z_t

    def back(k, trace, state_bar, z_bar_t, m_bar_t):
        j_bar_tp1, inner_bar = state_bar
        alpha = k["synapse_decay"]
        inner_bar, q_t, grads = neuron.back(k, trace, inner_bar, z_bar_t, m_bar_t)
        j_bar_t = q_t + alpha * j_bar_tp1
        if learn:
            alpha_bar = j_bar_tp1 * trace["current"]
            grads |= {"synapse_decay": through_bounds("synapse_decay", alpha, alpha_bar)}
        return (j_bar_t, inner_bar), j_bar_t, grads

    inner_after = neuron.after
    return neuron._replace(
        init=lambda shape: neuron.init(shape) | init(shape),
        constants=lambda *args: {**neuron.constants(*args), **read(*args)},
        rest=lambda i: (jnp.zeros_like(i), neuron.rest(i)),
        step=aligned(step),
        back=aligned(back),
        after=inner_after and (lambda k, trace: (trace["current"], inner_after(k, trace))),
    )


cuba_lif = as_layer(cuba_lif_neuron)
NEURONS = {"cuba_lif": cuba_lif}
CASES = {
    "cuba_lif": Case(lambda: cuba_lif(threshold=0.75), (5,), "current"),
    "cuba_lif, learned, reset differentiated": Case(
        lambda: cuba_lif(
            synapse_decay=0.5, decay=0.75, threshold=0.75,
            learn=("decay", "threshold", "synapse_decay"),
            convention=Convention(differentiate_reset=True),
        ), (5,), "current",
    ),
}  # fmt: skip
