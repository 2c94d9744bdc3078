"""The cache: whole and verified files, or none; what is served comes from this machine."""

from pathlib import Path

import pytest

from jaxdigits.data import DataError
from jaxdigits.data.cache import cache_folder, download, fill, places


def test_places_are_in_the_folder_that_the_environment_names(monkeypatch, tmp_path):
    monkeypatch.delenv("JAXDIGITS_DATA", raising=False)
    assert places("mnist", "") == []
    monkeypatch.setenv("JAXDIGITS_DATA", str(tmp_path))
    assert places("mnist", "") == [tmp_path / "mnist", tmp_path]
    assert cache_folder("mnist").name == "mnist"


def test_a_folder_is_filled_with_all_files_or_none(tmp_path):
    cache = tmp_path / "deep" / "cache"

    def half(folder):
        (folder / "a").write_bytes(b"a")
        raise DataError("the other is bad")

    with pytest.raises(DataError, match="the other is bad"):
        fill(cache, ["a", "b"], half, "letters", "write them")
    assert not any(cache.iterdir())
    with pytest.raises(DataError, match=r"cannot write letters to .*; write them"):
        fill(cache, ["a"], lambda folder: None, "letters", "write them")
    fill(cache, ["a"], lambda folder: (folder / "a").touch(), "letters", "write them")
    assert [path.name for path in cache.iterdir()] == ["a"]


def test_the_first_that_is_neither_wrong_nor_too_long_is_taken(server, tmp_path):
    server.answer = {"/long": bytes(101), "/wrong": b"wrong", "/right": b"right"}.get
    urls = [f"{server.url}/{name}" for name in ("none", "long", "wrong", "right")]
    part = tmp_path / "part"

    def verify(path: Path):
        if path.read_bytes() != b"right":
            raise DataError(f"{path}: is wrong")

    options = dict(most=100, what="a word", ways_out="say it")
    download(urls, part, verify, **options)
    assert part.read_bytes() == b"right"
    with pytest.raises(DataError) as caught:
        download(urls[:3], part, verify, **options)
    reasons = f"{urls[0]}: HTTPError, {urls[1]}: sends over 100 bytes, {urls[2]}: is wrong"
    assert str(caught.value) == f"no mirror gave a word ({reasons}); say it"
