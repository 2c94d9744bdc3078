"""From the brightness of a picture to the ink of one digit, in steps that one can draw.

    grey [H, W] -> flatten_light -> erase_lines -> find_digit -> widen_strokes -> ink [h, w]

* Uneven light is taken off first (`jaxdigits.data.light`).
* Frames, boxes, rules and axes are long, thin and straight (`jaxdigits.data.lines`).
* Specks, grain and noise are pieces with little ink.  The strokes of one digit may lie apart:
  neighbours are joined before the pieces are weighed.
* A thin pen leaves strokes that vanish when the digit shrinks to 20 pixels, so they are widened
  before that, to the least width of MNIST's own strokes.
"""

import numpy as np

from jaxdigits.data.geometry import FLOOR, averaged_down, ink_to_mnist_geometry, resampling
from jaxdigits.data.light import LEVEL, flatten_light, label_parts
from jaxdigits.data.lines import lines_of
from jaxdigits.data.morphology import depth
from jaxdigits.errors import DataError

# Of the picture's longer side: half the gap between pieces that are one.
GAP = 0.012
# Of the heaviest piece: a lighter one is a speck; and so is one of FAR_SPECK, further away than
# FAR of the heaviest one's longer side.
SPECK, FAR_SPECK, FAR = 0.03, 0.15, 0.25
# Of the heaviest piece: a piece off the border with more is the digit.
BORDER = 0.1
# Of the height of all ink: digits side by side are so tall and so far apart.
TALL, APART = 0.4, 0.06
# Of the digit's longer side: 95 % of MNIST's strokes are wider.
STROKE = 0.08
# Pixels of the digit's longer side while its strokes are widened.
FINE = 60


def to_mnist_geometry(grey: np.ndarray, *, lines: bool = True) -> np.ndarray:
    """Return the digit in `grey` as [28, 28] uint8, ink 255 on paper 0, in MNIST's geometry.

    Args:
      grey: [H, W] brightness, uint8 or float, 0 black to 255 white.
      lines: erase frames, rules and axes; paper without any keeps all strokes.

    Raises:
      DataError: if nothing stands out from the paper, or large pieces stand side by side.
      ValueError: if grey is not of rank 2, or is empty, or not all in 0..255.
    """
    require_grey(grey)
    ink = flatten_light(averaged_down(grey))
    ink = erase_lines(ink) if lines else ink
    return ink_to_mnist_geometry(widen_strokes(find_digit(ink)))


def require_grey(grey: np.ndarray) -> None:
    """Check a picture's brightness.

    Raises:
      ValueError: if grey is not of rank 2, or is empty, or not all in 0..255.
    """
    if grey.ndim != 2 or not grey.size:
        raise ValueError(f"grey must be [H, W] and not empty, got shape {grey.shape}")
    low, high = grey.min(), grey.max()
    if not (low >= 0 and high <= 255):  # also refuses NaN
        raise ValueError(f"grey must be in 0..255, got {low}..{high}")


def erase_lines(ink: np.ndarray) -> np.ndarray:
    """Return the ink [H, W] without frames, boxes, rules and axes; strokes across them stay.

    A picture of nothing else keeps them: one line is a 1.
    """
    lines = lines_of(ink >= LEVEL / 2)  # a faint line is broken at LEVEL
    return np.where(lines, 0, ink)


def find_digit(ink: np.ndarray) -> np.ndarray:
    """Cut the digit [h, w] out of the ink [H, W], without specks.

    Raises:
      DataError: if there is no ink, or if large pieces stand side by side.
    """
    from scipy import ndimage

    mask = ink >= LEVEL
    if not mask.any():
        raise DataError("no ink found: nothing stands out from the paper")
    pieces, count = pieces_of(mask, GAP * max(ink.shape))
    if count > 1:
        pieces = _without_specks(ink, pieces, count)
        mask &= pieces > 0
        _require_one(mask)
    return cropped(np.where(ndimage.maximum_filter(mask, 3), ink, 0))


def cropped(ink: np.ndarray) -> np.ndarray:
    """Return the box of all ink that is not faint."""
    rows, columns = (np.flatnonzero((ink >= FLOOR).any(axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def pieces_of(mask: np.ndarray, radius: float) -> tuple[np.ndarray, int]:
    """Label [H, W] the pieces of a mask, where those nearer than 2 radii are one."""
    from scipy import ndimage

    size = 2 * max(1, round(radius)) + 1
    near = ndimage.maximum_filter(mask, size, mode="constant")
    pieces, count = label_parts(near)
    return pieces * mask, count


def _without_specks(ink: np.ndarray, pieces: np.ndarray, count: int) -> np.ndarray:
    """Return the pieces without dirt, and without the shadows that the border cuts off."""
    from scipy import ndimage

    mass = ndimage.sum_labels(ink, pieces, np.arange(1, count + 1))
    boxes = ndimage.find_objects(pieces)
    at_border = np.array([
        any(s.start == 0 or s.stop == n for s, n in zip(box, ink.shape, strict=True))
        for box in boxes
    ])  # fmt: skip
    inner = np.where(at_border, 0, mass)
    heaviest = int((inner if inner.max() >= BORDER * mass.max() else mass).argmax())
    main = boxes[heaviest]
    side = max(s.stop - s.start for s in main)
    gap = np.array([_gap(box, main) for box in boxes])
    share = mass / mass[heaviest]
    speck = (share < SPECK) | ((share < FAR_SPECK) & (gap > FAR * side))
    speck |= at_border & (not at_border[heaviest]) & (gap > GAP * max(ink.shape))
    return pieces * np.array([False, *~speck])[pieces]


def _gap(box: tuple, other: tuple) -> int:
    """The distance between two boxes, along the axis where it is larger."""
    return max(
        max(a.start - b.stop, b.start - a.stop, 0) for a, b in zip(box, other, strict=True)
    )


def _require_one(mask: np.ndarray) -> None:
    """Raise a DataError if tall pieces stand side by side."""
    from scipy import ndimage

    height = np.ptp(np.flatnonzero(mask.any(1))) + 1
    pieces, count = pieces_of(mask, APART * height / 2)
    if count == 1:
        return
    tall = [x for y, x in ndimage.find_objects(pieces) if y.stop - y.start >= TALL * height]
    columns = np.zeros(mask.shape[1] + 1, int)
    for x in tall:
        columns[x.start : x.stop] += 1
    starts = int((np.diff((columns > 0).astype(int), prepend=0) == 1).sum())
    if starts > 1:
        raise DataError(f"{starts} large pieces stand side by side: cut out one digit")


def widen_strokes(ink: np.ndarray, share: float = STROKE, side: int = FINE) -> np.ndarray:
    """Return the ink [h, w] with no stroke thinner than a share of its longer side.

    95 % of MNIST's strokes are wider than 8 %.  Thin ink comes back with `side` pixels on that
    side.
    """
    h, w = (max(1, round(side * n / max(ink.shape))) for n in ink.shape)
    fine = resampling(ink.shape[0], h) @ ink @ resampling(ink.shape[1], w).T
    fine = np.pad(fine / fine.max(), side // 10)
    mask = fine >= 0.5
    add = (share * side - stroke_width(mask)) / 2
    if add <= 0:
        return ink
    away = depth(~mask)
    return cropped(np.maximum(fine, np.clip(add + 1 - away, 0, 1)))


def stroke_width(mask: np.ndarray) -> float:
    """Return the mean width of the strokes of a mask [H, W] bool, in pixels.

    Of a straight stroke n pixels wide, the mean distance to the nearest paper is (n + 2) / 4.
    """
    return 4 * float(depth(mask)[mask].mean()) - 2
