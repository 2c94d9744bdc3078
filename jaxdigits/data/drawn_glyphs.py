"""Single digits as a hand writes them: bent, in its size, with strokes that MNIST's lack.

Each digit has a window of 32 × 32 pixels of its own, its middle in the window's middle.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits.augment.warp import read_at
from jaxdigits.data.drawn_row import Places

WINDOW = 32  # pixels of a side around one digit


def mirror(glyph: Array, extent: Array, where: Array) -> tuple[Array, Array]:
    """Return glyphs [L, 28, 28] with left and right exchanged in some, and their extents."""
    top, end, left, right = extent.T
    turned = jnp.stack([top, end, glyph.shape[2] - right, glyph.shape[2] - left], 1)
    glyph = jnp.where(where[:, None, None], glyph[:, :, ::-1], glyph)
    return glyph, jnp.where(where[:, None], turned, extent)


def warped(
    key: Array, glyph: Array, extent: Array, row: Places, aside: tuple[Array, Array],
    slant: Array, bent: float,
) -> Array:  # fmt: skip
    """Return each glyph [L, 32, 32] in its size, its ink in the middle but for an offset.

    Args:
      aside: the offset down and to the right, [L] each.
    """
    down, right = aside
    length, edge = len(glyph), (WINDOW - glyph.shape[1]) // 2
    large = jnp.pad(glyph, ((0, 0), (edge, edge), (edge, edge)))
    around = lambda i: (extent[:, i] + extent[:, i + 1] - 1).astype(jnp.float32) / 2 + edge
    places = jnp.arange(WINDOW, dtype=jnp.float32)
    y = places[None, :, None] - (15.5 + down)[:, None, None]
    x = places[None, None, :] - (WINDOW // 2 + right)[:, None, None]
    turn = jax.random.uniform(jax.random.fold_in(key, 1), (length, 1, 1), minval=-0.12,
                              maxval=0.12) * bent  # fmt: skip
    s, t = row.scale[:, None, None], row.stretch[:, None, None]
    rows = y / s + turn * x / t + around(0)[:, None, None]
    columns = (x + slant * y) / t - turn * y / s + around(2)[:, None, None]
    # A trembling hand: smooth displacements.
    noise = jax.random.uniform(key, (2, length, 8, 8), minval=-1.0, maxval=1.0)
    fine = _spread()
    wave = 1.1 * bent * jnp.einsum("ij,cljk,mk->clim", fine, noise, fine)
    dy = rows + wave[0] - places[None, :, None]
    dx = columns + wave[1] - places[None, None, :]
    return read_at(large, dy, dx)


def _spread() -> Array:
    """Return a matrix [32, 8] that makes a smooth line of 32 pixels from 8 numbers."""
    at = jnp.arange(WINDOW, dtype=jnp.float32)[:, None] / 4 - 0.375
    return jnp.exp(-((at - jnp.arange(8)) ** 2))


class Flag(NamedTuple):
    """How a writer begins a 1: by a stroke from the left up to its top."""

    long: Array
    """[] its length, in heights of a digit; as long as the 1 it makes a roof"""
    angle: Array
    """[] between both strokes, in radians"""


def flags_and_bars(key: Array, windows: Array, digit: Array, row: Places, flag: Flag) -> Array:
    """Return a flag for each 1 and a bar for each 7: strokes [L, 32, 32]."""
    middle, high = row.middle, row.high
    v = jax.random.uniform(key, (5, len(windows)))
    one = digit == 1
    rows, columns = jnp.arange(WINDOW)[:, None], jnp.arange(WINDOW)
    y = jnp.where(one, middle - high / 2 + 1.5, middle + high * (0.16 * v[0] - 0.06))
    band = windows * (jnp.abs(rows - y[:, None, None]) < 2)
    mass = band.sum((1, 2))
    x = (band * columns).sum((1, 2)) / jnp.maximum(mass, 1e-3)
    centre = (windows * columns).sum((1, 2)) / jnp.maximum(windows.sum((1, 2)), 1e-3)
    tilt = jnp.arctan2(x - centre, high / 2)
    long = high * jnp.where(one, flag.long * (0.85 + 0.15 * v[1]), 0.25 + 0.35 * v[1])
    steep = jnp.minimum(
        jnp.pi / 2 + tilt + flag.angle + 0.2 * (v[2] - 0.5), 2.6 - 0.4 * flag.long
    )
    angle = jnp.where(one, steep, 0.5 * (v[2] - 0.6))
    from_end = jnp.where(one, 0, -long / 2)
    each = lambda a: a[:, None, None]
    dx, dy = columns - each(x), rows - each(y)
    c, s = each(jnp.cos(angle)), each(jnp.sin(angle))
    along = jnp.clip(dx * c + dy * s, each(from_end), each(from_end + long))
    away = jnp.sqrt((dx - along * c) ** 2 + (dy - along * s) ** 2)
    stroke = jnp.clip(each(0.9 + 0.6 * v[3]) + 0.5 - away, 0, 1)
    return jnp.where(each(((digit == 1) | (digit == 7)) & (mass > 0.5)), stroke, 0)


def opened(windows: Array, digit: Array, row: Places) -> Array:
    """Take the upper right part off each 4 in windows [L, 32, 32]."""
    rows, columns = jnp.arange(WINDOW)[:, None], jnp.arange(WINDOW)
    mass = jnp.maximum(windows.sum((1, 2)), 1e-3)
    x = (windows * columns).sum((1, 2)) / mass
    away = columns - x[:, None, None] - 1
    above = row.middle[:, None, None] - 0.04 * row.high - rows
    part = jnp.clip(away, 0, 1) * jnp.clip(above, 0, 1)
    return jnp.where((digit == 4)[:, None, None], windows * (1 - part), windows)
