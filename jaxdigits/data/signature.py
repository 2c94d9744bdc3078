"""From a picture of one signature to its ink, of one size and one pen.

    grey [H, W] -> flatten_light -> erase_lines -> no specks -> one width of pen -> [64, 128]

The first steps are those of a single digit (`jaxdigits.data.light`, `jaxdigits.data.ink`).
Media differ by their pen: strokes that are thinner than 3 % of the longer side are widened to
that.
"""

from collections.abc import Sequence
from os import PathLike
from typing import NamedTuple

import numpy as np

from jaxdigits.data.geometry import averaged_down, resampling
from jaxdigits.data.ink import GAP, cropped, erase_lines, pieces_of, require_grey, widen_strokes
from jaxdigits.data.light import LEVEL, flatten_light
from jaxdigits.data.morphology import grown
from jaxdigits.data.picture import read_grey
from jaxdigits.errors import DataError

HEIGHT, WIDTH = 64, 128  # pixels
STROKE = 0.03  # of the longer side: the least width of strokes
FINE = 224  # pixels of the longer side while strokes are widened
SPECK = 0.005  # of all ink: a lighter piece is dirt
# Times the size of the larger: two signatures are so far apart, above each other and side by
# side; the words of one may be.
APART = ((1, 1.0, "above each other"), (0, 2.5, "side by side"))
SHARE = 0.2  # of all ink, of a second signature
PARTS = 4  # of each side, where the light on the paper is compared
EVEN = 0.92  # of the lightest part's paper: the darkest of a scan is lighter


class Signature(NamedTuple):
    """A signature, and how its picture was taken."""

    ink: np.ndarray
    """[64, 128] uint8, ink 255"""
    photograph: bool
    """whether light falls unevenly on the paper, as no scanner's does"""


def read_signature(path: str | PathLike[str]) -> Signature:
    """Read the signature in a picture file.

    Raises:
      DataError: as `data.read_picture` for the file, for a blank picture, and for two
        signatures.
      ImportError: if Pillow is not installed.
    """
    try:
        grey = read_grey(path)
        return Signature(prepare_signature(grey), _is_uneven(grey))
    except DataError as error:
        line = str(error)
        raise DataError(line if str(path) in line else f"{path}: {line}") from error


def mixture_of(names: Sequence[str], photographs: Sequence[bool]) -> str | None:
    """Return a line if photographs and scans are mixed: which, and what to do."""
    if len(set(photographs)) < 2:
        return None
    one, other = (names[list(photographs).index(kind)] for kind in (True, False))
    return (
        f"{one} is a photograph and {other} a scan: strokes of two cameras differ without two "
        "hands; take all pictures in one way"
    )


def prepare_signature(grey: np.ndarray) -> np.ndarray:
    """Return the signature in a picture [H, W], 0 black to 255 white, as [64, 128] uint8.

    Raises:
      DataError: if nothing stands out from the paper, or ink lies in two places.
    """
    require_grey(grey)
    ink = erase_lines(flatten_light(averaged_down(grey)))
    mask = ink >= LEVEL
    if not mask.any():
        raise DataError("no signature: nothing stands out from the paper; pass another picture")
    pieces, count = pieces_of(mask, GAP * max(ink.shape))
    mass = np.bincount(pieces.ravel(), ink.ravel(), count + 1)
    mass[0] = 0
    mask &= (mass >= SPECK * mass.sum())[pieces]
    _require_one(mask)
    return fitted(cropped(np.where(grown(mask), ink, 0)))


def fitted(ink: np.ndarray) -> np.ndarray:
    """Widen the strokes of ink [h, w], and scale it to [64, 128] uint8, centred."""
    ink = widen_strokes(ink, STROKE, FINE)
    scale = min(HEIGHT / ink.shape[0], WIDTH / ink.shape[1])
    h, w = (max(1, round(scale * n)) for n in ink.shape)
    small = resampling(ink.shape[0], h) @ ink @ resampling(ink.shape[1], w).T
    picture = np.zeros((HEIGHT, WIDTH), np.uint8)
    top, left = (HEIGHT - h) // 2, (WIDTH - w) // 2
    picture[top : top + h, left : left + w] = np.rint(255 * small / small.max())
    return picture


def _is_uneven(grey: np.ndarray) -> bool:
    h, w = (n // PARTS for n in grey.shape)
    parts = grey[: PARTS * h, : PARTS * w].reshape(PARTS, h, PARTS, w)
    light = np.median(parts, (1, 3))  # ink covers less than half of a part
    return bool(light.min() < EVEN * light.max())


def _require_one(mask: np.ndarray) -> None:
    """Raise a DataError if ink lies in two bands, far apart."""
    for axis, apart, words in APART:
        line = mask.sum(axis)
        inked = np.flatnonzero(line)
        gaps = np.diff(inked)
        at = int(gaps.argmax()) if len(gaps) else 0
        if not len(gaps):
            continue
        below = line[inked[at + 1] :].sum() / line.sum()
        size = max(inked[at] - inked[0], inked[-1] - inked[at + 1]) + 1
        if gaps[at] > apart * size and SHARE < below < 1 - SHARE:
            raise DataError(f"two pieces of ink {words}: cut out one signature")
