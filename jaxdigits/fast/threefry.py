"""Random words of Threefry-2×32 [1], drawn with the rounds written out.

JAX runs the 20 rounds of the generator as a loop on a CPU, which writes its two words to memory
after every round.  Written out, they stay in registers.  XLA's CPU compiler would then fuse the
rounds with the code that takes a word apart, and run them once for each byte; it does not fuse
a loop over rows, so there is one.

Measured with jax 0.10.2: without `threefry`, W7-snn-1 takes 1.13 times as long.  Try without
after jax 0.12.

[1] Salmon, Moraes, Dror & Shaw, SC 2011, doi:10.1145/2063384.2063405.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxdigits.fast.switch import uses

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARTITIONABLE = "jax_threefry_partitionable"
PARITY = 0x1BD11BDA  # the third word of the key, with the other two


def draw_words(keys: Array, shape: tuple[int, ...], axis: int) -> Array:
    """The words uint32 that `jax.random.bits` draws in `shape` from each of the keys [B].

    Args:
      axis: where the batch is among the axes of `shape`.
    """
    threefry = str(jax.random.key_impl(keys)) == "threefry2x32"
    if threefry and uses("threefry"):
        return _drawn(jax.random.key_data(keys), shape, axis)
    draw = lambda key: jax.random.bits(key, shape, jnp.uint32)
    with jax.threefry_partitionable(threefry or jax.config.values[PARTITIONABLE]):
        return jax.vmap(draw, out_axes=axis)(keys)


# A start draws in the same few shapes a dozen times: each is traced once.
@partial(jax.jit, static_argnums=(1, 2), inline=True)
def _drawn(keys: Array, shape: tuple[int, ...], axis: int) -> Array:
    """`_words`, in the way of the machine that runs the program."""
    here = partial(_words, shape=shape, axis=axis)
    row_by_row = partial(_row_by_row, shape=shape, axis=axis)
    return jax.lax.platform_dependent(keys, cpu=row_by_row, default=here)


def _row_by_row(keys: Array, *, shape: tuple[int, ...], axis: int) -> Array:
    """`_words`, one row of the first axis at a time where the batch is behind that axis."""
    if not axis:
        return _words(keys, shape=shape, axis=axis)
    row = partial(_words, keys, shape=shape[1:], axis=axis - 1)
    starts = jnp.arange(shape[0], dtype=jnp.uint32) * math.prod(shape[1:])
    return jax.lax.map(lambda first: row(first=first), starts)


def _words(keys: Array, *, shape: tuple[int, ...], axis: int, first: ArrayLike = 0) -> Array:
    """The words from keys [B, 2], of which the first has the number `first`."""
    count = jnp.arange(math.prod(shape), dtype=jnp.uint32).reshape(shape)
    count = jnp.expand_dims(count + jnp.asarray(first, jnp.uint32), axis)
    of = lambda i: keys[:, i].reshape(*[1] * axis, -1, *[1] * (len(shape) - axis))
    high, low = _threefry((of(0), of(1)), jnp.zeros_like(count), count)
    return high ^ low


def _threefry(key: tuple[Array, Array], x: Array, y: Array) -> tuple[Array, Array]:
    """A block of two words, from a key and a counter of two words each."""
    words = (*key, key[0] ^ key[1] ^ jnp.uint32(PARITY))
    x, y = x + words[0], y + words[1]
    for i in range(5):
        for by in ROTATIONS[i % 2]:
            x = x + y
            y = x ^ ((y << by) | (y >> (32 - by)))
        x = x + words[(i + 1) % 3]
        y = y + words[(i + 2) % 3] + jnp.uint32(i + 1)
    return x, y
