"""Reading the IDX format: an array of numbers behind a header of big-endian integers.

    0x00 0x00, element type (1 byte), rank (1 byte), length of each axis (4 bytes each), data

A file comes from elsewhere, so nothing in it is believed: the header is checked before memory
is taken, and no more is ever decompressed than the header announces, plus one byte.
"""

import gzip
import hashlib
import math
import zlib
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from jaxdigits.data.dataset import DataError

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_BYTES = 1 << 30  # 19 times the largest file of MNIST
MAX_RANK = 8
GZIP_MAGIC = b"\x1f\x8b"


def read_idx(
    path: str | PathLike[str],
    *,
    shape: Sequence[int | None] | None = None,
    sha256: str | None = None,
) -> np.ndarray:
    """The array in an IDX file, gzipped or not: in native byte order, and writable.

    Args:
      path: the file; compression is seen from its first bytes, not from its name.
      shape: lengths the axes must have, None for any; by default any shape will do.
      sha256: hex digest that the uncompressed content must have, header included.

    Raises:
      DataError: if the file is missing, empty, no IDX file, damaged, truncated, has bytes to
        spare, announces more than 1 GiB, or is not of the shape or the hash asked for.
    """
    try:
        if not Path(path).is_file():
            raise DataError(f"{path}: no such file")
        with open(path, "rb") as file:
            return _parse(_uncompressed(file, path), path, shape, sha256)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: damaged or unreadable ({error}); get it again") from error


def _uncompressed(file: BinaryIO, path: object) -> BinaryIO:
    magic = file.read(2)
    file.seek(0)
    if not magic:
        raise DataError(f"{path}: empty file; get it again")
    return cast("BinaryIO", gzip.GzipFile(fileobj=file)) if magic == GZIP_MAGIC else file


def _parse(
    stream: BinaryIO, path: object, shape: Sequence[int | None] | None, sha256: str | None
) -> np.ndarray:
    header, dtype, axes = _header(stream, path)
    if shape is not None and not _fits(axes, shape):
        raise DataError(f"{path}: wrong shape, expected {tuple(shape)}, got {axes}")
    size = math.prod(axes) * dtype.itemsize
    if size > MAX_BYTES:
        raise DataError(f"{path}: header announces {size} bytes, more than {MAX_BYTES}")
    content = _exactly(stream, size, path)
    # This read also reaches gzip's checksum, which is tested only at the end of the stream.
    if stream.read(1):
        raise DataError(f"{path}: too long, more bytes than the {size} of shape {axes}")
    if sha256 is not None:
        digest = hashlib.sha256(header)
        digest.update(content)
        if digest.hexdigest() != sha256:
            raise DataError(f"{path}: content is not the expected one (SHA-256); get it again")
    return np.frombuffer(content, dtype).reshape(axes).astype(dtype.newbyteorder("="))


def _header(stream: BinaryIO, path: object) -> tuple[bytes, np.dtype, tuple[int, ...]]:
    magic = _exactly(stream, 4, path)
    zero, code, rank = magic[:2], magic[2], magic[3]
    if zero != b"\0\0" or code not in DTYPES or not 1 <= rank <= MAX_RANK:
        raise DataError(f"{path}: not an IDX file (it starts with 0x{magic.hex()})")
    axes = _exactly(stream, 4 * rank, path)
    return magic + axes, np.dtype(DTYPES[code]), tuple(np.frombuffer(axes, ">u4").tolist())


def _exactly(stream: BinaryIO, size: int, path: object) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise DataError(f"{path}: truncated, {size - len(content)} bytes missing; get it again")
    return content


def _fits(axes: tuple[int, ...], shape: Sequence[int | None]) -> bool:
    return len(axes) == len(shape) and all(
        want is None or want == got for got, want in zip(axes, shape, strict=True)
    )
