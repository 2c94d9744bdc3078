"""Take a line off a row of digits that stand on it, and leave the digits whole.

A 0 on a base line shares its bottom with the line.  Without the line it is open, as an arch is.
Two things tell the ink of digits from that of the line:

* Where the ink is a little thicker than the line, only the line's own rows are taken.
* Where two strokes leave the line and go apart, the line between them closes a digit, and
  stays.  Strokes of two neighbours come nearer to each other, or stay as they are.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxdigits.data.lines import CROSSED, Ink, Line, columns_of
from jaxdigits.data.morphology import median

# Times the line's thickness: so far from it strokes go apart, but by less than 4 times that.
BEYOND = 2


def fitted(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return (start, slope) of the straight line through points of x [N] and y [N], N > 0."""
    away = x - x.mean()
    slope = float((away * (y - y.mean())).sum()) / (float((away**2).sum()) or 1.0)
    return float(y.mean() - slope * x.mean()), slope


def pixels_under_row(ink: Ink, across: Sequence[Line], step: int, widest: float) -> np.ndarray:
    """Return the pixels [H, W] bool of lines across that no digit has in common with them.

    Args:
      ink: of the whole picture, of which the lines' is the coarse copy by `step`.
      widest: in pixels, what a digit can close of a line.
    """
    from scipy import ndimage

    pixels = np.zeros_like(ink.mask)
    y = np.arange(len(ink.mask))[:, None]
    for line in across:
        x, first, last = columns_of(ink, line, step)
        thickness, middle = last - first + 1, (first + last) / 2
        usual = median(thickness)
        thin, bare = thickness <= CROSSED * usual + 1, thickness <= usual + 1
        start, slope = fitted(x[bare], middle[bare])
        top = np.floor(start + slope * x - usual / 2)
        bottom = np.ceil(start + slope * x + usual / 2)
        first = np.where(bare, first, np.maximum(first, top)).astype(int)
        last = np.where(bare, last, np.minimum(last, bottom)).astype(int)
        own = np.zeros_like(ink.mask)
        own[:, x[thin]] = (first[thin] <= y) & (y <= last[thin])
        beyond = max(3, round(BEYOND * usual))
        rest = ink.mask & ~own
        closing: Any = _closing(rest, x, first, -1, thin, beyond, widest)
        closing |= _closing(rest, x, last, 1, thin, beyond, widest)
        closing = ndimage.binary_propagation(closing, mask=closing | thin & ~bare)
        own[:, x[closing]] = False
        pixels |= own
    return pixels


def _closing(rest, x, edge, way, thin, beyond, widest) -> np.ndarray:
    """Return which columns [N] of a line close a digit above it (way −1) or below (1).

    Args:
      rest: [H, W] bool, the ink without the line.
      x, edge, thin: [N] the line's columns, its outer row there, and whether no stroke crosses.
    """

    def inked(away: int) -> np.ndarray:
        rows = edge + way * away
        inside = (rows >= 0) & (rows < len(rest))
        return inside & rest[np.where(inside, rows, 0), x]

    closing = np.zeros(len(x), bool)
    near, far = inked(1) | inked(2) | ~thin, inked(beyond)
    (touch,), place = np.nonzero(near), np.arange(len(x))
    if len(touch) < 2:
        return closing
    left, right = touch[:-1], touch[1:]
    middle = (left + right) // 2
    before = np.maximum.accumulate(np.where(far, place, -1))[middle]
    after = np.minimum.accumulate(np.where(far, place, len(x))[::-1])[::-1][middle]
    apart = (right - left > 1) & ~far[middle] & (before >= 0) & (after < len(x))
    left, right, before, after = (a[apart] for a in (left, right, before, after))
    wide, wider = x[right] - x[left], x[after] - x[before]
    opens = (before <= left) & (after >= right) & (wider <= wide + 4 * beyond)
    opens &= wide <= widest
    for a, b in zip(left[opens], right[opens], strict=True):
        closing[a + 1 : b] = True
    return closing
