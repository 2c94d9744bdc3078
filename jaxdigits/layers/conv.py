"""Two-dimensional convolution, differentiated by hand.

With kernel W [k, l, C, O], stride s and p zeros before the first row (q before the first
column; SAME or VALID sets both), for each image x [H, W, C]:

    y[i, j, o] = b[o] + Σ_{a,b,c} W[a, b, c, o] x[i s + a − p, j s + b − q, c]

Each x[u, v] meets W[a, b] in those outputs with i s = u + p − a, j s = v + q − b.  So, with
ȳ = ∂L/∂y, Σ over images, and ȳ↑ the output gradient with s − 1 zeros between its rows:

    x̄[u, v, c] = Σ_{a,b,o} W[a, b, c, o] ȳ↑[u + p − a, v + q − b, o]
    W̄[a, b, c, o] = Σ_{i,j} x[i s + a − p, j s + b − q, c] ȳ[i, j, o]         b̄ = Σ_{i,j} ȳ

Both are convolutions again: x̄ of ȳ↑ with the kernel flipped and its channels exchanged,
W̄ of x with ȳ↑ as the kernel, images taking the part of channels.
"""

from typing import Literal

import jax
import jax.numpy as jnp

from jaxdigits.layer import Layer
from jaxdigits.layers.dense import uniform

IMAGES = ("NHWC", "HWIO", "NHWC")
KERNELS = ("CHWN", "IHWO", "HWNC")  # the sum runs over the images, so they are the "C"


def conv2d(
    channels: int,
    size: int | tuple[int, int] = 3,
    *,
    stride: int = 1,
    padding: Literal["SAME", "VALID"] = "SAME",
    bias: bool = True,
    gain: float = 2.0,
) -> Layer:
    """x [..., H, W, C] -> [..., H', W', channels].  Params: weight [k, l, C, O], bias [O].

    H' is ⌈H/s⌉ for SAME, whose extra zero falls at the end, and ⌊(H − k)/s⌋ + 1 for VALID.
    Weights start uniform with variance `gain / (k l C)`, the bias at zero.  The residual is x.

    Raises:
      ValueError: unless sizes, stride and channels are >= 1, `gain` > 0 and the padding is one
        of the two; in `init`, unless the feature shape is (H, W, C) and the kernel fits.
    """
    k, l = (size, size) if isinstance(size, int) else size
    for name, value in dict(channels=channels, size=min(k, l), stride=stride).items():
        if value < 1:
            raise ValueError(f"{name} must be >= 1, got {value}")
    if padding not in ("SAME", "VALID"):
        raise ValueError(f"padding must be 'SAME' or 'VALID', got {padding!r}")
    if not gain > 0:
        raise ValueError(f"gain must be > 0, got {gain}")

    def edges(h, w):
        """((before, after) for rows, the same for columns): the zeros around an image."""
        return [_padding(n, m, stride, padding) for n, m in ((h, k), (w, l))]

    def init(key, shape):
        if len(shape) != 3:
            raise ValueError(f"conv2d takes features of shape (H, W, C), got {shape}")
        h, w, c = shape
        out = [(n + sum(e) - m) // stride + 1 for n, m, e in zip((h, w), (k, l), edges(h, w))]
        if min(out) < 1:
            raise ValueError(f"a {k}×{l} kernel does not fit into {h}×{w} without padding")
        params = {"weight": uniform(key, (k, l, c, channels), gain / (k * l * c))}
        return params | ({"bias": jnp.zeros(channels)} if bias else {}), (*out, channels)

    def forward(params, x, key):
        images = x.reshape(-1, *x.shape[-3:])
        y = jax.lax.conv_general_dilated(
            images, params["weight"], (stride, stride), edges(*x.shape[-3:-1]),
            dimension_numbers=IMAGES,
        )  # fmt: skip
        y = y + params["bias"] if bias else y
        return y.reshape(*x.shape[:-3], *y.shape[1:]), x

    def backward(params, x, y_bar):
        weight = params["weight"]
        images, outs = x.reshape(-1, *x.shape[-3:]), y_bar.reshape(-1, *y_bar.shape[-3:])
        sizes = list(zip(x.shape[-3:-1], y_bar.shape[-3:-1], (k, l), edges(*x.shape[-3:-1])))
        dilated = (stride, stride)
        # ȳ↑ has s(m − 1) + 1 rows; the trailing padding makes the result n rows (k for W̄).
        span = lambda m: stride * (m - 1) + 1
        x_bar = jax.lax.conv_general_dilated(
            outs, weight[::-1, ::-1].swapaxes(2, 3), (1, 1),
            [(f - 1 - p, n - span(m) + p) for n, m, f, (p, _) in sizes],
            lhs_dilation=dilated, dimension_numbers=IMAGES,
        )  # fmt: skip
        w_bar = jax.lax.conv_general_dilated(
            images, outs, (1, 1), [(p, f - 1 + span(m) - n - p) for n, m, f, (p, _) in sizes],
            rhs_dilation=dilated, dimension_numbers=KERNELS,
        )  # fmt: skip
        grads = {"weight": w_bar} | ({"bias": outs.sum((0, 1, 2))} if bias else {})
        return grads, x_bar.reshape(x.shape)

    return Layer(init, forward, backward)


def _padding(n: int, size: int, stride: int, padding: str) -> tuple[int, int]:
    if padding == "VALID":
        return 0, 0
    total = max(0, (-(-n // stride) - 1) * stride + size - n)
    return total // 2, total - total // 2
