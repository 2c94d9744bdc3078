"""A price on spikes, differentiated by hand.

For spikes sₜ, t = 1..T, with the firing rate r = Σₜ sₜ / T of each of n neurons in each of B
examples, and a free rate ρ:

    P = λ Σ max(0, r − ρ)² / (B n)          ∂P/∂sₜ = 2 λ max(0, r − ρ) / (B n T)

P is added to any loss, so `backward` adds ∂P/∂sₜ to ∂L/∂sₜ.
"""

from functools import reduce
from operator import add
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxdigits import checks
from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.layer import Layer, Residual, nodes_of, serial, spread, without_params
from jaxdigits.spikes.lif import lif


class Penalty(NamedTuple):
    """The price of a layer's spikes, and its slope for `backward`."""

    value: Array
    """[] P"""
    slope: Array
    """∂P/∂s of any step"""

    message = "price on spikes"


@constructor
def rate_penalty(weight: float, target: float = 0.0) -> Layer:
    """Spikes [T, B, ...] -> the same; a rate above `target` costs the square of the excess.

    Args:
      weight: λ, in units of the loss; a constant.
      target: ρ, in spikes per step.

    `jaxdigits.gradients.by_hand` and `by_autodiff` add the residual's `Penalty` to the loss.

    Raises:
      ValueError: unless both are finite and >= 0.
    """
    for value in (weight, target):
        if checks.known(value) and not 0 <= value < float("inf"):
            pair = f"{weight} and {target}"
            raise ValueError(f"rate penalty and target must be finite and >= 0, got {pair}")

    def forward(x, key):
        above = jnp.maximum(0, x.mean(0) - target)
        return x, Penalty(weight * (above**2).mean(), 2 * weight * above / x.size)

    return without_params(forward, lambda penalty, y_bar: y_bar + spread(penalty.slope, y_bar))


def penalties(residual: Residual) -> Array | None:
    """Return the sum [] of all prices in a network's residual; None without any."""
    nodes = nodes_of(residual, lambda node: isinstance(node, Penalty))
    return reduce(add, [node.value for node in nodes]) if nodes else None


CASES = {
    "rate_penalty": Case(
        lambda: serial(lif(decay=0.9, threshold=0.75), rate_penalty(3.0, 0.1)), (5,), "current"
    )
}
