"""A second pass through the steps of a batch, for the rules that store nothing of the past.

`forward` computes the logits, and stores the images and the key alone.  `backward` goes through
the same steps again, now with ∂L/∂logits, and computes all that it needs of a step there.  So a
step's share w_t in the logits, y = Σ_t w_t i_t, must be known in advance.

The logits are those of the ordinary network to rounding: there all steps are one matrix
product, here each is one, and logits add up step by step, so sums may be taken in another
order.  Where they are exact (dyadic weights) spikes are equal bit for bit.

A layer over time takes all steps at once, so all steps are somewhere in memory.  Here the
network goes step by step: neurons by their `Neuron`, and the encoder by a `Stream`, which has
the values of the layer, one step at a time.  `rate` draws all its bytes at once, word j of an
example being the threefry hash of (its key, j) [1]: JAX's "partitionable" counter mode.  So the
words of one step are the hashes of a range of counters.

[1] Salmon, Moraes, Dror & Shaw, SC 2011, doi:10.1145/2063384.2063405.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits import spikes as sp
from jaxdigits.chain import Parts, grouped, in_series
from jaxdigits.gradients.rules.rule import neuron_in
from jaxdigits.keys import fold_in, per_example, require_key
from jaxdigits.layer import Layer, Params, serial, to_unit
from jaxdigits.spikes.readout import step_shares

Stream = Callable[[Any, Array | None, Any], Array]
"""(x [B, ...], key, t) -> the encoder's output at step t [B, ...]"""


class Replay(NamedTuple):
    """The residual: enough to go through time again."""

    x: Any  # the images
    key: Array | None
    means: tuple[sp.Traces, ...]  # per hidden layer [1, B, n], over the steps


class LayerStep(NamedTuple):
    """One step of a hidden layer."""

    x: Array  # [B, m] its input
    potentials: dict[str, Array]  # of the neurons [B, n]
    z: Array  # [B, n] spikes
    mask: Any  # of dropout
    y: Array  # [B, n] its output


class Pass(NamedTuple):
    """A pass through the steps of one batch."""

    states: list[Any]  # of the neurons at rest, per hidden layer
    zeros: list[Array]  # [B, n] per hidden layer
    output: Array  # [B, K] zeros
    step: Callable[[list[Any], Any], tuple[Any, ...]]  # (states, t) -> (states, layers, i_out)


def network(parts: Parts, rule: str, require: Callable, backward: Callable) -> Layer:
    """The network of a rule that goes step by step, with errors in the name of the rule.

    Args:
      require: (neuron, weights, rule), the check of a hidden layer.
      backward: (stepped parts, w) -> `backward`, where neurons are `Neuron`s, the encoder is a
        `Stream` if it has one, and w [T] is ∂logits/∂(the output's currents).
    """
    entry = stream_of(parts.entry[0]), *parts.entry[1:]
    hidden = [(weights, neuron_in(unit, rule), *rest) for weights, unit, *rest in parts.hidden]
    for weights, neuron, _ in hidden:
        require(neuron, weights, rule)
    if len(parts.exit) != 2:
        raise ValueError(f"{rule} needs a readout that makes logits of all steps")
    w = step_shares(parts.exit[1], parts.steps or 0)
    if w is None:
        raise ValueError(f"{rule} must know at each step its share in the logits, and here it "
                         "depends on later steps: take the mean or the last")  # fmt: skip
    stepped = parts._replace(entry=entry, hidden=hidden)
    return Layer(in_series(parts).init, forward_over(stepped, w), backward(stepped, w))


def forward_over(parts: Parts, w: np.ndarray) -> Callable:
    """Make the `forward` of stepped parts: logits [B, K], and a `Replay` as residual."""

    def forward(params, x, key=None):
        run = begin(parts, params, x, key)

        def step(carry, xs):
            (states, y, sums), (t, w_t) = carry, xs
            states, layers, i_out = run.step(states, t)
            traces = [sp.Traces(layer.potentials["v"], layer.z) for layer in layers]
            return (states, y + w_t * i_out, jax.tree.map(jnp.add, sums, traces)), None

        start = run.states, run.output, [sp.Traces(z, z) for z in run.zeros]
        (_, y, sums), _ = jax.lax.scan(step, start, steps_of(w, run.output))
        return y, Replay(x, key, jax.tree.map(lambda a: a[None] / parts.steps, tuple(sums)))

    return forward


def begin(parts: Parts, params: Params, x: Any, key: Array | None) -> Pass:
    """Begin a pass through the steps of images x [B, ...], in a network of stepped parts."""
    p = grouped(parts, params)
    keys = grouped(parts, [fold_in(key, i) for i in range(len(params))])
    encoder, *reshapes = parts.entry
    if isinstance(encoder, Layer):
        series, _ = encoder.forward(p.entry[0], x, keys.entry[0])
        encode = lambda t: series[t]
    else:
        encode = lambda t: encoder(x, keys.entry[0], t)

    def step(states, t):
        x_t, _ = serial(*reshapes).forward(p.entry[1:], encode(t), None)
        next_states, layers = [], []
        blocks = zip(parts.hidden, p.hidden, states, keys.hidden, strict=True)
        for (weights, neuron, dropout), p_l, state, k in blocks:
            i_t, _ = weights.forward(p_l[0], x_t, None)
            state, potentials, z = neuron.step(neuron.constants(p_l[1], i_t.dtype), state, i_t)
            next_states.append(state)
            # As one step of many: the mask of an example is the same at each.
            y, mask = dropout.forward(p_l[2], z[None], k[2])
            layers.append(LayerStep(x_t, potentials, z, mask, y[0]))
            x_t = y[0]
        return next_states, layers, parts.exit[0].forward(p.exit[0], x_t, None)[0]

    out = p.exit[0]["weight"]
    zeros_like = lambda weights: jnp.zeros((len(x), weights.shape[1]), out.dtype)
    zeros = [zeros_like(p_l[0]["weight"]) for p_l in p.hidden]
    states = [neuron.rest(z) for (_, neuron, _), z in zip(parts.hidden, zeros, strict=True)]
    return Pass(states, zeros, zeros_like(out), step)


def steps_of(w: np.ndarray, like: Array) -> tuple[Array, Array]:
    """Return (t [T], w [T]) to scan over."""
    return jnp.arange(len(w)), jnp.asarray(w, like.dtype)


def stream_of(encoder: Layer) -> Layer | Stream:
    """The stream of an encoder, by its `about`; the encoder itself where there is none."""
    about = encoder.about
    if about and about.constructor is sp.direct:
        return lambda x, key, t: to_unit(x)  # the same value at every step
    if about and about.constructor is sp.rate:
        return rate_stream(about.arguments["steps"])
    return encoder


def rate_stream(steps: int) -> Stream:
    """`rate`, step by step: the same spikes bit by bit, for images in uint8."""

    def stream(x, key, t):
        if x.dtype != jnp.uint8:
            raise ValueError(f"rate_stream takes images in uint8, got {x.dtype}")
        pixels = x.reshape(len(x), math.prod(x.shape[1:]))
        keys = per_example(require_key(key, "rate coding"), len(x))
        words = -(-pixels.shape[1] // 4)
        by_counter = jax.config.values["jax_threefry_partitionable"]
        if str(jax.random.key_impl(keys)) != "threefry2x32" or not by_counter:
            raise ValueError("rate_stream needs partitionable threefry keys, jax's default")
        if steps * words >= 2**32:
            raise ValueError(f"rate_stream counts to 2³², got {steps * words} words per image")
        draw = jax.vmap(lambda key: _bytes_of_step(key, t, words))(keys)[:, : pixels.shape[1]]
        spikes = (draw < pixels) | (pixels == 255)
        return spikes.astype(jnp.result_type(float)).reshape(x.shape)

    return stream


def _bytes_of_step(key: Array, t: Any, words: int) -> Array:
    """Return row t [4 words] of the bytes that `jax.random.bits` draws in rows of `words`."""
    from jax.extend.random import threefry_2x32  # its package imports Pallas

    low = jnp.uint32(t) * words + jnp.arange(words, dtype=jnp.uint32)
    counters = jnp.concatenate([jnp.zeros_like(low), low])
    bits = threefry_2x32(jax.random.key_data(key), counters)
    high, low = jnp.split(bits, 2)
    return jax.lax.bitcast_convert_type(high ^ low, jnp.uint8).reshape(-1)
