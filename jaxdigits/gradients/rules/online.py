"""Learning while time goes on: one pass over the steps, and no memory of the steps before.

`rules.eprop` and `rules.ottt` derive the rules.  Going forwards, a layer needs the trace of
its inputs alone:

    ε_t = β ε_{t−1} + x_t                                   [B, m]
    W̄  += ε_tᵀ g_t        g_t = ψ_t L_t                     [m, n], summed over B at once
    b̄  += α_t Σ_B g_t     α_t = β α_{t−1} + 1               the trace of a bias's input, 1

It must know at step t the weight of this step in the loss: the error e_t = w_t ∂L/∂logits.
The share w_t of a step in the logits is known in advance, but ∂L/∂logits only at the end.  The
convention here is to go through time twice (`rules.replay`).  (The other way, a synapse that
waits for the error, stores m n numbers for each *example*.)

So with B examples, layers of m inputs and n neurons:

    batched      T · B · Σ(m + 2n)             the residuals of all steps
    online       B · Σ(m + 2n) + Σ m n + T     one step, its traces, the gradients, and w

at the price of a second forward pass.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits.chain import Parts, flat, grouped
from jaxdigits.gradients.rules import replay as rp
from jaxdigits.gradients.rules.rule import require_one_state
from jaxdigits.layer import Layer, Params
from jaxdigits.spikes import Neuron


class Trace(NamedTuple):
    """ε and α of the docstring."""

    of_input: Array  # [B, m]
    of_one: Array  # []


Back = Callable[[int, Array], Array]  # (layer l, ∂L/∂y_l [B, n] of this step) -> g_l [B, n]
Send = Callable[[Parts], Callable[[Array, Back], list[Array]]]
"""params -> ((e [B, K], back) -> g_l [B, n_l] of every hidden layer)"""
Complete = Callable[[list[Params], list[Array], Array], list[Params]]


def online_network(
    parts: Parts, rule: str, send: Send, *,
    complete: Complete = lambda hidden_bars, y, e: hidden_bars,
) -> Layer:  # fmt: skip
    """The network whose backward pass goes forwards in time.

    `send` carries the error to the neurons of every hidden layer at one step; `complete` adds
    gradients to those of the hidden layers, from their outputs and e.
    """
    backward = lambda stepped, w: _backward(stepped, w, send, complete)
    return rp.network(parts, rule, require_one_trace, backward)


def _backward(parts: Parts, w: np.ndarray, send: Send, complete: Complete):
    def backward(params, replay, y_bar):
        run, p = rp.begin(parts, params, replay.x, replay.key), grouped(parts, params)
        send_error = send(p)
        betas = [
            jnp.reshape(neuron.constants(p_l[1], y_bar.dtype)["decay"], ())
            for (_, neuron, _), p_l in zip(parts.hidden, p.hidden, strict=True)
        ]

        def step(carry, xs):
            (states, traces, grads), (t, w_t) = carry, xs
            states, layers, _ = run.step(states, t)
            traces = [
                Trace(beta * trace.of_input + s.x, beta * trace.of_one + 1)
                for beta, trace, s in zip(betas, traces, layers, strict=True)
            ]
            e = w_t * y_bar
            back = lambda i, bar: through_neurons(parts.hidden[i], p.hidden[i], layers[i], bar)
            hidden = [
                (of_weights(weights, p_l[0], trace, g), *p_l[1:])
                for (weights, *_), p_l, trace, g in zip(
                    parts.hidden, p.hidden, traces, send_error(e, back), strict=True
                )
            ]
            hidden = complete(hidden, [s.y for s in layers], e)
            exit_bar, _ = parts.exit[0].backward(p.exit[0], layers[-1].y, e)
            grads_t = flat(Parts(p.entry, hidden, (exit_bar, *p.exit[1:])))
            return (states, traces, jax.tree.map(jnp.add, grads, grads_t)), None

        zeros = lambda *shape: jnp.zeros(shape, y_bar.dtype)
        widths = [p_l[0]["weight"].shape[0] for p_l in p.hidden]
        traces = [Trace(zeros(len(y_bar), m), zeros()) for m in widths]
        start = run.states, traces, jax.tree.map(jnp.zeros_like, params)
        (_, _, grads), _ = jax.lax.scan(step, start, rp.steps_of(w, y_bar))
        return grads, None

    return backward


def through_neurons(block: Any, params: Any, layer: rp.LayerStep, y_bar: Array) -> Array:
    """Return g [B, n]: ∂L/∂currents of a block from its ∂L/∂y, in this step alone."""
    _, neuron, dropout = block
    _, z_bar = dropout.backward(params[2], layer.mask, y_bar)
    k = neuron.constants(params[1], y_bar.dtype)
    return neuron.back(k, layer.potentials, jnp.zeros_like(z_bar), z_bar, 0.0)[1]


def of_weights(weights: Layer, params: Params, trace: Trace, g: Array) -> Params:
    """Return W̄ = εᵀ g and b̄ = α Σ g, by the layer's `backward` with one input for both."""
    alpha = trace.of_one  # ≥ 1, as it begins with the first step
    return weights.backward(params, trace.of_input / alpha, alpha * g)[0]


def require_one_trace(neuron: Neuron, weights: Layer, rule: str) -> None:
    """Check that one trace per input holds all effects of a layer's past on its potentials.

    It does if λ_{t−1} = β λ_t whatever the potential, for one β.  A differentiated reset makes
    it depend on how far below the threshold a neuron is, and a reset to a value on whether it
    fired.
    """
    require_one_state(neuron, weights, rule)
    if np.size(neuron.constants({}, float)["decay"]) > 1:
        raise ValueError(f"{rule} online keeps one trace per layer: give it one decay")
    if neuron.fades == "never":
        raise ValueError(f"{rule} online holds the reset constant, but these neurons "
                         "differentiate it: build with differentiate_reset=False")  # fmt: skip
    if neuron.fades == "silent":
        raise ValueError(f"{rule} online keeps one trace per layer, so a spike may not cut the "
                         "memory of one neuron: build with reset='subtract'")  # fmt: skip
