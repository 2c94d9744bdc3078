"""Axes of time: delay lines, and steps in front of examples.

A delay line [1] puts earlier inputs beside the present one, with xₜ = 0 before the first step
and ȳ = 0 beyond the last:

    yₜ = (xₜ, xₜ₋₁, ..., xₜ₋ₙ₊₁)        x̄ₜ = Σᵢ ȳₜ₊ᵢ,ᵢ

In front of dense weights it is axons of 0 to n − 1 steps' delay from every neuron to every
other, or a convolution over time.

[1] Waibel, Hanazawa, Hinton, Shikano & Lang, IEEE Trans. ASSP 37(3), 1989 (time delays).
"""

import jax.numpy as jnp

from jaxdigits import checks
from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.layer import Layer, Static, without_params


@constructor
def delays(taps: int) -> Layer:
    """Signals x [T, B, ..., F] -> y [T, B, ..., taps · F], the latest first.

    Raises:
      ValueError: unless taps >= 1.
    """
    checks.at_least(1, taps=taps)

    def forward(x, key):
        later = lambda i: jnp.concatenate([jnp.zeros_like(x[:i]), x[: len(x) - i]])[: len(x)]
        return jnp.concatenate([later(i) for i in range(taps)], -1), ()

    def backward(_, y_bar):
        sooner = lambda y, i: jnp.concatenate([y[i:], jnp.zeros_like(y[:i])])
        bars = [sooner(bar, i) for i, bar in enumerate(jnp.split(y_bar, taps, -1))]
        return sum(bars[1:], start=bars[0])

    return without_params(forward, backward, lambda s: (*s[:-1], taps * s[-1]))


@constructor
def steps_first(steps: int) -> Layer:
    """Spikes x [B, steps, ...], counts or floats -> [steps, B, ...] floats.

    Counts have no gradient: `backward` returns None for them.

    Raises:
      ValueError: in `init`, for features with another number of steps.
    """

    def shape(features):
        if not features or features[0] != steps:
            raise ValueError(f"steps_first takes spikes at {steps} steps, got shape {features}")
        return features[1:]

    def forward(x, key):
        floating = jnp.issubdtype(x.dtype, jnp.floating)
        dtype = x.dtype if floating else jnp.result_type(float)
        return jnp.swapaxes(x, 0, 1).astype(dtype), Static(floating)

    def backward(floating, y_bar):
        return jnp.swapaxes(y_bar, 0, 1) if floating.value else None

    return without_params(forward, backward, shape)


CASES = {
    "delays": Case(lambda: delays(3), (5,), "current"),
    "steps_first": Case(lambda: steps_first(6), (6, 5)),
}
