"""Photometric augmentation: other light, other paper, other pens, and missing ink.

Each is (key, images) -> images, of images [B, H, W] whose ink is bright: uint8, or floats in
[0, 1]; the result is floats in [0, 1].  Strengths are drawn for each example, evenly up to a
limit.

[1] Zhong, Zheng, Kang, Li & Yang, AAAI 2020, arXiv:1708.04896 (random erasing).
"""

from collections.abc import Callable
from functools import reduce

import jax.numpy as jnp
from jax import Array

from jaxdigits import checks
from jaxdigits.augment.pixels import Augment, gaussian, pixels_of, prepared, uniform_of
from jaxdigits.keys import draw_normal, fold_in


def contrast(limit: float = 0.5) -> Augment:
    """Reduce contrast: y = ½ + c (x − ½), with c between 1 − limit and 1.

    Raises:
      ValueError: unless 0 <= limit <= 1.
    """
    _require_share("limit", limit)
    return _each(1, lambda u, x: 0.5 + (1 - limit * u[0]) * (x - 0.5))


def brightness(limit: float = 0.3) -> Augment:
    """Change brightness: y = x + b within [0, 1], with b between −limit and limit.

    Raises:
      ValueError: unless 0 <= limit <= 1.
    """
    _require_share("limit", limit)
    return _each(1, lambda u, x: jnp.clip(x + limit * (2 * u[0] - 1), 0, 1))


def background(limit: float = 0.5) -> Augment:
    """Make paper grey: y = x + (1 − x) g, with another shade in each corner.

    g is bilinear between four corners, each between 0 and limit.

    Raises:
      ValueError: unless 0 <= limit <= 1.
    """
    _require_share("limit", limit)

    def shade(u, x):
        down, right = (jnp.linspace(0.0, 1.0, n) for n in x.shape[1:])
        down = down[:, None]
        top, bottom = (a + right * (b - a) for a, b in ((u[0], u[1]), (u[2], u[3])))
        return x + (1 - x) * limit * (top + down * (bottom - top))

    return _each(4, shade)


def invert() -> Augment:
    """Swap dark and bright: y = 1 − x.  With `sometimes`, for a share of the examples."""
    return lambda key, image: 1 - pixels_of(image)


def noise(limit: float = 0.3) -> Augment:
    """Add noise: y = x + s n within [0, 1], n normal at each pixel, s between 0 and limit.

    Raises:
      ValueError: unless limit >= 0.
    """
    _require_positive("limit", limit)

    def augment(key, image):
        keys, x = prepared(key, image)
        strength = limit * uniform_of(fold_in(keys, 0), 1)[..., None]
        return jnp.clip(x + strength * draw_normal(fold_in(keys, 1), len(x), x.shape[1:]), 0, 1)

    return augment


def blur(limit: float = 1.0) -> Augment:
    """Smooth by a Gaussian with a deviation between 0 and `limit` pixels, along each axis.

    Raises:
      ValueError: unless limit >= 0.
    """
    _require_positive("limit", limit)

    def smooth(u, x):
        rows, columns = (
            gaussian(n, limit * each[:, 0, 0]) for n, each in zip(x.shape[1:], u, strict=True)
        )
        return jnp.einsum("bij,bjk,blk->bil", rows, x, columns)

    return _each(2, smooth)


def pen(limit: float = 1.0) -> Augment:
    """Write with a thicker or a thinner pen: y = x + |a| (e − x), with a in ±limit.

    e is the brightest pixel among x and its four neighbours where a > 0, and the darkest where
    a < 0; so a = 1 adds a pixel on each side of a stroke.

    Raises:
      ValueError: unless 0 <= limit <= 1.
    """
    _require_share("limit", limit)

    def widen(u, x):
        framed = jnp.pad(x, ((0, 0), (1, 1), (1, 1)))
        near = (
            framed[:, 1:-1, 2:],
            framed[:, 1:-1, :-2],
            framed[:, 2:, 1:-1],
            framed[:, :-2, 1:-1],
        )
        thick, thin = reduce(jnp.maximum, near, x), reduce(jnp.minimum, near, x)
        a = limit * (2 * u[0] - 1)
        return jnp.where(a > 0, x + a * (thick - x), x + a * (x - thin))

    return _each(1, widen)


def erase(
    least: float = 0.02, most: float = 0.2, *, stretch: float = 2.0, ink: float = 0.0
) -> Augment:
    """Cover a rectangle, a share `least` to `most` of the image, with paper [1].

    Its height is between 1/stretch and `stretch` times its width; the edge of the image cuts
    it off.  With `ink` it is a blot instead, with a darkness between 0 and `ink`.

    Raises:
      ValueError: unless 0 <= least <= most <= 1, stretch >= 1 and 0 <= ink <= 1.
    """
    if checks.known(least, most) and not 0 <= least <= most <= 1:
        raise ValueError(f"least and most must be in [0, 1], in order: {least} and {most}")
    if checks.known(stretch, ink) and not (stretch >= 1 and 0 <= ink <= 1):
        raise ValueError(f"stretch must be >= 1 and ink in [0, 1], got {stretch} and {ink}")

    def cover(u, x):
        area = (least + (most - least) * u[0]) * x[0].size
        height = jnp.sqrt(area * stretch ** (2 * u[1] - 1))
        sides = (height, area / height)
        inside = True
        for axis, (n, side) in enumerate(zip(x.shape[1:], sides, strict=True)):
            place = jnp.arange(n).reshape((n, 1) if axis == 0 else (n,))
            inside &= jnp.abs(place - (n - 1) * u[2 + axis]) <= side / 2
        return jnp.where(inside, ink * u[4], x)

    return _each(5, cover)


def _each(count: int, change: Callable[[Array, Array], Array]) -> Augment:
    """Apply `change` to (u [count, B, 1, 1] in [0, 1), images), with each example's own u."""

    def augment(key, image):
        keys, x = prepared(key, image)
        return change(uniform_of(keys, count).T[..., None, None], x)

    return augment


def _require_share(name: str, value: float) -> None:
    if checks.known(value) and not 0 <= value <= 1:
        raise ValueError(f"{name} must be in [0, 1], got {value}")


def _require_positive(name: str, value: float) -> None:
    if checks.known(value) and not value >= 0:
        raise ValueError(f"{name} must be >= 0, got {value}")
