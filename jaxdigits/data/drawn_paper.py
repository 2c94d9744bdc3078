"""What stands in a field beside its digits, and the paper and the pen that it is drawn with."""

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits.augment.pixels import gaussian
from jaxdigits.data.drawn_row import Places
from jaxdigits.data.drawn_style import Style
from jaxdigits.data.field_ink import ROWS

MARKS = 10  # short strokes that belong to no digit, at most


def other_pen(field: Array, strength: Array) -> Array:
    """Widen strokes [32, W] by strength in 0..1 of a pixel on each side, or thin them below."""
    framed = jnp.pad(field, 1)
    near = [field, framed[1:-1, 2:], framed[1:-1, :-2], framed[2:, 1:-1], framed[:-2, 1:-1]]
    thick, thin = jnp.stack(near).max(0), jnp.stack(near).min(0)
    widened = field + strength * (thick - field)
    return jnp.where(strength > 0, widened, field + strength * (field - thin))


def printed(
    u: Array, boxed: Array, comb: Array, base: Array, row: Places, width: int, style: Style
) -> Array:
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


def marks(key: Array, style: Style, row: Places, count: Array, width: int) -> Array:
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
    long = jnp.where(dot, 3.5 * u[3] * some[1], jnp.where(dash, 4 + 14 * some[2], 3 + 9 * u[3]))
    angle = jnp.where(dot, 1.9 + 0.5 * u[4], jnp.where(dash, 0.4 * (some[3] - 0.6), 3.1 * u[4]))
    thick = 0.7 + 1.1 * u[5]
    share = jnp.where(dot, 0.5, jnp.where(dash, 0.4, 0.06))
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


def on_paper(key: Array, field: Array, style: Style) -> Array:
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
    parts = [kernel[i] * padded[:, i : i + width] for i in range(7)]
    field = sum(parts, jnp.zeros_like(field))
    grain = jax.random.normal(keys[1], (height, width)) * 0.08 * u[23] ** 2
    return jnp.clip(field + grain, 0, 1)
