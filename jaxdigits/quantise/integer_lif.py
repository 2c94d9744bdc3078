"""This library's LIF neurons and readouts in integers, with states of a few bits.

The membrane has f bits behind the unit of a weight, and `top` is its largest size.  With
⌊·⌉ rounding to the nearest, and the choices of a `Convention` as in `jaxdigits.spikes.lif`:

    vₜ = clip(cₜ₋₁ + 2^f aₜ + b, ±top)
    zₜ = vₜ > θ  {or at, or several}
    cₜ = ⌊k R(vₜ) / 4096⌉ {same step}   |   R(⌊k vₜ / 4096⌉) {next step}

A readout is such a membrane that does not fire.  Bits behind the unit keep a slow decay exact:
without them a small potential would be rounded to itself, for ever.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits.quantise.fixed_lif import States, Whole, decayed, simulated, whole
from jaxdigits.spikes import Convention

HALF = 2048  # of a division by 4096, for the nearest


class IntegerLif(NamedTuple):
    """Integers of LIF neurons, each one number or one per neuron [n]."""

    decay: Whole
    """k, 0 to 4096: share of the potential left after a step, in 1/4096"""
    threshold: Whole = 1
    """θ, in units of the potential"""
    bias: Whole = 0
    """b, added in each step, in units of the potential"""
    reset: Whole = 0
    """potential after a spike, unless the convention subtracts"""
    fraction: Whole = 0
    """f: a weight of 1 adds 2^f to a potential"""


def integer_lif(
    convention: Convention | None, top: int
) -> Callable[[IntegerLif, Array], tuple[Array, States]]:
    """Return the neurons of a convention: (params, sums x [T, ..., n]) -> (spikes, states).

    States [T, ..., n]: "v" before the reset, and "saturated", where it clipped.

    Args:
      convention: None for a readout, which does not fire.
      top: the largest potential, as 2¹⁵ − 1.
    """
    return jax.jit(partial(_lif, convention, top))


def _lif(convention: Convention | None, top: int, params: IntegerLif, x: Array):
    params, x = whole(params, x)
    fires, convention = convention is not None, convention or Convention()
    theta, same = params.threshold, convention.reset_step == "same"
    at = int(convention.fires == "at")

    def count(v):
        if not fires:
            return jnp.zeros_like(v)
        if convention.spikes == "several":
            return jnp.maximum((v - 1 + at) // theta, 0)
        return (v > theta - at).astype(jnp.int32)

    def reset(u, z):
        if convention.reset == "subtract":
            return u - theta * z
        return jnp.where(z > 0, params.reset, u)

    def step(state, a):
        (c,) = state
        raw = c + (a << params.fraction) + params.bias
        v = jnp.clip(raw, -top, top)
        z = count(v)
        c = reset(v, z) if same else decayed(v, params.decay, HALF)
        c = decayed(c, params.decay, HALF) if same else reset(c, z)
        return (c,), (z, {"v": v, "saturated": raw != v})

    return simulated(step, (jnp.zeros_like(x[0]),), x)
