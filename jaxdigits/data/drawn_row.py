"""Where a writer puts the digits of a field that is drawn: sizes and places, in pixels."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxdigits.data.drawn_style import Style
from jaxdigits.data.field_ink import MARGIN

NEAREST = 8.5  # columns between the centres of digits: two frames of four columns


class Places(NamedTuple):
    """Sizes and places of the L digits of a field, in pixels."""

    high: Array
    """[] a digit's height"""
    scale: Array
    """[L] of the glyphs down the rows"""
    stretch: Array
    """[L] of the glyphs along the row"""
    ink: Array
    """[L] the width of each digit"""
    centre: Array
    """[L] column of each digit's middle"""
    middle: Array
    """[L] row of each digit's middle"""
    pitch: Array
    """[] columns from box to box"""
    first: Array
    """[] column of the first box's middle"""


def place_digits(
    u: Array, v: Array, extent: Array, present: Array, wide_gap: Array, wider: Array,
    small: Array, style: Style, width: int,
) -> Places:  # fmt: skip
    """Return where a writer puts the digits.

    Args:
      u: [15] choices of the writer.
      v: [5, L] of each digit, from −1 to 1.
      extent: [L, 4] first row, end row, first column and end column of its ink.
      present, wide_gap: [L] bool, whether the digit is there, and stands apart.
      wider, small: [L] pixels added to the digit's width; its size beside the others'.
      width: of the field.
    """
    touching, boxed, bent = u[0] < style.touching, u[1] < style.boxed, style.bent
    top, end, left, right = (extent[:, i].astype(jnp.float32) for i in range(4))
    # A writer's digits are equally high; MNIST's have equal longer sides.
    high = 20 + bent * (6 * u[2] - 3.5)
    equal = jnp.clip(20 / (end - top), 0.8, 1.5)
    scale = high / 20 * (1 + (equal - 1) * u[3]) * (1 + 0.08 * bent * v[0]) * small
    stretch = scale * (1 + bent * 0.2 * (u[4] - 0.5)) * (1 + 0.06 * bent * v[1])
    ink = jnp.maximum((right - left) * stretch, 3) + wider

    gap = jnp.where(touching, 1.5 - 4 * u[5], 2 + 9 * u[5] ** 2) + 1.5 * bent * v[2]
    gap = gap + jnp.where(wide_gap & ~touching, 7 * u[7], 0)
    pitch = 17 + 9 * u[5]
    step = jnp.maximum((ink[1:] + ink[:-1]) / 2 + gap[1:], NEAREST)
    step = jnp.where(boxed, jnp.maximum(pitch, NEAREST), step)
    first = MARGIN + ink[0] / 2 + 8 * u[8] - 3
    centre = first + jnp.pad(jnp.cumsum(step), (1, 0)) + jnp.where(boxed, 2 * v[3], 0)
    last = jnp.where(present, centre + ink / 2, 0).max()
    squeeze = jnp.minimum((width - 4) / last, 1)
    centre = centre * squeeze

    # Digits stand on a line, or around one, that may rise.
    low = jnp.where(u[9] < 0.7, 16 + high / 2, 16 + scale * (end - top) / 2)
    middle = low - scale * (end - top) / 2
    middle += bent * (3 * (u[10] - 0.5) + v[4] + 3 * (u[11] - 0.5) * (centre / width - 0.5))
    return Places(high, scale, stretch * squeeze, ink * squeeze, centre, middle,
                pitch * squeeze, first * squeeze)  # fmt: skip
