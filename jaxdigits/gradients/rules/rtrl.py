"""RTRL: real-time recurrent learning, the slow oracle [1].

Every parameter θ_p carries its influence on every state, forwards in time.  For the layer l of
neurons with current i_t, potential v_t, spikes z_t and state c_t, from c_0 = 0, and with a dot
for ∂/∂θ_p [P, B, n]:

    i̇_t = ẋ_t W + [θ_p in this layer] (x_t Ẇ + ḃ)      Ẇ, ḃ: 1 at θ_p, else 0
    v̇_t = ċ_{t−1} + g i̇_t
    ż_t = ψ_t v̇_t          ψ_t = h(v_t − θ)             to the next layer, as its ẋ
    ċ_t = r_t v̇_t          r_t = ∂c_t/∂v_t              β, and what the reset does
    L̇  = Σ_t w_t Σ i̇_t^out ∂L/∂logits

Between neurons of one layer nothing is coupled in a feed-forward network, so the Jacobian of a
step is diagonal in the layer, and r_t, ψ_t are vectors.  For a hidden layer of its own, ċ is
e-prop's eligibility vector; with ẋ from the layers below, every influence is there, so the
result is that of BPTT for any number of layers, whether the reset is held or differentiated,
subtracts or starts anew.  Nothing is approximated.

Memory does not grow with the number of steps, but it is P · B · n for P parameters: for small
networks, to compare others with.  As in `rules.walk`, `backward` goes through time again.

[1] Williams & Zipser, Neural Comput. 1(2), 1989, doi:10.1162/neco.1989.1.2.270.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.flatten_util import ravel_pytree

from jaxdigits.chain import Chain, Parts, flat, grouped, in_series
from jaxdigits.gradients.rules.refuse import require_spiking
from jaxdigits.gradients.rules.stepwise import unrolled
from jaxdigits.gradients.rules.walk import (
    Seen,
    forward_over,
    require_one_state,
    shares_of_steps,
    steps_of,
    walk,
)
from jaxdigits.layer import Layer


def rtrl() -> Chain:
    """RTRL for spiking networks of dense layers, in stepped parts (`rules.stepwise`).

    Raises:
      ValueError: by the chain, for a network that it cannot take, saying why.
    """

    def chain(parts: Parts) -> Layer:
        require_spiking(parts, "RTRL")
        for block in parts.hidden:
            require_one_state(block, "RTRL")
        w = shares_of_steps(parts, "RTRL")
        init = in_series(unrolled(parts)).init
        return Layer(init, forward_over(parts, w), _backward(parts, w))

    return chain


def _backward(parts: Parts, w):
    def backward(params, replay, y_bar):
        way, p = walk(parts, params, replay.x, replay.key), grouped(parts, params)
        own = [block[0] for block in p.hidden]
        theta, unravel = ravel_pytree(own)
        basis = jax.vmap(unravel)(jnp.eye(theta.size, dtype=theta.dtype))  # Ẇ and ḃ of each θ_p

        def step(carry, xs):
            (states, c_dots, slopes, exit_bar), (t, w_t) = carry, xs
            states, seen, _ = way.step(states, t)
            x_dot, after = None, []
            for block, p_l, dots, c_dot, s in zip(
                parts.hidden, p.hidden, basis, c_dots, seen, strict=True
            ):
                i_dot = _current_dot(p_l[0], dots, s.x, x_dot)
                c_dot, x_dot = _neurons_dot(block, p_l, s, c_dot, i_dot)
                after.append(c_dot)
            e = w_t * y_bar
            slopes += jnp.einsum("pbn,nk,bk->p", x_dot, p.exit[0]["weight"], e)
            now, _ = parts.exit[0].backward(p.exit[0], seen[-1].y, e)
            return (states, after, slopes, jax.tree.map(jnp.add, exit_bar, now)), None

        c_dots = [jnp.zeros((theta.size, *z.shape), z.dtype) for z in way.zeros]
        zeros = jnp.zeros_like(theta), jax.tree.map(jnp.zeros_like, p.exit[0])
        start = way.states, c_dots, *zeros
        (_, _, slopes, exit_bar), _ = jax.lax.scan(step, start, steps_of(w, y_bar))
        hidden = [(g, *p_l[1:]) for g, p_l in zip(unravel(slopes), p.hidden, strict=True)]
        return flat(Parts(p.entry, hidden, (exit_bar, *p.exit[1:]))), None

    return backward


def _current_dot(params: Any, dots: Any, x: Array, x_dot: Array | None) -> Array:
    """i̇ [P, B, n] of a layer with weights, its input x [B, m] and ẋ [P, B, m]."""
    i_dot = x @ dots["weight"] + dots["bias"][:, None] if "bias" in dots else x @ dots["weight"]
    return i_dot if x_dot is None else i_dot + x_dot @ params["weight"]


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
