"""Parts that go step by step, for the rules that keep nothing of the past.

A layer over time takes all steps at once, so all steps are somewhere in memory.  The online
rules want parts that make one step:

    encoder     a `Stream`, as `rate_stream`           the values of `rate`, one step at a time
    neurons     a `Neuron`, as `lif_neuron`            one step of `lif`, and its adjoint

    snn(steps=T, encoder=rate_stream, neuron=lif_neuron, chain=eprop(online=True))

An encoder that is an ordinary layer works too, and holds its output [T, B, ...].

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

from jaxdigits.chain import Parts, flat, grouped
from jaxdigits.keys import per_example, require_key
from jaxdigits.layer import Layer, to_unit, without_params
from jaxdigits.spikes.unroll import Neuron, over_time


class Stream(NamedTuple):
    """An encoder that gives one step when asked."""

    steps: int
    at: Callable[[Any, Array | None, Any], Array]
    """(x [B, ...], key, t) -> what the encoder puts out at step t [B, ...]"""


def unrolled(parts: Parts) -> Parts:
    """The same parts as layers over time."""
    layer = lambda part: (
        over_time(part) if isinstance(part, Neuron)
        else _all_steps(part) if isinstance(part, Stream)
        else part
    )  # fmt: skip
    return grouped(parts, [layer(part) for part in flat(parts)])


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


def _all_steps(stream: Stream) -> Layer:
    def forward(x, key):
        at = lambda t: stream.at(x, key, t)
        return jax.lax.map(at, jnp.arange(stream.steps)), ()

    return without_params(forward, lambda residual, y_bar: None)


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
