"""Several pictures of one example, each through the same layer, and vectors of length one.

each_view      y_v = f(x_v)          x̄_v = backward(ȳ_v), and the slopes of f's params add up
unit_length    y = x / n             n = √(|x|² + ε);  ∂y/∂x = (1 − y yᵀ) / n, so
                                     x̄ = (ȳ − y (y · ȳ)) / n
"""

import math

import jax
import jax.numpy as jnp

from jaxdigits import checks
from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.keys import per_example
from jaxdigits.layer import Layer, Static, serial, without_params
from jaxdigits.layers.dense import dense
from jaxdigits.layers.dropout import dropout

EPSILON = 1e-12  # keeps the slope of a vector of zeros finite


@constructor
def each_view(layer: Layer, *, rank: int = 2) -> Layer:
    """`layer` on each of an example's pictures: x [B, *views, ...] -> y [B, *views, ...].

    Each picture has a key of its own.

    Args:
      layer: of one picture.
      rank: number of axes of one picture; all others count pictures, and there may be none.

    Raises:
      ValueError: unless rank >= 0; in `init`, for fewer feature axes.
    """
    checks.at_least(0, rank=rank)

    def init(key, shape):
        views = len(shape) - rank
        if views < 0:
            raise ValueError(f"each_view of pictures of {rank} axes got features {shape}")
        params, out = layer.init(key, shape[views:])
        return params, (*shape[:views], *out)

    def forward(params, x, key=None):
        lead, picture = x.shape[: x.ndim - rank], x.shape[x.ndim - rank :]
        if key is not None and len(lead) > 1:
            keys = per_example(key, lead[0])
            of_view = lambda v: jax.vmap(jax.random.fold_in, (0, None))(keys, v)
            key = jax.vmap(of_view, out_axes=1)(jnp.arange(math.prod(lead[1:]))).ravel()
        y, inner = layer.forward(params, x.reshape(-1, *picture), key)
        return y.reshape(*lead, *y.shape[1:]), (inner, Static(len(lead)))

    def backward(params, residual, y_bar):
        inner, axes = residual
        lead = y_bar.shape[: axes.value]
        flat = y_bar.reshape(-1, *y_bar.shape[axes.value :])
        grads, x_bar = layer.backward(params, inner, flat)
        return grads, None if x_bar is None else x_bar.reshape(*lead, *x_bar.shape[1:])

    return Layer(init, forward, backward)


@constructor
def unit_length() -> Layer:
    """Vectors of length one: x [..., D] -> x / |x|; a vector of zeros stays."""

    def forward(x, key):
        length = jnp.sqrt((x * x).sum(-1, keepdims=True) + EPSILON)
        y = x / length
        return y, (y, length)

    def backward(residual, y_bar):
        y, length = residual
        return (y_bar - y * (y * y_bar).sum(-1, keepdims=True)) / length

    return without_params(forward, backward)


CASES = {
    "each_view": Case(lambda: each_view(serial(dense(3), dropout(0.4)), rank=1), (2, 3, 5)),
    "unit_length": Case(unit_length, (6,)),
}
