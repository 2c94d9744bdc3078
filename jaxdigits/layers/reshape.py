"""Layers that reshape or scale the input.

flatten        y is x in another shape, so x̄ is ȳ in the shape of x; so are the others
standardise    y = (x − m) / s          x̄ = ȳ / s
"""

import math

import jax.numpy as jnp

from jaxdigits import checks
from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.layer import Layer, Static, serial, to_unit, without_params
from jaxdigits.layers.dense import dense


@constructor
def flatten(axes: int = 2) -> Layer:
    """The last `axes` axes as one: x [..., a, b, c] -> [..., a·b·c].

    Raises:
      ValueError: unless axes >= 1; in `init`, unless the feature shape has that many.
    """
    checks.at_least(1, axes=axes)

    def shape(features):
        if len(features) != axes:
            raise ValueError(f"flatten({axes}) takes {axes} feature axes, got {features}")
        return (math.prod(features),)

    def forward(x, key):
        lead, features = x.shape[: x.ndim - axes], x.shape[x.ndim - axes :]
        return x.reshape(*lead, math.prod(features)), Static(features)

    def backward(features, y_bar):
        return y_bar.reshape(*y_bar.shape[:-1], *features.value)

    return without_params(forward, backward, shape)


@constructor
def add_channel() -> Layer:
    """A channel axis for grey images: x [..., H, W] -> [..., H, W, 1]."""
    backward = lambda _, y_bar: y_bar[..., 0]
    return without_params(lambda x, key: (x[..., None], ()), backward, lambda s: (*s, 1))


@constructor
def add_row() -> Layer:
    """A row axis for convolutions: x [..., W, C] -> [..., 1, W, C]."""
    forward = lambda x, key: (x[..., None, :, :], ())
    backward = lambda _, y_bar: y_bar[..., 0, :, :]
    return without_params(forward, backward, lambda s: (*s[:-2], 1, *s[-2:]))


@constructor
def columns_to_frames() -> Layer:
    """The columns of an image as frames: x [..., H, W, C] -> [..., W, H·C].

    Raises:
      ValueError: in `init`, unless the feature shape is (H, W, C).
    """

    def shape(features):
        if len(features) != 3:
            raise ValueError(f"columns_to_frames needs features (H, W, C), got {features}")
        h, w, c = features
        return (w, h * c)

    def forward(x, key):
        *lead, h, w, c = x.shape
        return x.swapaxes(-3, -2).reshape(*lead, w, h * c), Static((h, c))

    def backward(size, y_bar):
        *lead, w, _ = y_bar.shape
        return y_bar.reshape(*lead, w, *size.value).swapaxes(-3, -2)

    return without_params(forward, backward, shape)


@constructor
def standardise(mean: float = 0.0, std: float = 1.0) -> Layer:
    """Standardised inputs: x [...] -> (x − mean) / std; uint8 is first divided by 255.

    An image in uint8 has no gradient: `backward` returns None for it.

    Raises:
      ValueError: unless std > 0.
    """
    checks.positive(std=std)

    def forward(x, key):
        return (to_unit(x) - mean) / std, Static(jnp.issubdtype(x.dtype, jnp.integer))

    backward = lambda integer, y_bar: None if integer.value else y_bar / std
    return without_params(forward, backward)


_IMAGE = (7, 6, 4)
CASES = {
    "flatten": Case(lambda: flatten(3), _IMAGE),
    "add_channel": Case(add_channel, (5, 4)),
    "columns_to_frames": Case(columns_to_frames, _IMAGE),
    "add_row": Case(add_row, (5, 4)),
    "standardise": Case(lambda: standardise(0.13, 0.31), _IMAGE, "grey"),
    "standardise pixels":  # whole numbers have no gradient: the weights behind them have one
        Case(lambda: serial(standardise(0.13, 0.31), flatten(3), dense(3)), _IMAGE, "pixels"),
}  # fmt: skip
