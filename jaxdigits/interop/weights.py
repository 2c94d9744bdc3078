"""Convolutions and pools of NIR graphs, channels first, differentiated by hand.

A convolution over n axes of x [C, H, W] has the kernel W [k, m, C/G, O], strides s, dilations
a, padding p and G groups: the output channels of a group see that group's inputs only.

    y[o, i] = b[o] + Σ_{c, u} W[u, c, o] x[c, i s + u a − p]

Each x[c, v] meets W[u] in those outputs with i s = v + p − u a.  So x̄ is a convolution of ȳ,
with s − 1 zeros between its rows, with the flipped kernel, whose channels are exchanged within
each group; and W̄ one of x with ȳ, which has dilation s, and images in the place of channels.

A pool is the convolution of each channel with itself: a window of ones, or of 1/(k m).
"""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxdigits.layer import Layer, Static, without_params

LAYOUTS = {1: ("NCH", "HIO", "NCH"), 2: ("NCHW", "HWIO", "NCHW")}
Padding = Sequence[tuple[int, int]]


def output_sizes(
    sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int], padding: Padding,
    dilation: Sequence[int],
) -> tuple[int, ...]:  # fmt: skip
    """Return the size of each axis behind a convolution.

    Raises:
      ValueError: if the kernel does not fit.
    """
    spans = [a * (k - 1) + 1 for k, a in zip(kernel, dilation, strict=True)]
    sides = zip(sizes, spans, stride, padding, strict=True)
    out = tuple((n + sum(around) - span) // s + 1 for n, span, s, around in sides)
    if min(out) < 1:
        raise ValueError(f"a kernel of {list(kernel)} does not fit into {list(sizes)}")
    return out


def conv(
    n: int, stride: Sequence[int], padding: Padding, dilation: Sequence[int], groups: int
) -> Layer:
    """A convolution over the last n axes: x [..., C, H, W] -> [..., O, H', W'].

    Params: weight [k, m, C/groups, O], bias [O].  The residual is x.
    """

    def forward(params, x, key=None):
        images = x.reshape(-1, *x.shape[-n - 1 :])
        y = _convolve(images, params["weight"], stride, padding, (1,) * n, dilation, groups)
        if "bias" in params:
            y = y + params["bias"].reshape(-1, *[1] * n)
        return y.reshape(*x.shape[: -n - 1], *y.shape[1:]), x

    def backward(params, x, y_bar):
        weight = params["weight"]
        images, outs = (a.reshape(-1, *a.shape[-n - 1 :]) for a in (x, y_bar))
        kernel, sizes = weight.shape[:n], images.shape[2:]
        axes = zip(sizes, outs.shape[2:], stride, kernel, dilation, padding, strict=True)
        rows = [
            (size, (o - 1) * s + 1, (k - 1) * a + 1, p) for size, o, s, k, a, (p, _) in axes
        ]
        by_group = jnp.flip(weight, range(n)).reshape(*weight.shape[:-1], groups, -1)
        # (input, group, output) -> (output, group, input)
        exchanged = by_group.swapaxes(-1, -3).reshape(*kernel, by_group.shape[-1], -1)
        around = [(span - 1 - p, size - out + p) for size, out, span, p in rows]
        x_bar = _convolve(outs, exchanged, (1,) * n, around, stride, dilation, groups)
        around = [(p, span - 1 + out - size - p) for size, out, span, p in rows]
        w_bar = lax.conv_general_dilated(
            jnp.swapaxes(images, 0, 1), jnp.moveaxis(outs, (0, 1), (n, n + 1)), dilation,
            around, rhs_dilation=stride, dimension_numbers=LAYOUTS[n],
            batch_group_count=groups,
        )  # fmt: skip
        w_bar = jnp.moveaxis(w_bar, (0, 1), (n, n + 1))
        grads = {"weight": w_bar}
        if "bias" in params:
            grads["bias"] = outs.sum((0, *range(2, n + 2)))
        return grads, x_bar.reshape(x.shape)

    return Layer(lambda key, shape: ({}, shape), forward, backward)


def pool(kernel: Sequence[int], stride: Sequence[int], padding: Padding, mean: bool) -> Layer:
    """The sum or mean of each window: x [..., C, H, W] -> [..., C, H', W']; zeros around count.

    The residual is the shape of x.
    """
    size = 1 / np.prod(kernel) if mean else 1.0
    layer = conv(2, stride, padding, (1, 1), 1)

    def each(x):  # every channel is an image of its own
        return x.reshape(*x.shape[:-2], 1, *x.shape[-2:])

    def window(x):
        return {"weight": jnp.full((*kernel, 1, 1), size, x.dtype)}

    def forward(x, key):
        y, residual = layer.forward(window(x), each(x), None)
        return y[..., 0, :, :], residual

    def backward(residual, y_bar):
        return layer.backward(window(y_bar), residual, each(y_bar))[1][..., 0, :, :]

    return without_params(forward, backward)


def to_nir(weight: Any) -> np.ndarray:
    """Return weights [..., m, n] as NIR has them, [n, m, ...]."""
    return np.moveaxis(np.asarray(weight), (-1, -2), (0, 1))


def from_nir(weight: np.ndarray) -> np.ndarray:
    """Return weights [n, m, ...] of NIR as [..., m, n]."""
    return np.moveaxis(weight, (0, 1), (-1, -2))


def scale() -> Layer:
    """A factor for each feature: y = s x, so x̄ = s ȳ and s̄ = Σ x ȳ.  Params: scale."""

    def forward(params, x, key=None):
        return x * params["scale"], x

    def backward(params, x, y_bar):
        s = params["scale"]
        s_bar = (x * y_bar).reshape(-1, *s.shape).sum(0)
        return {"scale": s_bar}, y_bar * s

    return Layer(lambda key, shape: ({}, shape), forward, backward)


def reshaped(axes: int, shape: tuple[int, ...]) -> Layer:
    """The last `axes` axes in another shape; the residual is empty."""

    def forward(x, key):
        lead = x.ndim - axes
        return x.reshape(*x.shape[:lead], *shape), Static(x.shape[lead:])

    def backward(before, y_bar):
        return y_bar.reshape(*y_bar.shape[: y_bar.ndim - len(shape)], *before.value)

    return without_params(forward, backward)


def _convolve(
    images: Array, kernel: Any, stride: Sequence[int], padding: Padding,
    spacing: Sequence[int], dilation: Sequence[int], groups: int,
) -> Array:  # fmt: skip
    return lax.conv_general_dilated(
        images, kernel, stride, padding, spacing, dilation, LAYOUTS[len(stride)],
        feature_group_count=groups,
    )  # fmt: skip
