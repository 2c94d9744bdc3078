"""Inputs for `experiments/fuzz.py`: small good files, and ways to spoil them.

A format with checksums is spoiled behind them too: its content is changed and wrapped again, so
the checksum alone does not reveal the change.
"""

import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np

EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000,
            0xFFFFFFFE, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)  # fmt: skip
VALUES = (None, True, -1, 0, 1, 10**3, 10**6, 10**9, 10**18, 10**400, 0.5, 1e300, -1e300,
          "", "a" * 1000, "image", "lif", [], [1], [10**9], [1] * 1000, [[1]], {},
          {"a": {}})  # fmt: skip
Wrap = Callable[[bytes, Callable[[bytes], bytes]], bytes]
"""(file, change) -> the file with something in it changed"""


def spoiled(rng: np.random.Generator, content: bytes, others: Sequence[bytes]) -> bytes:
    """Return `content` after one to four changes of its bytes, blind to their meaning."""
    for _ in range(rng.integers(1, 5)):
        change = CHANGES[rng.integers(len(CHANGES))]
        content = change(rng, content, others) if content else bytes(rng.bytes(20))
    return content


def _flip(rng, content, others):
    changed = bytearray(content)
    for at in rng.integers(len(changed), size=rng.integers(1, 9)):
        changed[at] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _number(rng, content, others):
    """Replace a whole number of 1 to 8 bytes, big- or little-endian, by an extreme one.

    Most changes are near the beginning, where lengths are.
    """
    size, value = 1 << int(rng.integers(4)), EXTREMES[rng.integers(len(EXTREMES))]
    at = int(min(rng.exponential(64), len(content) - 1))
    at = at if rng.random() < 0.7 else int(rng.integers(len(content)))
    told = (value % (1 << 8 * size)).to_bytes(size, ("big", "little")[rng.integers(2)])
    return content[:at] + told + content[at + size :]


def _cut(rng, content, others):
    return content[: rng.integers(len(content) + 1)]


def _without(rng, content, others):
    at = int(rng.integers(len(content)))
    return content[:at] + content[at + int(rng.integers(1, 65)) :]


def _twice(rng, content, others):
    a, b = np.sort(rng.integers(len(content) + 1, size=2))
    return content[:b] + content[a:b] * int(rng.integers(1, 4)) + content[b:]


def _spliced(rng, content, others):
    other = others[rng.integers(len(others))]
    at = int(rng.integers(len(content) + 1))
    return content[:at] + other[int(rng.integers(len(other) + 1)) :]


def _noise(rng, content, others):
    at = int(rng.integers(len(content) + 1))
    return content[:at] + rng.bytes(int(rng.integers(1, 33))) + content[at:]


CHANGES = (_flip, _flip, _number, _number, _number, _cut, _without, _twice, _spliced, _noise)


def as_it_is(content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Change the file itself."""
    return change(content)


def in_gzip(content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Change the compressed content."""
    return gzip.compress(change(gzip.decompress(content)), 1, mtime=0)


def in_zip(content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Change the first member of an archive, and correct its checksum."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        for i, member in enumerate(old.infolist()):
            new.writestr(member.filename, (change if i == 0 else bytes)(old.read(member)))
    return file.getvalue()


def in_png(content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Change bytes, and correct all checksums of chunks."""
    changed, at = bytearray(content[:8] + change(content[8:])), 8
    while at + 12 <= len(changed):
        end = at + 8 + int.from_bytes(changed[at : at + 4], "big")
        if end + 4 > len(changed):
            break
        changed[end : end + 4] = struct.pack(">I", zlib.crc32(changed[at + 4 : end]))
        at = end + 4
    return bytes(changed)


def in_pixels(content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Change the unpacked content of a PNG's one IDAT."""
    at = content.index(b"IDAT")
    length = int.from_bytes(content[at - 4 : at], "big")
    pixels = zlib.compress(change(zlib.decompress(content[at + 4 : at + 4 + length])))
    data = struct.pack(">I", len(pixels)) + b"IDAT" + pixels
    data += struct.pack(">I", zlib.crc32(b"IDAT" + pixels))
    return content[: at - 4] + data + content[at + 8 + length :]


def spoiled_json(rng: np.random.Generator, content: bytes, others: Sequence[bytes]) -> bytes:
    """Replace one to three values of a JSON file by values of another type or size.

    Every other time, use `spoiled` instead.
    """
    try:
        value = json.loads(content)
    except ValueError:
        value = None
    if rng.random() < 0.5 or not isinstance(value, dict | list):
        return spoiled(rng, content, others)
    for _ in range(rng.integers(1, 4)):
        holder: Any = value
        while keys := list(holder) if isinstance(holder, dict) else list(range(len(holder))):
            key = keys[rng.integers(len(keys))]
            if isinstance(holder[key], dict | list) and rng.random() < 0.8:
                holder = holder[key]
            else:
                holder[key] = deepcopy(VALUES[rng.integers(len(VALUES))])
                break
    return json.dumps(value).encode()
