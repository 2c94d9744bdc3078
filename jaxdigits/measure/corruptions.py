"""Corruptions: test images that are worse than the images of training.

Nineteen of five kinds, each at five severities, are functions of a key and of images in
[0, 1] whose ink is bright.  They are for test images only, never for training.  The table gives
the strength of each severity; 3 is the middle one.  The corruption of an image depends on its
own key, and so on its index in the test set.

The idea is from [1] and, for digits, from [2]; formulas and severities are our own.

[1] Hendrycks & Dietterich, ICLR 2019, arXiv:1903.12261.
[2] Mu & Gilmer 2019, arXiv:1906.02337.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits.augment.pixels import gaussian, prepared, uniform_field, uniform_of
from jaxdigits.augment.warp import read_at
from jaxdigits.keys import draw_normal

SEVERITIES = (1, 2, 3, 4, 5)
KINDS = ("noise", "blur", "geometry", "occlusion", "intensity")


class Corruption(NamedTuple):
    """One way to make an image worse."""

    kind: str
    """of `KINDS`"""
    strength: tuple[float, ...]
    """of each severity, in `unit`"""
    unit: str
    apply: Callable[[Array, Array, float], Array]
    """(keys [B], images [B, H, W] in [0, 1], strength) -> images"""


def corrupt(name: str, key: Array, image: Array, *, severity: int = 3) -> Array:
    """Corrupt images [B, H, W], uint8 or float, and return floats in [0, 1].

    Args:
      name: of `CORRUPTIONS`.
      key: one key, or one per example [B].
      severity: 1 to 5.

    Raises:
      ValueError: for an unknown name, another severity, or an array that is not of images.
    """
    if name not in CORRUPTIONS:
        raise ValueError(f"unknown corruption {name!r}: choose from {', '.join(CORRUPTIONS)}")
    if type(severity) is not int or severity not in SEVERITIES:
        raise ValueError(f"severity must be one of {SEVERITIES}, got {severity!r}")
    corruption = CORRUPTIONS[name]
    keys, image = prepared(key, image, name)
    worse = corruption.apply(keys, image, corruption.strength[severity - 1])
    return jnp.clip(worse, 0, 1)


def _gaussian_noise(keys, x, strength):
    return x + strength * draw_normal(keys, len(x), x.shape[1:])


def _salt_and_pepper(keys, x, strength):
    chance = (uniform_field(keys, x.shape[1:]) + 1) / 2
    return jnp.where(chance < strength / 2, 0, jnp.where(chance > 1 - strength / 2, 1, x))


def _speckle(keys, x, strength):
    return x * (1 + strength * draw_normal(keys, len(x), x.shape[1:]))


def _gaussian_blur(keys, x, strength):
    rows, columns = (gaussian(n, strength) for n in x.shape[1:])
    return jnp.einsum("ij,bjk,lk->bil", rows, x, columns)


def _motion_blur(keys, x, strength):
    angle = jnp.pi * uniform_of(keys, 1)[..., None]
    steps = jnp.linspace(-0.5, 0.5, 9)
    even = jnp.zeros_like(x)
    copies = [
        read_at(x, even + strength * s * jnp.sin(angle), even + strength * s * jnp.cos(angle))
        for s in steps
    ]
    return sum(copies[1:], copies[0]) / len(steps)


def _pixelate(keys, x, strength):
    size = int(strength)
    small = jax.image.resize(x, (len(x), size, size), "linear", antialias=True)
    return jax.image.resize(small, x.shape, "nearest")


def _linear(matrix: Callable[[Array, float], tuple], keys, x, strength):
    """Read x at A p, with A of a random sign for each example."""
    sign = jnp.where(uniform_of(keys, 1)[:, 0] < 0.5, -1.0, 1.0)[:, None, None]
    (a, b), (c, d) = matrix(sign, strength)
    rows, columns = (jnp.arange(n) - (n - 1) / 2 for n in x.shape[1:])
    rows, even = rows[:, None], jnp.zeros_like(x)
    return read_at(x, even + (a - 1) * rows + b * columns, even + c * rows + (d - 1) * columns)


def _rotation(sign, strength):
    angle = sign * jnp.deg2rad(strength)
    return (jnp.cos(angle), -jnp.sin(angle)), (jnp.sin(angle), jnp.cos(angle))


def _translate(keys, x, strength):
    angle = 2 * jnp.pi * uniform_of(keys, 1)[..., None]
    even = jnp.zeros_like(x)
    return read_at(x, even + strength * jnp.sin(angle), even + strength * jnp.cos(angle))


def _ripple(keys, x, strength):
    phase = 2 * jnp.pi * uniform_of(keys, 2).T[..., None, None]
    rows, columns = (jnp.arange(n) * (2 * jnp.pi / 9) for n in x.shape[1:])
    dy = strength * jnp.sin(columns + phase[0])
    dx = strength * jnp.sin(rows[:, None] + phase[1])
    return read_at(x, dy + jnp.zeros_like(x), dx + jnp.zeros_like(x))


def _square(keys, x, strength):
    """Cover a square in the middle half of the image, where the ink is, with paper."""
    centre = (0.25 + 0.5 * uniform_of(keys, 2)).T[..., None, None]
    rows, columns = (jnp.arange(n) for n in x.shape[1:])
    near = lambda place, u, n: jnp.abs(place - u * (n - 1)) < strength / 2
    inside = near(rows[:, None], centre[0], len(rows)) & near(columns, centre[1], len(columns))
    return jnp.where(inside, 0, x)


def _bars(keys, x, strength):
    """Draw bars of paper, two pixels wide, across the image."""
    rows = jnp.arange(x.shape[1])[:, None]
    start = jnp.floor(8 * uniform_of(keys, 1))[..., None]
    bar = ((rows + start) % strength) < 2
    return jnp.where(bar, 0, x)


def _line(keys, x, strength):
    """Draw a straight stroke of ink through the image, near its middle."""
    u = uniform_of(keys, 2).T[..., None, None]
    angle, offset = jnp.pi * u[0], 8 * (u[1] - 0.5)
    rows, columns = (jnp.arange(n) - (n - 1) / 2 for n in x.shape[1:])
    distance = jnp.abs(jnp.sin(angle) * columns - jnp.cos(angle) * rows[:, None] - offset)
    return jnp.maximum(x, jnp.clip(strength / 2 + 0.5 - distance, 0, 1))


def _brightness(keys, x, strength):
    return x + strength


def _faint(keys, x, strength):
    return strength * x


def _stripes(keys, x, strength):
    u = uniform_of(keys, 2).T[..., None, None]
    rows, columns = (jnp.arange(n) for n in x.shape[1:])
    along = jnp.cos(jnp.pi * u[0]) * columns + jnp.sin(jnp.pi * u[0]) * rows[:, None]
    shade = 0.5 + 0.5 * jnp.sin(2 * jnp.pi * (along / 7 + u[1]))
    return x + (1 - x) * strength * shade


def _fog(keys, x, strength):
    """Add clouds: smooth noise of two sizes."""
    field = uniform_field(keys, (2, *x.shape[1:]))
    smooth = [_gaussian_blur(keys, field[:, i], s) for i, s in enumerate((2.0, 5.0))]
    cloud = sum(a / jnp.maximum(jnp.abs(a).max((1, 2), keepdims=True), 1e-6) for a in smooth)
    return x + (1 - x) * strength * (0.5 + 0.25 * cloud)


def _shade(keys, x, strength):
    """Light the image from one side: ink fades towards the other."""
    angle = 2 * jnp.pi * uniform_of(keys, 1)[..., None]
    rows, columns = (jnp.linspace(-1, 1, n) for n in x.shape[1:])
    side = jnp.clip((jnp.cos(angle) * columns + jnp.sin(angle) * rows[:, None] + 1) / 2, 0, 1)
    return x * (1 - strength * side)


_shear = lambda sign, s: ((1.0, 0.0), (sign * s, 1.0))
_size = lambda sign, s: ((1 / s, 0.0), (0.0, 1 / s))
_noise, _blur, _geometry, _occlusion, _intensity = (partial(Corruption, kind) for kind in KINDS)

CORRUPTIONS: Mapping[str, Corruption] = {
    "gaussian_noise": _noise((0.1, 0.2, 0.3, 0.45, 0.6), "deviation", _gaussian_noise),
    "salt_and_pepper": _noise((0.05, 0.1, 0.2, 0.3, 0.4), "share of pixels", _salt_and_pepper),
    "speckle": _noise((0.3, 0.5, 0.8, 1.2, 1.6), "deviation, of the ink", _speckle),
    "gaussian_blur": _blur((0.6, 1.0, 1.4, 1.8, 2.3), "deviation, pixels", _gaussian_blur),
    "motion_blur": _blur((3.0, 5.0, 7.0, 9.0, 11.0), "length, pixels", _motion_blur),
    "pixelate": _blur((16, 13, 10, 8, 6), "pixels a side", _pixelate),
    "rotate": _geometry((10.0, 18.0, 26.0, 34.0, 42.0), "degrees", partial(_linear, _rotation)),
    "shear": _geometry((0.15, 0.3, 0.45, 0.6, 0.75), "slant", partial(_linear, _shear)),
    "shrink": _geometry((0.85, 0.75, 0.65, 0.55, 0.48), "size", partial(_linear, _size)),
    "translate": _geometry((2.0, 3.0, 4.0, 5.0, 6.0), "pixels", _translate),
    "ripple": _geometry((0.5, 0.8, 1.1, 1.5, 2.0), "amplitude, pixels", _ripple),
    "square": _occlusion((4.0, 6.0, 8.0, 10.0, 12.0), "side, pixels", _square),
    "bars": _occlusion((12.0, 9.0, 7.0, 5.0, 4.0), "rows from bar to bar", _bars),
    "line": _occlusion((1.0, 1.5, 2.0, 3.0, 4.0), "width, pixels", _line),
    "brightness": _intensity((0.1, 0.2, 0.35, 0.5, 0.65), "added", _brightness),
    "faint": _intensity((0.7, 0.5, 0.35, 0.22, 0.15), "ink left", _faint),
    "stripes": _intensity((0.15, 0.3, 0.45, 0.6, 0.75), "darkest paper", _stripes),
    "fog": _intensity((0.2, 0.35, 0.5, 0.65, 0.8), "density", _fog),
    "shade": _intensity((0.4, 0.6, 0.75, 0.9, 1.0), "ink lost at one side", _shade),
}
"""name -> corruption"""
