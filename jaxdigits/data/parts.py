"""The parts of a PNG or JPEG file, counted before a decoder walks over them.

Pillow walks in Python, and reads whole what a part says of the camera, so a file of a million
empty parts, or one whose EXIF data lead to themselves, would take minutes or gigabytes.  And a
progressive JPEG is decoded once for each scan that it has, however short.
"""

from typing import BinaryIO

MAX_PARTS = 10_000  # of a file; a PNG of 50 MB in parts of 8 kB has 6,000
MAX_EXIF = 1 << 16  # bytes, which is what one part of a JPEG can hold
CHUNK = 1 << 20
START_OF_SCAN = b"\xff\xda"
WITH_LENGTH = {*range(0xC0, 0xD0), *range(0xDA, 0xF0), 0xFE} - {0xC8}  # markers of a JPEG


def scans_of(file: BinaryIO) -> int:
    """How often the pixels of a PNG or JPEG are decoded; the file is then at its beginning.

    A file that is neither, or damaged, has one: the decoder will say what is wrong.

    Raises:
      ValueError: for over 10,000 parts, or over 64 kB of EXIF data.
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
    for _ in range(MAX_PARTS):
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return
        length = int.from_bytes(head[:4], "big")
        if head[4:] == b"eXIf":
            _require(length <= MAX_EXIF, f"has over {MAX_EXIF:,} bytes of EXIF data")
        file.seek(length + 4, 1)  # and the checksum
    raise ValueError(f"has over {MAX_PARTS:,} parts")


def _walk_jpeg(file: BinaryIO) -> None:
    """As Pillow does: up to the first scan, and byte by byte through what is no marker."""
    exif = 0
    for _ in range(MAX_PARTS):
        marker = file.read(2)
        if len(marker) < 2 or marker == START_OF_SCAN:
            return
        if marker[0] != 0xFF or marker[1] == 0xFF:
            file.seek(-1, 1)
        elif marker[1] in WITH_LENGTH:
            part = file.read(max(int.from_bytes(file.read(2), "big") - 2, 0))
            exif += len(part) if part.startswith(b"Exif") else 0
            _require(exif <= MAX_EXIF, f"has over {MAX_EXIF:,} bytes of EXIF data")
    raise ValueError(f"has over {MAX_PARTS:,} parts")


def _further_scans(file: BinaryIO) -> int:
    """From where the file is; inside of a scan 0xFF is always followed by a zero."""
    scans, last = 0, b""
    while chunk := file.read(CHUNK):
        scans += (last + chunk).count(START_OF_SCAN)
        last = chunk[-1:]
    return scans


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
