"""Forward gradients: a slope along random directions, without going back [1].

Along a direction u the forward pass can carry its own derivative, u·∇L, beside its values.  For
random u with E[u uᵀ] = I,

    g = (u·∇L) u            E[g] = E[u uᵀ] ∇L = ∇L

is the gradient on average.  Over P numbers perturbed by N directions:

    independent   u ~ N(0, I/N)              g = Σ_n (u_n·∇L) u_n     E|g − ∇L|² ≈ P/N |∇L|²
    orthonormal   of length √(P/N)           g = Σ_n (u_n·∇L) u_n     exact for N = P

What is perturbed:

    weights       all params at once: P is their number
    activities    the currents a_l = x_{l−1} W_l + b_l of each example for itself [2]:
                  ā_l of an example from its own loss, then W̄_l = x_{l−1}ᵀ ā_l as ever, so P is
                  the number of currents of *one* example (times the steps)

Here `forward` carries ẏ = ∂logits/∂u [N, B, K] along, by `jax.jvp`, and `backward` needs
nothing else: with ȳ = ∂L/∂logits, u_n·∇L = Σ ẏ_n ȳ, over the batch for weights and for each
example with activities.  Directions are drawn from the key.

No approximation but the noise: it is unbiased for any network, as far as its forward
derivatives are true; the spiking ones have the surrogate's slope, as BPTT has.

[1] Baydin, Pearlmutter, Syme, Wood & Torr, 2022, arXiv:2202.08587.
[2] Ren, Kornblith, Liao & Hinton, ICLR 2023, arXiv:2210.03310.
"""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree

from jaxdigits.chain import Chain, Parts, flat, in_series
from jaxdigits.keys import fold_in, per_example, require_key
from jaxdigits.layer import Layer

STREAM = 2**31 - 1  # beside the layers, whose random numbers are those of 0, 1, ...


def forward_gradient(
    perturb: Literal["weights", "activities"] = "activities",
    *,
    tangents: int = 1,
    orthonormal: bool = False,
) -> Chain:
    """Forward gradients for networks of dense layers, spiking or not.

    Args:
      perturb: "activities", whose noise is smaller by the number of inputs of a neuron; or
        "weights".
      tangents: N, directions per step; memory and time of `forward` grow with it.
      orthonormal: directions at right angles to each other, by a QR decomposition of
        [P, N] numbers.

    Raises:
      ValueError: for another `perturb` or tangents < 1; by the chain, for activities of a
        network that learns norms or constants of neurons besides weights; in `forward`,
        without a key, or for more orthonormal directions than there are dimensions.
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

    def forward(params, x, key):
        theta, unravel = ravel_pytree(params)
        own = _beside(key)
        u = directions(own[0] if own.ndim else own, theta, tangents, orthonormal)
        y, y_dot, residual = along(
            lambda params: network.forward(params, x, key), params, jax.vmap(unravel)(u)
        )
        return y, (residual, u, y_dot)

    def backward(params, kept, y_bar):
        _, u, y_dot = kept
        slopes = jnp.einsum("nbk,bk->n", y_dot, y_bar)
        return ravel_pytree(params)[1](slopes @ u), None

    return network._replace(forward=forward, backward=backward)


def of_activities(parts: Parts, tangents: int, orthonormal: bool = False) -> Layer:
    """A network of dense layers, with its gradient by N directions in the currents."""
    _require_weights_only(parts)
    layers = flat(parts)
    starts = {len(parts.entry) + i for i in np.cumsum([0, *map(len, parts.hidden)])}

    def tapped(params, x, key, taps):
        """The logits, and (residuals, currents), with a tap added to the currents."""
        residuals, currents, taps = [], [], iter(taps)
        for i, (layer, p) in enumerate(zip(layers, params, strict=True)):
            x, residual = layer.forward(p, x, fold_in(key, i))
            residuals.append(residual)
            if i in starts:
                x = x + next(taps)
                currents.append(x)
        return x, (tuple(residuals), currents)

    def forward(params, x, key):
        run = lambda taps: tapped(params, x, key, taps)
        shapes = jax.eval_shape(run, [0.0] * len(starts))[1][1]
        taps = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), shapes)
        of_example, unravel = ravel_pytree([tap[..., 0, :] for tap in taps])
        draw = lambda key: directions(key, of_example, tangents, orthonormal)
        u = jax.vmap(draw)(per_example(_beside(key), len(x)))  # [B, N, P]
        u = jax.vmap(jax.vmap(unravel, out_axes=-2), in_axes=1)(u)  # N × [..., B, n] each
        y, y_dot, (residuals, _) = along(run, taps, u)
        return y, (residuals, u, y_dot)

    def backward(params, kept, y_bar):
        residuals, u, y_dot = kept
        slopes = jnp.einsum("nbk,bk->nb", y_dot, y_bar)
        a_bars = iter([jnp.einsum("nb,n...bj->...bj", slopes, u_l) for u_l in u])
        return tuple(
            layer.backward(p, r, next(a_bars))[0] if i in starts else p
            for i, (layer, p, r) in enumerate(zip(layers, params, residuals, strict=True))
        ), None

    return in_series(parts)._replace(forward=forward, backward=backward)


def along(f: Callable, at: Any, u: Any) -> tuple[Array, Array, Any]:
    """(y, ẏ [N, ...], aux) of f: at -> (y, aux), for N directions u."""
    jvp = lambda u_n: jax.jvp(f, (at,), (u_n,), has_aux=True)
    return jax.vmap(jvp, out_axes=(None, 0, None))(u)


def directions(key: Array, like: Array, tangents: int, orthonormal: bool) -> Array:
    """[N, P] random directions u for the P numbers of `like`, with E[Σ_n u_n u_nᵀ] = I.

    Raises:
      ValueError: for more orthonormal directions than dimensions.
    """
    if not orthonormal:
        return jax.random.normal(key, (tangents, like.size), like.dtype) / tangents**0.5
    if tangents > like.size:
        raise ValueError(
            f"{tangents} directions cannot be orthonormal in {like.size} dimensions"
        )
    # The sign of a direction does not matter, so QR's are as good as uniform ones.
    q, _ = jnp.linalg.qr(jax.random.normal(key, (like.size, tangents), like.dtype))
    return q.T * (like.size / tangents) ** 0.5


def _beside(key: Array | None) -> Array:
    own: Any = fold_in(require_key(key, "a forward gradient"), STREAM)
    return own


def _require_weights_only(parts: Parts) -> None:
    for block in parts.hidden:
        if len(block) != 3:
            raise ValueError(
                "forward gradients of activities are those of weights alone: build with "
                "norm=None, or perturb='weights'"
            )
        if jax.tree.leaves(jax.eval_shape(lambda: block[1].init(jax.random.key(0), (1,))[0])):
            raise ValueError(
                "forward gradients of activities are those of weights alone: build with "
                "learn=(), or perturb='weights'"
            )
