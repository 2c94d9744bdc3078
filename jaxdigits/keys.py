"""Random numbers as pure functions of a key: per batch, or per example.

A network draws either from one key for the whole batch, or from one key per example [B].
With one per example, what an example draws depends on its own key alone: not on the batch,
the batch size or the device that it comes in.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array


def fold_in(key: Array | None, i: int) -> Array | None:
    """`jax.random.fold_in` for one key, or for one per example [B]; None stays None."""
    if key is None:
        return None
    require_key(key)
    fold = jax.random.fold_in
    return jax.vmap(fold, (0, None))(key, i) if key.ndim else fold(key, i)


def example_keys(key: Array, index: Array) -> Array:
    """One key per example [B], from one key and each example's index [B] in its data set."""
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
    if key.ndim and key.shape[0] != batch:
        raise ValueError(f"got {key.shape[0]} keys for a batch of {batch}")
    return key if key.ndim else jax.random.split(key, batch)


def draw_bytes(key: Array, batch: int, shape: tuple[int, ...], axis: int = 0) -> Array:
    """Uniform random uint8, `batch` times `shape`, with the batch at `axis`.

    Four bytes come from each 32-bit word, so a byte costs a quarter of a `jax.random`
    draw.  Rows (the last axis) are padded to whole words, so a longer first axis of
    `shape` only adds rows to the ones that a shorter one has.

    Raises:
      ValueError: unless `key` is one key or `batch` keys.
    """
    words = (*shape[:-1], -(-shape[-1] // 4))

    def draw(key):
        bits = jax.lax.bitcast_convert_type(jax.random.bits(key, words, jnp.uint32), jnp.uint8)
        return bits.reshape(*words[:-1], words[-1] * 4)[..., : shape[-1]]

    return jax.vmap(draw, out_axes=axis)(per_example(key, batch))


def uniform(key: Array, shape: tuple[int, ...], variance: float) -> Array:
    """Zero-mean uniform numbers of that variance."""
    # Drawn flat: the same values as in shape, in a third of the compile time.
    size, limit = math.prod(shape), (3 * variance) ** 0.5
    return jax.random.uniform(key, (size,), minval=-limit, maxval=limit).reshape(shape)
