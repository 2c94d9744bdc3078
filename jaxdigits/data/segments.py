"""The segments of a picture file, counted before Pillow decodes it.

Pillow walks over the chunks of a PNG, the markers of a JPEG and the blocks of a GIF in Python,
and reads EXIF data and a TIFF's tables whole.  So a file of a million empty segments, or with
EXIF data that lead to themselves, would take minutes or gigabytes.  A progressive JPEG is
decoded once for each of its scans, however short; a WebP takes memory for its size when it is
opened, and a BMP with run lengths is decoded in Python.
"""

from typing import BinaryIO, Literal

MAX_PIXELS = 64_000_000
MAX_LENGTH = 65_535  # pixels of a side, JPEG's own limit; Pillow keeps a pointer to each row
SCANS = 12  # of that many pixels, and more of fewer; a progressive JPEG has about ten
MAX_SEGMENTS = 10_000  # of a file; a PNG of 50 MB in chunks of 8 kB has 6,000
MAX_EXIF = 1 << 16  # bytes, the most that one segment of a JPEG can hold
CHUNK = 1 << 20
START_OF_SCAN = b"\xff\xda"
WITH_LENGTH = {*range(0xC0, 0xD0), *range(0xDA, 0xF0), 0xFE} - {0xC8}  # markers of a JPEG
STRIPS = {273, 279, 324, 325}  # tags of a TIFF: the places and sizes of strips and tiles


class Excess(ValueError):
    """A file has more segments, or pixels, than is safe to decode."""


def scans_of(file: BinaryIO) -> int:
    """Count how often the pixels of a file are decoded, and rewind the file.

    Raises:
      Excess: for over 10,000 segments, over 64 kB of EXIF data, or a WebP over 64 megapixels.
    """
    start, scans = file.read(8), 1
    if start == b"\x89PNG\r\n\x1a\n":
        _walk_png(file)
    elif start[:2] == b"\xff\xd8":
        file.seek(2)
        _walk_jpeg(file)
        scans += _further_scans(file)
    elif start.startswith(b"GIF8"):
        _walk_gif(file)
    elif start[:4] in (b"II*\0", b"MM\0*"):
        _walk_tiff(file, "little" if start[:2] == b"II" else "big", start[4:])
    elif start[:2] == b"BM":
        file.seek(30)
        _require(file.read(4) in (b"\0\0\0\0", b"\3\0\0\0"), "is a compressed BMP")
    elif start[:4] == b"RIFF":
        _require(_webp_pixels(file) <= MAX_PIXELS, f"has over {MAX_PIXELS} pixels")
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
    raise Excess(f"has over {MAX_SEGMENTS:,} segments")


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
    raise Excess(f"has over {MAX_SEGMENTS:,} segments")


def _further_scans(file: BinaryIO) -> int:
    """Count from the file's position on; inside a scan a zero follows each 0xFF."""
    scans, last = 0, b""
    while chunk := file.read(CHUNK):
        scans += (last + chunk).count(START_OF_SCAN)
        last = chunk[-1:]
    return scans


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise Excess(message)


def _walk_gif(file: BinaryIO) -> None:
    """Walk over the blocks before the first image."""
    file.seek(10)
    flags = file.read(3)[:1]
    if flags and flags[0] & 0x80:
        file.seek(3 << ((flags[0] & 7) + 1), 1)
    for _ in range(MAX_SEGMENTS):
        if file.read(1) != b"!":  # no extension: the image, or the end
            return
        file.seek(1, 1)
        for _ in range(MAX_SEGMENTS):
            length = file.read(1)
            if length in (b"", b"\0"):
                break
            file.seek(length[0], 1)
        else:
            break
    raise Excess(f"has over {MAX_SEGMENTS:,} segments")


def _walk_tiff(file: BinaryIO, order: Literal["little", "big"], start: bytes) -> None:
    """Check the numbers of strips and tiles of the first page."""
    number = lambda data: int.from_bytes(data, order)
    file.seek(number(start))
    for _ in range(number(file.read(2))):
        entry = file.read(12)
        few = number(entry[:2]) not in STRIPS or number(entry[4:8]) <= MAX_SEGMENTS
        _require(few, f"has over {MAX_SEGMENTS:,} segments")


def _webp_pixels(file: BinaryIO) -> int:
    """Return the number of pixels that the header of a WebP names; 0 for another header."""
    file.seek(12)
    kind, head = file.read(4), file.read(14)
    size = lambda at, bytes_, mask: int.from_bytes(head[at : at + bytes_], "little") & mask
    if kind == b"VP8X":
        return (size(8, 3, 0xFFFFFF) + 1) * (size(11, 3, 0xFFFFFF) + 1)
    if kind == b"VP8L":
        return (size(5, 2, 0x3FFF) + 1) * ((size(6, 3, 0xFFFFFF) >> 6 & 0x3FFF) + 1)
    return size(10, 2, 0x3FFF) * size(12, 2, 0x3FFF) if kind == b"VP8 " else 0
