"""The cache: whole and verified files, or none; what is served comes from this machine."""

import hashlib
import os

import pytest

from jaxdigits.data import DataError
from jaxdigits.data.cache import cache_folder, fill, places

WORDS = dict(title="letters", remedy="write them")


def test_places_are_in_the_folder_that_the_environment_names(monkeypatch, tmp_path):
    monkeypatch.delenv("JAXDIGITS_DATA", raising=False)
    assert places("mnist", "") == []
    monkeypatch.setenv("JAXDIGITS_DATA", str(tmp_path))
    assert places("mnist", "") == [tmp_path / "mnist", tmp_path]
    assert cache_folder("mnist").name == "mnist"


def test_the_first_download_with_the_right_hash_is_kept(server, tmp_path):
    server.answer = {"/wrong": b"wrong", "/right": b"right"}.get
    urls = [f"{server.url}/{name}" for name in ("none", "wrong", "right")]
    options = dict(sha256=hashlib.sha256(b"right").hexdigest(), **WORDS)
    with pytest.raises(DataError) as caught:
        fill(tmp_path / "cache", ["a"], urls[:2], **options)
    reason = "SHA256 hash of downloaded file (a) does not match the known hash"
    reasons = f"{urls[0]}: HTTPError, {urls[1]}: {reason}"
    assert str(caught.value) == f"no mirror gave letters ({reasons}); write them"
    assert not any((tmp_path / "cache").iterdir())
    fill(tmp_path / "cache", ["a"], urls, **options)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["a"]
    assert (tmp_path / "cache" / "a").read_bytes() == b"right"


def test_a_folder_is_filled_with_all_files_or_none(server, tmp_path):
    server.answer = {"/half": b"half", "/whole": b"whole"}.get
    half, whole = (f"{server.url}/{name}" for name in ("half", "whole"))

    def unpack(archive):
        archive.with_name("a").write_bytes(b"a")
        if archive.read_bytes() == b"half":
            raise DataError("b is missing")
        archive.with_name("b").write_bytes(b"b")

    with pytest.raises(DataError, match="half: b is missing"):
        fill(tmp_path / "cache", ["a", "b"], [half], unpack=unpack, **WORDS)
    assert not any((tmp_path / "cache").iterdir())
    fill(tmp_path / "cache", ["a", "b"], [half, whole], unpack=unpack, **WORDS)
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["a", "b"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "cache").touch()
    with pytest.raises(DataError, match=r"cannot write letters to .*cache .*; write them"):
        fill(tmp_path / "cache", ["a"], ["http://127.0.0.1:9/a"], **WORDS)
    if os.geteuid():  # root may write everywhere
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(DataError, match=r"cannot write letters to .*locked .*; write"):
            fill(tmp_path / "locked", ["a"], ["http://127.0.0.1:9/a"], **WORDS)
