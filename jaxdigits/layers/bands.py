"""The input gradient of a convolution, as a product with a band matrix.

With stride 1, x̄[u, v, c] = Σ_{a,b,o} W[a, b, c, o] ȳ[u − a, v − b, o], for all u and v where
that meets an output.  For P neighbours v' = 0..P−1 of an output row, and the input columns
0..P+m−2 that they see,

    M[a, v, c, v', o] = W[a, v − v', c, o]  where 0 ≤ v − v' < m, else 0

sends all of them back by one product, x̄ₐ = M ȳ, for each row a of the kernel.
"""

import jax.numpy as jnp
from jax import Array

from jaxdigits.layers.precision import Precision, by_transpose

PIECE = 4  # P; more is a wider product with more zeros in it


def banded_input_gradient(outs: Array, weight: Array, precision: Precision) -> Array:
    """ȳ [N, o, p, O] -> x̄ [N, o + k − 1, p + m − 1, C], padding included, for stride 1.

    More arithmetic than the convolution, but a wide product where the input has few channels,
    which a CPU does faster.
    """
    (k, m, c, channels), (n, o, p, _) = weight.shape, outs.shape
    pieces, wide = -(-p // PIECE), PIECE + m - 1
    outs = jnp.pad(outs, ((0, 0), (0, 0), (0, pieces * PIECE - p), (0, 0)))
    sent = by_transpose(outs.reshape(-1, PIECE * channels), band_matrix(weight), precision)
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
