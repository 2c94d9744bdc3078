"""Forward gradients: a slope along random directions, without going back [1].

Along a direction u the forward pass can carry its own derivative, u·∇L, beside its values.  For
random u with E[u uᵀ] = I,

    g = (u·∇L) u            E[g] = E[u uᵀ] ∇L = ∇L

is the gradient on average.  Over P numbers perturbed by N directions:

    signs         each number of u_n is ± 1/√N      g = Σ_n (u_n·∇L) u_n
                                                    E|g − ∇L|² = (P − 1)/N |∇L|²
    orthonormal   of length √(P/N)                  the same sum; exact for N = P

(Signs rather than normal numbers: one random bit each, and (P + 1)/N there.)

The rule perturbs either:

    weights       all params at once: P is their number
    activities    the currents a_l = x_{l−1} W_l + b_l of the hidden layers, for each example
                  [2]: ā_l from its own loss, then W̄_l = x_{l−1}ᵀ ā_l as usual, so P is the
                  number of hidden currents of *one* example, times the steps

With activities, the output's weights need no direction: ∂L/∂logits is known, and their
gradient exact.  (One direction for all steps of an example would make P smaller by their
number, but it yields Σ_t ā_t alone, and W̄ = Σ_t x_tᵀ ā_t does not follow from it, unless the
input x_t is the same at every step.)

Here `forward` carries ẏ = ∂logits/∂u [N, B, K] along, one direction after another over one
linearization of the network, and `backward` needs nothing else: with ȳ = ∂L/∂logits,
u_n·∇L = Σ ẏ_n ȳ, over the batch for weights and for each example with activities.  Products
that the directions do not touch (the first layer's, with activities) are computed once.
Directions are drawn from the key, and stored as bits.

No approximation but the noise: it is unbiased for any network, as far as its forward
derivatives are true; the spiking ones have the surrogate's slope, as BPTT has.

[1] Baydin, Pearlmutter, Syme, Wood & Torr, 2022, arXiv:2202.08587.
[2] Ren, Kornblith, Liao & Hinton, ICLR 2023, arXiv:2210.03310.
"""

import math
from collections.abc import Callable
from itertools import accumulate
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array
from jax.flatten_util import ravel_pytree

from jaxdigits.chain import Chain, Parts, flat, grouped, in_series
from jaxdigits.gradients.rules.broadcast import at_output
from jaxdigits.gradients.rules.rule import LearningRule, require_dense, shapes_of, width
from jaxdigits.keys import fold_in, per_example, require_key
from jaxdigits.layer import Layer

STREAM = 2**31 - 1  # beside the layers, whose random numbers are those of 0, 1, ...
BITS = 32  # of a word


def forward_gradient(
    perturb: Literal["weights", "activities"] = "activities", *, tangents: int = 1,
    orthonormal: bool = False,
) -> Chain:  # fmt: skip
    """Forward gradients for networks of dense layers, spiking or not.

    Args:
      perturb: "activities", whose noise is smaller by the number of inputs of a neuron; or
        "weights".
      tangents: N, directions per step; the time of a step grows with it, the memory hardly.
      orthonormal: directions at right angles, by a QR decomposition of [P, N] numbers.

    Raises:
      ValueError: for another `perturb` or tangents < 1; by the chain, for activities of a
        network without hidden layers, or that learns more than weights; in `forward`, without a
        key, or for more orthonormal directions than dimensions.
    """
    if perturb not in ("weights", "activities"):
        raise ValueError(f"perturb must be 'weights' or 'activities', got {perturb!r}")
    if tangents < 1:
        raise ValueError(f"tangents must be >= 1, got {tangents}")
    if perturb == "weights":
        return lambda parts: of_weights(in_series(parts), tangents, orthonormal)
    return lambda parts: of_activities(parts, tangents, orthonormal)


def of_weights(network: Layer, tangents: int, orthonormal: bool = False) -> Layer:
    """Any network, with its params' gradient by N directions in all of them together."""

    def forward(params, x, key=None):
        theta, unravel = ravel_pytree(params)
        stream = _stream(key)
        stream = stream[0] if stream.ndim else stream
        u = directions(stream, theta, tangents, orthonormal)
        u_of = lambda u_n: unravel(as_floats(u_n, theta, tangents))
        y, y_dot, residual = along(lambda p: network.forward(p, x, key), params, u_of, u)
        return y, (residual, u, y_dot)

    def backward(params, residual, y_bar):
        _, u, y_dot = residual
        theta, unravel = ravel_pytree(params)
        slopes = jnp.einsum("nbk,bk->n", y_dot, y_bar)
        u_of = lambda u_n: as_floats(u_n, theta, tangents)
        return unravel(weighted(slopes, u_of, u, jnp.zeros_like(theta))), None

    return network._replace(forward=forward, backward=backward)


def of_activities(parts: Parts, tangents: int, orthonormal: bool = False) -> Layer:
    """A network of dense layers, with its gradient by N directions in the hidden currents."""
    _require_weights_only(parts)
    layers = flat(parts)
    starts = list(accumulate(map(len, parts.hidden[:-1]), initial=len(parts.entry)))
    over_time = () if parts.steps is None else (parts.steps,)

    def with_taps(params, x, key, taps):
        """(the logits, the residuals), with a tap added to the currents"""
        residuals, taps = [], iter(taps)
        for i, (layer, p) in enumerate(zip(layers, params, strict=True)):
            x, residual = layer.forward(p, x, fold_in(key, i))
            residuals.append(residual)
            x = x + next(taps) if i in starts else x
        return x, tuple(residuals)

    def space(params):
        """(zeros [P] for the currents of an example, direction -> u [..., B, n] per layer)"""
        weights = [params[i]["weight"] for i in starts]
        shapes = [(*over_time, w.shape[1]) for w in weights]
        zeros = jnp.zeros(sum(map(math.prod, shapes)), weights[0].dtype)
        cuts = list(accumulate(map(math.prod, shapes)))[:-1]

        def of_example(u_nb):
            pieces = jnp.split(as_floats(u_nb, zeros, tangents), cuts)
            return [u.reshape(shape) for u, shape in zip(pieces, shapes, strict=True)]

        return zeros, jax.vmap(of_example, out_axes=-2)

    def forward(params, x, key=None):
        zeros, u_of = space(params)
        draw = lambda key: directions(key, zeros, tangents, orthonormal)
        u = jax.vmap(draw, out_axes=1)(per_example(_stream(key), len(x)))  # [N, B, ...]
        taps = jax.tree.map(jnp.zeros_like, u_of(u[0]))
        y, y_dot, residuals = along(lambda t: with_taps(params, x, key, t), taps, u_of, u)
        return y, (residuals, u, y_dot)

    def backward(params, residual, y_bar):
        residuals, u, y_dot = residual
        _, u_of = space(params)
        slopes = jnp.einsum("nbk,bk->nb", y_dot, y_bar)[..., None]
        a_bars = weighted(slopes, u_of, u, jax.tree.map(jnp.zeros_like, u_of(u[0])))
        p, r = grouped(parts, params), grouped(parts, residuals)
        _, exit_bars, _ = at_output(parts, p, r, y_bar)
        blocks = zip(parts.hidden, p.hidden, r.hidden, a_bars, strict=True)
        hidden_bars = [
            (block[0].backward(p_l[0], r_l[0], a_bar)[0], *p_l[1:])
            for block, p_l, r_l, a_bar in blocks
        ]
        return flat(Parts(p.entry, hidden_bars, exit_bars)), None

    return in_series(parts)._replace(forward=forward, backward=backward)


def along(f: Callable, at: Any, u_of: Callable, u: Any) -> tuple[Array, Array, Any]:
    """Return (y, ẏ [N, ...], aux) of f: at -> (y, aux), for N directions u_of(u_n)."""
    # One after another: all at once need the memory of N networks, and took longer on a CPU.
    y, derivative, aux = jax.linearize(f, at, has_aux=True)
    return y, jax.lax.map(lambda u_n: derivative(u_of(u_n)), u), aux


def weighted(slopes: Array, u_of: Callable, u: Any, zeros: Any) -> Any:
    """Return Σ_n slopes_n u_n, for N directions u_of(u_n) like `zeros`."""

    def add(total, xs):
        slope, u_n = xs
        return jax.tree.map(lambda a, d: a + slope * d, total, u_of(u_n)), None

    return jax.lax.scan(add, zeros, (slopes, u))[0]


def directions(key: Array, like: Array, tangents: int, orthonormal: bool) -> Array:
    """Draw N random directions u for the P numbers of `like`, with E[Σ_n u_n u_nᵀ] = I.

    Signs are stored as bits [N, ⌈P/32⌉], orthonormal directions as floats [N, P].
    """
    if not orthonormal:
        return jax.random.bits(key, (tangents, -(-like.size // BITS)), jnp.uint32)
    if tangents > like.size:
        raise ValueError(f"tangents must be <= {like.size} for orthonormal directions in as "
                         f"many dimensions, got {tangents}")  # fmt: skip
    # The sign of a direction does not matter, so QR's are as good as uniform ones.
    q, _ = jnp.linalg.qr(jax.random.normal(key, (like.size, tangents), like.dtype))
    return q.T * (like.size / tangents) ** 0.5


def as_floats(u_n: Array, like: Array, tangents: int) -> Array:
    """Return the numbers [P] of one stored direction of N, in the dtype of `like`."""
    if u_n.dtype != jnp.uint32:
        return u_n
    bits = (u_n[:, None] >> jnp.arange(BITS, dtype=jnp.uint32)) & 1
    signs = 1 - 2 * bits.reshape(-1)[: like.size].astype(like.dtype)
    return signs / tangents**0.5


def _stream(key: Array | None) -> Any:
    return fold_in(require_key(key, "a forward gradient"), STREAM)


def _require_weights_only(parts: Parts) -> None:
    rule = "a forward gradient of activities"
    if not parts.hidden:
        raise ValueError(f"{rule} is for hidden layers, and this network has none: take "
                         "perturb='weights'")  # fmt: skip
    require_dense(parts, rule)
    for weights, unit, *others in parts.hidden:
        if len(others) != 1 or jax.tree.leaves(shapes_of(unit, width(weights))):
            raise ValueError(f"{rule} learns weights alone: build with norm=None, "
                             "hidden_noise=0 and neurons with learn=() and no synapses among "
                             "them, or take perturb='weights'")  # fmt: skip


RULES = {"forward": LearningRule(forward_gradient(tangents=16))}
