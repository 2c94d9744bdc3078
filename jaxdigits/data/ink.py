"""From the brightness of a picture to the ink of one digit, in steps that one can draw.

    grey [H, W] -> flatten_light -> erase_lines -> find_digit -> widen_strokes -> ink [h, w]

* Paper is the picture without its dark details: a grey closing, the least of the local
  maxima.  Light that falls off to one side, and even the edge of a shadow, is no detail, so
  it stays paper.
* Frames, boxes, rules and axes are long, thin and straight (`jaxdigits.data.lines`).
* Specks, grain and noise are pieces with little ink.  The strokes of one digit may lie apart:
  neighbours are joined before the pieces are weighed.
* A thin pen leaves strokes that vanish when the digit shrinks to 20 pixels, so they are widened
  before that, to the least width of MNIST's own strokes.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from jaxdigits.data.geometry import (
    FLOOR,
    averaged_down,
    edge,
    ink_to_mnist_geometry,
    resampling,
)
from jaxdigits.data.lines import lines_of
from jaxdigits.data.morphology import depth
from jaxdigits.errors import DataError

# Of 255: the least difference between ink and paper.  Faint pencil has 30, an empty JPEG 3.
MIN_CONTRAST = 16
# Of the picture's sides: a dark detail that is wider is a shadow.
WIDEST = 0.5
# Pixels of the longer side: a smaller picture is a drawing, with the same paper everywhere.
PHOTOGRAPH = 64
# Of the edge's pixels: so many have to be near ink to tell light paper from dark.
TELLING = 0.1
# Of the strongest ink: fainter pixels are paper, unless they touch ink.
LEVEL = 0.35
# Pixels a side, and a share of them: in so small a picture, so many pixels as light as the
# lightest are drawn paper, without a light that falls off.
DRAWN, EVEN = 128, 0.5
# Standard deviations of the paper's grain: of a million pixels none is so far out by chance.
GRAIN = 6
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


def flatten_light(grey: np.ndarray) -> np.ndarray:
    """Return ink [H, W] float32, 0 paper to 1 the strongest stroke, whatever the light.

    Ink is dark if most of the picture's edge is light, and light if it is dark.  Grain is
    averaged out, over at most a twentieth of the picture.  If nothing differs from the paper
    around it by 16 of 255, or by less than the grain that is left, all is 0.

    Args:
      grey: [H, W] brightness, 0 black to 255 white.
    """
    from scipy import ndimage  # imported here, as most programs read no picture

    grey = _evenly_lit(np.asarray(grey, np.float32))
    side = max(grey.shape)
    size = 3 if side > 128 else 1
    while True:
        difference, paper, grain = _details(ndimage.uniform_filter(grey, size, mode="nearest"))
        strongest = _strongest(difference)
        size += 4
        if GRAIN * grain <= LEVEL * strongest or size > side // 20:
            break
    if difference.max() < MIN_CONTRAST or strongest < GRAIN * grain:
        return np.zeros_like(grey)
    # Paper reflects a share of the light: ink in a shadow differs less.
    ink = difference / paper
    ink = np.minimum(ink / max(_strongest(ink), 1e-6), 1)
    mask = (ink >= LEVEL) & (difference >= GRAIN * grain)
    return np.where(ndimage.maximum_filter(mask, 3), ink, 0)


def _without_blots(paper: np.ndarray) -> np.ndarray:
    """Return the paper [H, W] without dark patches off the edge: shadows come from outside."""
    lightest = paper.max()
    patches, count = _label(paper < 0.7 * lightest)
    if not count:
        return paper
    inner = np.ones(count + 1, bool)
    inner[np.unique(edge(patches))] = False
    inner[0] = False
    return np.where(inner[patches], lightest, paper)


def _evenly_lit(grey: np.ndarray) -> np.ndarray:
    """Divide [H, W] grey by the slow light of light paper: exp of a quadratic in x and y.

    The quadratic follows the upper envelope of a coarse copy: blocks below it count little.
    """
    if grey.size <= DRAWN**2 and np.count_nonzero(grey == grey.max()) > EVEN * grey.size:
        return grey
    step = -(-max(grey.shape) // 32)
    h, w = (n // step for n in grey.shape)
    if min(h, w) < 8 or np.median(grey) < 64:
        return grey
    blocks = grey[: h * step, : w * step].reshape(h, step, w, step).swapaxes(1, 2)
    log = np.log(np.maximum(np.quantile(blocks.reshape(h * w, -1), 0.75, 1), 1))
    terms = lambda y, x: np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], -1)
    at = [
        (np.arange(n) + 0.5) * step / size * 2 - 1
        for n, size in ((h, grey.shape[0]), (w, grey.shape[1]))
    ]
    coarse = terms(*np.meshgrid(*at, indexing="ij")).reshape(h * w, -1)
    weight, fit = np.ones(h * w), np.zeros(6)
    for _ in range(6):
        root = np.sqrt(weight)[:, None]
        fit = np.linalg.lstsq(coarse * root, log * root[:, 0], rcond=None)[0]
        below = np.maximum(coarse @ fit - log, 0)
        weight = 1 / (1 + (below / 0.05) ** 2)
    if np.quantile(np.abs(coarse @ fit - log), 0.7) > 0.05:  # a shadow is no slow light
        return grey
    y, x = (((np.arange(n) + 0.5) / n * 2 - 1).astype(np.float32) for n in grey.shape)
    a = fit.astype(np.float32)
    light = a[0] + a[1] * x + a[3] * x * x + (a[2] * y + a[5] * y * y)[:, None]
    light += a[4] * np.outer(y, x)
    light = np.exp(light - light.max())
    return np.minimum(grey / np.maximum(light, 0.05), 255)


def _details(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return (difference, light, grain): how far each pixel of [H, W] is from paper.

    light: of the paper, where it reflects light; 255 where the paper is dark.
    grain: the standard deviation of plain paper.
    """
    from scipy import ndimage

    around = edge(grey)
    if max(grey.shape) < PHOTOGRAPH:
        paper = np.full_like(grey, np.median(around))
        light_paper = paper[0, 0] - grey.min() >= grey.max() - paper[0, 0]
    else:
        window = [round(WIDEST * n) for n in grey.shape]
        lightest, darkest = (
            partial(extreme, size=window, mode="nearest")
            for extreme in (ndimage.maximum_filter, ndimage.minimum_filter)
        )
        high, low = lightest(grey), darkest(grey)
        closed, opened = cache(lambda: darkest(high)), cache(lambda: lightest(low))
        light_paper = _has_light_paper(grey, high, low, closed, opened)
        paper = _without_blots(closed()) if light_paper else opened()
    difference = paper - grey if light_paper else grey - paper
    light = np.maximum(paper, MIN_CONTRAST) if light_paper else np.full_like(grey, 255)
    # Plain paper lies below its local maxima by a few deviations everywhere.
    plain = difference if max(grey.shape) >= PHOTOGRAPH else edge(difference)
    bias = np.median(plain)
    grain = 1.4826 * float(np.median(np.abs(plain - bias)))  # 1.4826 MAD = 1 sigma
    return np.maximum(difference - bias, 0), light, grain


def _has_light_paper(
    grey: np.ndarray,
    high: np.ndarray,
    low: np.ndarray,
    closed: Callable[[], np.ndarray],
    opened: Callable[[], np.ndarray],
) -> bool:
    """Return whether the paper of [H, W] is lighter than the ink.

    At the edge of the picture, most pixels near ink are as light as any near them, or as dark.
    If all ink is far from the edge, the pixels that touch it decide.  Details are strokes, or
    the holes between them, and the paper is all around.

    Args:
      high, low: the lightest and the darkest pixel near each.
      closed, opened: return the picture without its dark details, or without its light ones.
    """
    from scipy import ndimage

    telling = edge(high - low) > (grey.max() - grey.min()) / 2
    if telling.mean() > TELLING:
        return bool(edge(2 * grey - high - low)[telling].sum(dtype=np.float64) >= 0)
    detail = np.maximum(closed() - grey, grey - opened())
    inside = detail > detail.max() / 2
    grown = lambda size: np.asarray(ndimage.maximum_filter(inside, size), bool)
    ring = grown(5) & ~grown(3)
    mean = lambda image: ndimage.uniform_filter(image, 5, mode="constant")[ring]
    share = np.maximum(mean(inside.astype(np.float32)), 1e-6)
    touched = mean(np.where(inside, grey, 0)) / share
    return not ring.any() or bool((grey[ring] >= touched).mean() >= 0.5)


def _strongest(ink: np.ndarray) -> float:
    """Return the ink of the pen: but for one pixel in 2,000, dirt or noise, the strongest."""
    few = max(1, ink.size // 2000)
    strong = ink[ink > ink.max() / 2]  # mostly enough, and few to sort
    return np.partition(strong if len(strong) >= few else ink, -few, None)[-few]


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


def _label(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """Number [H, W] the connected parts of a mask from 1 on, and count them."""
    from scipy import ndimage

    numbers: Any = ndimage.label(mask)
    return numbers


def pieces_of(mask: np.ndarray, radius: float) -> tuple[np.ndarray, int]:
    """Label [H, W] the pieces of a mask, where those nearer than 2 radii are one."""
    from scipy import ndimage

    size = 2 * max(1, round(radius)) + 1
    near = ndimage.maximum_filter(mask, size, mode="constant")
    pieces, count = _label(near)
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
