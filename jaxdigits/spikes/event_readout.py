"""Readouts of spike times, differentiated by hand.

**The mean potential** of output neurons that do not fire.  An input spike at t_k through a
weight w adds w ψ(t − t_k) to a potential (`jaxdigits.spikes.event_neuron`).  So the mean of V
over [0, D] is exactly Σᵢ wᵢ aᵢ + b, with b the potential at rest and for each input

    a = Σ_k Ψ(D − t_k) / D          Ψ(t) = ∫₀ᵗ ψ = τs (1 − e^(−t/τs)) − τm ψ(t)

(integrate τm V̇ = −V + I from rest with I = e^(−t/τs)).  The layer gives a; `dense` behind it
has the weights and the potentials at rest.  Since Ψ′ = ψ,

    ∂L/∂t_k = −ψ(D − t_k) ā / D

A spike at D has no share, nor a spike that never was: a and its slope go to 0 there.

**The time of the first spike** of output neurons, the earliest largest:  y = −t_1 / τ.  So
∂L/∂t_1 = −ȳ/τ, and 0 for later spikes.  A silent neuron counts as firing at D, and learns
nothing from it.
"""

import jax.numpy as jnp

from jaxdigits import checks
from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.layer import Layer, Static, serial, without_params
from jaxdigits.spikes.event_lif import NEURON, event_lif, require_times
from jaxdigits.spikes.event_neuron import EventNeuron, psi


@constructor
def mean_potential(neuron: EventNeuron = NEURON, *, duration: float) -> Layer:
    """Spike times [S, ..., m] -> [..., m], the terms of the inputs in the mean potential.

    Args:
      neuron: time constants of the output neurons, which have no threshold.
      duration: D, the time of a spike that never was.

    The residual is D − t.

    Raises:
      ValueError: unless duration > 0.
    """
    require_times(duration, 1)

    def forward(times, key):
        left = jnp.maximum(duration - times, 0)
        charge = -neuron.tau_s * jnp.expm1(-left / neuron.tau_s)
        return (charge - neuron.tau_m * psi(neuron, left)).sum(0) / duration, left

    return without_params(
        forward, lambda left, a_bar: -psi(neuron, left) * a_bar[None] / duration
    )


@constructor
def first_spike(tau: float = 1.0) -> Layer:
    """Spike times [S, ..., n] -> logits [..., n] = −t_1 / tau.

    Raises:
      ValueError: unless tau > 0.
    """
    checks.positive(tau=tau)

    def forward(times, key):
        return -times[0] / tau, Static(len(times))

    def backward(spikes, y_bar):
        later = jnp.zeros((spikes.value - 1, *y_bar.shape), y_bar.dtype)
        return jnp.concatenate([-y_bar[None] / tau, later])

    return without_params(forward, backward)


_LIVELY = EventNeuron(4.0, 2.0, threshold=0.75)
CASES = {
    "first_spike": Case(
        lambda: serial(event_lif(_LIVELY, duration=14.0), first_spike()), (5,), "current"
    ),
    "mean_potential": Case(
        lambda: serial(event_lif(_LIVELY, duration=14.0),
                       mean_potential(_LIVELY, duration=14.0)), (5,), "current",
    ),
}  # fmt: skip
