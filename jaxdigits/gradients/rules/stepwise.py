"""Encoders that give one step when asked, for the rules that keep nothing of the past.

A layer over time takes all steps at once, so all steps are somewhere in memory.  The online
rules go step by step instead: neurons by their `Neuron`, and the encoder by a `Stream`, which
has the values of the layer, one step at a time.

`rate` draws all its bytes at once, word j of an example being the threefry hash of (its key,
j) [1]: JAX's "partitionable" counter mode.  So the words of one step are the hashes of a
range of counters.

[1] Salmon, Moraes, Dror & Shaw, SC 2011, doi:10.1145/2063384.2063405.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.extend.random
import jax.numpy as jnp
from jax import Array

from jaxdigits.keys import per_example, require_key
from jaxdigits.layer import Layer, to_unit
from jaxdigits.spikes.encoders import direct, rate


class Stream(NamedTuple):
    """An encoder that gives one step when asked."""

    steps: int
    at: Callable[[Any, Array | None, Any], Array]
    """(x [B, ...], key, t) -> what the encoder puts out at step t [B, ...]"""


def stream_of(encoder: Layer) -> Layer | Stream:
    """The stream of an encoder, by its `about`; the encoder itself where there is none."""
    streams = {rate: rate_stream, direct: direct_stream}
    make = encoder.about and streams.get(encoder.about.constructor)
    return make(encoder.about.arguments["steps"]) if make and encoder.about else encoder


def direct_stream(steps: int) -> Stream:
    """`direct`, step by step: the same value at every one."""
    return Stream(steps, lambda x, key, t: to_unit(x))


def rate_stream(steps: int) -> Stream:
    """`rate`, step by step: the same spikes bit by bit, for images in uint8.

    Raises:
      ValueError: at a step, without a key, for keys that are not threefry, for counters of
        more than 32 bits, or for another dtype.
    """

    def at(x, key, t):
        if x.dtype != jnp.uint8:
            raise ValueError(f"rate_stream takes images in uint8, got {x.dtype}")
        pixels = x.reshape(len(x), math.prod(x.shape[1:]))
        keys = per_example(require_key(key, "rate coding"), len(x))
        words = -(-pixels.shape[1] // 4)
        _require_counters(keys, steps * words)
        draw = jax.vmap(lambda key: _bytes_of_step(key, t, words))(keys)[:, : pixels.shape[1]]
        spikes = (draw < pixels) | (pixels == 255)
        return spikes.astype(jnp.result_type(float)).reshape(x.shape)

    return Stream(steps, at)


def _bytes_of_step(key: Array, t: Any, words: int) -> Array:
    """[4 · words] uint8: row t of the bits that `jax.random.bits` draws in rows of `words`."""
    low = jnp.uint32(t) * words + jnp.arange(words, dtype=jnp.uint32)
    counters = jnp.concatenate([jnp.zeros_like(low), low])
    high, low = jnp.split(
        jax.extend.random.threefry_2x32(jax.random.key_data(key), counters), 2
    )
    return jax.lax.bitcast_convert_type(high ^ low, jnp.uint8).reshape(-1)


def _require_counters(keys: Array, count: int) -> None:
    by_counter = jax.config.values["jax_threefry_partitionable"]
    if str(jax.random.key_impl(keys)) != "threefry2x32" or not by_counter:
        raise ValueError("rate_stream needs partitionable threefry keys, jax's default")
    if count >= 2**32:
        raise ValueError(f"rate_stream counts to 2³², got {count} words per example")
