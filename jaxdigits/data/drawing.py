"""A field of digits, drawn on the device from pictures of single ones.

    glyphs [L, 28, 28] -> bent, slanted, sized [L, 32, 32] -> side by side [32, W] -> with marks

All is a function of a key: the writer's slant, size and spacing, and all that stands in a field
and belongs to no digit: printed boxes, combs and base lines, dots, commas and dashes, the
pattern of security paper, a stamp, a stain, uneven ink.  Ink is 1 on paper 0, and digits are
about 20 pixels high, in the middle of 32 rows, as `data.prepare_field` leaves them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits.augment.pixels import gaussian
from jaxdigits.augment.warp import read_at
from jaxdigits.data.field_ink import MARGIN, ROWS

WINDOW = 32  # pixels of a side around one digit
NEAREST = 8.5  # columns between the centres of digits: two frames of four columns
MARKS = 10  # short strokes that belong to no digit, at most


class Style(NamedTuple):
    """How fields look: shares of fields, from 0 to 1."""

    touching: float = 0.3
    """digits that touch or overlap"""
    boxed: float = 0.2
    """each digit in its place, with boxes, a comb or nothing printed around"""
    lined: float = 0.25
    """a base line"""
    marked: float = 0.45
    """dots, commas, dashes or other short strokes"""
    patterned: float = 0.3
    """the thin waves of security paper"""
    soiled: float = 0.12
    """a stamp or a stain"""
    barred: float = 0.35
    """writers who give each 1 a flag and each 7 a bar"""
    bent: float = 1.0
    """strength of the writer's slant, drift, jitter and of other pens"""


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
    field = _other_pen(jnp.minimum(field, 1), bent * (1.2 * u[13] - 0.65))

    base = 16 + row.high / 2 + 3 * (u[14] - 0.3)
    printed = _printed(u[15:], boxed, u[1] < style.boxed / 2, base, row, width, style)
    marks = _marks(keys[4], style, row, count, width)
    field = jnp.maximum(jnp.maximum(field, printed), marks)
    return _on_paper(jax.random.fold_in(keys[4], 1), field, style)


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


def _choices(key) -> Array:
    """Return the writer's choices [24] for a field, in [0, 1)."""
    return jax.random.uniform(jax.random.split(key, 6)[0], (24,))


def _digits(key, glyph, digit, extent, count, style, width):
    """Return the digits' row, their ink [L, 32, 32], and their columns [L, 32, width]."""
    length, bent = len(glyph), style.bent
    keys, u = jax.random.split(key, 6), _choices(key)
    v = jax.random.uniform(keys[1], (6, length), minval=-1.0)
    present = jnp.arange(length) < count
    barred = jax.random.uniform(keys[5]) < style.barred
    wide_gap = jax.random.uniform(keys[2], (length,)) < 0.25 * u[6]
    wider = jnp.where(barred & (digit == 1), 3, 0)  # for the flag
    row = _row(u, v, extent, present, wide_gap, wider, style, width)

    place = jnp.floor(row.centre)
    slant = bent * (0.7 * (u[12] - 0.35))
    windows = _warped(keys[3], glyph, extent, row.scale, row.stretch, slant, bent,
                      row.middle - 15.5, row.centre - place)  # fmt: skip
    bars = _bars(jax.random.fold_in(keys[5], 1), windows, digit, row.middle, row.high)
    windows = jnp.where(barred, jnp.maximum(windows, bars), windows)
    windows = jnp.where(present[:, None, None], windows, 0)
    column = jnp.arange(WINDOW) + place.astype(jnp.int32)[:, None] - WINDOW // 2
    put = column[:, :, None] == jnp.arange(width)
    return row, windows, put.astype(windows.dtype)


class _Row(NamedTuple):
    """Sizes and places of the digits of a field, in pixels."""

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


def _row(u, v, extent, present, wide_gap, wider, style, width) -> _Row:
    """Return where a writer puts the digits."""
    touching, boxed, bent = u[0] < style.touching, u[1] < style.boxed, style.bent
    top, end, left, right = (extent[:, i].astype(jnp.float32) for i in range(4))
    # A writer's digits are equally high; MNIST's have equal longer sides.
    high = 20 + bent * (6 * u[2] - 3.5)
    equal = jnp.clip(20 / (end - top), 0.8, 1.5)
    scale = high / 20 * (1 + (equal - 1) * u[3]) * (1 + 0.08 * bent * v[0])
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
    return _Row(high, scale, stretch * squeeze, ink * squeeze, centre, middle,
                pitch * squeeze, first * squeeze)  # fmt: skip


def _warped(key, glyph, extent, scale, stretch, slant, bent, down, right):
    """Return each glyph [L, 32, 32] in its size, its ink in the middle but for an offset."""
    length, edge = len(glyph), (WINDOW - glyph.shape[1]) // 2
    large = jnp.pad(glyph, ((0, 0), (edge, edge), (edge, edge)))
    around = lambda i: (extent[:, i] + extent[:, i + 1] - 1).astype(jnp.float32) / 2 + edge
    places = jnp.arange(WINDOW, dtype=jnp.float32)
    y = places[None, :, None] - (15.5 + down)[:, None, None]
    x = places[None, None, :] - (WINDOW // 2 + right)[:, None, None]
    turn = jax.random.uniform(jax.random.fold_in(key, 1), (length, 1, 1), minval=-0.12,
                              maxval=0.12) * bent  # fmt: skip
    s, t = scale[:, None, None], stretch[:, None, None]
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


def _bars(key, windows, digit, middle, high):
    """Return a flag for each 1 and a bar for each 7: strokes [L, 32, 32]."""
    v = jax.random.uniform(key, (5, len(windows)))
    one = digit == 1
    rows, columns = jnp.arange(WINDOW)[:, None], jnp.arange(WINDOW)
    y = jnp.where(one, middle - high / 2 + 1.5, middle + high * (0.16 * v[0] - 0.06))
    band = windows * (jnp.abs(rows - y[:, None, None]) < 2)
    mass = band.sum((1, 2))
    x = (band * columns).sum((1, 2)) / jnp.maximum(mass, 1e-3)
    long = jnp.where(one, high * (0.2 + 0.3 * v[1]), high * (0.25 + 0.35 * v[1]))
    angle = jnp.where(one, 1.9 + 0.75 * v[2], 0.5 * (v[2] - 0.6))  # down to the left, or level
    from_end = jnp.where(one, 0, -long / 2)
    each = lambda a: a[:, None, None]
    dx, dy = columns - each(x), rows - each(y)
    c, s = each(jnp.cos(angle)), each(jnp.sin(angle))
    along = jnp.clip(dx * c + dy * s, each(from_end), each(from_end + long))
    away = jnp.sqrt((dx - along * c) ** 2 + (dy - along * s) ** 2)
    stroke = jnp.clip(each(0.9 + 0.6 * v[3]) + 0.5 - away, 0, 1)
    return jnp.where(each(((digit == 1) | (digit == 7)) & (mass > 0.5)), stroke, 0)


def _other_pen(field, strength):
    """Widen strokes [32, W] by strength in 0..1 of a pixel on each side, or thin them below."""
    framed = jnp.pad(field, 1)
    near = [field, framed[1:-1, 2:], framed[1:-1, :-2], framed[2:, 1:-1], framed[:-2, 1:-1]]
    thick, thin = jnp.stack(near).max(0), jnp.stack(near).min(0)
    widened = field + strength * (thick - field)
    return jnp.where(strength > 0, widened, field + strength * (field - thin))


def _printed(u, boxed, comb, base, row, width, style):
    """Return the lines [32, W] of boxes, of a comb or under the digits."""
    x, y, high = jnp.arange(width), jnp.arange(ROWS)[:, None], row.high
    from_line = jnp.abs((x - row.first) % row.pitch - row.pitch / 2)
    thin = 0.4 + 0.5 * u[0]
    upright = jnp.clip(thin + 0.5 - from_line, 0, 1)
    above = jnp.where(comb, base - 4 - 4 * u[1], base - high - 4)
    upright = jnp.where((y > above) & (y < base), upright, 0)
    line = lambda at: jnp.clip(thin + 0.5 - jnp.abs(y - at), 0, 1)
    level = base + 2 * (u[2] - 0.5) * (x / width - 0.5)
    boxes = jnp.maximum(upright, line(base))
    boxes = jnp.where(comb, boxes, jnp.maximum(boxes, line(base - high - 4)))
    boxes = jnp.where(boxed & (u[3] < 0.5), boxes, 0)
    below = jnp.where(u[4] < style.lined, line(level), 0)
    # Most of a printed line is taken off before the field is read.
    return jnp.maximum(boxes, below) * (0.15 + 0.85 * u[5] ** 2)


def _marks(key, style, row, count, width):
    """Return short strokes [32, W] between, before and behind the digits."""
    keys = jax.random.split(key, 3)
    u = jax.random.uniform(keys[0], (8, MARKS))
    some = jax.random.uniform(keys[1], (8,))
    base = 16 + row.high / 2
    after = jnp.minimum((u[0] * count).astype(jnp.int32), count - 1)
    ends = row.centre + row.ink / 2
    behind, last = ends[after] + 1.5, ends[count - 1]
    number = jnp.arange(MARKS)
    # Three dots or commas between digits, three dashes behind, four strokes before or anywhere.
    dot, dash = number < 3, (number >= 3) & (number < 6)
    x = jnp.where(dot, behind, jnp.where(dash, last + 6 + 22 * some[0], width * u[1]))
    y = jnp.where(dot, base - 1 + 2 * u[2], jnp.where(dash, 16 + 8 * (u[2] - 0.5), 32 * u[2]))
    y = jnp.where(number == 4, y[3] + 5, y)
    x = jnp.where(number == 4, x[3], x)
    long = jnp.where(dot, 3.5 * u[3] * some[1], jnp.where(dash, 4 + 10 * some[2], 3 + 9 * u[3]))
    angle = jnp.where(dot, 1.9 + 0.5 * u[4], jnp.where(dash, 0.4 * (some[3] - 0.6), 3.1 * u[4]))
    thick = 0.7 + 1.1 * u[5]
    share = jnp.where(dot, 0.5, jnp.where(dash, 0.3, 0.06))
    here = (u[6] < share) & (some[4] < style.marked)
    dark = jnp.where(here, 0.5 + 0.5 * u[7], 0)
    rows, columns = jnp.arange(ROWS)[:, None], jnp.arange(width)
    field = jnp.zeros((ROWS, width))
    for i in range(MARKS):
        c, s = jnp.cos(angle[i]), jnp.sin(angle[i])
        dx, dy = columns - x[i], rows - y[i]
        along = jnp.clip(dx * c + dy * s, -long[i] / 2, long[i] / 2)
        away = jnp.sqrt((dx - along * c) ** 2 + (dy - along * s) ** 2)
        field = jnp.maximum(field, dark[i] * jnp.clip(thick[i] + 0.5 - away, 0, 1))
    return field


def _on_paper(key, field, style):
    """Return the field [32, W] on patterned or soiled paper, in uneven ink, not sharp."""
    height, width = field.shape
    keys = jax.random.split(key, 3)
    u = jax.random.uniform(keys[0], (24,))
    y, x = jnp.arange(height)[:, None], jnp.arange(width)
    wave = lambda a, b, c, d, e: jnp.sin(
        (0.2 + 0.7 * a) * x + (2 * b - 1) * y + 9 * c + 3 * d * jnp.sin(y * 0.25 + x * 0.1 * e)
    )
    lines = jnp.maximum(wave(*u[:5]), wave(*u[5:10]))
    lines = jnp.clip(5 * lines - 4, 0, 1) * 0.3 * u[10] * (u[11] < style.patterned)
    # A ring of a stamp, or a stain.
    sides = 10 + 30 * u[12:14]
    far = jnp.sqrt(((x - width * u[14]) / sides[0]) ** 2 + ((y - 32 * u[15]) / sides[1]) ** 2)
    ring = jnp.clip(2.5 - 12 * jnp.abs(far - 1), 0, 1)
    blot = jnp.where(u[16] < 0.5, ring, jnp.exp(-2 * far**2))
    blot = blot * (0.15 + 0.4 * u[17]) * (u[18] < style.soiled)
    fade = 1 - 0.35 * style.bent * u[19] * (x / width - (u[20] < 0.5)) ** 2
    field = jnp.maximum(field * fade, jnp.maximum(lines, blot))
    field = jnp.maximum(field, jnp.minimum(field + 0.5 * jnp.maximum(lines, blot), 1))
    soft = 0.9 * style.bent * u[21] * (u[22] < 0.5)
    rows, columns = (gaussian(n, soft) for n in (height, 16))
    field = rows @ field
    # Columns in blocks of 16 would show their borders: smooth by a kernel of 7 instead.
    kernel = columns[8, 5:12]
    kernel = kernel / kernel.sum()
    padded = jnp.pad(field, ((0, 0), (3, 3)))
    field = sum(kernel[i] * padded[:, i : i + width] for i in range(7))
    grain = jax.random.normal(keys[1], (height, width)) * 0.08 * u[23] ** 2
    return jnp.clip(field + grain, 0, 1)
