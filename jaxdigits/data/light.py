"""Ink on paper in whatever light: from the brightness of a picture to the strength of its ink.

Paper is the picture without its dark details: a grey closing, the least of the local maxima.
Light that falls off to one side, and even the edge of a shadow, is no detail, so it stays
paper.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from jaxdigits.data.geometry import edge

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
    patches, count = label_parts(paper < 0.7 * lightest)
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


def label_parts(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """Number [H, W] the connected parts of a mask from 1 on, and count them."""
    from scipy import ndimage

    numbers: Any = ndimage.label(mask)
    return numbers
