"""Zip archives that were made to do harm."""

import io
import os
import zipfile

import pytest

from jaxdigits.data.archive import BROKEN, open_archive, require_stored


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
