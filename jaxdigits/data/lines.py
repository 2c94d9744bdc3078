"""Lines that were on the paper before the digit: frames, boxes, rules, grids, axes.

A line is straight, thin and long.  It goes from edge to edge of the picture, or other lines
meet both of its ends, as in a box; and the rest of the ink lies inside.

The search is on a coarse copy of the picture, sheared by slopes up to 1 in 12: in one of them a
line is a row of ink.  The line is then erased column by column.  Where the ink of a column is
much thicker than the line, a stroke crosses it, and stays.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from jaxdigits.data.morphology import median

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


class Ink(NamedTuple):
    """A picture's ink [H, W] bool, and the ends of its runs down the columns."""

    mask: np.ndarray
    first: np.ndarray
    last: np.ndarray

    @property
    def thin(self) -> float:
        """The greatest thickness of a line."""
        return max(2, THIN * max(self.mask.shape))


def lines_of(mask: np.ndarray) -> np.ndarray:
    """Return the pixels [H, W] bool of the lines in a picture's ink [H, W] bool."""
    step = -(-max(mask.shape) // COARSE)
    coarse = any_of_blocks(mask, step)
    near = max(1, round(NEAR * max(coarse.shape)))
    height, width = coarse.shape
    inks = inks_of(mask)
    across, down = (
        long_lines(each) if _may_be_thin(ink, LONG * each.shape[1]) else []
        for ink, each in zip(inks, (coarse, coarse.T), strict=True)
    )
    thin = [cache(lambda line, ink=ink: _is_thin(ink, line, step)) for ink in inks]
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
    rules = _rules(inks, through[0], through[1], step)
    boxes = pixels_of(inks, boxed[0], boxed[1], step)
    # A 6 or an 8 may be made of boxes, too.
    rest, outer = mask & ~rules & ~boxes, mask & ~rules | boxes
    if rest.sum() < LEAST * boxes.sum() or _clear_sides(rest, outer) < 3:
        return rules
    return rules | boxes


def _rules(
    inks: Sequence[Ink], across: Sequence[Line], down: Sequence[Line], step: int
) -> np.ndarray:
    """Return the pixels of lines from edge to edge; none, if they may be a digit's strokes.

    A 1 or a 4 that fills the picture has such a stroke.  But then it touches other sides of the
    picture as well, or has little other ink.
    """
    rules, mask = pixels_of(inks, across, down, step), inks[0].mask
    rest = mask & ~rules
    least = 1 if len(across) + len(down) == 1 else LEAST
    if rest.sum() < least * rules.sum() or _clear_sides(rest, np.ones_like(mask)) < 4:
        return np.zeros_like(mask)
    return rules


def pixels_of(
    inks: Sequence[Ink], across: Sequence[Line], down: Sequence[Line], step: int
) -> np.ndarray:
    """Return the pixels of lines, but for the columns in which a stroke crosses them."""
    pixels = np.zeros_like(inks[0].mask)
    for lines, of, ink in ((across, pixels, inks[0]), (down, pixels.T, inks[1])):
        y = np.arange(len(ink.mask))[:, None]
        for line in lines:
            x, first, last = columns_of(ink, line, step)
            thickness = last - first + 1
            thin = thickness <= CROSSED * median(thickness) + 1
            of[:, x[thin]] |= (first[thin] <= y) & (y <= last[thin])
    return pixels


def any_of_blocks(mask: np.ndarray, step: int) -> np.ndarray:
    h, w = (-(-n // step) for n in mask.shape)
    padded = np.zeros((h * step, w * step), bool)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    rows = np.logical_or.reduce([padded[i::step] for i in range(step)])
    return np.logical_or.reduce([rows[:, i::step] for i in range(step)])


def _sheared(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (ink, start, slope) of all lines across a mask [H, W] that may meet its ink.

    ink: [W, lines] bool, along each line; neighbours in memory lie at the same x.
    """
    shift = np.rint(SLOPES * np.arange(mask.shape[1])[:, None]).astype(int)  # [W, slopes]
    reach, (rows,) = int(shift.max()), np.nonzero(mask.any(1))
    top, bottom = rows[0], rows[-1] + 1
    padded = np.zeros((mask.shape[1], bottom - top + 4 * reach), bool)
    padded[:, 2 * reach : 2 * reach + bottom - top] = mask[top:bottom].T
    first = np.arange(top - reach, bottom + reach)
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(first), 1)
    ink = windows[np.arange(len(shift))[:, None], shift + reach]  # [W, slopes, first]
    start = np.tile(first.astype(float), len(SLOPES))
    return ink.reshape(len(ink), -1), start, np.repeat(SLOPES, len(first))


def long_lines(mask: np.ndarray, least: float = 0) -> list[Line]:
    """Return the lines across a mask, the longest first, without near copies.

    Args:
      least: the least length, in columns; at least LONG of the width counts.
    """
    least = math.ceil(max(least, LONG * mask.shape[1]))
    (inked,) = np.nonzero(mask.any(0))
    if not len(inked) or inked[-1] - inked[0] + 1 < least:
        return []
    sheared, start, slope = _sheared(mask)
    sheared[1:-1] |= sheared[:-2] & sheared[2:]  # a gap of one pixel
    runs, size = sheared, 1  # where `size` pixels of ink begin
    while size < least:
        more = min(size, least - size)
        runs, size = runs[:-more] & runs[more:], size + more
    long = np.flatnonzero(runs.any(0))
    x = np.arange(len(sheared), dtype=np.int16)[:, None]
    run = x - np.maximum.accumulate(np.where(sheared[:, long], np.int16(-1), x), 0)
    length, right = run.max(0).astype(int), run.argmax(0) + 1
    order = np.lexsort((np.abs(slope[long]), -length))
    start, slope = start[long[order]], slope[long[order]]
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


def inks_of(mask: np.ndarray) -> tuple[Ink, Ink]:
    """Return the ink of a mask [H, W], across and down."""
    return ink_of(mask), ink_of(np.ascontiguousarray(mask.T))


def ink_of(mask: np.ndarray) -> Ink:
    """Return the ink of a mask [H, W] with the ends of its runs down the columns."""
    return Ink(mask, *_runs(mask))


def _runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the last row [H, W] of the ink around each pixel in its column."""
    height = len(mask)
    y = np.arange(height, dtype=np.int16)[:, None]
    before = np.maximum.accumulate(np.where(mask, np.int16(-1), y))
    after = np.minimum.accumulate(np.where(mask, np.int16(height), y)[::-1])[::-1]
    return before + 1, after - 1


def columns_of(ink: Ink, line: Line, step: int) -> tuple[np.ndarray, ...]:
    """Return (x, first, last): the rows, first to last, of each column's ink on the line.

    Args:
      ink: of the whole picture, of which the line's is the coarse copy by `step`.
    """
    mask = ink.mask
    x = np.arange(line.left * step, min(line.right * step, mask.shape[1]))
    middle = (line.start + line.slope * (x / step) + 0.5) * step
    reach = np.arange(2 * step + 1)
    offsets = np.stack([reach, -reach], 1).ravel()[:, None]  # the nearest row first
    rows = np.clip(np.floor(middle).astype(int) + offsets, 0, mask.shape[0] - 1)
    hit = mask[rows, x]
    on = hit.any(0)
    x, row = x[on], rows[hit.argmax(0), np.arange(len(x))][on]
    return x, ink.first[row, x], ink.last[row, x]


def _is_thin(ink: Ink, line: Line, step: int) -> bool:
    _, first, last = columns_of(ink, line, step)
    return median(last - first + 1) <= ink.thin


def _may_be_thin(ink: Ink, length: float) -> bool:
    """Return whether a line of that length across a coarse copy can be thin; mostly not.

    At least half of such a line is ink, and in half of these columns it is thin.
    """
    thin = ink.mask & (ink.last - ink.first <= ink.thin - 1)
    return bool(4 * np.count_nonzero(thin.any(0)) >= length)


def _goes_through(line: Line, width: int, near: int) -> bool:
    return line.left <= near and line.right >= width - near


def _in_box(
    line: Line, others: Sequence[Line], near: int, thin: Callable[[Line], bool]
) -> bool:
    """Whether both ends are corners: an end of a line that goes the other way is there too."""

    def corners(x: int) -> list[Line]:
        y = line.at(x)
        return [
            other
            for other in others
            if abs(other.at(y) - x) <= near
            and min(abs(other.left - y), abs(other.right - 1 - y)) <= near
        ]

    ends = [corners(line.left), corners(line.right - 1)]
    return all(ends) and all(any(map(thin, each)) for each in ends)


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
