"""From the brightness of a picture to one row of digits as the network reads it.

    grey [H, W] -> flat_ink -> erase lines -> row_of_digits -> levelled, scaled, widened
                -> ink [32, W]

* Paper is the picture without its dark details, as for single digits (`jaxdigits.data.light`).
  The grain of the paper may be a printed pattern, nearly as dark as the ink: the level between
  both is the mean of their means (Ridler and Calvard [1]).
* Lines are straight and even (`jaxdigits.data.row_lines`).
* The row of digits (`jaxdigits.data.row`): its slope is taken off, and its height becomes 20
  pixels: the median of its digits, or more where the tallest would be cut.

[1] Ridler & Calvard, IEEE Trans. SMC 8(8), 1978, doi:10.1109/TSMC.1978.4310039.
"""

from typing import NamedTuple

import numpy as np

from jaxdigits.data.ink import require_grey, stroke_width
from jaxdigits.data.light import MIN_CONTRAST, WIDEST
from jaxdigits.data.morphology import closing, median_of_sorted, near, quantile
from jaxdigits.data.row import Row, row_of_digits
from jaxdigits.data.row_lines import lines_around_row
from jaxdigits.errors import DataError

ROWS, DIGIT, MARGIN, FRAME = 32, 20, 8, 4  # pixels of the network's input
# Pixels: a larger picture is averaged down first, against camera noise.
MAX_PIXELS = 1 << 19
# Pixels: the deviation of the blur against grain.
BLUR = 0.8
# Standard deviations of the paper: ink differs from it by more, on the mean.
GRAIN = 2
# Of the level between paper and ink: fainter pixels are paper.
FAINT = 0.5
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


def prepare_field(grey: np.ndarray, *, lines: bool = True) -> Field:
    """Return the row of digits in a picture [H, W], as the network reads it.

    Args:
      grey: [H, W] brightness, uint8 or float, 0 black to 255 white.
      lines: erase base lines, rules and boxes; paper without any keeps all strokes.

    Raises:
      DataError: if there is no ink, or no row of digits, or more than one, or a very long one.
      ValueError: if grey is not of rank 2, or is empty, or not all in 0..255.
    """
    require_grey(grey)
    small, step = _averaged(grey)
    ink = flat_ink(small)
    if lines:
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
    paper = closing(grey, window)
    # Light paper reflects a share of the light: ink in a shadow differs less.
    difference = (paper - grey) / (255 if is_dark else np.maximum(paper, MIN_CONTRAST))
    each = np.sort(difference, None)
    usual = median_of_sorted(each)
    difference, each = difference - usual, each - usual
    few = max(1, len(each) // 2000)  # pixels may be darker than the pen: dirt, or noise
    strongest = each[-few]
    if strongest < MIN_CONTRAST / 255:
        raise nothing
    total = np.cumsum(each, dtype=np.float64)
    level, above, below = strongest / 2, 0.0, 0.0
    for _ in range(20):
        n = int(np.searchsorted(each, each.dtype.type(level), "right"))
        above, below = (total[-1] - total[n - 1]) / (len(each) - n), total[n - 1] / n
        level, last = (above + below) / 2, level
        if abs(level - last) < 1e-3 * strongest:
            break
    # Of plain paper half lies below the median, however much ink there is above.
    lower = each[: np.searchsorted(each, each.dtype.type(0))]
    if above - below < GRAIN * 1.4826 * -(median_of_sorted(lower) if lower.size else 0):
        raise nothing
    faint = FAINT * level
    return np.clip((difference - faint) / (2 * (level - faint)), 0, 1).astype(np.float32)


def _is_light_on_dark(grey: np.ndarray) -> bool:
    """Return whether strokes [H, W] are lighter than the paper, which is most of a picture.

    Most pixels are lighter than the darkest near them if the paper is light.  Near is a small
    window for shadows, and a large one for strokes far from the edge.
    """
    step = [max(1, n // 64) for n in grey.shape]
    coarse = np.rint(grey[:: step[0], :: step[1]]).astype(np.uint8)
    both = np.stack([coarse, 255 - coarse])  # light details are dark ones of the negative
    score = 0
    for share in (WIDEST, 1.0):
        closed = closing(both, [max(3, round(share * n)) for n in coarse.shape])
        dark, light = (closed - both).sum((1, 2), dtype=np.int64).tolist()
        score += light - dark
    return score < 0


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
    padded = np.zeros((ink.shape[0] + 2, ink.shape[1] + 2), ink.dtype)
    padded[1:-1, 1:-1] = ink
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
    total = np.zeros((len(image) + 1, image.shape[1]))
    np.cumsum(image, 0, out=total[1:])
    begin = start + (np.arange(count) + 0.5) * scale - size / 2

    def until(y: np.ndarray) -> np.ndarray:
        y = np.clip(y, 0, len(image))
        row = np.minimum(y.astype(int), len(image) - 1)
        return total[row] + (y - row)[:, None] * image[row]

    return ((until(begin + size) - until(begin)) / size).astype(np.float32)


def _widened(fine: np.ndarray) -> np.ndarray:
    """Return the row [32, W] uint8 with no thin strokes, the strongest at 255."""
    mask = fine >= 0.5 * quantile(fine, 0.995)
    add = (STROKE * FINE - stroke_width(mask)) / 2 if mask.any() else 0
    if add > 0:
        # At most 1: a stroke has a width of 2 at least, so pixels 2 off stay as they are.
        fine = np.maximum(fine, np.clip(add + 1 - np.sqrt(np.arange(5)), 0, 1)[near(mask)])
    times = FINE // DIGIT
    h, w = (n // times for n in fine.shape)
    small = fine.reshape(h, times, w, times).mean((1, 3))
    strong = small[small > small.max() / 2]
    full = quantile(strong, 0.7)
    return np.rint(255 * np.minimum(small / full, 1)).astype(np.uint8)
