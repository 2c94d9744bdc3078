"""Pictures of too many parts: what a decoder would walk over for minutes is not given to it."""

import io
import struct
import zlib

import pytest
from PIL import Image

from jaxdigits.data import DataError, read_picture
from jaxdigits.data.parts import MAX_EXIF, MAX_PARTS, scans_of


def encoded(kind, **options):
    image = Image.new("L", (60, 60), 255)
    image.paste(0, (20, 10, 30, 50))
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(kind, data):
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def in_png(parts):
    return PNG[:33] + parts + PNG[33:]


def in_jpeg(parts):
    return JPEG[:2] + parts + JPEG[2:]


PNG, JPEG = encoded("PNG"), encoded("JPEG")
PROGRESSIVE = encoded("JPEG", progressive=True)
TOO_MANY, EXIF = "has over 10,000 parts", "has over 65,536 bytes of EXIF data"
part = b"\xff\xe1" + struct.pack(">H", 40_000) + b"Exif\0\0" + bytes(39_992)
BAD = {
    "chunks": (in_png(chunk(b"teXt", b"") * MAX_PARTS), TOO_MANY),
    "comments": (in_jpeg(b"\xff\xfe\0\2" * MAX_PARTS), TOO_MANY),
    "filling": (in_jpeg(b"\xff" * MAX_PARTS), TOO_MANY),
    "no markers": (in_jpeg(b"\0" * MAX_PARTS), TOO_MANY),
    "behind a part that has no length": (
        in_jpeg(b"\xff\xf0\xff\xff" + b"\0" * MAX_PARTS), TOO_MANY
    ),
    "a length of none": (in_jpeg(b"\xff\xfe\0\0" * MAX_PARTS), TOO_MANY),
    "EXIF of a PNG": (in_png(chunk(b"eXIf", bytes(MAX_EXIF + 1))), EXIF),
    "EXIF of a JPEG": (in_jpeg(2 * part), EXIF),
    "EXIF as text": (
        in_png(chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"0" * 200_000))),
        "has over 65536 bytes of EXIF data",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_too_many_parts_are_refused_by_name(tmp_path, content, message):
    path = tmp_path / "bad"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"bad: {message}"):
        read_picture(path)


def test_parts_within_the_limits_are_read(tmp_path):
    path = tmp_path / "good"
    for content in (in_jpeg(part), in_png(chunk(b"teXt", b"") * 9000), in_jpeg(b"\xff" * 9000)):
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
