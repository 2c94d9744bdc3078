"""A picture of one digit, brought to MNIST's geometry.

It may be a drawing, a scan or a photograph, ink dark on light or light on dark, of any size,
with one digit on it.  `jaxdigits.data.light` says which light it may have, and
`jaxdigits.data.ink` which lines.
"""

import warnings
from types import ModuleType

import numpy as np

from jaxdigits.data.files import Source, name_of, opened
from jaxdigits.data.geometry import averaging_step, edge
from jaxdigits.data.ink import to_mnist_geometry
from jaxdigits.data.segments import MAX_EXIF, MAX_LENGTH, MAX_PIXELS, SCANS, Excess, scans_of
from jaxdigits.errors import DataError

MAX_BYTES = 50_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")


def read_picture(path: Source) -> np.ndarray:
    """Read the digit in a picture file as [28, 28] uint8, as MNIST would show it.

    PNG, JPEG, WebP, BMP, TIFF and GIF are read, of several frames or pages the first.  Any mode
    of pixel is read; transparency is paper, and a camera's rotation is undone.

    Args:
      path: of the file, or a binary file that is open.

    Raises:
      DataError: if the file is missing, over 50 MB or 64 megapixels, of another format,
        damaged or truncated, of very many segments, or if there is no ink in it, or if large
        pieces stand side by side.
      ImportError: if Pillow is not installed.
    """
    grey = read_grey(path)
    try:
        return to_mnist_geometry(grey)
    except DataError as error:
        raise DataError(f"{name_of(path)}: {error}") from error


def read_grey(path: Source) -> np.ndarray:
    """Read [H, W] brightness, 0 black to 255 white, uint8 or float32, upright.

    A large picture with transparency comes averaged down to 1,024 pixels a side.

    Raises:
      DataError, ImportError: as `read_picture`.
    """
    pil, name = _pillow(), name_of(path)
    too_large = f"{name}: over {MAX_PIXELS} pixels, or {MAX_LENGTH} in a line; make it smaller"
    try:
        with warnings.catch_warnings(), opened(path, MAX_BYTES) as file:
            # Pillow warns of big or odd files; here they are either rejected or read.
            warnings.simplefilter("ignore")
            scans = scans_of(file)
            with pil.Image.open(file, formats=FORMATS) as image:
                pixels = image.width * image.height
                if pixels > MAX_PIXELS or max(image.size) > MAX_LENGTH:
                    raise DataError(too_large)
                if pixels * scans > MAX_PIXELS * SCANS:
                    raise DataError(f"{name}: {scans} scans of {pixels} pixels; save it again")
                if len(image.info.get("Raw profile type exif", "")) > 2 * MAX_EXIF:
                    raise DataError(f"{name}: has over {MAX_EXIF} bytes of EXIF data")
                pil.ImageOps.exif_transpose(image, in_place=True)
                return _grey(image)
    except DataError as error:
        raise DataError(
            str(error) if str(error).startswith(name) else f"{name}: {error}"
        ) from error
    except Excess as error:
        raise DataError(f"{name}: {error}; save it again") from error
    except pil.UnidentifiedImageError as error:
        raise DataError(f"{name}: {_unknown(path)}") from error
    except pil.Image.DecompressionBombError as error:
        raise DataError(too_large) from error
    # For a damaged file decoders raise every kind of exception, from OSError to IndexError.
    except Exception as error:
        raise DataError(f"{name}: not a whole picture; save it again") from error


def _unknown(path: Source) -> str:
    """Return what is wrong with a file that no decoder takes."""
    with opened(path, MAX_BYTES) as file:
        start = file.read(12)
    known = (b"\x89PNG", b"\xff\xd8", b"BM", b"II*\0", b"MM\0*", b"GIF8")
    if start.startswith(known) or (start[:4] == b"RIFF" and start[8:] == b"WEBP"):
        return "not a whole picture; save it again"
    return "not a PNG, JPEG, WebP, BMP, TIFF or GIF; convert it to PNG or JPEG"


def _grey(image) -> np.ndarray:
    if image.mode.startswith(("I", "F")):  # which Pillow would clip at 255
        return _in_8_bits(np.array(image, np.float32), image.mode == "F")
    if not image.has_transparency_data:
        return np.asarray(image.convert("L"))
    # Averaged here already: as floats two channels of 64 megapixels would take gigabytes.
    colours = image if image.mode == "RGBA" else image.convert("RGBA")
    small = colours.reduce(averaging_step(image.height, image.width))
    grey, alpha = np.moveaxis(np.asarray(small.convert("LA"), np.float32), 2, 0)
    return _over_paper(grey, alpha / 255)


def _in_8_bits(grey: np.ndarray, floats: bool) -> np.ndarray:
    """Return [H, W] brightness in 0..255, of 8, 12 or 16 bits, or of floats in 0..1.

    Files of 16 bits often hold the values of a camera with 12, or of a screen with 8.
    """
    low, high = grey.min(), grey.max()
    if not (low >= 0 and high <= 65535):  # also refuses NaN
        raise DataError(f"has brightness {low:g} to {high:g}; save it with 8 or 16 bits")
    full = 1 if floats and high <= 1 else next(2**n - 1 for n in (8, 12, 16) if high < 2**n)
    grey *= 255 / full
    return grey


def _over_paper(grey: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return [H, W] `grey` where it is opaque, paper where it is transparent.

    The opaque part of the edge is paper.  If the edge is transparent, all visible pixels are
    ink, and paper is their opposite: white under dark ink, black under light.
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
