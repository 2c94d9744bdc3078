"""Neurons that count their current, and layers of the mean of their spikes.

An integrate-and-fire neuron starts at v₀, adds up its current, and at its threshold θ fires and
subtracts θ.  With a constant current I, in T steps it fires

    n = clip(⌊(v₀ + T I) / θ⌋, 0, T)    so |n − T I/θ| < 1, and ≤ ½ with v₀ = θ/2, for 0 ≤ I ≤ θ

which with v₀ = θ/2 is the rounded, clipped rectifier of [1], exactly.  For any current, the
charge in is the charge out: θ Σ z = Σ I + v₀ − v_T.

[1] Bu et al., ICLR 2022, arXiv:2303.04347.
"""

import jax.numpy as jnp

from jaxdigits import checks
from jaxdigits.about import constructor
from jaxdigits.case import STEPS, Case
from jaxdigits.layer import Layer, Static, serial, without_params
from jaxdigits.layers.dense import dense
from jaxdigits.spikes import surrogates as su
from jaxdigits.spikes.convention import Convention
from jaxdigits.spikes.lif import lif

COUNTING = Convention(fires="at")


@constructor
def integrate_and_fire(
    start: float = 0.5, *, steps: int | None = None, surrogate: su.AnySurrogate = "triangle"
) -> Layer:
    """Neurons of threshold 1 without a leak: currents [T, ..., n] -> spikes [T, ..., n].

    Args:
      start: their potential before the first step.
      steps: for a current [..., n] that is the same at T steps; the spikes are [T, ..., n].
      surrogate: firing slope.

    Raises:
      ValueError: unless 0 <= start < 1 and steps >= 1; for another surrogate.
    """
    if checks.known(start) and not 0 <= start < 1:
        raise ValueError(f"start must be from 0 to below 1, the threshold, got {start}")
    if steps is not None:
        checks.at_least(1, steps=steps)
    neurons = lif(surrogate, decay=1.0, threshold=1.0, convention=COUNTING)

    def forward(current, key):
        if steps is not None:
            current = jnp.broadcast_to(current, (steps, *current.shape))
        # The charge before the first step comes with the current of the first.
        return neurons.forward({}, current.at[0].add(start), key)

    def backward(residual, z_bar):
        i_bar = neurons.backward({}, residual, z_bar)[1]
        return i_bar if steps is None else i_bar.sum(0)

    return without_params(forward, backward)


@constructor
def of_mean(layer: Layer) -> Layer:
    """`layer` of the mean over time: x [T, ..., n] -> y [..., m].

    For a linear layer it is the mean of its outputs, at a share 1 / T of the work.
    """

    def forward(params, x, key=None):
        y, residual = layer.forward(params, x.mean(0), key)
        return y, (residual, Static(len(x)))

    def backward(params, residual, y_bar):
        inner, steps = residual
        grads, x_bar = layer.backward(params, inner, y_bar)
        return grads, jnp.broadcast_to(x_bar / steps.value, (steps.value, *x_bar.shape))

    return Layer(layer.init, forward, backward)


CASES = {
    "integrate_and_fire": Case(integrate_and_fire, (5,), "current"),
    "integrate_and_fire, a constant current": Case(
        lambda: serial(dense(5, gain=20.0), integrate_and_fire(steps=STEPS)), (7,)
    ),
    "of_mean": Case(lambda: of_mean(dense(3)), (5,), "current"),
}
