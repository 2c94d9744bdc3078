"""Integer neurons of three chips, bit by bit, in int32 alone: Loihi, DynapCNN, and Xylo.

Each is a function (params, x [T, ..., n] int32) -> (spikes [T, ..., n], states by name), from
rest, compiled as one loop.  `>>` rounds towards −∞, trunc towards 0, and sat clips to 16 bits.
a is the sum of the weights of a step's spikes, s the spikes that arrive.

    Loihi [1]       u ← trunc(u (4096 − d_u − 1) / 4096) + 64 a       wraps into (−2²³, 2²³]
                    v ← clip(trunc(v (4096 − d_v) / 4096) + u + b, ±(2²³ − 1))
                    z = v > 64 θ;  v ← 0 where z = 1
    SLAYER [2]      the same as Loihi's library trains it: d_u without its 1, and no bounds
    DynapCNN [3]    v ← v + a (with its bias);  z = max(⌊v / θ⌋, 0);  v ← max(v − z θ, floor)
    Xylo [4]        i ← sat(i + w), for each spike through each weight w, one after another:
                    those of input 0 first, then of the next; recurrent spikes after all inputs,
                    one step late
                    i ← i − δ(i, d_i);  v ← sat(v + sat(sat(i − δ(v, d_v)) + b))
                    z = min(⌊v / θ⌋, most) where v >= θ, else 0;  v ← v − z θ
                    δ(x, d) = x >> d, or the sign of x where that is 0

So they differ in all that matters: a decay towards zero, none, or one that is faster below zero
(−1 >> d is −1); a state that wraps, clips, or has a floor; fires above or at the threshold;
resets to zero or subtracts, and counts.

A state of 24 bits times a decay of 13 does not fit 32 bits; its high and low parts do:

    ⌊x k / 4096⌋ = (x >> 12) k + ((x & 4095) k >> 12)                 exactly, for x >= 0

[1] Davies et al., IEEE Micro 38(1), 2018, doi:10.1109/MM.2018.112130359; Lava 0.10.
[2] Shrestha & Orchard, NeurIPS 2018, arXiv:1810.08646; Lava-DL 0.6.
[3] Yao et al., Nat. Commun. 15, 4464, 2024, doi:10.1038/s41467-024-47811-6; sinabs 3.1.3.
[4] Bos & Muir, arXiv:2208.12991, 2022; xylosim 0.1.3, version 2.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import Array

LOIHI = (1 << 23) - 1  # largest potential
States = dict[str, Array]
Whole = Any  # a whole number, or one per neuron [n]
P = TypeVar("P")


class Loihi(NamedTuple):
    """Integers of Loihi's neurons, each one number or one per neuron [n]."""

    vth: Whole
    """threshold θ, in units of a weight"""
    du: Whole = 4095
    """decay of the current, 0 to 4095, in 1/4096 (after adding 1); 4095 has none left"""
    dv: Whole = 0
    """decay of the potential, 0 to 4096, in 1/4096"""
    bias: Whole = 0
    """mantissa times 2^exponent, in units of the potential: 1/64 of a weight"""


class DynapCnn(NamedTuple):
    """Integers of DynapCNN's neurons, each one number or one per neuron [n]."""

    threshold: Whole
    floor: Whole = -(1 << 15)
    """lowest potential"""


@jax.jit
def loihi(params: Loihi, x: Array) -> tuple[Array, States]:
    """Simulate Loihi's neurons: sums of weights x [T, ..., n] -> (0 or 1, states).

    States [T, ..., n]: "u" and "v" after the reset, and "saturated", where u wrapped or v
    clipped.  Sums are below 2²⁴.
    """
    params, x = whole(params, x)

    def step(state, a):
        u, v = state
        raw_u = decayed(u, 4096 - (params.du + 1)) + 64 * a
        u = jnp.where(raw_u > LOIHI + 1, raw_u - 2 * (LOIHI + 1), raw_u)
        u = jnp.where(raw_u <= -LOIHI - 1, raw_u + 2 * (LOIHI + 1), u)
        raw_v = decayed(v, 4096 - params.dv) + u + params.bias
        v = jnp.clip(raw_v, -LOIHI, LOIHI)
        z = v > 64 * params.vth
        after = jnp.where(z, 0, v)
        return (u, after), (z, {"u": u, "v": after, "saturated": (raw_u != u) | (raw_v != v)})

    return simulated(step, (jnp.zeros_like(x[0]),) * 2, x)


@jax.jit
def slayer_cuba(params: Loihi, x: Array) -> tuple[Array, States]:
    """Simulate Loihi's neurons as SLAYER trains them: x [T, ..., n] -> (0 or 1, states).

    The current decays by du / 4096.  States [T, ..., n]: "u", and "v" before the reset.
    """
    params, x = whole(params, x)

    def step(state, a):
        u, v = state
        u = decayed(u, 4096 - params.du) + 64 * a
        v = decayed(v, 4096 - params.dv) + u + params.bias
        z = v > 64 * params.vth
        return (u, jnp.where(z, 0, v)), (z, {"u": u, "v": v})

    return simulated(step, (jnp.zeros_like(x[0]),) * 2, x)


@jax.jit
def dynapcnn(params: DynapCnn, x: Array) -> tuple[Array, States]:
    """Simulate DynapCNN's neurons: sums of weights x [T, ..., n] -> (number of spikes, states).

    States [T, ..., n]: "v" after the reset, and "saturated", where v is at the floor.
    """
    params, x = whole(params, x)

    def step(state, a):
        (v,) = state
        v = v + a
        z = jnp.maximum(v // params.threshold, 0)
        raw = v - z * params.threshold
        v = jnp.maximum(raw, params.floor)
        return (v,), (z, {"v": v, "saturated": raw < params.floor})

    return simulated(step, (jnp.zeros_like(x[0]),), x)


def simulated(step: Callable, start: tuple[Array, ...], x: Array) -> tuple[Array, States]:
    """Return (spikes [T, ..., n] int32, states) of a step from its start, over x [T, ...]."""
    _, (spikes, states) = jax.lax.scan(step, start, x)
    return spikes.astype(jnp.int32), states


def whole(params: P, x: Array) -> tuple[P, Array]:
    """Return params and x [...] as int32.

    Raises:
      ValueError: for numbers that are not whole.
    """
    for leaf in jax.tree.leaves((params, x)):
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.integer):
            kind = jnp.result_type(leaf)
            raise ValueError(f"integer neurons take whole numbers, got {kind}: round them")
    return jax.tree.map(lambda a: jnp.asarray(a, jnp.int32), (params, x))


def decayed(x: Array, k: Array, half: int = 0) -> Array:
    """Return trunc(x k / 4096) [...] for |x| < 2³¹ and k from 0 to 4096, without 64 bits.

    With `half` of 2048 it is the nearest whole number instead.
    """
    size = jnp.abs(x)
    return jnp.sign(x) * ((size >> 12) * k + ((size & 4095) * k + half >> 12))
