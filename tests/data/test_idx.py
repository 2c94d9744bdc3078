"""IDX files: what is right is read, and nothing else, whatever the file says of itself."""

import gzip
import hashlib
import struct
import tracemalloc

import numpy as np
import pytest

from jaxdigits.data import DataError, read_idx

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def header(code, *axes):
    return struct.pack(f">HBB{len(axes)}I", 0, code, len(axes), *axes)


def encoded(array):
    kind = f"{array.dtype.kind}{array.dtype.itemsize}"
    return header(CODES[kind], *array.shape) + array.astype(f">{kind}").tobytes()


IMAGES = np.random.default_rng(0).integers(0, 256, (3, 4, 5)).astype(np.uint8)
PLAIN = encoded(IMAGES)
ZIPPED = gzip.compress(PLAIN, mtime=0)


@pytest.fixture
def saved(tmp_path):
    def save(content):
        path = tmp_path / "some-idx"
        path.write_bytes(content)
        return path

    return save


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_reads_what_was_written(saved, kind, pack):
    array = np.random.default_rng(1).integers(0, 100, (2, 3, 4)).astype(kind)
    read = read_idx(saved(pack(encoded(array))), shape=(2, None, 4))
    np.testing.assert_array_equal(read, array)
    assert read.dtype == array.dtype
    assert read.dtype.isnative
    read[0] = 0


def test_an_axis_may_be_empty(saved):
    assert read_idx(saved(header(0x08, 0, 28, 28))).shape == (0, 28, 28)


BAD = {
    "empty": (b"", "empty file"),
    "no image of endless size": (header(0x08, 0, 2**32 - 1, 2**32 - 1), "announces"),
    "a name without an end": (
        b"\x1f\x8b\x08\x08" + b"a" * 1_000_000,
        "stream ends early",
    ),
    "empty gzip members": (gzip.compress(b"") * 10_000, "bytes behind the compressed stream"),
    "text": (b"<html>404 not found</html>", "not an IDX file"),
    "one byte": (b"\0", "truncated, 3 bytes missing"),
    "nonzero magic": (b"\1" + PLAIN[1:], "not an IDX file"),
    "unknown type": (header(0x0A, 3) + b"abc", "not an IDX file"),
    "rank 0": (header(0x08) + b"a", "not an IDX file"),
    "rank 9": (header(0x08, *[1] * 9) + b"a", "not an IDX file"),
    "no axes": (PLAIN[:4], "truncated, 12 bytes missing"),
    "plain, cut short": (PLAIN[:-1], "truncated, 1 bytes missing"),
    "plain, too long": (PLAIN + b"\0", "too long"),
    "gzip of cut content": (gzip.compress(PLAIN[:-1]), "truncated, 1 bytes missing"),
    "gzip of long content": (gzip.compress(PLAIN + b"\0"), "too long"),
    "two gzip members": (ZIPPED + ZIPPED, "bytes behind the compressed stream"),
    "gzip, cut short": (ZIPPED[:-9], "damaged or unreadable"),
    "gzip, cut in its checksum": (ZIPPED[:-1], "damaged or unreadable"),
    "gzip, wrong checksum": (ZIPPED[:-8] + b"\0" * 4 + ZIPPED[-4:], "damaged or unreadable"),
    "gzip magic alone": (ZIPPED[:2], "damaged or unreadable"),
    "gzip magic, then noise": (ZIPPED[:10] + b"\xff" * 50, "damaged or unreadable"),
    "gzip, noise after it": (ZIPPED + b"noise", "damaged or unreadable"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_a_bad_file_is_refused_by_name(saved, content, message):
    with pytest.raises(DataError, match=message) as caught:
        read_idx(saved(content))
    assert str(caught.value).startswith(f"{saved(content)}: ")
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders_are_refused(tmp_path):
    for path, what in ((tmp_path / "nothing", "no such file"), (tmp_path, "not a file")):
        with pytest.raises(DataError, match=what):
            read_idx(path)


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 6), (None,), (3, 4, 5, 1), ()])
def test_another_shape_than_expected_is_refused(saved, shape):
    with pytest.raises(DataError, match=r"wrong shape, expected .*, got \(3, 4, 5\)"):
        read_idx(saved(PLAIN), shape=shape)


@pytest.mark.parametrize("content", [PLAIN, ZIPPED], ids=["plain", "gzip"])
def test_the_hash_is_of_the_uncompressed_content(saved, content):
    digest = hashlib.sha256(PLAIN).hexdigest()
    np.testing.assert_array_equal(read_idx(saved(content), sha256=digest), IMAGES)
    other = hashlib.sha256(PLAIN[:-1] + b"\0").hexdigest()
    with pytest.raises(DataError, match="wrong content"):
        read_idx(saved(content), sha256=other)


BOMBS = {
    "content beyond the header": header(0x08, 10) + bytes(50_000_000),
    "header beyond the limit": header(0x08, 2**32 - 1, 2**32 - 1) + bytes(50_000_000),
    "header beyond the shape": header(0x08, 50_000_000) + bytes(50_000_000),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_takes_no_memory(saved, bomb):
    path = saved(gzip.compress(bomb, 1))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"too long|announces|wrong shape"):
            read_idx(path, shape=(10,) if bomb[4:8] == struct.pack(">I", 50_000_000) else None)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
