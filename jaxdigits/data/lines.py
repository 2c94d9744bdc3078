"""Lines that were on the paper before the digit: frames, boxes, rules, grids, axes.

A line is straight, thin and long.  It goes from edge to edge of the picture, or other lines
meet both of its ends, as in a box; and the rest of the ink lies inside.

The search is on a coarse copy of the picture, sheared by slopes up to 1 in 12: in one of them a
line is a row of ink.  The line is then erased column by column.  Where the ink of a column is
much thicker than the line, a stroke crosses it, and stays.
"""

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
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
    coarse = any_of_blocks(mask, step)
    near = max(1, round(NEAR * max(coarse.shape)))
    height, width = coarse.shape
    across, down = long_lines(coarse), long_lines(np.ascontiguousarray(coarse.T))
    # Thickness takes longest to find, so it comes last.
    thin = [cache(lambda line, ink=ink: _is_thin(ink, line, step)) for ink in (mask, mask.T)]
    sides = ((across, width, thin[0], down, thin[1]), (down, height, thin[1], across, thin[0]))
    through = [
        [line for line in lines if _goes_through(line, length, near) and own(line)]
        for lines, length, own, _, _ in sides
    ]
    boxed = [
        [line for line in lines if _in_box(line, others, near, other) and own(line)]
        for lines, _, own, others, other in sides
    ]
    if not any(through) and not any(boxed):
        return np.zeros_like(mask)
    rules = _rules(mask, through[0], through[1], step)
    boxes = pixels_of(mask, boxed[0], boxed[1], step)
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
    rules = pixels_of(mask, across, down, step)
    rest = mask & ~rules
    least = 1 if len(across) + len(down) == 1 else LEAST
    if rest.sum() < least * rules.sum() or _clear_sides(rest, np.ones_like(mask)) < 4:
        return np.zeros_like(mask)
    return rules


def pixels_of(
    mask: np.ndarray, across: Sequence[Line], down: Sequence[Line], step: int
) -> np.ndarray:
    """Return the pixels of lines, but for the columns in which a stroke crosses them."""
    pixels = np.zeros_like(mask)
    for lines, of, ink in ((across, pixels, mask), (down, pixels.T, mask.T)):
        y = np.arange(len(ink))[:, None]
        for line in lines:
            x, first, last = columns_of(ink, line, step)
            thickness = last - first + 1
            thin = thickness <= CROSSED * np.median(thickness) + 1
            of[:, x[thin]] |= (first[thin] <= y) & (y <= last[thin])
    return pixels


def any_of_blocks(mask: np.ndarray, step: int) -> np.ndarray:
    h, w = (-(-n // step) for n in mask.shape)
    padded = np.zeros((h * step, w * step), bool)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    return np.asarray(padded.reshape(h, step, w, step).any((1, 3)))


@lru_cache(maxsize=16)
def _sheared_rows(height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (places, start, slope) of all lines across a mask [H, W], a row for each.

    places: [lines, W] of the flat mask; H W, behind its end, where a line leaves the picture.
    """
    x = np.arange(width)
    shift = np.rint(SLOPES[:, None] * x).astype(int)
    first = np.arange(-width // 12 - 1, height + width // 12 + 1)
    rows = (first[:, None] + shift[:, None]).reshape(-1, width)
    places = np.where((rows >= 0) & (rows < height), rows * width + x, height * width)
    start = np.tile(first.astype(float), len(SLOPES))
    return places.astype(np.int32), start, np.repeat(SLOPES, len(first))


def long_lines(mask: np.ndarray) -> list[Line]:
    """Return the lines across a mask, the longest first, without near copies."""
    width, least = mask.shape[1], LONG * mask.shape[1]
    places, start, slope = _sheared_rows(*mask.shape)
    sheared = np.append(mask, False)[places]
    # With gaps of one pixel, at least half of a line is ink.
    some = np.flatnonzero(sheared.sum(1, dtype=np.int16) >= least / 2 - 1)
    sheared = sheared[some]
    sheared[:, 1:-1] |= sheared[:, :-2] & sheared[:, 2:]  # a gap of one pixel
    x = np.arange(width, dtype=np.int16)
    run = x - np.maximum.accumulate(np.where(sheared, np.int16(-1), x), 1)
    length, right = run.max(1).astype(int), run.argmax(1) + 1
    long = np.flatnonzero(length >= least)
    order = long[np.lexsort((np.abs(slope[some[long]]), -length[long]))]
    start, slope = start[some[order]], slope[some[order]]
    left, right = right[order] - length[order], right[order]
    lines: list[Line] = []
    while len(start):
        lines.append(Line(float(start[0]), float(slope[0]), int(left[0]), int(right[0])))
        # A copy is at most three pixels apart somewhere, and overlaps there.
        ends = np.stack([np.maximum(left, left[0]), np.minimum(right, right[0])])
        apart = start + slope * ends - (start[0] + slope[0] * ends)
        near = (np.abs(apart).min(0) <= 3) | (apart[0] * apart[1] < 0)
        other = np.flatnonzero(~((ends[0] < ends[1]) & near))
        start, slope, left, right = start[other], slope[other], left[other], right[other]
    return lines


def columns_of(mask: np.ndarray, line: Line, step: int) -> tuple[np.ndarray, ...]:
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
    return _thickness(mask, line, step) <= max(2, THIN * max(mask.shape))


def _thickness(mask: np.ndarray, line: Line, step: int) -> float:
    _, first, last = columns_of(mask, line, step)
    return float(np.median(last - first + 1))


def _goes_through(line: Line, width: int, near: int) -> bool:
    return line.left <= near and line.right >= width - near


def _in_box(
    line: Line, others: Sequence[Line], near: int, thin: Callable[[Line], bool]
) -> bool:
    """Whether both ends are corners: an end of a line that goes the other way is there too."""

    def is_corner(x: int) -> bool:
        y = line.at(x)
        return any(
            abs(other.at(y) - x) <= near
            and min(abs(other.left - y), abs(other.right - 1 - y)) <= near
            and thin(other)
            for other in others
        )

    return is_corner(line.left) and is_corner(line.right - 1)


def _clear_sides(rest: np.ndarray, outer: np.ndarray) -> int:
    """Count the sides of the box around `outer` that the rest of the ink keeps clear of.

    Small pieces do not count: the corners of a box, or what is left of a line.
    """
    from scipy import ndimage

    labelled: Any = ndimage.label(rest)
    numbers = labelled[0]
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
