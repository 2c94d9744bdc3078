"""Random numbers as pure functions of a key: per batch, or per example.

A network draws either from one key for the whole batch, or from one key per example [B].
With one per example, what an example draws depends on its own key alone: not on the batch,
the batch size or the device that it comes in.

The bytes of spikes and masks are those of `jax.random.bits`, bit for bit.
"""

import math
from typing import overload

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits.fast.threefry import draw_words


@overload
def fold_in(key: Array, i: int) -> Array: ...
@overload
def fold_in(key: Array | None, i: int) -> Array | None: ...
def fold_in(key: Array | None, i: int) -> Array | None:
    """`jax.random.fold_in` for one key, or for one per example [B]; None stays None."""
    if key is None:
        return None
    require_key(key)
    fold = jax.random.fold_in
    return jax.vmap(fold, (0, None))(key, i) if key.ndim else fold(key, i)


def example_keys(key: Array, index: Array) -> Array:
    """One key per example [B], from one key and each example's index [B] in its data set."""
    require_key(key, "a draw per example")
    return jax.vmap(jax.random.fold_in, (None, 0))(key, index)


def require_key(key: Array | None, wanted_by: str = "this network") -> Array:
    """`key`, if it is one.

    Raises:
      ValueError: for None, a number, a legacy uint32 key, or keys of more than one axis.
    """
    if key is None:
        raise ValueError(f"{wanted_by} draws random numbers: pass a key, jax.random.key(seed)")
    dtype, shape = getattr(key, "dtype", type(key)), np.shape(key)
    if not jnp.issubdtype(dtype, jax.dtypes.prng_key) or len(shape) > 1:
        raise ValueError(
            f"{wanted_by} takes one typed key (jax.random.key) or one per example [B], "
            f"got {dtype} of shape {shape}"
        )
    return key


def per_example(key: Array, batch: int) -> Array:
    """`batch` keys: the ones given, or as many split from one.

    Raises:
      ValueError: unless `key` is one key or `batch` keys.
    """
    require_key(key, "a draw per example")
    if key.ndim and key.shape[0] != batch:
        raise ValueError(f"got {key.shape[0]} keys for a batch of {batch}")
    return key if key.ndim else jax.random.split(key, batch)


def draw_bytes(key: Array, batch: int, shape: tuple[int, ...], axis: int = 0) -> Array:
    """Uniform random uint8, `batch` times `shape`, with the batch at `axis`.

    Four bytes come from each 32-bit word, so a byte costs a quarter of a `jax.random`
    draw.  Rows (the last axis) are padded to whole words, so a longer first axis of
    `shape` only adds rows to the ones that a shorter one has.

    Raises:
      ValueError: unless `key` is one key or `batch` keys, and `axis` is one of `shape`.
    """
    bits = _draw_words(key, batch, shape, axis, share=4)
    drawn = _bytes_of(bits)
    return drawn.reshape(*bits.shape[:-1], 4 * bits.shape[-1])[..., : shape[-1]]


def _bytes_of(words: Array) -> Array:
    """Return the four bytes of words [...] uint32, the lowest first: [..., 4]."""
    if all(isinstance(n, int) for n in words.shape):
        return jax.lax.bitcast_convert_type(words, jnp.uint8)
    # XLA cannot make smaller numbers of an array whose size is a symbol.
    shifts = 8 * jnp.arange(4, dtype=jnp.uint32)
    return (words[..., None] >> shifts).astype(jnp.uint8)


def draw_unit(key: Array, batch: int, shape: tuple[int, ...], axis: int = 0) -> Array:
    """Uniform random float32 in [0, 1), `batch` times `shape`, with the batch at `axis`.

    The numbers that `jax.random.uniform` draws in `shape` from each key, on a CPU far sooner.

    Raises:
      ValueError: as `draw_bytes`.
    """
    bits = _draw_words(key, batch, shape, axis)
    from_one = (bits >> 9) | jnp.uint32(0x3F800000)  # 23 bits behind those of 1.0
    return jax.lax.bitcast_convert_type(from_one, jnp.float32) - 1


def draw_normal(key: Array, batch: int, shape: tuple[int, ...]) -> Array:
    """Normal random numbers [batch, *shape] of 65,536 levels within ±4.3: two bytes for each.

    Raises:
      ValueError: as `draw_bytes`.
    """
    drawn = draw_bytes(key, batch, (*shape[:-1], 2 * shape[-1]))
    pairs = drawn.reshape(*drawn.shape[:-1], shape[-1], 2).astype(jnp.result_type(float))
    uniform = (2 * (256 * pairs[..., 0] + pairs[..., 1]) - 65535) / 65536
    return jnp.sqrt(2.0) * jax.lax.erf_inv(uniform)


def _draw_words(
    key: Array, batch: int, shape: tuple[int, ...], axis: int, share: int = 1
) -> Array:
    """32 random bits for `share` numbers of a row, `batch` times `shape`, batch at `axis`."""
    if not 0 <= axis < len(shape):
        raise ValueError(f"the batch needs an axis of {shape}, got {axis}")
    shape = (*shape[:-1], -(-shape[-1] // share))
    return draw_words(per_example(key, batch), shape, axis)


def uniform(key: Array, shape: tuple[int, ...], variance: float) -> Array:
    """Zero-mean uniform numbers of that variance."""
    require_key(key, "the start of a layer")
    # Drawn flat: the same values as in shape, in a third of the compile time.
    size, limit = math.prod(shape), (3 * variance) ** 0.5
    return jax.random.uniform(key, (size,), minval=-limit, maxval=limit).reshape(shape)
