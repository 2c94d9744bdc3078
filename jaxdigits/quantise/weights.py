"""Weights of a few bits, trained straight through their rounding, by hand.

For b bits with n = 2^(b−1) − 1, per tensor or per output neuron (the last axis of a weight):

    s = c / n       q = clip(round(W / s), ±n)       Q(W) = s q             b > 1
                    Q(W) = mean|W| · sign(W), with sign(0) = +1             b = 1

round goes to the even neighbour from a half.  c is max|W|; below 4 bits, where a few large
weights would leave all others at 0, c is the share of it in `CLIPS` with the least Σ (W − Q)².

Q is a step function of W.  Its gradient here is straight-through [1]: rounding counts as the
identity, clipping as what it is, and s as a constant.  With Q̄ = ∂L/∂Q:

    W̄ = Q̄ · 1[|W| <= c]                c infinite for b = 1

so a weight beyond the largest level rests there, and the float weights that training holds
collect steps that are smaller than a level.  The forward pass is written so that `jax.grad`
takes the same convention: Q(W) + (W − W) 1[|W| <= c], the first and last W held constant.

[1] Bengio, Léonard & Courville, 2013, arXiv:1308.3432.
[2] Rastegari et al., ECCV 2016, arXiv:1603.05279 (one bit and its scale).
"""

from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.layer import Layer, Params, residual, serial
from jaxdigits.layers import conv2d, dense, relu
from jaxdigits.options import require_name
from jaxdigits.spikes import lif, spikes_stored

Per = Literal["neuron", "tensor"]
CLIPS = (1.0, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15)
FINE = 4  # bits from which the largest weight is a level
MOST = 8


class Quantised(NamedTuple):
    """Rounded weights: the value of each is `scale` times a whole number."""

    value: Array
    """[..., n] the rounded weights, Q(W)"""
    levels: Array
    """[..., n] int32: q, or ±1 for one bit"""
    scale: Array
    """[n] or [1] for a tensor: s, or mean|W| for one bit"""
    inside: Array
    """[..., n] whether the gradient passes: |W| <= c"""


def quantise(weights: Array, bits: int, *, per: Per = "neuron") -> Quantised:
    """Round weights [..., n] to `bits` bits, with one scale for all or for each neuron.

    Args:
      weights: floats; the last axis is that of the output neurons.
      bits: 1 to 8.
      per: "neuron" or "tensor".

    Raises:
      ValueError: for another number of bits, another `per`, or weights that are not floats.
    """
    require_bits(bits)
    require_name("per", ("neuron", "tensor"), per)
    weights = jnp.asarray(weights)
    if not jnp.issubdtype(weights.dtype, jnp.floating):
        raise ValueError(f"weights must be floats, got {weights.dtype}")
    axes = tuple(range(weights.ndim - (per == "neuron")))
    size = jnp.abs(weights)
    if bits == 1:
        scale = size.mean(axes, keepdims=True)
        levels = jnp.where(weights >= 0, 1, -1)
        inside = jnp.ones_like(weights, bool)
    else:
        n, largest = 2 ** (bits - 1) - 1, size.max(axes, keepdims=True)
        c = largest if bits >= FINE else _best_clip(weights, largest, n, axes)
        scale = c / n
        levels, inside = _levels(weights, scale, n).astype(jnp.int32), size <= c
    return Quantised(scale * levels, levels, scale.ravel(), inside)


@constructor
def quantised(layer: Layer, bits: int, *, per: Per = "neuron") -> Layer:
    """`layer`, or a whole network, that computes with weights of `bits` bits.

    Its params are those of `layer`, in floats.  Each leaf named "weight" is rounded before
    `forward`; biases and constants of neurons are not.  The residual is that of `layer`.

    Args:
      layer: a layer or a network.
      bits: 1 to 8, as for `quantise`.
      per: "neuron" or "tensor".

    Raises:
      ValueError: for another number of bits or another `per`; in `init`, for a layer without
        weights.
    """
    require_bits(bits)
    require_name("per", ("neuron", "tensor"), per)

    def init(key, shape):
        params, out = layer.init(key, shape)
        if not any(map(_is_weight, jax.tree_util.tree_leaves_with_path(params))):
            raise ValueError("quantised takes a layer with weights, and this one has none")
        return params, out

    def forward(params, x, key=None):
        return layer.forward(rounded(params, bits, per=per), x, key)

    def backward(params, inner, y_bar):
        grads, x_bar = layer.backward(rounded(params, bits, per=per), inner, y_bar)
        straight = lambda w, w_bar: w_bar * quantise(w, bits, per=per).inside
        return _at_weights(straight, params, grads), x_bar

    return Layer(init, forward, backward, layer.about)


def rounded(params: Params, bits: int, *, per: Per = "neuron") -> Params:
    """Return params with each leaf named "weight" rounded; `jax.grad` goes straight through.

    Raises:
      ValueError: as `quantise`.
    """
    return _at_weights(lambda w: _straight_through(w, quantise(w, bits, per=per)), params)


def require_bits(bits: int) -> None:
    """Check that there are 1 to 8 bits.

    Raises:
      ValueError: for another number.
    """
    if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= MOST:
        raise ValueError(f"bits must be a whole number from 1 to {MOST}, got {bits}")


def _straight_through(weight: Array, q: Quantised) -> Array:
    """Return Q(W), whose derivative is 1 inside: the second term is exactly 0."""
    zero = weight - jax.lax.stop_gradient(weight)
    return jax.lax.stop_gradient(q.value) + jnp.where(q.inside, zero, 0)


def _levels(weights: Array, scale: Array, n: int) -> Array:
    # A neuron whose weights are all zero has the scale 0.
    return jnp.clip(jnp.round(weights / jnp.where(scale > 0, scale, 1)), -n, n)


def _best_clip(weights: Array, largest: Array, n: int, axes: tuple[int, ...]) -> Array:
    """Return the c of each neuron, or of the tensor, with the least squared error."""

    def error(share):
        scale = share * largest / n
        miss = weights - scale * _levels(weights, scale, n)
        return (miss**2).sum(axes, keepdims=True)

    errors = jnp.stack([error(share) for share in CLIPS])
    return jnp.asarray(CLIPS, weights.dtype)[jnp.argmin(errors, 0)] * largest


def _at_weights(f: Any, params: Params, *others: Params) -> Params:
    """Apply f to each leaf named "weight"; keep the other leaves of the last tree."""

    def at(path, *leaves):
        return f(*leaves) if _is_weight((path, leaves)) else leaves[-1]

    return jax.tree_util.tree_map_with_path(at, params, *others)


def _is_weight(entry: tuple[Any, Any]) -> bool:
    path, _ = entry
    return bool(path) and getattr(path[-1], "key", None) == "weight"


CASES = {
    **{
        f"quantised, {bits} bits": Case(partial(quantised, dense(5), bits), (7,))
        for bits in (1, 2, 3, 4, 8)
    },
    "quantised, 2 bits per tensor": Case(
        lambda: quantised(conv2d(3), 2, per="tensor"), (7, 6, 4)
    ),
    "quantised, network": Case(
        lambda: quantised(serial(dense(6), relu(), residual(dense(6)), dense(3)), 3), (7,)
    ),
    "quantised, spiking, 4 bits": Case(
        lambda: quantised(serial(dense(6), lif(threshold=0.5), spikes_stored(dense(3), "byte")),
                          4), (9,), "current",
    ),
}  # fmt: skip
