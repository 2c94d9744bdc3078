"""Delay lines: what comes in now, side by side with what came in before [1].

    yₜ = (xₜ, xₜ₋₁, ..., xₜ₋ₙ₊₁)        x̄ₜ = Σᵢ ȳₜ₊ᵢ,ᵢ

with xₜ = 0 before the first step, and ȳ = 0 beyond the last.  In front of dense weights it is
axons of 0 to n − 1 steps' delay from every neuron to every other, or a convolution over time.

[1] Waibel, Hanazawa, Hinton, Shikano & Lang, IEEE Trans. ASSP 37(3), 1989 (time delays).
"""

import jax.numpy as jnp

from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.layer import Layer, without_params


@constructor
def delays(taps: int) -> Layer:
    """Signals x [T, B, ..., F] -> y [T, B, ..., taps · F], the latest first.

    Raises:
      ValueError: unless taps >= 1.
    """
    if taps < 1:
        raise ValueError(f"taps must be >= 1, got {taps}")

    def forward(x, key):
        later = lambda i: jnp.concatenate([jnp.zeros_like(x[:i]), x[: len(x) - i]])[: len(x)]
        return jnp.concatenate([later(i) for i in range(taps)], -1), ()

    def backward(_, y_bar):
        sooner = lambda y, i: jnp.concatenate([y[i:], jnp.zeros_like(y[:i])])
        parts = jnp.split(y_bar, taps, -1)
        moved = [sooner(part, i) for i, part in enumerate(parts)]
        return sum(moved[1:], start=moved[0])

    return without_params(
        forward, backward, lambda features: (*features[:-1], taps * features[-1])
    )


CASES = {"delays": Case(lambda: delays(3), (5,), "current")}
