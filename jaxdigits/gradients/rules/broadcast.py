"""Sending the error from the output straight to every hidden layer.

Backpropagation brings the error to a layer through all the layers above it.  Here it comes
through one matrix per hidden layer l.  With K classes, n_l units, and e the error at the
output's currents, e = ∂L/∂(x_L W_out + b) [..., K] (at every time step, if there are any):

    backpropagation      s̄_L = e W_outᵀ      s̄_l = W̃ᵀ_{l+1}(… e)     through all slopes above
    broadcast            s̄_l = e B_l          B_l [K, n_l]

    symmetric            B_L = W_outᵀ          B_l = B_{l+1} W_{l+1}ᵀ
    random               B_l drawn once, never learned
    adaptive             B_l learned beside the weights:   B̄_l = Σ eᵀ x_l   with x_l [..., n_l]
                         what the layer puts out

Behind its B_l, a layer sends s̄_l back through its own dropout, units and norms by their own
hand-derived `backward`, to its own weights and no further.  The output's weights have their
exact gradient.

With one hidden layer, symmetric feedback *is* backpropagation: nothing was between the output
and s̄_L but W_out.  With several, s̄_l lacks the slopes of the layers above it.

Adaptive feedback is Kolen and Pollack's: B̄_L is the transpose of W̄_out, so the same optimizer
moves both alike, and weight decay forgets how they differed at first.  Each B_l is a further
param of its layer's weights, "feedback"; the forward pass ignores it.
"""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import jax
from jax import Array

from jaxdigits.chain import Parts, flat, grouped, in_series
from jaxdigits.gradients.rules.require import require_dense
from jaxdigits.keys import uniform
from jaxdigits.layer import Layer, Params, serial

Feedback = Literal["symmetric", "random", "adaptive"]


def broadcast(
    parts: Parts, feedback: Feedback, seed: int, gain: float, rule: str = "feedback"
) -> Layer:
    """The network whose hidden layers hear the error through `matrices`, by that rule.

    Raises:
      ValueError: for another name of feedback, gain <= 0, no hidden layer, or convolutions.
    """
    check_feedback(parts, feedback, gain)
    require_dense(parts, rule)
    network = in_series(parts)

    def backward(params, residuals, y_bar):
        p, r = grouped(parts, params), grouped(parts, residuals)
        e = at_output(parts, p, r, y_bar)
        exit_bar, _ = parts.exit[0].backward(p.exit[0], r.exit[0], e)
        hidden_bars, x_bar = [], e
        s_bars = [e @ B for B in matrices(p, feedback, seed, gain)]
        for block, p_l, r_l, s_bar in reversed(
            list(zip(parts.hidden, p.hidden, r.hidden, s_bars, strict=True))
        ):
            grads, x_bar = serial(*block).backward(p_l, r_l, s_bar)
            hidden_bars.append(grads)
        hidden_bars.reverse()
        if feedback == "adaptive":
            hidden_bars = with_feedback(hidden_bars, outputs(r), e)
        entry_bars, x_bar = serial(*parts.entry).backward(p.entry, r.entry, x_bar)
        readout_bars = p.exit[1:]  # a readout learns nothing
        return flat(Parts(entry_bars, hidden_bars, (exit_bar, *readout_bars))), x_bar

    init = network.init if feedback != "adaptive" else init_adaptive(parts, seed, gain)
    return network._replace(init=init, backward=backward)


def at_output(parts: Parts, params: Parts, residuals: Parts, y_bar: Array) -> Array:
    """e = ∂L/∂(what the output's weights give) [..., K], from ∂L/∂logits [B, K]."""
    readout = serial(*parts.exit[1:])
    return readout.backward(params.exit[1:], residuals.exit[1:], y_bar)[1]


def matrices(params: Parts, feedback: Feedback, seed: int, gain: float) -> list[Array]:
    """B_l [K, n_l], for every hidden layer.

    Args:
      params: of random feedback only shapes and dtypes count.
      seed, gain: of random feedback, drawn as the output's weights are: uniform, with
        variance gain / n_l.
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
    """`init` of the network, with B_l beside the weights of every hidden layer."""
    network = in_series(parts)

    def init(key, shape):
        params, shape = network.init(key, shape)
        p = grouped(parts, params)
        Bs = matrices(p, "random", seed, gain)
        hidden = [
            ({**weights, "feedback": B}, *others)
            for (weights, *others), B in zip(p.hidden, Bs, strict=True)
        ]
        return flat(p._replace(hidden=hidden)), shape

    return init


def outputs(residuals: Parts) -> list[Array]:
    """x_l [..., n_l], what each hidden layer puts out: the input that the next weights kept."""
    return [block[0] for block in residuals.hidden[1:]] + [residuals.exit[0]]


def with_feedback(hidden_bars: Sequence[Params], x: Sequence[Array], e: Array) -> list[Params]:
    """The gradients of the hidden layers, with B̄_l = Σ eᵀ x_l beside those of the weights."""
    rows = lambda a: a.reshape(-1, a.shape[-1])
    return [
        ({**weights, "feedback": rows(e).T @ rows(x_l)}, *others)
        for (weights, *others), x_l in zip(hidden_bars, x, strict=True)
    ]


def check_feedback(parts: Parts, feedback: str, gain: float) -> None:
    """Check that there are such feedback matrices, or raise a ValueError."""
    if feedback not in get_args(Feedback):
        raise ValueError(f"feedback must be one of {get_args(Feedback)}, got {feedback!r}")
    if not gain > 0:
        raise ValueError(f"gain must be > 0, got {gain}")
    if not parts.hidden:
        raise ValueError("feedback goes to hidden layers, and this network has none")
