"""Geometric augmentation: ink moved about, each image in its own way.

The pixel at place p of the new image is the old image at p + d(p), between pixels by bilinear
interpolation; beyond the edge there is paper.  Places are in pixels, counted from the
centre of the image: y down, x to the right.  A displacement is a function

    (keys [B], (H, W)) -> (dy [B, H, W], dx [B, H, W]), in pixels

and several of them add up, so that an image is read only once and blurred only once.

[1] Simard, Steinkraus & Platt, ICDAR 2003, doi:10.1109/ICDAR.2003.1227801.
"""

from collections.abc import Callable
from functools import reduce
from operator import add

import jax.numpy as jnp
from jax import Array

from jaxdigits import checks
from jaxdigits.augment.pixels import Augment, gaussian, prepared, uniform_field, uniform_of
from jaxdigits.keys import fold_in

Displacement = Callable[[Array, tuple[int, int]], tuple[Array, Array]]


def warp(*displacements: Displacement) -> Augment:
    """An augmentation that reads each pixel at the sum of all displacements.

    Raises:
      ValueError: for no displacement.
    """
    if not displacements:
        raise ValueError("warp needs a displacement: affine() or elastic()")

    def augment(key, image):
        keys, image = prepared(key, image)
        shape = (image.shape[1], image.shape[2])
        fields = [d(fold_in(keys, i), shape) for i, d in enumerate(displacements)]
        dy, dx = (reduce(add, each) for each in zip(*fields, strict=True))
        return read_at(image, dy, dx)

    return augment


def affine(
    *, rotation: float = 0.0, shift: float = 0.0, scale: float = 0.0, shear: float = 0.0
) -> Displacement:
    """Turn, move, stretch and slant each image, evenly distributed within limits.

    d(p) = (A − 1) p + t,   A = S H R: rotation, then shear, then scale

    Args:
      rotation: largest angle, in degrees, either way.
      shift: largest move along each axis, in pixels.
      scale: largest change of size, along each axis independently: 0.1 is 0.9 to 1.1 times.
      shear: largest slant: 0.1 moves ink by a tenth of its height above the centre.

    Raises:
      ValueError: for a limit below 0, or a scale of 1 or more.
    """
    for name, value in dict(rotation=rotation, shift=shift, scale=scale, shear=shear).items():
        if checks.known(value) and not 0 <= value < (1 if name == "scale" else float("inf")):
            limits = "in [0, 1)" if name == "scale" else ">= 0"
            raise ValueError(f"{name} must be {limits}, got {value}")

    def displace(keys, shape):
        _require_shape(shape, "affine()")
        u = 2 * uniform_of(keys, 6).T - 1
        angle, slant = jnp.deg2rad(rotation) * u[0], shear * u[1]
        stretch_y, stretch_x = 1 + scale * u[2], 1 + scale * u[3]
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        # Rows of A, acting on (y, x); the new image's ink is larger where A is smaller.
        a = (cos / stretch_y, -sin / stretch_y)
        b = ((sin + slant * cos) / stretch_x, (cos - slant * sin) / stretch_x)
        height, width = shape
        y = jnp.arange(height).reshape(1, -1, 1) - (height - 1) / 2
        x = jnp.arange(width).reshape(1, 1, -1) - (width - 1) / 2
        along = lambda row: row[0][:, None, None] * y + row[1][:, None, None] * x
        move = (shift * u[4:]).reshape(2, -1, 1, 1)
        return along(a) - y + move[0], along(b) - x + move[1]

    return displace


def elastic(alpha: float = 34.0, sigma: float = 4.0) -> Displacement:
    """Distort each image as by a trembling hand [1].

    A displacement is drawn at every pixel, evenly in ±1 along each axis, smoothed by a Gaussian
    of deviation `sigma` pixels, and scaled by `alpha`.  The defaults are from [1].

    Raises:
      ValueError: unless alpha >= 0 and sigma > 0.
    """
    if (checks.known(alpha) and not alpha >= 0) or (checks.known(sigma) and not sigma > 0):
        raise ValueError(f"alpha must be >= 0 and sigma > 0, got {alpha} and {sigma}")

    def displace(keys, shape):
        _require_shape(shape, "elastic()")
        field = uniform_field(keys, (2, *shape))
        rows, columns = (gaussian(n, sigma) for n in shape)
        smooth = alpha * jnp.einsum("ij,bcjk,lk->cbil", rows, field, columns)
        return smooth[0], smooth[1]

    return displace


def _require_shape(shape: tuple[int, int], name: str) -> None:
    if not isinstance(shape, tuple) or len(shape) != 2:
        raise ValueError(f"{name} is a displacement, not an augmentation: take warp({name})")


def read_at(image: Array, dy: Array, dx: Array) -> Array:
    """Read the image [B, H, W] at each pixel's place plus (dy, dx), bilinearly."""
    batch, height, width = image.shape
    y = jnp.clip(jnp.arange(height)[:, None] + dy, -1, height)
    x = jnp.clip(jnp.arange(width) + dx, -1, width)
    top, left = jnp.floor(y), jnp.floor(x)
    v, u = y - top, x - left
    # A frame of paper: row −1 is the first of the framed image, and `height` + 1 its last.
    framed = jnp.pad(image, ((0, 0), (1, 2), (1, 2)))
    flat, wide = framed.reshape(batch, -1), width + 3
    row, column = (a.astype(jnp.int32) + 1 for a in (top, left))
    corner = (row * wide + column).reshape(batch, -1)
    # All indices are within bounds; without this promise each costs a comparison.
    at = lambda offset: jnp.take_along_axis(flat, corner + offset, 1, mode="promise_in_bounds")
    a, b, c, d = (at(offset).reshape(image.shape) for offset in (0, 1, wide, wide + 1))
    return (1 - v) * ((1 - u) * a + u * b) + v * ((1 - u) * c + u * d)
