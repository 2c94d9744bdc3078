"""A price on spikes, differentiated by hand.

Of spikes sₜ, t = 1..T, with the firing rate r = Σₜ sₜ / T of each of n neurons in each of B
examples, and a rate ρ that is free:

    P = λ Σ max(0, r − ρ)² / (B n)          ∂P/∂sₜ = 2 λ max(0, r − ρ) / (B n T)

P is added to the loss, whatever that is, so `backward` adds ∂P/∂sₜ to what comes from behind.
"""

from functools import reduce
from operator import add
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.layer import Layer, serial, without_params
from jaxdigits.spikes.lif import lif


class Penalty(NamedTuple):
    """What a layer adds to the loss, and what `backward` needs of it."""

    value: Array
    """[] P"""
    slope: Array
    """∂P/∂s of any step"""

    read_later = "price on spikes"


@constructor
def rate_penalty(weight: float, target: float = 0.0) -> Layer:
    """Spikes [T, B, ...] -> the same; a rate above `target` costs the square of the excess.

    Args:
      weight: λ, in units of the loss; a constant.
      target: ρ, in spikes per step: up to it, firing is free.

    `jaxdigits.gradients.by_hand` and `by_autodiff` add the residual's `Penalty` to the loss.

    Raises:
      ValueError: unless both are finite and >= 0.
    """
    if not 0 <= weight < float("inf") or not 0 <= target < float("inf"):
        raise ValueError(
            f"a rate penalty and its target must be finite and >= 0, got {weight} and {target}"
        )

    def forward(x, key):
        above = jnp.maximum(0, x.mean(0) - target)
        return x, Penalty(weight * (above**2).mean(), 2 * weight * above / x.size)

    return without_params(forward, lambda kept, y_bar: y_bar + kept.slope)


def penalties(residual: Any) -> Array | None:
    """[] what all layers of a network add to the loss; None where none adds anything."""
    is_penalty = lambda node: isinstance(node, Penalty)
    nodes = jax.tree.leaves(residual, is_leaf=is_penalty)
    values = [node.value for node in nodes if is_penalty(node)]
    return reduce(add, values) if values else None


CASES = {
    "rate_penalty": Case(
        lambda: serial(lif(decay=0.9, threshold=0.75), rate_penalty(3.0, 0.1)), (5,), "current"
    )
}
