"""Convolutions in the order of axes that XLA's CPU compiler knows, or as a product.

**Order.**  In a loop (an epoch is one), XLA's CPU compiler has fast convolutions for NHWC and
HWIO only.  So `convolve` transposes arrays of another order by hand.

**Bands.**  The input gradient is a product with a band matrix.  With stride 1,

    x̄[u, v, c] = Σ_{a,b,o} W[a, b, c, o] ȳ[u − a, v − b, o]

for all u and v where that meets an output.  For P neighbours v' = 0..P−1 of an output row, and
the input columns 0..P+m−2 that they see,

    M[a, v, c, v', o] = W[a, v − v', c, o]  where 0 ≤ v − v' < m, else 0

sends all of them back by one product, x̄ₐ = M ȳ, for each row a of the kernel.  That is more
arithmetic than the convolution, but a wide product where the input has few channels.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits.fast.switch import uses

PIECE = 4  # P; more is a wider product with more zeros in it
NARROW = 16  # channels of the input; below, XLA's CPU convolution was slow for x̄

Product = Callable[[Array, Array], Array]
Layout = tuple[str, str, str]  # the axes of both arrays and of the result
IMAGES = ("NHWC", "HWIO", "NHWC")


def convolve(a: Array, b: Array, *args: Any, layout: Layout = IMAGES, **options: Any) -> Array:
    """Return `jax.lax.conv_general_dilated`, whose `dimension_numbers` are `layout`."""
    order = IMAGES if uses("conv weight by hand") else layout
    if order != layout:
        a, b = _in_order(a, layout[0], order[0]), _in_order(b, layout[1], order[1])
    y = jax.lax.conv_general_dilated(a, b, *args, dimension_numbers=order, **options)
    return y if order == layout else _in_order(y, order[2], layout[2])


def _in_order(x: Array, old: str, new: str) -> Array:
    return x.transpose([old.index(axis) for axis in new])


def input_gradient(
    by_bands: Product, by_convolution: Product, outs: Array, weight: Array
) -> Array:
    """Return x̄ by bands on a CPU if the kernel has few input channels, else by convolution."""
    if weight.shape[2] >= NARROW or not uses("bands"):
        return by_convolution(outs, weight)
    return jax.lax.platform_dependent(outs, weight, cpu=by_bands, default=by_convolution)


def banded_input_gradient(outs: Array, weight: Array, multiply_transpose: Product) -> Array:
    """ȳ [N, o, p, O] -> x̄ [N, o + k − 1, p + m − 1, C], padding included, for stride 1."""
    (k, m, c, channels), (n, o, p, _) = weight.shape, outs.shape
    pieces, wide = -(-p // PIECE), PIECE + m - 1
    outs = jnp.pad(outs, ((0, 0), (0, 0), (0, pieces * PIECE - p), (0, 0)))
    sent = multiply_transpose(outs.reshape(-1, PIECE * channels), band_matrix(weight))
    sent = sent.reshape(n, o, pieces, k, wide * c)
    rows = _overlapped(jnp.moveaxis(sent, 2, 0), 3, PIECE * c)
    x_bar = _overlapped(jnp.moveaxis(rows, 2, 0), 1, 1)
    return x_bar.reshape(n, o + k - 1, -1, c)[:, :, : p + m - 1]


def band_matrix(weight: Array) -> Array:
    """M [k (P + m − 1) C, P O] of a kernel [k, m, C, O]."""
    k, m, c, channels = weight.shape
    down = lambda i: jnp.pad(weight, ((0, 0), (i, PIECE - 1 - i), (0, 0), (0, 0)))
    columns = [down(i) for i in range(PIECE)]
    return jnp.stack(columns, 3).reshape(k * (PIECE + m - 1) * c, PIECE * channels)


def _overlapped(parts: Array, axis: int, step: int) -> Array:
    """The sum of parts [parts, ...], each `step` further along an axis than the one before."""
    last = len(parts) - 1
    axes = range(parts.ndim - 1)
    around = lambda i: [(step * i, step * (last - i)) if a == axis else (0, 0) for a in axes]
    moved = [jnp.pad(parts[i], around(i)) for i in range(len(parts))]
    return sum(moved[1:], start=moved[0])
