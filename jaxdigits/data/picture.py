"""A picture of one digit, brought to MNIST's geometry.

It may be a drawing, a scan or a photograph, ink dark on light or light on dark, of any size;
it must show one digit on evenly lit paper, and nothing else.

The segments of a file (chunks of a PNG, markers of a JPEG) are counted before Pillow decodes
it.  Pillow walks over them in Python, and reads EXIF data whole, so a file of a million empty
segments, or with EXIF data that lead to themselves, would take minutes or gigabytes.  And a
progressive JPEG is decoded once for each of its scans, however short.
"""

import warnings
from os import PathLike
from types import ModuleType
from typing import BinaryIO

import numpy as np

from jaxdigits.data.files import require_file
from jaxdigits.data.geometry import averaging_step, edge, to_mnist_geometry
from jaxdigits.errors import DataError

MAX_BYTES = 50_000_000
MAX_PIXELS = 64_000_000
MAX_LENGTH = 65_535  # pixels of a side, JPEG's own limit; Pillow keeps a pointer to each row
SCANS = 12  # of that many pixels, and more of fewer; a progressive JPEG has about ten
MAX_SEGMENTS = 10_000  # of a file; a PNG of 50 MB in chunks of 8 kB has 6,000
MAX_EXIF = 1 << 16  # bytes, the most that one segment of a JPEG can hold
CHUNK = 1 << 20
START_OF_SCAN = b"\xff\xda"
WITH_LENGTH = {*range(0xC0, 0xD0), *range(0xDA, 0xF0), 0xFE} - {0xC8}  # markers of a JPEG


def read_picture(path: str | PathLike[str]) -> np.ndarray:
    """Read the digit in a PNG or JPEG file as [28, 28] uint8, as MNIST would show it.

    Any mode of pixel is read; transparency is paper, and a camera's rotation is undone.

    Raises:
      DataError: if the file is missing, over 50 MB or 64 megapixels, no PNG or JPEG, damaged
        or truncated, of very many segments, or if there is no ink in it.
      ImportError: if Pillow is not installed.
    """
    grey = read_grey(path)
    try:
        return to_mnist_geometry(grey)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def read_grey(path: str | PathLike[str]) -> np.ndarray:
    """Read [H, W] brightness, 0 black to 255 white, uint8 or float32, upright.

    A large picture with transparency comes averaged down to 1,024 pixels a side.

    Raises:
      DataError, ImportError: as `read_picture`.
    """
    pil = _pillow()
    require_file(path, MAX_BYTES)
    too_large = f"{path}: over {MAX_PIXELS} pixels, or {MAX_LENGTH} in a line; make it smaller"
    try:
        with warnings.catch_warnings(), open(path, "rb") as file:
            # Pillow warns of big or odd files; here they are either rejected or read.
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
    # For a damaged file decoders raise every kind of exception, from OSError to IndexError.
    except Exception as error:
        reason = type(error).__name__
        raise DataError(f"{path}: not a whole PNG or JPEG ({reason}); save it again") from error


def _scans_of(file: BinaryIO, path: str | PathLike[str]) -> int:
    try:
        return scans_of(file)
    except ValueError as error:
        raise DataError(f"{path}: {error}; save it again") from error


def scans_of(file: BinaryIO) -> int:
    """Count how often the pixels of a PNG or JPEG are decoded, and rewind the file.

    Any other file, or a damaged one, counts 1: its decoder raises an error.

    Raises:
      ValueError: for over 10,000 segments, or over 64 kB of EXIF data.
    """
    start, scans = file.read(8), 1
    if start == b"\x89PNG\r\n\x1a\n":
        _walk_png(file)
    elif start[:2] == b"\xff\xd8":
        file.seek(2)
        _walk_jpeg(file)
        scans += _further_scans(file)
    file.seek(0)
    return scans


def _walk_png(file: BinaryIO) -> None:
    for _ in range(MAX_SEGMENTS):
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return
        length = int.from_bytes(head[:4], "big")
        if head[4:] == b"eXIf":
            _require(length <= MAX_EXIF, f"has over {MAX_EXIF:,} bytes of EXIF data")
        file.seek(length + 4, 1)  # and the checksum
    raise ValueError(f"has over {MAX_SEGMENTS:,} segments")


def _walk_jpeg(file: BinaryIO) -> None:
    """Walk as Pillow does: up to the first scan, and byte by byte over all but markers."""
    exif = 0
    for _ in range(MAX_SEGMENTS):
        marker = file.read(2)
        if len(marker) < 2 or marker == START_OF_SCAN:
            return
        if marker[0] != 0xFF or marker[1] == 0xFF:
            file.seek(-1, 1)
        elif marker[1] in WITH_LENGTH:
            segment = file.read(max(int.from_bytes(file.read(2), "big") - 2, 0))
            exif += len(segment) if segment.startswith(b"Exif") else 0
            _require(exif <= MAX_EXIF, f"has over {MAX_EXIF:,} bytes of EXIF data")
    raise ValueError(f"has over {MAX_SEGMENTS:,} segments")


def _further_scans(file: BinaryIO) -> int:
    """Count from the file's position on; inside a scan a zero follows each 0xFF."""
    scans, last = 0, b""
    while chunk := file.read(CHUNK):
        scans += (last + chunk).count(START_OF_SCAN)
        last = chunk[-1:]
    return scans


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


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
