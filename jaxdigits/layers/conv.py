"""Two-dimensional convolution, differentiated by hand.

With kernel W [k, m, C, O], stride s and p zeros before the first row (q before the first
column; SAME or VALID sets both), for each image x [H, W, C]:

    y[i, j, o] = b[o] + Σ_{a,b,c} W[a, b, c, o] x[i s + a − p, j s + b − q, c]

Each x[u, v] meets W[a, b] in those outputs with i s = u + p − a, j s = v + q − b.  So, with
ȳ = ∂L/∂y, Σ over images, and ȳ↑ the output gradient with s − 1 zeros between its rows:

    x̄[u, v, c] = Σ_{a,b,o} W[a, b, c, o] ȳ↑[u + p − a, v + q − b, o]
    W̄[a, b, c, o] = Σ_{i,j} x[i s + a − p, j s + b − q, c] ȳ[i, j, o]         b̄ = Σ_{i,j} ȳ

Both are convolutions again: x̄ of ȳ↑ with the kernel flipped and its channels exchanged,
W̄ of x with ȳ↑ as the kernel, with images in the place of channels.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import jax.numpy as jnp
from jax import Array

from jaxdigits import checks
from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.fast import convolutions as fast
from jaxdigits.fast.products import computed_once, sum_of_rows
from jaxdigits.keys import uniform
from jaxdigits.layer import Layer, spread
from jaxdigits.layers.precision import Precision, by_transpose, operand, require_precision
from jaxdigits.options import require_name

EXCHANGED = ("CHWN", "IHWO", "HWNC")  # images in the place of channels


@constructor
def conv2d(
    channels: int,
    size: int | tuple[int, int] = 3,
    *,
    stride: int = 1,
    padding: Literal["SAME", "VALID"] = "SAME",
    bias: bool = True,
    gain: float = 2.0,
    precision: Precision = "full",
) -> Layer:
    """A convolution: x [..., H, W, C] -> [..., H', W', O].  Params: weight, bias [O].

    The weight is [k, m, C, O].  H' is ⌈H/s⌉ for SAME, with its extra zero at the end, and
    ⌊(H − k)/s⌋ + 1 for VALID.  Weights start uniform with variance `gain / (k m C)`, the bias
    at zero.  The residual is x.
    "mixed" `precision` rounds the operands of the three convolutions to bfloat16.

    Raises:
      ValueError: unless sizes, stride and channels are >= 1 and `gain` > 0; for another padding
        or precision; in `init` and `forward`, unless the features are (H, W, C) with the
        channels of the weights and the kernel fits.
    """
    require_precision(precision)
    k, m = _sides(size)
    checks.at_least(1, channels=channels, stride=stride)
    require_name("padding", ("SAME", "VALID"), padding)
    checks.positive(gain=gain)

    def edges(h, w):
        """Return the zeros (before, after) around an image, for rows and columns."""
        return [_padding(n, f, stride, padding) for n, f in ((h, k), (w, m))]

    def init(key, shape):
        out = _output_size(shape, (k, m), edges, stride)
        fan_in = k * m * shape[2]
        params = {"weight": uniform(key, (k, m, shape[2], channels), gain / fan_in)}
        return params | ({"bias": jnp.zeros(channels)} if bias else {}), (*out, channels)

    convolve = partial(_convolve, precision=precision)

    def forward(params, x, key=None):
        checks.floats(x, "conv2d", "standardise() first")
        _output_size(x.shape[-3:], (k, m), edges, stride, params["weight"].shape[2])
        images = x.reshape(-1, *x.shape[-3:])
        y = convolve(images, params["weight"], edges(*x.shape[-3:-1]), stride=stride)
        y = y + spread(params["bias"], y) if bias else y
        return y.reshape(*x.shape[:-3], *y.shape[1:]), x

    def backward(params, x, y_bar):
        images, outs = x.reshape(-1, *x.shape[-3:]), y_bar.reshape(-1, *y_bar.shape[-3:])
        outs = computed_once(outs, "conv")
        # For n rows in, o out, f of the kernel and p before the first, ȳ↑ has s(o − 1) + 1; the
        # padding behind the last row gives the result n rows (f for W̄).
        size = x.shape[-3:-1]
        sides = zip(size, outs.shape[1:3], (k, m), edges(*size), strict=True)
        rows = [(n, stride * (o - 1) + 1, f, p) for n, o, f, (p, _) in sides]

        def by_convolution(outs, weight):
            padding = [(f - 1 - p, n - span + p) for n, span, f, p in rows]
            flipped = weight[::-1, ::-1].swapaxes(2, 3)
            return convolve(outs, flipped, padding, spread=(stride, 1))

        by_bands = partial(_by_bands, rows=rows, precision=precision)
        quick = by_bands if stride == 1 else by_convolution
        x_bar = fast.input_gradient(quick, by_convolution, outs, params["weight"])
        padding = [(p, f - 1 + span - n - p) for n, span, f, p in rows]
        w_bar = convolve(images, outs, padding, spread=(1, stride), layout=EXCHANGED)
        b_bar = {"bias": sum_of_rows(outs.reshape(-1, channels))} if bias else {}
        return {"weight": w_bar, **b_bar}, x_bar.reshape(x.shape)

    return Layer(init, forward, backward)


def _sides(size: int | tuple[int, int]) -> tuple[int, int]:
    """Return the rows and columns of a kernel."""
    sides = tuple(size) if isinstance(size, Sequence) else (size, size)
    if len(sides) != 2:
        raise ValueError(f"size must be one whole number or two, got {size!r}")
    for side in sides:
        checks.at_least(1, size=side)
    return sides


def _output_size(
    shape: Sequence[int],
    kernel: tuple[int, int],
    edges: Callable,
    stride: int,
    channels: int | None = None,
) -> list[int]:
    """Return H' and W' for features (H, W, C), of so many channels."""
    if len(shape) != 3:
        raise ValueError(f"conv2d takes features of shape (H, W, C), got {shape}")
    (h, w), (k, m) = shape[:2], kernel
    sides = zip((h, w), (k, m), edges(h, w), strict=True)
    out = [(n + sum(around) - f) // stride + 1 for n, f, around in sides]
    if shape[2] < 1:
        raise ValueError(f"conv2d takes one channel or more, got {shape}")
    if channels not in (None, shape[2]):
        raise ValueError(f"conv2d has weights for {channels} channels, got {shape}")
    if min(out) < 1:
        raise ValueError(f"a {k}×{m} kernel does not fit into {h}×{w} without padding")
    return out


def _convolve(
    images: Array,
    kernel: Array,
    padding: Sequence[tuple[int, int]],
    *,
    stride: int = 1,
    spread: tuple[int, int] = (1, 1),
    layout: fast.Layout = fast.IMAGES,
    precision: Precision,
) -> Array:
    """Convolve; `spread` n puts n − 1 zeros between the rows and columns of each array."""
    return fast.convolve(
        operand(images, precision), operand(kernel, precision), (stride, stride), padding,
        lhs_dilation=spread[:1] * 2, rhs_dilation=spread[1:] * 2, layout=layout,
        preferred_element_type=images.dtype,
    )  # fmt: skip


def _by_bands(outs: Array, weight: Array, rows: Sequence[tuple], precision: Precision) -> Array:
    """Return x̄ of a stride of 1 by matrix products."""
    (h, _, _, top), (w, _, _, left) = rows
    product = partial(by_transpose, precision=precision)
    x_bar = fast.banded_input_gradient(outs, weight, product)
    return x_bar[:, top : top + h, left : left + w]


def _padding(n: int, size: int, stride: int, padding: str) -> tuple[int, int]:
    if padding == "VALID":
        return 0, 0
    total = max(0, (-(-n // stride) - 1) * stride + size - n)
    return total // 2, total - total // 2


_IMAGE = (7, 6, 4)
CASES = {
    "conv2d": Case(lambda: conv2d(3), _IMAGE),
    "conv2d, even kernel": Case(lambda: conv2d(3, (2, 4)), _IMAGE),
    "conv2d, many channels": Case(lambda: conv2d(2), (4, 3, 16)),
    "conv2d VALID": Case(lambda: conv2d(3, 3, padding="VALID"), _IMAGE),
    "conv2d, stride 2": Case(lambda: conv2d(3, 3, stride=2), _IMAGE),
    "conv2d VALID, stride 2, no bias":
        Case(lambda: conv2d(3, (2, 3), stride=2, padding="VALID", bias=False), _IMAGE),
    "conv2d, stride 3 over time": Case(lambda: conv2d(2, 2, stride=3), _IMAGE, "current"),
}  # fmt: skip
