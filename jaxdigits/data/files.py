"""Files that came from elsewhere: of none is more read than was settled beforehand.

A reader says how large its format can be.  What is no regular file (a folder, a pipe that would
be waited for, a device without an end) or is larger is refused before it is opened.
"""

import os
import stat
import zlib
from os import PathLike
from typing import BinaryIO

from jaxdigits.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"
CHUNK = 1 << 16
GZIP = 31  # zlib's word for the format with gzip's header and checksum


def require_file(path: str | PathLike[str], most: int) -> int:
    """The size of a regular file, in bytes.

    Raises:
      DataError: if there is no such file, or it has over `most` bytes.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise DataError(f"{path}: no such file") from error
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{path}: not a file")
    if status.st_size > most:
        raise DataError(f"{path}: over {most:,} bytes, more than such a file may have")
    return status.st_size


def read_file(path: str | PathLike[str], most: int) -> bytes:
    """The content of a file of at most `most` bytes.

    Raises:
      DataError: as `require_file`, or if it cannot be read.
    """
    require_file(path, most)
    try:
        with open(path, "rb") as file:
            return file.read(most)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(f"{path}: cannot be read ({reason})") from error


def content_of(path: str | PathLike[str], most: int, *, file_most: int) -> bytearray:
    """The first `most` bytes in a file, gzipped or not, which its own first bytes tell.

    Of a stream that ends within them its checksum was right, and nothing is behind it.

    Args:
      file_most: bytes that the file itself may have.

    Raises:
      DataError: as `require_file`; for a damaged stream, or bytes behind it.
    """
    require_file(path, file_most)
    try:
        with open(path, "rb") as file:
            start = file.read(len(GZIP_MAGIC))
            file.seek(0)
            return _gunzipped(file, most) if start == GZIP_MAGIC else bytearray(file.read(most))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: damaged or unreadable ({error}); get it again") from error


def _gunzipped(file: BinaryIO, most: int) -> bytearray:
    """By zlib itself: Python's gzip reads names in headers, and empty members, byte by byte."""
    stream, content = zlib.decompressobj(wbits=GZIP), bytearray()
    while len(content) < most and not stream.eof:
        # What is left of the input includes the checksum until all output has been given.
        chunk = stream.unconsumed_tail or file.read(CHUNK)
        if not chunk:
            raise EOFError("the compressed stream ends early")
        content += stream.decompress(chunk, min(CHUNK, most - len(content)))
    if stream.eof and (stream.unused_data or file.read(1)):
        raise EOFError("there are bytes behind the compressed stream")
    return content
