"""The row of digits among other ink.

Pieces of ink are tall or small.  Tall ones are digits, or digits that touch, which are cut in
parts as wide as a digit.  Their middles lie on one straight line.  Commas, dots and dashes are
small: they stay in the picture if they are near the row, but have no say in its height.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from jaxdigits.data.morphology import grown, median
from jaxdigits.errors import DataError

LONGEST = 32  # heights of a digit: a longer row has some 40 digits
# Of the height of a tall piece: a smaller one is a mark or a speck.
SMALL = 0.5
# Of a digit's height: its width with the gap behind, where digits touch.
PITCH = 0.8
# Of the digits' height: so far from the row's middle is the middle of another row; so far from
# the nearest digit is no mark of the row.
OTHER_ROW, FAR = 0.7, 1.5
# Of the digits in the row: with so many elsewhere there are several rows.
OTHERS = 0.5
# Of a digit's ink: a speck has less.
SPECK = 0.02
# Of the digits' height: what the network sees of a row on each side of its middle; the height
# of all ink to which a row is scaled that has more, and how much larger its height is at most.
SEEN, FULL, LARGER = 0.8, 1.3, 1.4
# Of the height squared: the sum of x² whose slope is halved; the steepest slope of a row.
PRIOR, STEEPEST = 1.0, 0.3


class Part(NamedTuple):
    """Parts [N] of tall pieces, each about as wide as a digit."""

    x: np.ndarray
    """middle"""
    top: np.ndarray
    bottom: np.ndarray

    @property
    def middle(self) -> np.ndarray:
        """The middle [N] of the height."""
        return (self.top + self.bottom) / 2

    @property
    def height(self) -> np.ndarray:
        """The height [N]."""
        return self.bottom - self.top


class Row(NamedTuple):
    """The row of digits in a picture: y = middle + slope · x."""

    middle: float
    slope: float
    height: float
    """of its digits"""
    left: int
    right: int
    """the columns from left to right − 1 have ink"""


def row_of_digits(ink: np.ndarray) -> tuple[np.ndarray, Row]:
    """Return ink [H, W] without specks and what else is off the row of digits, and the row.

    Args:
      ink: [H, W] from 0 to 1, of `flat_ink`.

    Raises:
      DataError: without a row of digits, with several, or for a very long one.
    """
    from scipy import ndimage

    mask = ink >= 0.5
    numbers: Any = ndimage.label(grown(mask))
    pieces, count = numbers
    if not count:
        raise DataError("no ink found: nothing but lines stands out from the paper")
    boxes = ndimage.find_objects(pieces)
    sides = [(y.start, y.stop, x.start, x.stop) for y, x in boxes]
    top, bottom, left, right = np.array(sides).T
    pieces *= mask
    mass = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    height = _median(bottom - top - 2, mass)
    tall = np.flatnonzero((bottom - top - 2 >= max(SMALL * height, 4)) & (mass > 0))
    if not len(tall):
        raise DataError("no row of digits found: the ink is in small specks")
    parts = [_parts(pieces[boxes[i]] == i + 1, top[i], left[i], height) for i in tall]
    of = np.concatenate([np.full(len(p.x), i) for i, p in zip(tall, parts, strict=True)])
    every = Part(*map(np.concatenate, zip(*parts, strict=True)))
    if not len(of):
        raise DataError("no row of digits found: no piece of ink is as tall as a digit")
    row, inside = _straight_row(every)
    in_row = np.bincount(of[inside], minlength=count)  # parts of each piece
    elsewhere = int((in_row[of] == 0).sum())
    if elsewhere > 1 and elsewhere >= OTHERS * inside.sum():
        raise DataError("several rows of writing: cut out one row of digits")
    middle = (left + right) / 2
    off = np.abs((top + bottom) / 2 - row.middle - row.slope * middle) / row.height
    first, last = left[of[inside]].min(), right[of[inside]].max()
    near = (right >= first - FAR * row.height) & (left <= last + FAR * row.height)
    digit = median(mass[of[inside]])
    keep = (mass >= SPECK * digit) & near & (off <= OTHER_ROW)
    keep[of[inside]] = True
    gone = np.append(False, ~keep)[pieces]
    ink = np.where(grown(grown(gone)), 0, ink) if gone.any() else ink
    row = row._replace(left=int(left[keep].min()) + 1, right=int(right[keep].max()) - 1)
    if row.right - row.left > LONGEST * row.height:
        raise DataError(f"over {LONGEST} times as long as high: no field has so many digits")
    return ink, row


def _median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the median of values [N] that count by weights [N]."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _parts(piece: np.ndarray, top: int, left: int, height: float) -> Part:
    """Cut a piece [h, w] bool in parts as wide as a digit, and drop the flat ones."""
    count = max(1, round(piece.shape[1] / (PITCH * height)))
    cuts = np.linspace(0, piece.shape[1], count + 1).round().astype(int)
    parts = []
    for a, b in pairwise(cuts):
        rows = np.flatnonzero(piece[:, a:b].any(1))
        if len(rows) and np.ptp(rows) + 1 >= SMALL * height:
            parts.append((left + (a + b) / 2, top + rows[0], top + rows[-1] + 1))
    return Part(*np.array(parts, float).reshape(-1, 3).T)


def _straight_row(parts: Part) -> tuple[Row, np.ndarray]:
    """Return the straight row of most parts, and which parts [N] belong to it."""
    x, y, height = parts.x, parts.middle, median(parts.height)
    some = np.linspace(0, len(x) - 1, min(len(x), 40)).astype(int)
    i, j = np.triu_indices(len(some), 1)
    i, j = some[i], some[j]
    far = np.abs(x[i] - x[j]) >= height
    i, j = i[far], j[far]
    slope = np.concatenate([np.zeros(len(some)), (y[i] - y[j]) / (x[i] - x[j])])
    start = np.concatenate([y[some], y[i] - slope[len(some) :] * x[i]])
    flat = np.abs(slope) <= STEEPEST
    slope, start = slope[flat], start[flat]
    apart = np.abs(y - start[:, None] - slope[:, None] * x) / height
    best = (np.maximum(1 - apart / OTHER_ROW, 0).sum(1) - np.abs(slope)).argmax()
    inside = apart[best] <= OTHER_ROW
    row = Row(float(start[best]), float(slope[best]), height, 0, 0)
    for _ in range(3):
        height = median(parts.height[inside])
        tilt = _slope(parts, inside, height)
        row = Row(median((y - tilt * x)[inside]), tilt, height, 0, 0)
        new = np.abs(y - row.middle - tilt * x) <= OTHER_ROW * height
        if not new.any() or (new == inside).all():
            break
        inside = new
    return _with_all_seen(row, parts, inside), inside


def _with_all_seen(row: Row, parts: Part, inside: np.ndarray) -> Row:
    """Return the row, so high that it has its tallest digits: a 6 before four small zeros."""
    line = row.middle + row.slope * parts.x[inside]
    above = float((line - parts.top[inside]).max())
    below = float((parts.bottom[inside] - line).max())
    if max(above, below) <= SEEN * row.height:
        return row
    height = min(max((above + below) / FULL, row.height), LARGER * row.height)
    return row._replace(middle=row.middle + (below - above) / 2, height=height)


def _slope(parts: Part, inside: np.ndarray, height: float) -> float:
    """Return the slope of the row: of few digits nearly 0, since their middles vary."""
    x = parts.x[inside] - parts.x[inside].mean()
    covariance = lambda y: float((x * (y[inside] - y[inside].mean())).sum())
    both = covariance(parts.bottom) + covariance(parts.middle)
    return both / 2 / (float((x**2).sum()) + PRIOR * height**2)
