"""Learning while time goes on: one pass over the steps, and nothing kept of those behind.

`rules.eprop` and `rules.ottt` say what is computed.  Going forwards, a layer needs the trace of
its inputs alone:

    ε_t = β ε_{t−1} + x_t                                   [B, m]
    W̄  += ε_tᵀ g_t        g_t = ψ_t L_t                     [m, n], summed over B at once
    b̄  += α_t Σ_B g_t     α_t = β α_{t−1} + 1               the trace of a bias's input, 1

It must know at step t how much this step will have mattered: the error e_t = w_t ∂L/∂logits.
The share w_t of a step in the logits is known in advance, but ∂L/∂logits only at the end.  The
convention here is to go through time twice (`rules.walk`).  (The other way, a synapse that
waits for the error, keeps m n numbers for each *example*.)

So with B examples, layers of m inputs and n neurons:

    batched      T · B · Σ(m + 2n)             what every step left behind
    online       B · Σ(m + 2n) + Σ m n + T     one step, its traces, the gradients, and w

at the price of a second forward pass.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits.chain import Parts, flat, grouped, in_series
from jaxdigits.gradients.rules.walk import (
    Seen,
    forward_over,
    in_steps,
    neurons_of,
    require_one_state,
    shares_of_steps,
    steps_of,
    walk,
)
from jaxdigits.layer import Layer, Params
from jaxdigits.spikes.unroll import Neuron


class Trace(NamedTuple):
    """ε and α of the docstring."""

    of_input: Array
    """[B, m]"""
    of_one: Array
    """[]"""


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
    """The network whose backward pass goes forwards in time.

    Args:
      rule: its name, for errors.
      send: how the error gets to the neurons of every hidden layer, at one step.
      complete: (gradients of the hidden layers, what they put out, e) -> with more of them.

    Raises:
      ValueError: for neurons whose input trace is not all there is to remember, or a readout
        in which the share of a step is not known in advance.
    """
    stepped = in_steps(parts, rule)
    for neuron, block in zip(neurons_of(stepped), parts.hidden, strict=True):
        require_one_trace(neuron, block[0], rule)
    w = shares_of_steps(parts, rule)
    backward = _backward(stepped, w, send, complete)
    return Layer(in_series(parts).init, forward_over(stepped, w), backward)


def _backward(parts: Parts, w: np.ndarray, send: Send, complete: Complete):
    def backward(params, replay, y_bar):
        way, p = walk(parts, params, replay.x, replay.key), grouped(parts, params)
        sent = send(p)
        betas = [
            jnp.reshape(block[1].constants(p_l[1], y_bar.dtype)["decay"], ())
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

        start = way.states, _at_rest(p, y_bar), jax.tree.map(jnp.zeros_like, params)
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


def _at_rest(params: Parts, y_bar: Array) -> list[Trace]:
    inputs = [block[0]["weight"].shape[0] for block in params.hidden]
    zeros = lambda *shape: jnp.zeros(shape, y_bar.dtype)
    return [Trace(zeros(len(y_bar), m), zeros()) for m in inputs]


def require_one_trace(neuron: Neuron, weights: Layer, rule: str) -> None:
    """Check that one trace per input tells all that a layer's past does to its potentials.

    It does if λ_{t−1} = β λ_t whatever the potential, for one β.  A differentiated reset makes
    it depend on how far below the threshold a neuron is, and a reset to a value on whether it
    fired.

    Raises:
      ValueError: for other neurons than a LIF of one constant decay for the layer, whose reset
        is subtracted and held.
    """
    require_one_state(neuron, weights, rule)
    if np.size(neuron.constants({}, float)["decay"]) > 1:
        raise ValueError(f"{rule} online keeps one trace per layer: give it one decay")
    if neuron.fades == "never":
        raise ValueError(
            f"{rule} online holds the reset constant, but these neurons differentiate it: "
            "build with differentiate_reset=False"
        )
    if neuron.fades == "silent":
        raise ValueError(
            f"{rule} online keeps one trace for all neurons of a layer, so a spike may not cut "
            "a neuron's memory: build with reset='subtract'"
        )
