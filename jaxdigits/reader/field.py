"""From the brightness of a picture to one row of digits as the network reads it.

    grey [H, W] -> flat_ink -> erase lines -> row_of_digits -> levelled, scaled, widened
                -> ink [32, W]

* Paper is the picture without its dark details, as for single digits (`jaxdigits.data.ink`).
  The grain of the paper may be a printed pattern, nearly as dark as the ink: the level between
  both is the mean of their means (Ridler and Calvard [1]).
* Lines across are longer than any stroke (`jaxdigits.data.lines`).
* Pieces of ink are tall or small.  Tall ones are digits, or digits that touch, which are cut in
  parts as wide as a digit.  Their middles lie on one straight line, whose slope is taken off;
  their median height becomes 20 pixels.  Commas, dots and dashes are small: they stay in the
  picture, but they have no say in the height.

[1] Ridler & Calvard, IEEE Trans. SMC 8(8), 1978, doi:10.1109/TSMC.1978.4310039.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from jaxdigits.data.ink import MIN_CONTRAST, WIDEST, stroke_width
from jaxdigits.data.lines import lines_around_row
from jaxdigits.errors import DataError

ROWS, DIGIT, MARGIN, FRAME = 32, 20, 8, 4  # pixels of the network's input
LONGEST = 32  # heights of a digit: a longer row has some 40 digits
# Pixels: a larger picture is averaged down first, against camera noise.
MAX_PIXELS = 1 << 19
# Pixels: the deviation of the blur against grain.
BLUR = 0.8
# Standard deviations of the paper: ink differs from it by more, on the mean.
GRAIN = 2
# Of the level between paper and ink: fainter pixels are paper.
FAINT = 0.5
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
# Of the height squared: the sum of x² whose slope is halved; the steepest slope of a row.
PRIOR, STEEPEST = 1.0, 0.3
# Of a digit's height: the least width of strokes, and pixels of that height meanwhile.
STROKE, FINE = 0.1, 40


class Field(NamedTuple):
    """One row of digits, as the network reads it."""

    ink: np.ndarray
    """[32, W] uint8, 0 paper to 255 ink; digits are 20 pixels high, about row 16"""
    left: float
    """x in the picture of the left edge of column 0, in pixels"""
    scale: float
    """pixels of the picture in a column"""

    def x_of(self, column: float) -> float:
        """Return x in the picture of a column's left edge."""
        return self.left + self.scale * column


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


def prepare_field(grey: np.ndarray) -> Field:
    """Return the row of digits in a picture [H, W], as the network reads it.

    Args:
      grey: [H, W] brightness, uint8 or float, 0 black to 255 white.

    Raises:
      DataError: if there is no ink, or no row of digits, or more than one, or a very long one.
      ValueError: if grey is not of rank 2, or is empty, or not all in 0..255.
    """
    if grey.ndim != 2 or not grey.size:
        raise ValueError(f"grey must be [H, W] and not empty, got shape {grey.shape}")
    low, high = grey.min(), grey.max()
    if not (low >= 0 and high <= 255):  # also refuses NaN
        raise ValueError(f"grey must be in 0..255, got {low}..{high}")
    small, step = _averaged(grey)
    ink = flat_ink(small)
    ink = np.where(lines_around_row(ink), 0, ink)
    ink, row = row_of_digits(ink)
    fine, left, scale = _levelled(ink, row)
    return Field(_widened(fine), step * left, step * scale)


def _averaged(grey: np.ndarray) -> tuple[np.ndarray, int]:
    """Return [H, W] grey, averaged down to about MAX_PIXELS, and the step."""
    step = int(np.ceil(np.sqrt(grey.size / MAX_PIXELS)))
    if step == 1 or min(grey.shape) < 2 * step:
        return np.asarray(grey, np.float32), 1
    from PIL import Image

    return np.asarray(Image.fromarray(np.asarray(grey, np.float32)).reduce(step)), step


def flat_ink(grey: np.ndarray) -> np.ndarray:
    """Return ink [H, W] float32, 0 paper to 1 strokes, where 0.5 is between paper and ink.

    Ink is dark or light, whichever is less of the picture.

    Args:
      grey: [H, W] brightness, 0 black to 255 white.

    Raises:
      DataError: if nothing stands out from the paper.
    """
    from scipy import ndimage

    nothing = DataError("no ink found: nothing stands out from the paper")
    sharp = np.asarray(grey, np.float32)
    grey = ndimage.gaussian_filter(sharp, BLUR if min(grey.shape) > ROWS else BLUR / 2)
    is_dark = _is_light_on_dark(grey)
    grey = 255 - grey if is_dark else grey
    window = [max(3, round(WIDEST * n)) for n in grey.shape]
    paper = ndimage.grey_closing(grey, window, mode="nearest")
    # Light paper reflects a share of the light: ink in a shadow differs less.
    difference = (paper - grey) / (255 if is_dark else np.maximum(paper, MIN_CONTRAST))
    difference -= np.median(difference)
    few = max(1, grey.size // 2000)  # pixels may be darker than the pen: dirt, or noise
    strongest = np.partition(difference, -few, None)[-few]
    if strongest < MIN_CONTRAST / 255:
        raise nothing
    level, above, below = strongest / 2, 0.0, 0.0
    for _ in range(20):
        is_ink = difference > level
        above, below = float(difference[is_ink].mean()), float(difference[~is_ink].mean())
        level, last = (above + below) / 2, level
        if abs(level - last) < 1e-3 * strongest:
            break
    # Of plain paper half lies below the median, however much ink there is above.
    lower = difference[difference < 0]
    if above - below < GRAIN * 1.4826 * -float(np.median(lower) if lower.size else 0):
        raise nothing
    faint = FAINT * level
    return np.clip((difference - faint) / (2 * (level - faint)), 0, 1).astype(np.float32)


def _is_light_on_dark(grey: np.ndarray) -> bool:
    """Return whether strokes [H, W] are lighter than the paper, which is most of a picture.

    Most pixels are lighter than the darkest near them if the paper is light.  Near is a small
    window for shadows, and a large one for strokes far from the edge.
    """
    from scipy import ndimage

    step = [max(1, n // 64) for n in grey.shape]
    coarse = grey[:: step[0], :: step[1]]
    score = 0.0
    for share in (WIDEST, 1.0):
        window = [max(3, round(share * n)) for n in coarse.shape]
        dark = ndimage.grey_closing(coarse, window, mode="nearest") - coarse
        light = coarse - ndimage.grey_opening(coarse, window, mode="nearest")
        score += float(light.mean() - dark.mean())
    return score < 0


def row_of_digits(ink: np.ndarray) -> tuple[np.ndarray, Row]:
    """Return ink [H, W] without specks and what else is off the row of digits, and the row.

    Args:
      ink: [H, W] from 0 to 1, of `flat_ink`.

    Raises:
      DataError: without a row of digits, with several, or for a very long one.
    """
    from scipy import ndimage

    mask = ink >= 0.5
    numbers: Any = ndimage.label(ndimage.maximum_filter(mask, 3, mode="constant"))
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
    others = np.setdiff1d(of[~inside], of[inside])
    elsewhere = int(np.isin(of, others).sum())
    if elsewhere > 1 and elsewhere >= OTHERS * inside.sum():
        raise DataError("several rows of writing: cut out one row of digits")
    middle = (left + right) / 2
    off = np.abs((top + bottom) / 2 - row.middle - row.slope * middle) / row.height
    first, last = left[of[inside]].min(), right[of[inside]].max()
    near = (right >= first - FAR * row.height) & (left <= last + FAR * row.height)
    digit = np.median(mass[of[inside]])
    keep = (mass >= SPECK * digit) & near & (off <= OTHER_ROW)
    keep[others] = False
    keep[of[inside]] = True
    gone = np.append(False, ~keep)[pieces]
    ink = np.where(ndimage.maximum_filter(gone, 5), 0, ink) if gone.any() else ink
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
    found = []
    for a, b in pairwise(cuts):
        rows = np.flatnonzero(piece[:, a:b].any(1))
        if len(rows) and np.ptp(rows) + 1 >= SMALL * height:
            found.append((left + (a + b) / 2, top + rows[0], top + rows[-1] + 1))
    return Part(*np.array(found, float).reshape(-1, 3).T)


def _straight_row(parts: Part) -> tuple[Row, np.ndarray]:
    """Return the straight row of most parts, and which parts [N] belong to it."""
    x, y, height = parts.x, parts.middle, float(np.median(parts.height))
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
        height = float(np.median(parts.height[inside]))
        tilt = _slope(parts, inside, height)
        row = Row(float(np.median((y - tilt * x)[inside])), tilt, height, 0, 0)
        new = np.abs(y - row.middle - tilt * x) <= OTHER_ROW * height
        if not new.any() or (new == inside).all():
            break
        inside = new
    return row, inside


def _slope(parts: Part, inside: np.ndarray, height: float) -> float:
    """Return the slope of the row: of few digits nearly 0, since their middles vary."""
    x = parts.x[inside] - parts.x[inside].mean()
    covariance = lambda y: float((x * (y[inside] - y[inside].mean())).sum())
    both = covariance(parts.bottom) + covariance(parts.middle)
    return both / 2 / (float((x**2).sum()) + PRIOR * height**2)


def _levelled(ink: np.ndarray, row: Row) -> tuple[np.ndarray, float, float]:
    """Return the row [FINE / DIGIT · 32, w] of ink, and the left edge and width of a column.

    FINE is the digits' height meanwhile; w is a multiple of FINE / DIGIT · 4.
    """
    scale = row.height / FINE  # pixels of the picture in a fine one
    times = FINE // DIGIT
    columns = max(ROWS, 2 * MARGIN + (row.right - row.left) * DIGIT / row.height)
    columns = int(np.ceil(columns / FRAME - 1e-6)) * FRAME
    width = columns * times * scale
    left = (row.left + row.right - width) / 2
    x = np.arange(int(np.floor(left)), int(np.ceil(left + width)))
    half = ROWS * times * scale / 2
    rows = np.arange(int(np.ceil(2 * half)) + 1)
    # Linear between two rows, for a slope less than a pixel a column.
    start = row.middle + row.slope * (x + 0.5) - half
    below = np.floor(start).astype(int)
    share = (start - below).astype(np.float32)
    padded = np.pad(ink, 1)
    place = lambda at, n: np.clip(at + 1, 0, n + 1)
    at = lambda y: padded[place(y, ink.shape[0]), place(x, ink.shape[1])]
    straight = (1 - share) * at(rows[:, None] + below) + share * at(rows[:, None] + below + 1)
    fine = _resampled(straight, 0, scale, ROWS * times)
    fine = _resampled(np.ascontiguousarray(fine.T), left - x[0], scale, columns * times)
    return fine.T, left, scale * times


def _resampled(image: np.ndarray, start: float, scale: float, count: int) -> np.ndarray:
    """Return rows [count, w] of an image [h, w]: row i from start + i scale to the next.

    As a scanner measures area; at least a pixel of the image, between its rows on a straight
    line.
    """
    size = max(scale, 1)
    total = np.pad(np.cumsum(image, 0, dtype=np.float64), ((1, 0), (0, 0)))
    begin = start + (np.arange(count) + 0.5) * scale - size / 2

    def until(y: np.ndarray) -> np.ndarray:
        y = np.clip(y, 0, len(image))
        row = np.minimum(y.astype(int), len(image) - 1)
        return total[row] + (y - row)[:, None] * image[row]

    return ((until(begin + size) - until(begin)) / size).astype(np.float32)


def _widened(fine: np.ndarray) -> np.ndarray:
    """Return the row [32, W] uint8 with no thin strokes, the strongest at 255."""
    from scipy import ndimage

    mask = fine >= 0.5 * np.quantile(fine, 0.995)
    add = (STROKE * FINE - stroke_width(mask)) / 2 if mask.any() else 0
    if add > 0:
        away = np.asarray(ndimage.distance_transform_edt(~mask))
        fine = np.maximum(fine, np.clip(add + 1 - away, 0, 1))
    times = FINE // DIGIT
    h, w = (n // times for n in fine.shape)
    small = fine.reshape(h, times, w, times).mean((1, 3))
    strong = small[small > small.max() / 2]
    full = np.quantile(strong, 0.7)
    return np.rint(255 * np.minimum(small / full, 1)).astype(np.uint8)
