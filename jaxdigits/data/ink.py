"""From the brightness of a picture to a digit in MNIST's geometry: arrays in, arrays out."""

import numpy as np

from jaxdigits.data.geometry import BOX, centred, resampling
from jaxdigits.errors import DataError

# A side that is longer is averaged down first, against camera noise; a digit of 2 % of the
# picture still has MNIST's 20 pixels.
MAX_SIDE = 1024
# Of 255: the least difference between ink and paper.  Faint pencil has 30, an empty JPEG 3.
MIN_CONTRAST = 16
# Of the contrast: what is fainter is paper.  Most ringing of JPEG stays below, and MNIST's own
# digits keep the box that they have.
FLOOR = 0.1
# Standard deviations of the paper's grain: of a million pixels none is so far out by chance.
GRAIN = 6


def to_mnist_geometry(grey: np.ndarray) -> np.ndarray:
    """[28, 28] uint8, ink 255 on paper 0: the digit in `grey`, scaled and centred as MNIST.

    Args:
      grey: [H, W] brightness, uint8 or float, 0 black to 255 white.  Its edge must show more
        paper than ink, for that is how the two are told apart.

    Raises:
      DataError: if nothing stands out from the paper.
      ValueError: if grey is not of rank 2, or is empty, or not all in 0..255.
    """
    if grey.ndim != 2 or not grey.size:
        raise ValueError(f"grey must be [H, W] and not empty, got shape {grey.shape}")
    low, high = grey.min(), grey.max()
    if not (low >= 0 and high <= 255):  # also refuses NaN
        raise ValueError(f"grey must be in 0..255, got {low}..{high}")
    return ink_to_mnist_geometry(find_ink(_averaged_down(grey)))


def find_ink(grey: np.ndarray) -> np.ndarray:
    """[H, W] float32 ink, 0 paper to 1 the strongest stroke, of [H, W] grey in 0..255.

    The median of the outermost pixels is paper; ink lies on that side of it, dark or light,
    which goes further away.  What is fainter than a tenth of the strongest ink, or than the
    grain of the paper, becomes 0, unless it touches stronger ink: a stroke has soft edges.
    Where nothing differs from paper by 16 of 255, all is 0.
    """
    grey = np.asarray(grey, np.float32)
    outermost = edge(grey)
    paper = np.median(outermost)
    grain = GRAIN * 1.4826 * np.median(np.abs(outermost - paper))  # 1.4826 MAD = 1 sigma
    dark, light = paper - grey.min(), grey.max() - paper
    contrast = max(dark, light)
    if contrast < MIN_CONTRAST:
        return np.zeros_like(grey)
    ink = (paper - grey if dark >= light else grey - paper) / contrast
    near_ink = _grown(ink >= max(FLOOR, grain / contrast))
    return np.where(near_ink, np.maximum(ink, 0), 0)


def ink_to_mnist_geometry(ink: np.ndarray) -> np.ndarray:
    """[28, 28] uint8 of [H, W] ink >= 0, any unit: cropped, scaled and centred.

    The box around all that has a tenth of the strongest ink is cut out.  Its longer side
    becomes 20 pixels, the shorter keeps its proportion, and the strongest pixel becomes 255,
    so a thin pen is as black as a thick one.

    Raises:
      DataError: if all ink is 0.
    """
    if not ink.any():
        raise DataError(
            "no ink found: nothing stands out from the paper; it should be lit evenly"
        )
    strong = ink >= FLOOR * ink.max()
    rows, columns = (np.flatnonzero(strong.any(axis)) for axis in (1, 0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    h, w = (max(1, round(BOX * n / max(ink.shape))) for n in ink.shape)
    small = resampling(ink.shape[0], h) @ ink @ resampling(ink.shape[1], w).T
    return centred(np.rint(255 / small.max() * small).astype(np.uint8)[None])[0]


def edge(image: np.ndarray) -> np.ndarray:
    """[2 H + 2 W] the outermost pixels of [H, W]; corners come twice."""
    return np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])


def averaging_step(height: int, width: int) -> int:
    """The least k such that with k×k pixels averaged into one no side is over MAX_SIDE."""
    return -(-max(height, width) // MAX_SIDE)


def _averaged_down(grey: np.ndarray) -> np.ndarray:
    k = averaging_step(*grey.shape)
    if k == 1:
        return grey
    starts = [np.arange(0, n, k) for n in grey.shape]
    counts = [np.diff(i, append=n) for i, n in zip(starts, grey.shape, strict=True)]
    rows = np.add.reduceat(grey, starts[0], 0, dtype=np.float32)
    return np.add.reduceat(rows, starts[1], 1) / np.multiply.outer(*counts)


def _grown(mask: np.ndarray) -> np.ndarray:
    """[H, W] bool: what is true, and its eight neighbours."""
    taller = mask.copy()
    taller[1:] |= mask[:-1]
    taller[:-1] |= mask[1:]
    wider = taller.copy()
    wider[:, 1:] |= taller[:, :-1]
    wider[:, :-1] |= taller[:, 1:]
    return wider
