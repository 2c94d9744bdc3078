"""Layers that move or scale the input.

flatten        y is x in another shape, so x̄ is ȳ in the shape of x
standardise    y = (x − m) / s          x̄ = ȳ / s
"""

import math

import jax.numpy as jnp

from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.layer import Layer, Static, to_unit, without_params


@constructor
def flatten(axes: int = 2) -> Layer:
    """x [..., a, b, c] -> [..., a·b·c]: merge the last `axes` axes.

    Raises:
      ValueError: unless axes >= 1; in `init`, unless the feature shape has that many.
    """
    if axes < 1:
        raise ValueError(f"axes must be >= 1, got {axes}")

    def shape(features):
        if len(features) != axes:
            raise ValueError(f"flatten({axes}) takes {axes} feature axes, got {features}")
        return (math.prod(features),)

    def forward(x, key):
        lead, merged = x.shape[: x.ndim - axes], x.shape[x.ndim - axes :]
        return x.reshape(*lead, math.prod(merged)), Static(merged)

    def backward(features, y_bar):
        return y_bar.reshape(*y_bar.shape[:-1], *features.value)

    return without_params(forward, backward, shape)


@constructor
def add_channel() -> Layer:
    """x [..., H, W] -> [..., H, W, 1]: the one channel of a grey image."""
    forward = lambda x, key: (x[..., None], ())
    backward = lambda _, y_bar: y_bar[..., 0]
    return without_params(forward, backward, lambda features: (*features, 1))


@constructor
def add_row() -> Layer:
    """x [..., W, C] -> [..., 1, W, C]: an image of one row, as convolutions take it."""
    forward = lambda x, key: (x[..., None, :, :], ())
    backward = lambda _, y_bar: y_bar[..., 0, :, :]
    return without_params(
        forward, backward, lambda features: (*features[:-2], 1, *features[-2:])
    )


@constructor
def standardise(mean: float = 0.0, std: float = 1.0) -> Layer:
    """x [...] -> (x − mean) / std; a uint8 x is first divided by 255, into [0, 1].

    An image in uint8 has no gradient: `backward` gives None for it.

    Raises:
      ValueError: unless std > 0.
    """
    if not std > 0:
        raise ValueError(f"std must be > 0, got {std}")

    def forward(x, key):
        integer = jnp.issubdtype(x.dtype, jnp.integer)
        return (to_unit(x) - mean) / std, Static(integer)

    def backward(integer, y_bar):
        return None if integer.value else y_bar / std

    return without_params(forward, backward)


_IMAGE = (7, 6, 4)
CASES = {
    "flatten": Case(lambda: flatten(3), _IMAGE),
    "add_channel": Case(add_channel, (5, 4)),
    "add_row": Case(add_row, (5, 4)),
    "standardise": Case(lambda: standardise(0.13, 0.31), _IMAGE, "grey"),
    "standardise pixels": Case(lambda: standardise(0.13, 0.31), _IMAGE, "pixels"),
}
