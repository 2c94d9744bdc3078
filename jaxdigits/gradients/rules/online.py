"""Learning while time goes on: one pass over the steps, and nothing kept of those behind.

`rules.eprop` and `rules.ottt` say what is computed.  Going forwards, a layer needs the trace of
its inputs alone:

    ε_t = β ε_{t−1} + x_t                                   [B, m]
    W̄  += ε_tᵀ g_t        g_t = ψ_t L_t                     [m, n], summed over B at once
    b̄  += α_t Σ_B g_t     α_t = β α_{t−1} + 1               the trace of a bias's input, 1

It must know at step t how much this step will have mattered: the error e_t = w_t ∂L/∂logits.
The share w_t of a step in the logits is known in advance, but ∂L/∂logits only at the end.  The
convention here is to go through time twice: `forward` finds the logits and keeps the images and
the key alone, and `backward` goes through the same steps again, now knowing ∂L/∂logits.  (The
other way, a synapse that waits for the error, keeps m n numbers for each *example*.)

So with B examples, layers of m inputs and n neurons:

    batched      T · B · Σ(m + 2n)             what every step left behind
    online       B · Σ(m + 2n) + Σ m n + T     one step, its traces, the gradients, and w

at the price of a second forward pass.  The logits are those of the ordinary network to
rounding: there all steps are one matrix product, here each is one, and logits add up step by
step, so sums may be taken in another order.  Where they are exact (dyadic weights) spikes are
equal bit for bit.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits.chain import Parts, flat, grouped, in_series
from jaxdigits.gradients.rules.refuse import require_reset_held
from jaxdigits.gradients.rules.stepwise import Stream, unrolled
from jaxdigits.keys import fold_in
from jaxdigits.layer import Layer, Params, serial
from jaxdigits.spikes.lif import Traces
from jaxdigits.spikes.unroll import Neuron, over_time


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


class Trace(NamedTuple):
    """ε and α of the docstring."""

    of_input: Array
    """[B, m]"""
    of_one: Array
    """[]"""


class Walk(NamedTuple):
    """A way through the steps of one batch."""

    states: list[Any]
    """of the neurons at rest, of each hidden layer"""
    traces: list[Trace]
    """at rest"""
    zeros: list[Array]
    """[B, n] of each hidden layer"""
    output: Array
    """[B, K] zeros"""
    step: Callable[[list[Any], Any], tuple[list[Any], list[Seen], Array]]
    """(states, t) -> (states, seen, the output's currents [B, K])"""


Back = Callable[[int, Array], Array]  # (layer l, ∂L/∂y_l [B, n] of this step) -> g_l [B, n]
Send = Callable[[Parts], Callable[[Array, Back], list[Array]]]
"""params -> ((e [B, K], back) -> g_l [B, n_l] of every hidden layer)"""
Complete = Callable[[list[Params], list[Array], Array], list[Params]]


def online_network(
    parts: Parts,
    rule: str,
    send: Send,
    *,
    complete: Complete = lambda hidden_bars, y, e: hidden_bars,
) -> Layer:
    """The network of stepped parts whose backward pass goes forwards.

    Args:
      rule: its name, for errors.
      send: how the error gets to the neurons of every hidden layer, at one step.
      complete: (gradients of the hidden layers, what they put out, e) -> with more of them.

    Raises:
      ValueError: for neurons whose input trace is not all there is to remember, or a readout
        in which the share of a step is not known in advance.
    """
    for block in parts.hidden:
        require_one_trace(block, rule)
    w = shares_of_steps(parts, rule)
    backward = _backward(parts, w, send, complete)
    return Layer(in_series(unrolled(parts)).init, forward_over(parts, w), backward)


def forward_over(parts: Parts, w: np.ndarray) -> Callable:
    """`forward` of the network of stepped parts: to the logits [B, K], keeping a `Replay`."""

    def forward(params, x, key):
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


def _backward(parts: Parts, w: np.ndarray, send: Send, complete: Complete):
    def backward(params, replay, y_bar):
        way, p = walk(parts, params, replay.x, replay.key), grouped(parts, params)
        sent = send(p)
        betas = [
            block[1].constants(p_l[1], y_bar.dtype)["decay"]
            for block, p_l in zip(parts.hidden, p.hidden, strict=True)
        ]

        def step(carry, xs):
            (states, traces, grads), (t, w_t) = carry, xs
            states, seen, _ = way.step(states, t)
            traces = [
                Trace(beta * trace.of_input + s.x, beta * trace.of_one + 1)
                for beta, trace, s in zip(betas, traces, seen, strict=True)
            ]
            e = w_t * y_bar
            back = lambda i, y_bar: through_neurons(
                parts.hidden[i], p.hidden[i], seen[i], y_bar
            )
            hidden = [
                (of_weights(block[0], p_l[0], trace, g), *p_l[1:])
                for block, p_l, trace, g in zip(
                    parts.hidden, p.hidden, traces, sent(e, back), strict=True
                )
            ]
            hidden = complete(hidden, [s.y for s in seen], e)
            exit_bar, _ = parts.exit[0].backward(p.exit[0], seen[-1].y, e)
            now = flat(Parts(p.entry, hidden, (exit_bar, *p.exit[1:])))
            return (states, traces, jax.tree.map(jnp.add, grads, now)), None

        start = way.states, way.traces, jax.tree.map(jnp.zeros_like, params)
        (_, _, grads), _ = jax.lax.scan(step, start, steps_of(w, y_bar))
        return grads, None

    return backward


def through_neurons(block: Any, params: Any, seen: Seen, y_bar: Array) -> Array:
    """g [B, n]: what ∂L/∂y of a block does to its currents, in this step alone."""
    _, neuron, after = block
    _, z_bar = after.backward(params[2], seen.mask, y_bar)
    k = neuron.constants(params[1], y_bar.dtype)
    return neuron.back(k, seen.kept, jnp.zeros_like(z_bar), z_bar, 0.0)[1]


def of_weights(weights: Layer, params: Params, trace: Trace, g: Array) -> Params:
    """W̄ = εᵀ g and b̄ = α Σ g, by the layer's own `backward`, which has one input for both."""
    alpha = trace.of_one  # ≥ 1, as it begins with the first step
    return weights.backward(params, trace.of_input / alpha, alpha * g)[0]


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
    traces = [Trace(zeros(m), zeros(0).sum()) for m, _ in sizes]
    output = zeros(p.exit[0]["weight"].shape[1])
    return Walk(states, traces, [zeros(n) for _, n in sizes], output, step)


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
    """w [T]: ∂logits/∂(the output's currents at step t), found by trying the readout.

    Raises:
      ValueError: if the logits are not Σ_t w_t i_t.
    """
    readout, nothing = serial(*parts.exit[1:]), ((),) * len(parts.exit[1:])
    if not nothing:
        raise ValueError(f"{rule} needs a readout that makes logits of all steps")
    with jax.ensure_compile_time_eval():  # a builder may be called inside jit
        i = jnp.cos(jnp.arange(parts.steps or 0, dtype=float))[:, None, None]
        y, residual = readout.forward(nothing, i, None)
        w = np.asarray(readout.backward(nothing, residual, jnp.ones_like(y))[1])[:, 0, 0]
        one, other = (np.ravel(readout.forward(nothing, a * i, None)[0]) for a in (1, -1))
        expected = np.dot(w, np.asarray(i)[:, 0, 0])
    if not np.allclose([one, other], [[expected], [-expected]], atol=1e-5):
        raise ValueError(
            f"{rule} must know at each step its share in the logits, and with this "
            "readout it depends on what comes later: take the mean or the last"
        )
    return w


def require_one_state(block: Any, rule: str) -> Neuron:
    """The block's neurons, if they go step by step with one state and without params.

    Raises:
      ValueError: if not, saying what to build with.
    """
    _, neuron, _ = block
    if not isinstance(neuron, Neuron):
        raise ValueError(f"{rule} goes step by step: build with neuron=stepped_lif")
    if neuron.late or not isinstance(neuron.rest(jnp.zeros(1)), Array):
        raise ValueError(
            f"{rule} takes neurons of one state, whose spikes come out in the same step"
        )
    if neuron.init((1,)):
        raise ValueError(f"{rule} learns weights only: build with learn=()")
    return neuron


def require_one_trace(block: Any, rule: str) -> None:
    """Check that one trace per input tells all that a layer's past does to its potentials.

    Raises:
      ValueError: for other neurons than a stepped LIF of one constant decay for the layer,
        whose reset is subtracted and held.
    """
    neuron = require_one_state(block, rule)
    if np.size(neuron.constants({}, float)["decay"]) > 1:
        raise ValueError(f"{rule} online keeps one trace per layer: give it one decay")
    require_reset_held(block[0], over_time(neuron), rule, after_spikes=True)
