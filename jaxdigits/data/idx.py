"""The IDX format: an array of numbers behind a header of big-endian integers.

    0x00 0x00, element type (1 byte), rank (1 byte), length of each axis (4 bytes each), data

A file comes from elsewhere, so the reader trusts nothing in it.  It checks the header before it
takes memory, and decompresses no more than the header announces, plus one byte.
"""

import hashlib
import math
from collections.abc import Sequence
from os import PathLike

import numpy as np

from jaxdigits.data.files import content_of
from jaxdigits.errors import DataError

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_BYTES = 1 << 28  # 5 times the largest file of MNIST
MAX_RANK = 8
LONGEST_HEADER = 4 + 4 * MAX_RANK


def read_idx(
    path: str | PathLike[str],
    *,
    shape: Sequence[int | None] | None = None,
    sha256: str | None = None,
) -> np.ndarray:
    """Read the array in an IDX file, gzipped or not: in native byte order, and writable.

    Args:
      path: the file; its first bytes tell whether it is compressed, not its name.
      shape: required lengths of the axes, None for any; by default any shape is accepted.
      sha256: required hex digest of the uncompressed content, header included.

    Raises:
      DataError: if the file is missing, empty, no IDX file, damaged, truncated, too long,
        announces more than 256 MiB, or has another shape or hash than required.
    """
    header, dtype, axes = _header(content_of(path, LONGEST_HEADER, file_most=MAX_BYTES), path)
    if shape is not None and not _fits(axes, shape):
        raise DataError(f"{path}: wrong shape, expected {tuple(shape)}, got {axes}")
    size = math.prod(axes) * dtype.itemsize
    # An axis of 0 makes no array small: NumPy counts the others.
    if math.prod(max(n, 1) for n in axes) * dtype.itemsize > MAX_BYTES:
        raise DataError(f"{path}: header announces {axes}, more than {MAX_BYTES} bytes")
    # One byte too many also makes zlib reach the checksum.
    content = content_of(path, len(header) + size + 1, file_most=MAX_BYTES)
    _require_length(content, len(header) + size, path)
    if len(content) > len(header) + size:
        raise DataError(f"{path}: too long, more bytes than the {size} of shape {axes}")
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(f"{path}: wrong content (SHA-256); get it again")
    array = np.frombuffer(content, dtype, offset=len(header)).reshape(axes)
    return array.astype(dtype.newbyteorder("="))


def _header(content: bytearray, path: object) -> tuple[bytes, np.dtype, tuple[int, ...]]:
    if not content:
        raise DataError(f"{path}: empty file; get it again")
    _require_length(content, 4, path)
    zero, code, rank = content[:2], content[2], content[3]
    if zero != b"\0\0" or code not in DTYPES or not 1 <= rank <= MAX_RANK:
        raise DataError(f"{path}: not an IDX file (it starts with 0x{content[:4].hex()})")
    _require_length(content, 4 + 4 * rank, path)
    header = bytes(content[: 4 + 4 * rank])
    axes = np.frombuffer(header, ">u4", offset=4)
    return header, np.dtype(DTYPES[code]), tuple(axes.tolist())


def _require_length(content: bytearray, length: int, path: object) -> None:
    if len(content) < length:
        missing = length - len(content)
        raise DataError(f"{path}: truncated, {missing} bytes missing; get it again")


def _fits(axes: tuple[int, ...], shape: Sequence[int | None]) -> bool:
    return len(axes) == len(shape) and all(
        required in (None, n) for n, required in zip(axes, shape, strict=True)
    )
