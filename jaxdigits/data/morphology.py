"""Morphology of pictures and of masks, to the same bits as `scipy.ndimage` and sooner.

SciPy's filters take 5 ns a pixel.  A maximum of two rows takes a tenth of that, and a window of
n pixels takes log₂ n of them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np


def closing(image: np.ndarray, window: Sequence[int]) -> np.ndarray:
    """Return pictures [..., H, W] without dark details that are narrower than a window (h, w).

    The least of the largest values in windows, as `grey_closing` of mode "nearest".
    """
    for axis, size in zip((-2, -1), window, strict=True):
        image = _sliding(np.maximum, image, (size - 1) // 2, size // 2, axis)
    for axis, size in zip((-2, -1), window, strict=True):
        image = _sliding(np.minimum, image, size // 2, (size - 1) // 2, axis)
    return image


def depth(mask: np.ndarray) -> np.ndarray:
    """Return the distance [H, W] of each pixel of a mask to the nearest one outside of it.

    Squares of distances are whole numbers: first down the column, then across the columns, as
    far as any distance goes.
    """
    height, width = mask.shape
    far, y = height + width, np.arange(height, dtype=np.int32)[:, None]
    above = np.maximum.accumulate(np.where(mask, np.int32(-far), y))
    below = np.minimum.accumulate(np.where(mask, np.int32(height + far), y)[::-1])[::-1]
    down = np.minimum(y - above, below - y) ** 2
    square = down.copy()
    for x in range(1, width):
        if x * x >= square.max():
            break
        np.minimum(square[:, x:], down[:, :-x] + x * x, out=square[:, x:])
        np.minimum(square[:, :-x], down[:, x:] + x * x, out=square[:, :-x])
    return np.sqrt(square, dtype=np.float64)


def near(mask: np.ndarray) -> np.ndarray:
    """Return [H, W] the square of the distance to a mask: 0, 1 or 2; and 4 farther off."""
    cross = mask.copy()
    for old, new in ((mask, cross), (mask.T, cross.T)):
        new[1:] |= old[:-1]
        new[:-1] |= old[1:]
    box, cross, own = (each.astype(np.uint8) for each in (grown(mask), cross, mask))
    return 4 - 2 * box - cross - own


def grown(mask: np.ndarray) -> np.ndarray:
    """Return a mask [H, W] with its eight neighbours of each pixel."""
    wide = mask.copy()
    wide[1:] |= mask[:-1]
    wide[:-1] |= mask[1:]
    box = wide.copy()
    box[:, 1:] |= wide[:, :-1]
    box[:, :-1] |= wide[:, 1:]
    return box


def median(values: np.ndarray) -> float:
    """Return the median of values [...]; NaN of none.  To sort is quicker than `np.median`."""
    return median_of_sorted(np.sort(values, None)) if np.size(values) else np.nan


def median_of_sorted(order: np.ndarray) -> float:
    """Return the median of sorted values [N], N >= 1."""
    half = len(order) // 2
    return float(order[half] if len(order) % 2 else (order[half - 1] + order[half]) / 2)


def quantile(values: np.ndarray, share: float) -> float:
    """Return a quantile of values [...]: to rounding that of `np.quantile`, and sooner."""
    place = share * (values.size - 1)
    low, high = int(place), min(int(place) + 1, values.size - 1)
    order = np.partition(values, (low, high), None)
    return float(order[low] + (place - low) * (order[high] - order[low]))


def _sliding(extreme: Any, image: np.ndarray, before: int, after: int, axis: int) -> np.ndarray:
    """Return the extremes of windows from i − before to i + after; values hold at the edge."""
    count, size = image.shape[axis], before + after + 1
    at = lambda *ends: (..., slice(*ends), *[slice(None)] * (-1 - axis))
    shape = list(image.shape)
    shape[axis] += size - 1
    wide = np.empty(shape, image.dtype)
    wide[at(before, before + count)] = image
    wide[at(before)] = image[at(1)]
    wide[at(before + count, None)] = image[at(-1, None)]
    reach = 1
    while reach < size:
        more = min(reach, size - reach)
        wide, reach = extreme(wide[at(-more)], wide[at(more, None)]), reach + more
    return wide
