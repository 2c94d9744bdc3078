"""The level-crossing or delta code: a spike for each step of height δ that a signal takes [1].

A level ℓ follows the signal x, from ℓ₁ = x₁, and what it takes to follow is the code:

    nₜ = (xₜ − ℓₜ₋₁) / δ, towards 0        ℓₜ = ℓₜ₋₁ + δ nₜ
    ONₜ = max(nₜ, 0)                       OFFₜ = max(−nₜ, 0)

so that x₁ + δ Σ (ON − OFF) is never δ away from x.  With one spike a step at most, nₜ is
bounded by ±1, and the level falls behind a signal that moves faster.  It is what event
cameras send of the logarithm of light, and silicon cochleas of the energy in a band.

The code is a step function of x: its gradient is 0, as that of `latency`.

[1] Lichtsteiner, Posch & Delbruck, IEEE J. Solid-State Circuits 43(2), 2008.
"""

from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.layer import Layer, without_params


@constructor
def level_crossing(height: float, *, spikes: Literal["one", "several"] = "one") -> Layer:
    """Signals x [T, B, ...], floats -> spikes [T, B, ..., 2], OFF and ON.

    Args:
      height: δ, of a step, in the unit of x.
      spikes: in a step: "one" at most, or "several", as many as it takes.

    Raises:
      ValueError: unless height > 0, for another `spikes`, or an x that is no floats.
    """
    if not height > 0:
        raise ValueError(f"height must be > 0, got {height}")
    if spikes not in ("one", "several"):
        raise ValueError(f"spikes must be 'one' or 'several', got {spikes!r}")

    def forward(x, key):
        if not jnp.issubdtype(x.dtype, jnp.floating):
            raise ValueError(f"level_crossing takes floats, got {x.dtype}")
        # A code has no derivative, for JAX either.
        return _code(jax.lax.stop_gradient(x), height, spikes == "one"), ()

    # In the shape of x, which spikes have an axis more than.
    backward = lambda _, s_bar: jnp.zeros_like(s_bar[..., 0])
    return without_params(forward, backward, lambda features: (*features, 2))


def _code(x: Array, height: float, bounded: bool) -> Array:
    def step(level, x_t):
        n = jnp.trunc((x_t - level) / height)
        if bounded:
            n = jnp.clip(n, -1, 1)
        return level + height * n, jnp.stack([jnp.maximum(-n, 0), jnp.maximum(n, 0)], -1)

    return jax.lax.scan(step, x[0], x)[1]


CASES = {"level_crossing": Case(lambda: level_crossing(0.5), (9,), "current")}
