"""Lines that were on the paper before the digit: frames, boxes, rules, grids, axes.

A line is straight, thin and long.  It goes from edge to edge of the picture, or other lines
meet both of its ends, as in a box; and the rest of the ink lies inside.

The search is on a coarse copy of the picture, sheared by slopes up to 1 in 12: in one of them a
line is a row of ink.  The line is then erased column by column.  Where the ink of a column is
much thicker than the line, a stroke crosses it, and stays.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

COARSE = 96  # pixels of the coarse copy's longer side
SLOPES = np.linspace(-1 / 12, 1 / 12, 17)
LONG = 0.2  # of the picture's side: the least length
NEAR = 0.05  # of the picture's side: so near are the ends of lines that meet
THIN = 0.06  # of the picture's longer side: the greatest thickness
CLEAR = (
    0.008  # of the picture's longer side: the digit inside a box is so far from its outer edge
)
SPARE = 0.03  # of the rest of the ink: a smaller piece may be left of a line
LEAST = 0.1  # times the ink of lines: less ink beside them is no digit
CROSSED = 1.7  # times the line's thickness: a column with more has a stroke across it


class Line(NamedTuple):
    """A line of a coarse mask [H, W]: y = start + slope · x, for x in left <= x < right."""

    start: float
    slope: float
    left: int
    right: int

    def at(self, x: float) -> float:
        """Return y."""
        return self.start + self.slope * x


def lines_of(mask: np.ndarray) -> np.ndarray:
    """Return the pixels [H, W] bool of the lines in a picture's ink [H, W] bool."""
    step = -(-max(mask.shape) // COARSE)
    coarse = _any_of_blocks(mask, step)
    across = [line for line in _long_lines(coarse) if _is_thin(mask, line, step)]
    down = [line for line in _long_lines(coarse.T) if _is_thin(mask.T, line, step)]
    if not across and not down:
        return np.zeros_like(mask)
    near = max(1, round(NEAR * max(coarse.shape)))
    height, width = coarse.shape
    rules = _rules(
        mask,
        [line for line in across if _goes_through(line, width, near)],
        [line for line in down if _goes_through(line, height, near)],
        step,
    )
    boxes = _pixels(
        mask,
        [line for line in across if _in_box(line, down, near)],
        [line for line in down if _in_box(line, across, near)],
        step,
    )
    # A 6 or an 8 may be made of boxes, too.
    rest, outer = mask & ~rules & ~boxes, mask & ~rules | boxes
    if rest.sum() < LEAST * boxes.sum() or _clear_sides(rest, outer) < 3:
        return rules
    return rules | boxes


def _rules(
    mask: np.ndarray, across: Sequence[Line], down: Sequence[Line], step: int
) -> np.ndarray:
    """Return the pixels of lines from edge to edge; none, if they may be a digit's strokes.

    A 1 or a 4 that fills the picture has such a stroke.  But then it touches other sides of the
    picture as well, or has little other ink.
    """
    rules = _pixels(mask, across, down, step)
    rest = mask & ~rules
    least = 1 if len(across) + len(down) == 1 else LEAST
    if rest.sum() < least * rules.sum() or _clear_sides(rest, np.ones_like(mask)) < 4:
        return np.zeros_like(mask)
    return rules


def _pixels(
    mask: np.ndarray, across: Sequence[Line], down: Sequence[Line], step: int
) -> np.ndarray:
    """Return the pixels of lines, but for the columns in which a stroke crosses them."""
    pixels = np.zeros_like(mask)
    for lines, of, ink in ((across, pixels, mask), (down, pixels.T, mask.T)):
        y = np.arange(len(ink))[:, None]
        for line in lines:
            x, first, last = _columns(ink, line, step)
            thickness = last - first + 1
            thin = thickness <= CROSSED * np.median(thickness) + 1
            of[:, x[thin]] |= (first[thin] <= y) & (y <= last[thin])
    return pixels


def _any_of_blocks(mask: np.ndarray, step: int) -> np.ndarray:
    h, w = (-(-n // step) for n in mask.shape)
    padded = np.zeros((h * step, w * step), bool)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    return np.asarray(padded.reshape(h, step, w, step).any((1, 3)))


def _long_lines(mask: np.ndarray) -> list[Line]:
    """Return the lines across a mask, the longest first, without near copies."""
    height, width = mask.shape
    x = np.arange(width)
    candidates = []
    for slope in SLOPES:
        shift = np.rint(slope * x).astype(int)
        rows = np.arange(-width // 12 - 1, height + width // 12 + 1)[:, None] + shift
        inside = (rows >= 0) & (rows < height)
        sheared = mask[np.clip(rows, 0, height - 1), x] & inside
        sheared[:, 1:-1] |= sheared[:, :-2] & sheared[:, 2:]  # a gap of one pixel
        blank = np.where(sheared, -1, x)
        run = x - np.maximum.accumulate(blank, 1)
        right = run.argmax(1)
        length = run.max(1)
        for row in np.flatnonzero(length >= LONG * width):
            start = float(rows[row, 0] - shift[0])
            end = int(right[row]) + 1
            candidates.append(
                (int(length[row]), Line(start, slope, end - int(length[row]), end))
            )
    candidates.sort(key=lambda each: (-each[0], abs(each[1].slope)))
    lines: list[Line] = []
    for _, line in candidates:
        if not any(_is_copy(line, other) for other in lines):
            lines.append(line)
    return lines


def _is_copy(line: Line, other: Line) -> bool:
    """Whether both lines are at most three pixels apart somewhere, and overlap there."""
    left, right = max(line.left, other.left), min(line.right, other.right)
    apart = [line.at(x) - other.at(x) for x in (left, right)]
    return left < right and (min(map(abs, apart)) <= 3 or apart[0] * apart[1] < 0)


def _columns(mask: np.ndarray, line: Line, step: int) -> tuple[np.ndarray, ...]:
    """Return (x, first, last): the rows, first to last, of each column's ink on the line.

    Args:
      mask: the whole picture, of which the line's is the coarse copy by `step`.
    """
    x = np.arange(line.left * step, min(line.right * step, mask.shape[1]))
    middle = (line.start + line.slope * (x / step) + 0.5) * step
    reach = np.arange(2 * step + 1)
    offsets = np.stack([reach, -reach], 1).ravel()[:, None]  # the nearest row first
    rows = np.clip(np.floor(middle).astype(int) + offsets, 0, mask.shape[0] - 1)
    hit = mask[rows, x]
    on = hit.any(0)
    x, row = x[on], rows[hit.argmax(0), np.arange(len(x))][on]
    part = mask[:, x]
    y = np.arange(len(mask))[:, None]
    after = np.where(~part & (y > row), y, len(mask)).min(0)
    before = np.where(~part & (y < row), y, -1).max(0)
    return x, before + 1, after - 1


def _is_thin(mask: np.ndarray, line: Line, step: int) -> bool:
    _, first, last = _columns(mask, line, step)
    return np.median(last - first + 1) <= max(2, THIN * max(mask.shape))


def _goes_through(line: Line, width: int, near: int) -> bool:
    return line.left <= near and line.right >= width - near


def _in_box(line: Line, others: Sequence[Line], near: int) -> bool:
    """Whether both ends are corners: an end of a line that goes the other way is there too."""

    def is_corner(x: int) -> bool:
        y = line.at(x)
        return any(
            abs(other.at(y) - x) <= near
            and min(abs(other.left - y), abs(other.right - 1 - y)) <= near
            for other in others
        )

    return is_corner(line.left) and is_corner(line.right - 1)


def _clear_sides(rest: np.ndarray, outer: np.ndarray) -> int:
    """Count the sides of the box around `outer` that the rest of the ink keeps clear of.

    Small pieces do not count: the corners of a box, or what is left of a line.
    """
    from scipy import ndimage

    numbers: Any = ndimage.label(rest)[0]
    sizes = np.bincount(numbers.ravel())
    sizes[0] = 0
    large = (sizes >= SPARE * sizes.sum())[numbers] & rest
    if not large.any():
        return 0
    clear, margin = 0, CLEAR * max(rest.shape)
    for axis in (1, 0):
        inner, ends = (np.flatnonzero(each.any(axis)) for each in (large, outer))
        clear += int(inner[0] - ends[0] > margin) + int(ends[-1] - inner[-1] > margin)
    return clear
