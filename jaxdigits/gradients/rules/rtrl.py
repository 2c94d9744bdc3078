"""RTRL: real-time recurrent learning, the slow oracle [1].

Every weight carries its influence on every state, forwards in time.  For a layer of neurons
with current i_t, potential v_t, spikes z_t and state c_t, from c_0 = 0, and with a dot for the
derivative in one weight:

    i̇_t = ẋ_t W            or x_t^i for the weight W_ij, in neuron j of its own layer
    v̇_t = ċ_{t−1} + g i̇_t
    ż_t = ψ_t v̇_t          ψ_t = h(v_t − θ)             to the next layer, as its ẋ
    ċ_t = r_t v̇_t          r_t = ∂c_t/∂v_t              β, and the effect of the reset
    L̇  = Σ_t w_t Σ i̇_t^out ∂L/∂logits

Between neurons of one layer nothing is coupled in a feed-forward network, so W_ij moves neuron
j of its own layer alone: that influence is one number per weight and example, [B, m, n], and ċ
there is e-prop's eligibility vector.  On the layers above it is dense, [B, m, n, n′].  Every
influence is there, so the result is that of BPTT for any number of layers, whether the reset is
held or differentiated, subtracts or sets a value.  Nothing is approximated.

Memory does not grow with the number of steps, but it is B times the parameters for one hidden
layer, and again times n′ for each above: an oracle to compare others with.  `backward` goes
through time again, as in `rules.replay`.

[1] Williams & Zipser, Neural Comput. 1(2), 1989, doi:10.1162/neco.1989.1.2.270.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits.chain import Chain, Parts, flat, grouped
from jaxdigits.gradients.rules import replay as rp
from jaxdigits.gradients.rules.rule import LearningRule, require_one_state, require_spiking
from jaxdigits.layer import Layer


def rtrl() -> Chain:
    """RTRL for spiking networks of dense layers.

    Raises:
      ValueError: by the chain, for a network that it cannot take, with the reason.
    """

    def chain(parts: Parts) -> Layer:
        require_spiking(parts, "RTRL")
        return rp.network(parts, "RTRL", require_one_state, _backward)

    return chain


def _backward(parts: Parts, w: np.ndarray):
    def backward(params, replay, y_bar):
        run, p = rp.begin(parts, params, replay.x, replay.key), grouped(parts, params)

        def step(carry, xs):
            (states, c_dots, grads, exit_bar), (t, w_t) = carry, xs
            states, layers, _ = run.step(states, t)
            y_dots, next_c_dots = [], []  # in the weights of each layer from the first to this
            blocks = zip(parts.hidden, p.hidden, c_dots, layers, strict=True)
            for block, p_l, c_dots_l, s in blocks:
                i_dots = [*(_current_dot(p_l[0], x_dot) for x_dot in y_dots), _own(p_l[0], s.x)]
                dots = [
                    _neurons_dot(block, p_l, s, c_dot, i_dot)
                    for c_dot, i_dot in zip(c_dots_l, i_dots, strict=True)
                ]
                next_c_dots.append([c_dot for c_dot, _ in dots])
                y_dots = [y_dot for _, y_dot in dots]
            e = w_t * y_bar
            x_bar = e @ p.exit[0]["weight"].T
            own, dense = "ibj,bj->ij", "ijbk,bk->ij"
            slopes = [jnp.einsum(own if d.ndim == 3 else dense, d, x_bar) for d in y_dots]
            grads = [g + slope for g, slope in zip(grads, slopes, strict=True)]
            exit_bar_t, _ = parts.exit[0].backward(p.exit[0], layers[-1].y, e)
            exit_bar = jax.tree.map(jnp.add, exit_bar, exit_bar_t)
            return (states, next_c_dots, grads, exit_bar), None

        grads, exit_bar = [*map(_zeros, p.hidden)], jax.tree.map(jnp.zeros_like, p.exit[0])
        start = run.states, _at_rest(grads, run.zeros), grads, exit_bar
        (_, _, grads, exit_bar), _ = jax.lax.scan(step, start, rp.steps_of(w, y_bar))
        hidden = [_by_name(p_l, g) for p_l, g in zip(p.hidden, grads, strict=True)]
        return flat(Parts(p.entry, hidden, (exit_bar, *p.exit[1:]))), None

    return backward


def _zeros(params: Any) -> Array:
    """Zeros like a block's weights [m, n]; a bias is the weight of one more input, always 1."""
    m, n = params[0]["weight"].shape
    return jnp.zeros((m + ("bias" in params[0]), n), params[0]["weight"].dtype)


def _at_rest(weights: list[Array], states: list[Array]) -> list[list[Array]]:
    """Return ċ = 0 of each layer, in the weights of each layer from the first to it."""
    dense = lambda w, c: jnp.zeros((*w.shape, *c.shape), c.dtype)
    own = lambda w, c: jnp.zeros((len(w), *c.shape), c.dtype)
    return [
        [*(dense(w, c) for w in weights[:layer]), own(weights[layer], c)]
        for layer, c in enumerate(states)
    ]


def _own(params: Any, x: Array) -> Array:
    """Return i̇ [m, B, n] of neuron j in W_ij, for its input x [B, m]."""
    x = jnp.concatenate([x, jnp.ones_like(x[:, :1])], 1) if "bias" in params else x
    return jnp.broadcast_to(x.T[..., None], (*x.T.shape, params["weight"].shape[1]))


def _current_dot(params: Any, x_dot: Array) -> Array:
    """Return i̇ [m, n, B, n′] in the weights [m, n] of a layer below, for ẋ in them.

    ẋ is [m, B, n] if that layer is the one just below, else [m, n, B, n″].
    """
    if x_dot.ndim == 3:
        return jnp.einsum("ibj,jk->ijbk", x_dot, params["weight"])
    return x_dot @ params["weight"]


def _by_name(params: Any, grads: Array) -> tuple[Any, ...]:
    m, bias = len(params[0]["weight"]), "bias" in params[0]
    return {"weight": grads[:m]} | ({"bias": grads[m]} if bias else {}), *params[1:]


def _neurons_dot(block: Any, params: Any, layer: rp.LayerStep, c_dot: Array, i_dot: Array):
    """Return (ċ_t, ẏ_t) of a block's neurons and dropout, which act on each number alone.

    So a derivative forwards is the same product as one backwards, and the neuron's `back`
    returns both factors: for the state before and for the current, (r, g r) or (ψ, g ψ).
    """
    _, neuron, dropout = block
    k = neuron.constants(params[1], i_dot.dtype)
    one, zero = jnp.ones_like(layer.z), jnp.zeros_like(layer.z)
    r, g_r, _ = neuron.back(k, layer.potentials, one, zero, 0.0)
    psi, g_psi, _ = neuron.back(k, layer.potentials, zero, one, 0.0)
    z_dot = psi * c_dot + g_psi * i_dot
    return r * c_dot + g_r * i_dot, dropout.backward(params[2], layer.mask, z_dot)[1]


RULES = {"rtrl": LearningRule(rtrl())}
