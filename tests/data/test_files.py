"""Files: how much of one is read, whatever it says of itself."""

import gzip
import os
import tracemalloc

import pytest

from jaxdigits.data import DataError
from jaxdigits.data.files import content_of, read_file, require_file


def test_only_a_regular_file_of_the_size_agreed_on_is_opened(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(10))
    assert require_file(path, 10) == 10
    assert read_file(path, 10) == bytes(10)
    with pytest.raises(DataError, match="file: over 9 bytes"):
        read_file(path, 9)
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(DataError, match="not a file"):
            content_of(tmp_path / name, 10, file_most=10)
    for name in ("none", "a\0b"):
        with pytest.raises(DataError, match="no such file"):
            require_file(tmp_path / name, 10)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(10))
    path.chmod(0)
    with pytest.raises(DataError, match=r"file: cannot be read \(Permission denied\)"):
        read_file(path, 10)


@pytest.mark.parametrize("size", [0, 1, 65_536, 100_000, 131_072, 200_001])
def test_a_stream_is_unpacked_as_far_as_asked(tmp_path, size):
    path, content = tmp_path / "file.gz", os.urandom(size)
    path.write_bytes(gzip.compress(content))
    for most in (size, size + 1, size // 2 + 1):
        assert content_of(path, most, file_most=300_000) == content[:most]


def test_a_stream_that_swells_is_unpacked_to_its_end(tmp_path):
    path = tmp_path / "file.gz"
    for size in range(65_536 * 2, 65_536 * 2 + 600, 7):
        path.write_bytes(gzip.compress(bytes(size)))
        assert content_of(path, size + 1, file_most=10_000) == bytes(size)


def test_a_bomb_takes_no_memory(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(50_000_000), 1))
    tracemalloc.start()
    try:
        assert content_of(path, 1000, file_most=1_000_000) == bytes(1000)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: c[:-9], lambda c: c + b"\0",
                                    lambda c: c + c, lambda c: c[:-8] + bytes(8)])  # fmt: skip
def test_a_damaged_stream_is_refused_at_its_end(tmp_path, damage):
    path = tmp_path / "file.gz"
    path.write_bytes(damage(gzip.compress(b"content" * 100)))
    assert content_of(path, 699, file_most=1000)
    with pytest.raises(DataError, match=r"file.gz: damaged or unreadable"):
        content_of(path, 701, file_most=1000)
