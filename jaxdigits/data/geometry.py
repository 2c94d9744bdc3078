"""MNIST's geometry: a 20×20 box of ink, its centre of mass in the middle of 28×28.

MNIST's digits fill a box of 20 pixels on their longer side, and the box is moved by whole
pixels until its centre of mass lies nearest to pixel (14, 14), counted from 0 [1]; so a shift
never blurs.  In the published files the centre lies within 14 ± ½ on both axes.

[1] LeCun, Bottou, Bengio & Haffner, Proc. IEEE 86(11), 1998, doi:10.1109/5.726791.
"""

import numpy as np

from jaxdigits.errors import DataError

SIDE = 28
BOX = 20
MIDDLE = 14
# A longer side is averaged down first, against camera noise; a digit of 2 % of the picture
# still has MNIST's 20 pixels.
MAX_SIDE = 1024
# Of the strongest ink: fainter pixels are outside the box.
FLOOR = 0.1


def resampling(n_in: int, n_out: int) -> np.ndarray:
    """Return weights W [n_out, n_in] float64 that resample a line of pixels: y = W x.

    Each row sums to 1, so an even line stays even.  To shrink, a pixel is the mean of the
    stretch that it covers, as a scanner measures area; to enlarge, values between two pixel
    centres lie on the straight line, and beyond the last centre the value holds.
    """
    scale = n_in / n_out
    i, j = np.arange(n_out)[:, None], np.arange(n_in)
    if scale >= 1:
        covered = np.minimum(j + 1, (i + 1) * scale) - np.maximum(j, i * scale)
        return np.maximum(covered, 0) / scale
    x = np.clip((i + 0.5) * scale - 0.5, 0, n_in - 1)
    return np.maximum(1 - np.abs(x - j), 0)


def centred(ink: np.ndarray) -> np.ndarray:
    """Place ink [N, h, w], any dtype, h and w <= 28, by its centre of mass in [N, 28, 28].

    An image without ink is placed as if its first pixel had some.  Where the centre of mass
    and the edge of the picture disagree, the edge wins: no ink is lost.
    """
    n, h, w = ink.shape
    mass = np.maximum(ink.sum((1, 2), dtype=np.float64), np.finfo(np.float64).tiny)
    top = _start(ink.sum(2, dtype=np.float64) @ np.arange(h) / mass, h)
    left = _start(ink.sum(1, dtype=np.float64) @ np.arange(w) / mass, w)
    y = np.zeros((n, SIDE, SIDE), ink.dtype)
    rows = top[:, None, None] + np.arange(h)[:, None]
    columns = left[:, None, None] + np.arange(w)
    y[np.arange(n)[:, None, None], rows, columns] = ink
    return y


def _start(centre: np.ndarray, length: int) -> np.ndarray:
    return np.clip(np.floor(MIDDLE - centre + 0.5).astype(int), 0, SIDE - length)


def ink_to_mnist_geometry(ink: np.ndarray) -> np.ndarray:
    """Crop, scale and centre [H, W] ink >= 0, in any unit, as [28, 28] uint8.

    The box of all pixels with a tenth of the strongest ink is cut out.  Its longer side
    becomes 20 pixels, the shorter keeps its proportion, and the strongest pixel becomes 255,
    so a thin pen is as black as a thick one.

    Raises:
      DataError: if all ink is 0.
    """
    if not ink.any():
        raise DataError("no ink found: nothing stands out from the paper")
    strong = ink >= FLOOR * ink.max()
    rows, columns = (np.flatnonzero(strong.any(axis)) for axis in (1, 0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    h, w = (max(1, round(BOX * n / max(ink.shape))) for n in ink.shape)
    small = resampling(ink.shape[0], h) @ ink @ resampling(ink.shape[1], w).T
    return centred(np.rint(255 / small.max() * small).astype(np.uint8)[None])[0]


def edge(image: np.ndarray) -> np.ndarray:
    """Return the outermost pixels [2 H + 2 W] of [H, W]; corners come twice."""
    return np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])


def averaging_step(height: int, width: int) -> int:
    """Return the least k for which averages of k×k pixels have no side over MAX_SIDE."""
    return -(-max(height, width) // MAX_SIDE)


def averaged_down(grey: np.ndarray) -> np.ndarray:
    """Return [H, W] grey, averaged down to at most MAX_SIDE pixels a side."""
    if (k := averaging_step(*grey.shape)) == 1:
        return grey
    from PIL import Image

    return np.asarray(Image.fromarray(np.asarray(grey, np.float32)).reduce(k))
