"""A way through the steps of a batch, for the rules that keep nothing of the past.

`forward` finds the logits, and keeps the images and the key alone.  `backward` goes the same
way again, now knowing ∂L/∂logits: what it needs of a step, it sees there.  So a step's share
w_t in the logits, y = Σ_t w_t i_t, must be known in advance.

The logits are those of the ordinary network to rounding: there all steps are one matrix
product, here each is one, and logits add up step by step, so sums may be taken in another
order.  Where they are exact (dyadic weights) spikes are equal bit for bit.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits.chain import Parts, grouped
from jaxdigits.gradients.rules.require import neuron_in, width
from jaxdigits.gradients.rules.stepwise import Stream, stream_of
from jaxdigits.keys import fold_in
from jaxdigits.layer import Layer, Params, serial
from jaxdigits.spikes.readout import step_shares
from jaxdigits.spikes.unroll import Neuron, Traces


class Replay(NamedTuple):
    """The residual: enough to go through time again."""

    x: Any
    """the images"""
    key: Array | None
    means: tuple[Traces, ...]
    """of each hidden layer, potential and spikes [1, B, n], mean over the steps"""


class Seen(NamedTuple):
    """What one step shows of a hidden layer."""

    x: Array
    """[B, m] its input"""
    kept: dict[str, Array]
    """the neurons' potentials [B, n]"""
    z: Array
    """[B, n] spikes"""
    mask: Any
    """what dropout kept"""
    y: Array
    """[B, n] what the layer puts out"""


class Walk(NamedTuple):
    """A way through the steps of one batch."""

    states: list[Any]
    """of the neurons at rest, of each hidden layer"""
    zeros: list[Array]
    """[B, n] of each hidden layer"""
    output: Array
    """[B, K] zeros"""
    step: Callable[[list[Any], Any], tuple[list[Any], list[Seen], Array]]
    """(states, t) -> (states, seen, the output's currents [B, K])"""


def forward_over(parts: Parts, w: np.ndarray) -> Callable:
    """`forward` of the network of stepped parts: to the logits [B, K], keeping a `Replay`."""

    def forward(params, x, key=None):
        way = walk(parts, params, x, key)

        def step(carry, xs):
            (states, y, sums), (t, w_t) = carry, xs
            states, seen, i_out = way.step(states, t)
            now = [Traces(s.kept["v"], s.z) for s in seen]
            return (states, y + w_t * i_out, jax.tree.map(jnp.add, sums, now)), None

        start = way.states, way.output, [Traces(z, z) for z in way.zeros]
        (_, y, sums), _ = jax.lax.scan(step, start, steps_of(w, way.output))
        means = jax.tree.map(lambda a: a[None] / parts.steps, tuple(sums))
        return y, Replay(x, key, means)

    return forward


def walk(parts: Parts, params: Params, x: Any, key: Array | None) -> Walk:
    """The way through the steps of images x [B, ...], of a network of stepped parts."""
    p = grouped(parts, params)
    keys = grouped(parts, [fold_in(key, i) for i in range(len(params))])
    encoder, *reshapes = parts.entry
    if isinstance(encoder, Stream):
        encoded = lambda t: encoder.at(x, keys.entry[0], t)
    else:
        whole = encoder.forward(p.entry[0], x, keys.entry[0])[0]
        encoded = lambda t: whole[t]

    def step(states, t):
        x_t, after, seen = serial(*reshapes).forward(p.entry[1:], encoded(t), None)[0], [], []
        for block, p_l, state, k in zip(
            parts.hidden, p.hidden, states, keys.hidden, strict=True
        ):
            state, now = _step_of_block(block, p_l, state, x_t, k[2])
            after.append(state)
            seen.append(now)
            x_t = now.y
        return after, seen, parts.exit[0].forward(p.exit[0], x_t, None)[0]

    zeros = lambda n: jnp.zeros((len(x), n), p.exit[0]["weight"].dtype)
    sizes = [block[0]["weight"].shape for block in p.hidden]
    states = [
        block[1].rest(zeros(n)) for block, (_, n) in zip(parts.hidden, sizes, strict=True)
    ]
    output = zeros(p.exit[0]["weight"].shape[1])
    return Walk(states, [zeros(n) for _, n in sizes], output, step)


def _step_of_block(block: Any, params: Any, state: Any, x_t: Array, key: Array | None):
    weights, neuron, after = block
    i_t, _ = weights.forward(params[0], x_t, None)
    state, kept, z = neuron.step(neuron.constants(params[1], i_t.dtype), state, i_t)
    # As one step of many: the mask of an example is the same at each.
    y, mask = after.forward(params[2], z[None], key)
    return state, Seen(x_t, kept, z, mask, y[0])


def steps_of(w: np.ndarray, like: Array) -> tuple[Array, Array]:
    """(t [T], w [T]) to scan over."""
    return jnp.arange(len(w)), jnp.asarray(w, like.dtype)


def shares_of_steps(parts: Parts, rule: str) -> np.ndarray:
    """w [T]: ∂logits/∂(the output's currents at step t), from the readout's `about`.

    Raises:
      ValueError: if the logits are not Σ_t w_t i_t.
    """
    if len(parts.exit) != 2:
        raise ValueError(f"{rule} needs a readout that makes logits of all steps")
    w = step_shares(parts.exit[1], parts.steps or 0)
    if w is None:
        raise ValueError(
            f"{rule} must know at each step its share in the logits, and with this "
            "readout it depends on what comes later: take the mean or the last"
        )
    return w


def in_steps(parts: Parts, rule: str) -> Parts:
    """The same parts, made to go step by step: neurons as `Neuron`, the encoder as `Stream`.

    An encoder that has no stream stays a layer, and holds its output [T, B, ...].

    Raises:
      ValueError: for neurons that `over_time` did not make.
    """
    entry = (stream_of(parts.entry[0]), *parts.entry[1:])
    hidden = [(block[0], neuron_in(block[1], rule), *block[2:]) for block in parts.hidden]
    return parts._replace(entry=entry, hidden=hidden)


def neurons_of(stepped: Parts) -> list[Neuron]:
    """The neurons of each hidden layer, of parts that go step by step."""
    return [block[1] for block in stepped.hidden]


def require_one_state(neuron: Neuron, weights: Layer, rule: str) -> None:
    """Check that neurons go step by step with one state and without params.

    Raises:
      ValueError: if not, with the option to build with.
    """
    if neuron.late:
        raise ValueError(
            f"{rule} passes a spike on in the step that made it, and these come out a step "
            "late: build with spike_from='new'"
        )
    if not isinstance(neuron.rest(jnp.zeros(1)), Array):
        raise ValueError(
            f"{rule} follows one state of each neuron, its potential, and these have more: "
            "take neurons of one state, as `lif`"
        )
    if neuron.init((width(weights),)):
        raise ValueError(f"{rule} learns weights only: build with learn=()")
