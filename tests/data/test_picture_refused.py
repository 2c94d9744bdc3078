"""What is no picture is refused in one line, whatever its bytes."""

import io
import os
import struct
import sys
import zlib

import pytest
from PIL import Image

from jaxdigits.data import DataError, read_picture
from jaxdigits.data.segments import MAX_EXIF, MAX_SEGMENTS, scans_of


def chunk(kind, data):
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png(width, height, *chunks):
    """A PNG that announces a size and brings 1,000 black pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + data + chunk(b"IEND", b"")


def encoded(kind, mode="L", ink=0, **options):
    image = Image.new(mode, (60, 60), 255)
    image.paste(ink, (20, 10, 30, 50))
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


PNG, JPEG = encoded("PNG"), encoded("JPEG")
UNKNOWN = "not a PNG, JPEG, WebP, BMP, TIFF or GIF; convert it to PNG or JPEG"
BAD = {
    "empty": (b"", UNKNOWN),
    "text": (b"hello", UNKNOWN),
    "another format": (encoded("PPM"), UNKNOWN),
    "a start without the rest": (b"GIF89a", "not a whole picture"),
    "BMP of run lengths": (b"BM" + bytes(28) + b"\1\0\0\0", "is a compressed BMP"),
    "WebP of 268 megapixels": (
        b"RIFF\0\0\0\0WEBPVP8X" + bytes(8) + b"\xff\x3f\0\xff\x3f\0",
        "over 64000000",
    ),
    "floats of no brightness": (encoded("TIFF", mode="F", ink=-1.0), "brightness -1 to 255"),
    "PNG, cut short": (PNG[: len(PNG) // 2], "not a whole picture"),
    "JPEG, cut short": (JPEG[: len(JPEG) // 2], "not a whole picture"),
    "PNG, no data": (png(28, 10_000), "not a whole picture"),
    "PNG, text that swells": (
        png(9, 9, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(5_000_000)))),
        "not a whole picture",
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


def in_png(chunks):
    return PNG[:33] + chunks + PNG[33:]


def in_jpeg(segments):
    return JPEG[:2] + segments + JPEG[2:]


PROGRESSIVE = encoded("JPEG", progressive=True)
TOO_MANY, EXIF = "has over 10,000 segments", "has over 65,536 bytes of EXIF data"
GIF = b"GIF89a\x01\0\x01\0\0\0\0" + encoded("GIF")[13:]
segment = b"\xff\xe1" + struct.pack(">H", 40_000) + b"Exif\0\0" + bytes(39_992)
TOO_LONG = {
    "chunks": (in_png(chunk(b"teXt", b"") * MAX_SEGMENTS), TOO_MANY),
    "comments": (in_jpeg(b"\xff\xfe\0\2" * MAX_SEGMENTS), TOO_MANY),
    "filling": (in_jpeg(b"\xff" * MAX_SEGMENTS), TOO_MANY),
    "no markers": (in_jpeg(b"\0" * MAX_SEGMENTS), TOO_MANY),
    "behind a segment that has no length": (
        in_jpeg(b"\xff\xf0\xff\xff" + b"\0" * MAX_SEGMENTS), TOO_MANY
    ),
    "a length of none": (in_jpeg(b"\xff\xfe\0\0" * MAX_SEGMENTS), TOO_MANY),
    "comments of a GIF": (GIF[:13] + b"!\xfe\0" * MAX_SEGMENTS + GIF[13:], TOO_MANY),
    "blocks of a comment": (GIF[:13] + b"!\xfe" + b"\1-" * MAX_SEGMENTS + b"\0", TOO_MANY),
    "strips of a TIFF": (
        b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 273, 4, MAX_SEGMENTS + 1, 0), TOO_MANY
    ),
    "EXIF of a PNG": (in_png(chunk(b"eXIf", bytes(MAX_EXIF + 1))), EXIF),
    "EXIF of a JPEG": (in_jpeg(2 * segment), EXIF),
    "EXIF as text": (
        in_png(chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"0" * 200_000))),
        "has over 65536 bytes of EXIF data",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "message"), TOO_LONG.values(), ids=TOO_LONG)
def test_too_many_segments_are_refused_by_name(tmp_path, content, message):
    path = tmp_path / "bad"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"bad: {message}"):
        read_picture(path)


def test_segments_within_the_limits_are_read(tmp_path):
    path = tmp_path / "good"
    for content in (
        in_jpeg(segment),
        in_png(chunk(b"teXt", b"") * 9000),
        in_jpeg(b"\xff" * 9000),
    ):
        path.write_bytes(content)
        assert read_picture(path).any()


def test_scans_are_counted():
    assert scans_of(io.BytesIO(PNG)) == 1
    assert scans_of(io.BytesIO(JPEG)) == 1
    assert scans_of(io.BytesIO(b"neither")) == 1
    assert 4 < scans_of(io.BytesIO(PROGRESSIVE)) < 12


def test_a_picture_that_is_decoded_over_and_over_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "scans.jpg"
    path.write_bytes(PROGRESSIVE)
    assert read_picture(path).any()
    last = PROGRESSIVE.rindex(b"\xff\xc4")
    path.write_bytes(PROGRESSIVE[:-2] + PROGRESSIVE[last:-2] * 1000 + PROGRESSIVE[-2:])
    monkeypatch.setattr("jaxdigits.data.picture.MAX_PIXELS", 3600 * 50)
    with pytest.raises(DataError, match=r"scans.jpg: 10\d\d scans of 3600 pixels"):
        read_picture(path)
