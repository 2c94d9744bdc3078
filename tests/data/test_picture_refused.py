"""What is no picture is refused in one line, whatever its bytes."""

import io
import os
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from jaxdigits.data import DataError, read_picture

fixed = settings(derandomize=True, database=None, deadline=None, max_examples=150)


def chunk(kind, data):
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png(width, height, *chunks):
    """A PNG that announces a size and brings 1,000 black pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + data + chunk(b"IEND", b"")


def encoded(kind, mode="L"):
    image = Image.new("L", (60, 60), 255)
    image.paste(0, (20, 10, 30, 50))
    buffer = io.BytesIO()
    image.convert(mode).save(buffer, kind)
    return buffer.getvalue()


PNG, JPEG = encoded("PNG"), encoded("JPEG")
BAD = {
    "empty": (b"", "not a whole PNG or JPEG"),
    "text": (b"hello", "not a whole PNG or JPEG"),
    "GIF": (encoded("GIF"), "not a whole PNG or JPEG"),
    "PNG, cut short": (PNG[: len(PNG) // 2], "not a whole PNG or JPEG"),
    "JPEG, cut short": (JPEG[: len(JPEG) // 2], "not a whole PNG or JPEG"),
    "PNG, no data": (png(28, 10_000), "not a whole PNG or JPEG"),
    "PNG, text that swells": (
        png(9, 9, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(5_000_000)))),
        "not a whole PNG or JPEG",
    ),
    "65 megapixels": (png(8125, 8000), "over 64000000 pixels"),
    "100 megapixels": (png(10_000, 10_000), "over 64000000 pixels"),
    "a pixel wide": (png(1, 65_536), "or 65535 in a line"),
    "a pixel high": (png(65_536, 1), "or 65535 in a line"),
    "a bomb": (png(2**31 - 1, 2**31 - 1), "over 64000000 pixels"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_a_bad_file_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_picture(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_refused_by_name(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_picture(tmp_path / "nothing.png")
    with pytest.raises(DataError, match="not a file"):
        read_picture(tmp_path)
    with pytest.raises(DataError, match="not a file"):
        read_picture(os.devnull)


def test_a_file_that_is_too_big_is_not_opened(tmp_path):
    path = tmp_path / "big.png"
    with open(path, "wb") as file:
        file.write(PNG)
        file.truncate(50_000_001)
    with pytest.raises(DataError, match="over 50,000,000 bytes"):
        read_picture(path)


def test_a_missing_pillow_is_named(monkeypatch, tmp_path):
    path = tmp_path / "digit.png"
    path.write_bytes(PNG)
    assert read_picture(path).any()
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match="pip install pillow"):
        read_picture(path)


def reads_or_refuses(path: Path, content: bytes):
    path.write_bytes(content)
    try:
        y = read_picture(path)
    except DataError:
        return
    assert (y.shape, y.dtype) == ((28, 28), np.uint8)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "picture"


STARTS = [b"", PNG[:8], PNG[:33], PNG[:41], JPEG[:2], JPEG[:20], JPEG[:-60]]


@fixed
@given(start=st.sampled_from(STARTS), content=st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(scratch, start, content):
    reads_or_refuses(scratch, start + content)


@fixed
@given(
    content=st.sampled_from([PNG, JPEG, encoded("PNG", "LA")]),
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4),
)
def test_a_mutated_picture_is_read_or_refused(scratch, content, changes):
    changed = bytearray(content)
    for at, byte in changes:
        changed[at % len(changed)] = byte
    reads_or_refuses(scratch, bytes(changed))
