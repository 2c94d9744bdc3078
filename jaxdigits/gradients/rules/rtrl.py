"""RTRL: real-time recurrent learning, the slow oracle [1].

Every weight carries its influence on every state, forwards in time.  For a layer of neurons
with current i_t, potential v_t, spikes z_t and state c_t, from c_0 = 0, and with a dot for the
derivative in one weight:

    i̇_t = ẋ_t W            or x_t^i for the weight W_ij, in neuron j of its own layer
    v̇_t = ċ_{t−1} + g i̇_t
    ż_t = ψ_t v̇_t          ψ_t = h(v_t − θ)             to the next layer, as its ẋ
    ċ_t = r_t v̇_t          r_t = ∂c_t/∂v_t              β, and what the reset does
    L̇  = Σ_t w_t Σ i̇_t^out ∂L/∂logits

Between neurons of one layer nothing is coupled in a feed-forward network, so W_ij moves neuron
j of its own layer alone: that influence is one number per weight and example, [B, m, n], and ċ
there is e-prop's eligibility vector.  On the layers above it is dense, [B, m, n, n′].  Every
influence is there, so the result is that of BPTT for any number of layers, whether the reset is
held or differentiated, subtracts or starts anew.  Nothing is approximated.

Memory does not grow with the number of steps, but it is B times the parameters for one hidden
layer, and again times n′ for each above: an oracle to compare others with.  As in `rules.walk`,
`backward` goes through time again.

[1] Williams & Zipser, Neural Comput. 1(2), 1989, doi:10.1162/neco.1989.1.2.270.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits.chain import Chain, Parts, flat, grouped, in_series
from jaxdigits.gradients.rules.require import require_spiking
from jaxdigits.gradients.rules.rule import LearningRule
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
from jaxdigits.layer import Layer


def rtrl() -> Chain:
    """RTRL for spiking networks of dense layers.

    Raises:
      ValueError: by the chain, for a network that it cannot take, saying why.
    """

    def chain(parts: Parts) -> Layer:
        require_spiking(parts, "RTRL")
        stepped = in_steps(parts, "RTRL")
        for neuron, block in zip(neurons_of(stepped), parts.hidden, strict=True):
            require_one_state(neuron, block[0], "RTRL")
        w = shares_of_steps(parts, "RTRL")
        return Layer(in_series(parts).init, forward_over(stepped, w), _backward(stepped, w))

    return chain


def _backward(parts: Parts, w):
    def backward(params, replay, y_bar):
        way, p = walk(parts, params, replay.x, replay.key), grouped(parts, params)

        def step(carry, xs):
            (states, c_dots, grads, exit_bar), (t, w_t) = carry, xs
            states, seen, _ = way.step(states, t)
            dots, after = [], []  # in the weights of each layer from the first to this one
            for block, p_l, before, s in zip(parts.hidden, p.hidden, c_dots, seen, strict=True):
                i_dots = [*(_current_dot(p_l[0], x_dot) for x_dot in dots), _own(p_l[0], s.x)]
                both = [
                    _neurons_dot(block, p_l, s, c_dot, i_dot)
                    for c_dot, i_dot in zip(before, i_dots, strict=True)
                ]
                after.append([c_dot for c_dot, _ in both])
                dots = [y_dot for _, y_dot in both]
            e = w_t * y_bar
            of_outputs = e @ p.exit[0]["weight"].T
            grads = [g + _slope(d, of_outputs) for g, d in zip(grads, dots, strict=True)]
            now, _ = parts.exit[0].backward(p.exit[0], seen[-1].y, e)
            return (states, after, grads, jax.tree.map(jnp.add, exit_bar, now)), None

        zeros = [_zeros(p_l[0]) for p_l in p.hidden]
        start = way.states, _at_rest(zeros, way.zeros), zeros
        zero = jax.tree.map(jnp.zeros_like, p.exit[0])
        (_, _, grads, exit_bar), _ = jax.lax.scan(step, (*start, zero), steps_of(w, y_bar))
        hidden = [(_named(p_l[0], g), *p_l[1:]) for g, p_l in zip(grads, p.hidden, strict=True)]
        return flat(Parts(p.entry, hidden, (exit_bar, *p.exit[1:]))), None

    return backward


def _zeros(params: Any) -> Array:
    """Like the weights [m, n]; a bias is the weight of one more input, which is always 1."""
    m, n = params["weight"].shape
    return jnp.zeros((m + ("bias" in params), n), params["weight"].dtype)


def _at_rest(weights: list[Array], states: list[Array]) -> list[list[Array]]:
    """ċ of each layer, in the weights of each from the first to it."""
    dense = lambda w, c: jnp.zeros((*w.shape, *c.shape), c.dtype)
    own = lambda w, c: jnp.zeros((len(w), *c.shape), c.dtype)
    return [
        [*(dense(w, c) for w in weights[:layer]), own(weights[layer], c)]
        for layer, c in enumerate(states)
    ]


def _own(params: Any, x: Array) -> Array:
    """i̇ [m, B, n] of neuron j in W_ij, for its input x [B, m]."""
    x = jnp.concatenate([x, jnp.ones_like(x[:, :1])], 1) if "bias" in params else x
    return jnp.broadcast_to(x.T[..., None], (*x.T.shape, params["weight"].shape[1]))


def _current_dot(params: Any, x_dot: Array) -> Array:
    """i̇ [m, n, B, n′] in the weights [m, n] of a layer below, for ẋ in them.

    Args:
      x_dot: [m, B, n] if that layer is the one just below, else [m, n, B, n″].
    """
    if x_dot.ndim == 3:
        return jnp.einsum("ibj,jk->ijbk", x_dot, params["weight"])
    return x_dot @ params["weight"]


def _slope(y_dot: Array, y_bar: Array) -> Array:
    """∂L/∂weights [m, n] of a step, from the last layer's ẏ in them and ∂L/∂y [B, n′]."""
    own = y_dot.ndim == 3
    return jnp.einsum("ibj,bj->ij" if own else "ijbk,bk->ij", y_dot, y_bar)


def _named(params: Any, grads: Array) -> dict[str, Array]:
    m = len(params["weight"])
    return {"weight": grads[:m]} | ({"bias": grads[m]} if "bias" in params else {})


def _neurons_dot(
    block: Any, params: Any, seen: Seen, c_dot: Array, i_dot: Array
) -> tuple[Array, Array]:
    """(ċ_t, ẏ_t) of a block's neurons and dropout, which act on each number alone.

    So a derivative forwards is the same product as one backwards, and the neuron's `back` has
    them: what it sends to the state before and to the current is (r, g r) or (ψ, g ψ).
    """
    _, neuron, after = block
    k = neuron.constants(params[1], i_dot.dtype)
    one, zero = jnp.ones_like(seen.z), jnp.zeros_like(seen.z)
    r, g_r, _ = neuron.back(k, seen.kept, one, zero, 0.0)
    psi, g_psi, _ = neuron.back(k, seen.kept, zero, one, 0.0)
    z_dot = psi * c_dot + g_psi * i_dot
    return r * c_dot + g_r * i_dot, after.backward(params[2], seen.mask, z_dot)[1]


RULES = {"rtrl": LearningRule(rtrl())}
