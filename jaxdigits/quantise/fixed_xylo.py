"""Xylo's integer neurons, whose sums clip at 16 bits, spike by spike.

`jaxdigits.quantise.fixed_lif` has the equations, beside other chips' neurons.  Spikes through
one weight change a current in one direction, so k of them are one sum that is clipped.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits.quantise.fixed_lif import States, Whole, simulated, whole

XYLO = (1 << 15) - 1  # largest state; the least is −2¹⁵


class Xylo(NamedTuple):
    """Integers of a layer of Xylo's neurons; constants are one number or one per neuron [n]."""

    weight: Whole
    """[m, n] int32, 8 bits"""
    threshold: Whole
    synapse_shift: Whole = 1
    """d_i: a current loses 2^−d_i of itself in a step"""
    leak_shift: Whole = 4
    """d_v"""
    bias: Whole = 0
    recurrent: Whole | None = None
    """[n, n] int32, 8 bits"""
    shift: int = 0
    """bits by which weights are shifted to the left"""
    recurrent_shift: int = 0
    most_in: int = 15
    """largest number of spikes of an input in a step: 31 behind a layer of neurons"""
    most: int = 31
    """largest number of spikes of a neuron in a step: 1 for outputs"""


@jax.jit
def xylo(params: Xylo, x: Array) -> tuple[Array, States]:
    """Simulate Xylo's neurons: numbers of spikes x [T, ..., m] -> (spikes [T, ..., n], states).

    States [T, ..., n]: "i" and "v" after the reset, and "saturated", where one of them clipped.
    """
    params, x = whole(params, x)
    weight = params.weight << params.shift
    recurrent = params.recurrent
    if recurrent is not None:
        recurrent = recurrent << params.recurrent_shift

    def step(state, s):
        i, v, z = state
        i = _add_spikes(i, jnp.minimum(s, params.most_in), weight)
        i = i if recurrent is None else _add_spikes(i, z, recurrent)
        full = (i == XYLO) | (i == -XYLO - 1)
        i = i - _leak(i, params.synapse_shift)
        slope = _sat(_sat(i - _leak(v, params.leak_shift)) + params.bias)
        v = _sat(v + slope)
        full |= (v == XYLO) | (v == -XYLO - 1)
        z = jnp.where(v >= params.threshold, v // params.threshold, 0)
        z = jnp.minimum(z, params.most)
        v = v - z * params.threshold
        return (i, v, z), (z, {"i": i, "v": v, "saturated": full})

    start = jnp.zeros((*x.shape[1:-1], weight.shape[-1]), jnp.int32)
    return simulated(step, (start,) * 3, x)


def _sat(x: Array) -> Array:
    return jnp.clip(x, -XYLO - 1, XYLO)


def _leak(x: Array, shift: Array) -> Array:
    part = x >> shift
    return jnp.where(part == 0, jnp.sign(x), part)


def _add_spikes(i: Array, counts: Array, weight: Array) -> Array:
    """Return currents i [..., n] after the spikes [..., m] through weights [m, n], clipped."""

    def one_by_one(i):
        def step(i, source):
            count, w = source
            return _sat(i + count[..., None] * w), None

        return jax.lax.scan(step, i, (jnp.moveaxis(counts, -1, 0), weight))[0]

    # Where no order of the spikes could clip a current, the order does not matter.
    largest = jnp.abs(i) + counts @ jnp.abs(weight)
    return jax.lax.cond(jnp.all(largest <= XYLO), lambda i: i + counts @ weight, one_by_one, i)
