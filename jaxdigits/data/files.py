"""Files from elsewhere: how much of one is read is settled before it is opened.

A reader says how large its format can be.  A path that is no regular file (a folder, a pipe
that would be waited for, an endless device) or a larger file is rejected unopened.
The directory of a zip archive has a limit too, and archives of this package are not compressed.
"""

import errno
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from os import PathLike
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

from jaxdigits.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"
CHUNK = 1 << 16
GZIP = 31  # zlib's word for the format with gzip's header and checksum
MAX_DIRECTORY = 1 << 20  # bytes, of some 10,000 names; read at once, and parsed in Python
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)
"""the errors of `zipfile` for a damaged archive, besides OSError and ValueError"""


def require_file(path: str | PathLike[str], most: int) -> int:
    """Return the size of a regular file, in bytes.

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
        raise DataError(f"{path}: over {most:,} bytes, the limit for such a file")
    return status.st_size


Source = str | PathLike[str] | BinaryIO
"""a path, or a binary file that is open, as `in_memory` makes"""


def in_memory(content: bytes, name: str) -> BinaryIO:
    """Return bytes as a binary file; errors of its reader begin with the name."""
    file: Any = BytesIO(content)
    file.name = name
    return file


def name_of(source: Source) -> str:
    """Return the name of a file, for errors."""
    if isinstance(source, str | PathLike):
        return os.fsdecode(source)
    return str(getattr(source, "name", "the file"))


@contextmanager
def opened(source: Source, most: int) -> Iterator[BinaryIO]:
    """Yield a file of at most `most` bytes, at its start; one that is open already stays open.

    Raises:
      DataError: as `require_file`.
    """
    if isinstance(source, str | PathLike):
        require_file(source, most)
        with open(source, "rb") as file:
            yield file
        return
    size = source.seek(0, os.SEEK_END)
    if size > most:
        raise DataError(f"{name_of(source)}: over {most:,} bytes, the limit for such a file")
    source.seek(0)
    yield source


def read_file(path: Source, most: int) -> bytes:
    """Read a file of at most `most` bytes.

    Raises:
      DataError: as `require_file`, or if it cannot be read.
    """
    try:
        with opened(path, most) as file:
            return file.read(most)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(f"{name_of(path)}: cannot be read ({reason})") from error


def replace_file(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Write a file beside `path`, flush it to the disk, and move it there.

    Raises:
      OSError: with the name of `path`; an earlier file is then still there.
    """
    part = path.with_name(f".{path.name}-{os.getpid()}")  # tempfile's only its owner may read
    try:
        if path.exists() and not path.is_file():  # a folder, or a device
            raise OSError(errno.EINVAL, "not a file that can be replaced")
        with open(part, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise


def content_of(path: str | PathLike[str], most: int, *, file_most: int) -> bytearray:
    """Read the first `most` bytes of a file, unpacked if it starts as gzip does.

    If a gzip stream ends within them, its checksum is right and nothing follows it.

    Args:
      file_most: most bytes of the file itself.

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
    """Unpack by zlib: Python's gzip reads names in headers and empty members byte by byte."""
    stream, content = zlib.decompressobj(wbits=GZIP), bytearray()
    while len(content) < most and not stream.eof:
        # The rest of the input includes the checksum until all output has been given.
        chunk = stream.unconsumed_tail or file.read(CHUNK)
        if not chunk:
            raise EOFError("the compressed stream ends early")
        content += stream.decompress(chunk, min(CHUNK, most - len(content)))
    if stream.eof and (stream.unused_data or file.read(1)):
        raise EOFError("there are bytes behind the compressed stream")
    return content


def open_archive(file: BinaryIO) -> zipfile.ZipFile:
    """Open the zip archive in an open file.

    Raises:
      ValueError: if its directory is over 1 MB.
      OSError, BROKEN: if it is damaged.
    """

    def read(size: int = -1) -> bytes:
        content = file.read(size if 0 <= size <= MAX_DIRECTORY else MAX_DIRECTORY + 1)
        if len(content) > MAX_DIRECTORY:
            raise ValueError(f"its directory is over {MAX_DIRECTORY:,} bytes")
        return content

    limited: Any = SimpleNamespace(
        read=read, seek=file.seek, tell=file.tell, seekable=file.seekable, close=lambda: None
    )
    return zipfile.ZipFile(limited)


def require_stored(path: str | PathLike[str], most: int) -> None:
    """Check that no member of an archive is compressed, so none is larger than the file.

    Raises:
      ValueError: if it is no regular file, has a compressed member, members of over `most`
        bytes or more than the file has, or a directory of over 1 MB.
      OSError, BROKEN: if it is damaged.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError("it is not a file")
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        with open_archive(file) as archive:
            members = archive.infolist()
        if sum(member.file_size for member in members) > min(size, most):
            raise ValueError("it is too large")
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("it is compressed, which this package never does")
