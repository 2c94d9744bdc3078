"""Files and archives from elsewhere: how much is read, whatever a file says of itself."""

import gzip
import io
import os
import stat
import tracemalloc
import zipfile

import pytest

from jaxdigits.data import DataError
from jaxdigits.data.files import (
    BROKEN,
    content_of,
    open_archive,
    read_file,
    replace_file,
    require_file,
    require_stored,
)


def test_only_a_regular_file_of_the_size_agreed_on_is_opened(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(10))
    assert require_file(path, 10) == 10
    assert read_file(path, 10) == bytes(10)
    assert read_file(io.BytesIO(bytes(10)), 10) == bytes(10)
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


def archive(path, kind=zipfile.ZIP_STORED, size=1000, comment=b""):
    with zipfile.ZipFile(path, "w", kind) as out:
        out.writestr("a", bytes(size))
        out.comment = comment
    return path


@pytest.mark.parametrize("comment", [b"", b"a word"])
def test_a_good_archive_is_opened(tmp_path, comment):
    path = archive(tmp_path / "good.zip", comment=comment)
    require_stored(path, 1000)
    with open(path, "rb") as file, open_archive(file) as opened:
        assert opened.read("a") == bytes(1000)
    with pytest.raises(ValueError, match="it is too large"):
        require_stored(path, 999)


def test_a_directory_of_any_number_of_names_is_not_read():
    entries = (b"PK\1\2\x14\0\x14" + bytes(39)) * 30_000
    end = b"PK\5\6" + bytes(8) + len(entries).to_bytes(4, "little") + bytes(6)
    with pytest.raises(ValueError, match="its directory is over 1,048,576 bytes"):
        open_archive(io.BytesIO(entries + end))


def test_a_member_that_unfolds_is_refused(tmp_path):
    path = archive(tmp_path / "packed.zip", zipfile.ZIP_DEFLATED, 100)
    with pytest.raises(ValueError, match="it is compressed"):
        require_stored(path, 1000)
    path = archive(tmp_path / "bomb.zip", zipfile.ZIP_DEFLATED, 10_000_000)
    with pytest.raises(ValueError, match="it is too large"):
        require_stored(path, 1 << 40)


def test_members_that_overlap_are_refused(tmp_path):
    path = archive(tmp_path / "one.zip")
    with zipfile.ZipFile(path, "a") as out:
        out.filelist.extend(out.filelist * 9)
        out._didModify = True
    with zipfile.ZipFile(path) as opened:
        assert len(opened.infolist()) == 10
    with pytest.raises(ValueError, match="it is too large"):
        require_stored(path, 1 << 40)


def test_what_is_no_archive_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.zip")
    with pytest.raises(ValueError, match="it is not a file"):
        require_stored(tmp_path / "pipe.zip", 1000)
    path = tmp_path / "text.zip"
    path.write_bytes(b"hello" * 100)
    with pytest.raises(BROKEN):
        require_stored(path, 1000)


def test_only_a_regular_file_is_replaced(tmp_path):
    pipe, folder, file = tmp_path / "pipe", tmp_path / "folder", tmp_path / "file"
    os.mkfifo(pipe)
    folder.mkdir()
    for path in (pipe, folder):
        with pytest.raises(OSError, match="not a file that can be replaced") as error:
            replace_file(path, lambda file: file.write(b"new"))
        assert error.value.filename == str(path)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    with pytest.raises(OSError, match="No such file") as error:
        replace_file(tmp_path / "no" / "file", lambda file: file.write(b"new"))
    assert error.value.filename == str(tmp_path / "no" / "file")
    replace_file(file, lambda file: file.write(b"new"))
    assert file.read_bytes() == b"new"
    assert sorted(tmp_path.iterdir()) == [file, folder, pipe]
