"""MNIST's geometry: a 20×20 box of ink, its centre of mass in the middle of 28×28.

MNIST's digits fill a box of 20 pixels on their longer side, and the box is moved by whole
pixels until its centre of mass lies nearest to pixel (14, 14), counted from 0 [1]; so a shift
never blurs.  In the published files the centre lies within 14 ± ½ on both axes.

[1] LeCun, Bottou, Bengio & Haffner, Proc. IEEE 86(11), 1998, doi:10.1109/5.726791.
"""

import numpy as np

SIDE = 28
BOX = 20
MIDDLE = 14


def resampling(n_in: int, n_out: int) -> np.ndarray:
    """Weights W [n_out, n_in] float64 that resample a line of pixels: y = W x.

    Each row sums to 1, so an even line stays even.  To shrink, a pixel is the mean of the
    stretch it covers, as area is what a scanner measures; to enlarge, values between two
    pixel centres are read off the straight line, and beyond the last centre the value holds.
    """
    scale = n_in / n_out
    i, j = np.arange(n_out)[:, None], np.arange(n_in)
    if scale >= 1:
        covered = np.minimum(j + 1, (i + 1) * scale) - np.maximum(j, i * scale)
        return np.maximum(covered, 0) / scale
    x = np.clip((i + 0.5) * scale - 0.5, 0, n_in - 1)
    return np.maximum(1 - np.abs(x - j), 0)


def centred(ink: np.ndarray) -> np.ndarray:
    """[N, h, w] ink, any dtype, h and w <= 28 -> [N, 28, 28], each at its centre of mass.

    An image without ink is put as if its first pixel had some.  Where the centre of mass and
    the edge of the picture disagree, the edge wins: no ink is lost.
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
