"""Sending the error from the output straight to every hidden layer.

Backpropagation brings the error to a layer through all the layers above it.  Here it comes
through one matrix per hidden layer l.  With K classes, n_l units, and e the error at the
output's currents, e = ∂L/∂(x_L W_out + b) [..., K] (at every time step, if there are any):

    backpropagation      s̄_L = e W_outᵀ      s̄_l = W̃ᵀ_{l+1}(… e)     through all slopes above
    broadcast            s̄_l = e B_l          B_l [K, n_l]

    symmetric            B_L = W_outᵀ          B_l = B_{l+1} W_{l+1}ᵀ
    random               B_l drawn once, never learned
    adaptive             B_l learned beside the weights:   B̄_l = Σ eᵀ x_l   with x_l [..., n_l]
                         the layer's output

Behind its B_l, a layer sends s̄_l back through its own dropout, units and norms by their own
hand-derived `backward`, to its own weights and no further.  The output's weights have their
exact gradient.

With one hidden layer, symmetric feedback *is* backpropagation: only W_out lies between the
output and s̄_L.  With several, s̄_l lacks the slopes of the layers above it.

Adaptive feedback is Kolen and Pollack's: B̄_L is the transpose of W̄_out, so the same optimizer
moves both alike, and weight decay forgets how they differed at first.  Each B_l is a further
param of its layer's weights, "feedback"; the forward pass ignores it.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import jax
from jax import Array

from jaxdigits.chain import Parts, flat, grouped, in_series
from jaxdigits.gradients.rules.rule import require_dense
from jaxdigits.keys import uniform
from jaxdigits.layer import Layer, Params, serial

Feedback = Literal["symmetric", "random", "adaptive"]


def broadcast(
    parts: Parts, feedback: Feedback, seed: int, gain: float, rule: str = "feedback"
) -> Layer:
    """The network whose hidden layers receive the error through `matrices`."""
    check_feedback(parts, feedback, gain)
    require_dense(parts, rule)
    network = in_series(parts)

    def backward(params, residuals, y_bar):
        p, r = grouped(parts, params), grouped(parts, residuals)
        e, exit_bars, _ = at_output(parts, p, r, y_bar)
        hidden_bars, x_bar = [], e
        s_bars = [e @ B for B in matrices(p, feedback, seed, gain)]
        blocks = zip(parts.hidden, p.hidden, r.hidden, s_bars, strict=True)
        for block, p_l, r_l, s_bar in reversed(list(blocks)):
            grads, x_bar = serial(*block).backward(p_l, r_l, s_bar)
            hidden_bars.insert(0, grads)
        if feedback == "adaptive":
            outputs = [block[0] for block in r.hidden[1:]] + [r.exit[0]]  # the next inputs
            hidden_bars = with_feedback(hidden_bars, outputs, e)
        entry_bars, x_bar = serial(*parts.entry).backward(p.entry, r.entry, x_bar)
        return flat(Parts(entry_bars, hidden_bars, exit_bars)), x_bar

    init = network.init if feedback != "adaptive" else init_adaptive(parts, seed, gain)
    return network._replace(init=init, backward=backward)


def at_output(parts: Parts, params: Parts, residuals: Parts, y_bar: Array) -> tuple[Any, ...]:
    """Return e [..., K] at the output's currents, the gradients of the exit, and ∂L/∂x_L."""
    readout = serial(*parts.exit[1:])  # learns nothing
    e = readout.backward(params.exit[1:], residuals.exit[1:], y_bar)[1]
    exit_bar, x_bar = parts.exit[0].backward(params.exit[0], residuals.exit[0], e)
    return e, (exit_bar, *params.exit[1:]), x_bar


def matrices(params: Parts, feedback: Feedback, seed: int, gain: float) -> list[Array]:
    """Return B_l [K, n_l] for every hidden layer.

    Random feedback is drawn as the output's weights are: uniform, with variance gain / n_l; of
    the params only shapes and dtypes count then.
    """
    if feedback == "adaptive":
        return [block[0]["feedback"] for block in params.hidden]
    if feedback == "random":
        weights = params.exit[0]["weight"]
        widths = [block[0]["weight"].shape[1] for block in params.hidden]
        keys = jax.random.split(jax.random.key(seed), len(widths))
        draw = lambda key, n: uniform(key, (weights.shape[1], n), gain / n)
        return [draw(k, n).astype(weights.dtype) for k, n in zip(keys, widths, strict=True)]
    Bs = [params.exit[0]["weight"].T]
    for block in reversed(params.hidden[1:]):
        Bs.insert(0, Bs[0] @ block[0]["weight"].T)
    return Bs


def init_adaptive(parts: Parts, seed: int, gain: float) -> Callable:
    """The network's `init`, with B_l beside the weights of every hidden layer."""

    def init(key, shape):
        params, shape = in_series(parts).init(key, shape)
        p = grouped(parts, params)
        blocks = zip(p.hidden, matrices(p, "random", seed, gain), strict=True)
        hidden = [({**weights, "feedback": B}, *others) for (weights, *others), B in blocks]
        return flat(p._replace(hidden=hidden)), shape

    return init


def with_feedback(hidden_bars: Sequence[Params], x: Sequence[Array], e: Array) -> list[Params]:
    """Add B̄_l = Σ eᵀ x_l to the gradients of the hidden layers, with outputs x_l [..., n_l]."""
    rows = lambda a: a.reshape(-1, a.shape[-1])
    blocks = zip(hidden_bars, x, strict=True)
    return [({**w, "feedback": rows(e).T @ rows(x_l)}, *others) for (w, *others), x_l in blocks]


def check_feedback(parts: Parts, feedback: str, gain: float) -> None:
    """Check that there are such feedback matrices."""
    if feedback not in get_args(Feedback):
        raise ValueError(f"feedback must be one of {get_args(Feedback)}, got {feedback!r}")
    if not gain > 0:
        raise ValueError(f"gain must be > 0, got {gain}")
    if not parts.hidden:
        raise ValueError("feedback goes to hidden layers, and this network has none")
