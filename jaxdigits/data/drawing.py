"""A field of digits, drawn on the device from pictures of single ones.

    glyphs [L, 28, 28] -> bent, slanted, sized [L, 32, 32] -> side by side [32, W] -> with marks

All is a function of a key: the writer's slant, size, spacing and own forms of digits, and all
that stands in a field and belongs to no digit: printed boxes, combs and base lines, dots,
commas and dashes, the pattern of security paper, a stamp, a stain, uneven ink.  Ink is 1 on
paper 0, and digits are about 20 pixels high, in the middle of 32 rows, as
`data.prepare_field` leaves them.
"""

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits.data import drawn_paper as paper
from jaxdigits.data.drawn_glyphs import WINDOW, Flag, flags_and_bars, mirror, opened, warped
from jaxdigits.data.drawn_row import Places, place_digits
from jaxdigits.data.drawn_style import Style


def draw_field(
    key: Array,
    glyph: Array,
    digit: Array,
    extent: Array,
    count: Array,
    style: Style,
    width: int,
) -> Array:
    """Draw one field [32, width], ink in [0, 1].

    Args:
      glyph: [L, 28, 28] ink in [0, 1], of each digit in turn.
      digit: [L] which digits these are.
      extent: [L, 4] first row, end row, first column and end column of its ink.
      count: [] the number of digits, at most L.
      width: in pixels; digits that need more are squeezed.
    """
    keys, u = jax.random.split(key, 6), _choices(key)
    bent, boxed = style.bent, u[1] < style.boxed
    row, windows, put = _digits(key, glyph, digit, extent, count, style, width)
    field = jnp.einsum("lhj,ljx->hx", windows, put)
    field = paper.other_pen(jnp.minimum(field, 1), bent * (1.2 * u[13] - 0.65))

    base = 16 + row.high / 2 + 3 * (u[14] - 0.3)
    lines = paper.printed(u[15:], boxed, u[1] < style.boxed / 2, base, row, width, style)
    marks = paper.marks(keys[4], style, row, count, width)
    field = jnp.maximum(jnp.maximum(field, lines), marks)
    return paper.on_paper(jax.random.fold_in(keys[4], 1), field, style)


def draw_digits(
    key: Array,
    glyph: Array,
    digit: Array,
    extent: Array,
    count: Array,
    style: Style,
    width: int,
) -> Array:
    """Draw each digit of the same field alone [L, 32, width]: its ink as its own pen left it.

    The arguments are those of `draw_field`, which adds other pens and all other ink.
    """
    _, windows, put = _digits(key, glyph, digit, extent, count, style, width)
    return jnp.einsum("lhj,ljx->lhx", windows, put)


def _choices(key: Array) -> Array:
    """Return the writer's choices [27] for a field, in [0, 1)."""
    return jax.random.uniform(jax.random.split(key, 6)[0], (27,))


def _digits(key, glyph, digit, extent, count, style, width) -> tuple[Places, Array, Array]:
    """Return the digits' row, their ink [L, 32, 32], and their columns [L, 32, width]."""
    length, bent = len(glyph), style.bent
    keys, u = jax.random.split(key, 6), _choices(key)
    v = jax.random.uniform(keys[1], (6, length), minval=-1.0)
    present = jnp.arange(length) < count
    barred = jax.random.uniform(keys[5]) < style.barred
    wide_gap = jax.random.uniform(keys[2], (length,)) < 0.25 * u[6]
    flag = Flag(0.2 + 0.8 * u[21], 0.35 + 0.6 * u[22])
    slant = bent * (0.7 * (u[12] - 0.35))
    wider = 20 * flag.long * jnp.sin(flag.angle + slant)
    wider = jnp.where(barred & (digit == 1), wider, 0)
    small = jnp.where(u[24] < style.small_zeros, 0.5 + 0.4 * u[25], 1)
    small = jnp.where(digit == 0, small, 1)
    mirrored = (digit == 9) & (u[26] < style.mirrored)
    glyph, extent = mirror(glyph, extent, mirrored)
    row = place_digits(u, v, extent, present, wide_gap, wider, small, style, width)

    place = jnp.floor(row.centre)
    aside = row.middle - 15.5, row.centre - place + wider / 2
    windows = warped(keys[3], glyph, extent, row, aside, slant, bent)
    bars = flags_and_bars(jax.random.fold_in(keys[5], 1), windows, digit, row, flag)
    windows = jnp.where(barred, jnp.maximum(windows, bars), windows)
    windows = jnp.where(u[23] < style.opened, opened(windows, digit, row), windows)
    windows = jnp.where(present[:, None, None], windows, 0)
    column = jnp.arange(WINDOW) + place.astype(jnp.int32)[:, None] - WINDOW // 2
    put = column[:, :, None] == jnp.arange(width)
    return row, windows, put.astype(windows.dtype)
