"""Lines that were on the paper before a row of digits: base lines, rules, boxes.

Among digits there is much that looks like a line: the feet of a row, joined by the pattern of
the paper, or a 1 in a box that it fills.  So a line has to be straight, and everywhere about as
dark, and longer than the row; or two lines down, as dark and as straight, make it a box.  Two
like strokes that go exactly from rule to rule are taken for the sides of a box.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from jaxdigits.data.lines import (
    CROSSED,
    Ink,
    Line,
    any_of_blocks,
    columns_of,
    ink_of,
    long_lines,
    pixels_of,
)
from jaxdigits.data.morphology import median
from jaxdigits.data.standing import fitted, pixels_under_row

# Of a picture of one row of digits: pixels of the coarse copy's sides; the least ink of a line;
# its greatest thickness, of the height of all ink; the least length of a line across, and of a
# box's side, of the width of all ink.
FEW_ROWS, FEW_COLUMNS, FAINT, SLIM, ACROSS, SIDE = 40, 256, 0.2, 0.12, 0.95, 0.5
# Of a line's pixels: so many are nearly as dark as most, which is so much for a box's side and
# for another line; so many are thin and straight; the greatest difference of the slopes of a
# box's sides.
WHOLE, EVEN, STRAIGHT, PARALLEL = 0.9, (0.5, 0.65), 0.5, 0.025


def lines_around_row(ink: np.ndarray) -> np.ndarray:
    """Return the pixels [H, W] bool of the lines around one row of digits in ink [H, W].

    Lines across are longer than any stroke: base lines, rules, the sides of boxes.  A line down
    is one of a box: it goes from a line across to the next.
    """
    mask = ink >= FAINT
    height, width = mask.shape
    step = max(-(-height // FEW_ROWS), -(-width // FEW_COLUMNS), 1)
    coarse = any_of_blocks(mask, step)
    if not mask.any():
        return np.zeros_like(mask)
    wide, high = (_extent(coarse.sum(axis)) for axis in (0, 1))
    even = partial(_is_even, step=step, thickest=max(5, SLIM * high * step))
    rows = ink_of(mask)
    across = [
        line
        for line in long_lines(_twice_as_thick(coarse), SIDE * wide)
        if even(ink, rows, line, EVEN[0])
    ]
    if not across:
        return np.zeros_like(mask)
    inks = rows, ink_of(np.ascontiguousarray(mask.T))
    down, met = [], np.zeros(len(across), int)
    for line in long_lines(_twice_as_thick(coarse.T)) if len(across) > 1 else ():
        ends = _met(line, across)
        if not ends:
            continue
        first, last = (across[i].at(line.at(y)) for i, y in ends.items())
        whole = line._replace(left=max(round(first), 0), right=round(last) + 1)
        if even(ink.T, inks[1], whole, EVEN[0]):
            down.append((whole, list(ends)))
    down = [
        (a, ends) for a, ends in down
        if sum(abs(a.slope - b.slope) <= PARALLEL for b, _ in down) > 1
    ]  # fmt: skip
    for _, ends in down:
        met[ends] += 1
    across = [
        line
        for line, sides in zip(across, met, strict=True)
        if sides > 1
        or (line.right - line.left >= ACROSS * wide and even(ink, inks[0], line, EVEN[1]))
    ]
    sides = pixels_of(inks, [], [line for line, _ in down], step)
    return sides | pixels_under_row(rows, across, step, high * step)


def _is_even(
    ink: np.ndarray, runs: Ink, line: Line, least: float, *, step: int, thickest: float
) -> bool:
    """Return whether a line is thin, straight, and everywhere about as dark.

    The bottoms of digits on one base line are neither straight nor even.
    """
    x, first, last = columns_of(runs, line, step)
    thickness, middle = last - first + 1, (first + last) / 2
    usual = median(thickness)
    thin = thickness <= CROSSED * usual + 1
    if usual > thickest or thin.sum() < 2:
        return False
    start, slope = fitted(x[thin], middle[thin])
    straight = thin & (np.abs(middle - start - slope * x) <= max(1, usual / 2))
    every = np.arange(line.left * step, min(line.right * step, ink.shape[1]))
    rows = np.rint(start + slope * every).astype(int) + np.arange(-1, 2)[:, None]
    dark = ink[np.clip(rows, 0, len(ink) - 1), every].max(0)
    even = dark >= least * median(dark)
    return straight.mean() >= STRAIGHT and even.mean() >= WHOLE


def _met(down: Line, across: Sequence[Line]) -> dict[int, int]:
    """Return {number: y} of the two lines across that a line down meets at its ends; or {}."""
    ends = {}
    for y in (down.left, down.right - 1):
        x = down.at(y)
        gaps = {
            i: abs(line.at(x) - y)
            for i, line in enumerate(across)
            if line.left - 2 <= x <= line.right + 2
        }
        nearest = min(gaps, key=lambda i: gaps[i], default=None)
        if nearest is not None and gaps[nearest] <= 2:
            ends[nearest] = y
    return ends if len(ends) == 2 else {}


def _twice_as_thick(mask: np.ndarray) -> np.ndarray:
    """Return a mask [H, W] with the ink of each row in the next one, too."""
    thick = np.array(mask, order="C")
    thick[1:] |= mask[:-1]
    return thick


def _extent(count: np.ndarray) -> float:
    """Return the length of the middle 90 % of a histogram [N]."""
    total = np.cumsum(count) / count.sum()
    return float(np.searchsorted(total, 0.95) - np.searchsorted(total, 0.05) + 1)
