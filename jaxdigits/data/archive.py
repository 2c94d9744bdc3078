"""Zip archives that came from elsewhere: a directory of bounded size, and no bombs."""

import os
import stat
import zipfile
import zlib
from os import PathLike
from types import SimpleNamespace
from typing import Any, BinaryIO

MAX_DIRECTORY = 1 << 20  # bytes, of some 10,000 names; read at once, and parsed in Python
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)
"""what `zipfile` raises on a damaged archive, besides OSError and ValueError"""


def open_archive(file: BinaryIO) -> zipfile.ZipFile:
    """An archive in an open file.

    Raises:
      ValueError: if its directory is over 1 MB.
      OSError, BROKEN: if it is damaged.
    """

    def read(size: int = -1) -> bytes:
        found = file.read(size if 0 <= size <= MAX_DIRECTORY else MAX_DIRECTORY + 1)
        if len(found) > MAX_DIRECTORY:
            raise ValueError(f"its directory is over {MAX_DIRECTORY:,} bytes")
        return found

    limited: Any = SimpleNamespace(
        read=read, seek=file.seek, tell=file.tell, seekable=file.seekable, close=lambda: None
    )
    return zipfile.ZipFile(limited)


def require_stored(path: str | PathLike[str], most: int) -> None:
    """Check that an archive's members come from it as they lie in it: none is compressed.

    What they unfold to is then no more than the file has.

    Raises:
      ValueError: for what is no regular file, a compressed member, members of over `most`
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
