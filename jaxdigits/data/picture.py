"""A picture of one digit, brought to MNIST's geometry.

It may be a drawing, a scan or a photograph, ink dark on light or light on dark, of any size;
what it must be is one digit on paper that is lit evenly, and nothing else beside it.
"""

import warnings
from os import PathLike
from types import ModuleType
from typing import BinaryIO

import numpy as np

from jaxdigits.data.files import require_file
from jaxdigits.data.ink import averaging_step, edge, to_mnist_geometry
from jaxdigits.data.parts import MAX_EXIF, scans_of
from jaxdigits.errors import DataError

MAX_BYTES = 50_000_000
MAX_PIXELS = 64_000_000
MAX_LENGTH = 65_535  # pixels of a side, JPEG's own limit; Pillow keeps a pointer to each row
SCANS = 12  # of that many pixels, and more of fewer; a progressive JPEG has about ten


def read_picture(path: str | PathLike[str]) -> np.ndarray:
    """[28, 28] uint8: the digit in a PNG or JPEG file, as MNIST would show it.

    Any mode of pixel is read; transparency is paper, and a camera's rotation is undone.

    Raises:
      DataError: if the file is missing, over 50 MB or 64 megapixels, no PNG or JPEG, damaged
        or truncated, of very many parts, or if there is no ink in it.
      ImportError: if Pillow is not installed.
    """
    grey = read_grey(path)
    try:
        return to_mnist_geometry(grey)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def read_grey(path: str | PathLike[str]) -> np.ndarray:
    """[H, W] brightness, 0 black to 255 white, uint8 or float32, upright.

    Where a large picture has transparency, it comes averaged down to 1,024 pixels a side.

    Raises:
      DataError, ImportError: as `read_picture`.
    """
    pil = _pillow()
    require_file(path, MAX_BYTES)
    too_large = f"{path}: over {MAX_PIXELS} pixels, or {MAX_LENGTH} in a line; make it smaller"
    try:
        with warnings.catch_warnings(), open(path, "rb") as file:
            # Pillow warns of big or odd files; here they are either refused or read.
            warnings.simplefilter("ignore")
            scans = _scans_of(file, path)
            with pil.Image.open(file, formats=("PNG", "JPEG")) as image:
                pixels = image.width * image.height
                if pixels > MAX_PIXELS or max(image.size) > MAX_LENGTH:
                    raise DataError(too_large)
                if pixels * scans > MAX_PIXELS * SCANS:
                    raise DataError(f"{path}: {scans} scans of {pixels} pixels; save it again")
                if len(image.info.get("Raw profile type exif", "")) > 2 * MAX_EXIF:
                    raise DataError(f"{path}: has over {MAX_EXIF} bytes of EXIF data")
                pil.ImageOps.exif_transpose(image, in_place=True)
                return _grey(image)
    except DataError:
        raise
    except pil.Image.DecompressionBombError as error:
        raise DataError(too_large) from error
    # Decoders meet a damaged file with every kind of exception, from OSError to IndexError.
    except Exception as error:
        reason = type(error).__name__
        raise DataError(f"{path}: not a whole PNG or JPEG ({reason}); save it again") from error


def _scans_of(file: BinaryIO, path: str | PathLike[str]) -> int:
    try:
        return scans_of(file)
    except ValueError as error:
        raise DataError(f"{path}: {error}; save it again") from error


def _grey(image) -> np.ndarray:
    if image.mode.startswith("I"):  # 16 bits, which older versions of Pillow clip at 255
        grey = np.array(image, np.float32)
        grey /= 257
        return grey
    if not image.has_transparency_data:
        return np.asarray(image.convert("L"))
    # Averaged here already: as floats two channels of 64 megapixels would take gigabytes.
    colours = image if image.mode == "RGBA" else image.convert("RGBA")
    small = colours.reduce(averaging_step(image.height, image.width))
    grey, alpha = np.moveaxis(np.asarray(small.convert("LA"), np.float32), 2, 0)
    return _over_paper(grey, alpha / 255)


def _over_paper(grey: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """[H, W] `grey` where it is opaque, paper where it is transparent.

    Paper is what is opaque at the edge.  With a transparent edge all that can be seen is
    ink, and paper is its opposite: white under dark ink, black under light.
    """
    opaque = edge(alpha) >= 0.5
    if opaque.mean() > 0.5:
        paper = np.median(edge(grey)[opaque])
    else:
        paper = 0 if (grey * alpha).sum() > 127.5 * alpha.sum() else 255
    return alpha * grey + (1 - alpha) * paper


def _pillow() -> ModuleType:
    try:
        import PIL.Image
        import PIL.ImageOps
    except ImportError as error:
        raise ImportError("read_picture() needs Pillow: pip install pillow") from error
    return PIL
