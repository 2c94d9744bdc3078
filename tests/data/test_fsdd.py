"""Spoken digits: the official ones if they are here, and small ones for what can go wrong."""

import hashlib
import io
import os
import sys
import zipfile
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import soundfile

from jaxdigits.data import SPEAKERS, DataError, fsdd, leave_speaker_out, official_split

module = import_module("jaxdigits.data.fsdd")  # the function has the same name

RECORDINGS = Path(os.environ.get("JAXDIGITS_DATA", ""), "fsdd", "recordings")
real = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="JAXDIGITS_DATA has no fsdd")


def tone(digit):
    file = io.BytesIO()
    n = np.arange(400 + 10 * digit)
    soundfile.write(file, 0.5 * np.sin(n * (1 + digit) / 10), 8000, format="WAV")
    return file.getvalue()


CONTENT = {f"{digit}_ada_0.wav": tone(digit) for digit in range(10)}


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Ten recordings of one speaker, in a folder."""
    monkeypatch.setattr(module, "SPEAKERS", ("ada",))
    monkeypatch.setattr(module, "TAKES", 1)
    digests = {name: hashlib.sha256(c).hexdigest()[:32] for name, c in CONTENT.items()}
    monkeypatch.setattr(module, "_manifest", lambda: digests)
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    return folder


@real
def test_the_official_recordings_are_all_there():
    sounds = fsdd(RECORDINGS)
    assert sounds.wave.shape == (3000, 8000)
    assert (np.bincount(sounds.label) == 300).all()
    assert (np.bincount(sounds.speaker) == 500).all()
    assert 0.99 < np.abs(sounds.wave).max() <= 1
    train, test = official_split(sounds)
    assert (len(train.label), len(test.label)) == (2700, 300)
    assert test.take.max() == 4
    assert train.take.min() == 5
    train, test = leave_speaker_out(sounds, "theo")
    assert (len(train.label), len(test.label)) == (2500, 500)
    assert set(test.speaker) == {SPEAKERS.index("theo")}
    assert SPEAKERS.index("theo") not in train.speaker


def test_files_come_in_order_with_their_labels_and_silence_behind(small):
    sounds = fsdd(small, samples=450)
    np.testing.assert_array_equal(sounds.label, np.arange(10))
    assert sounds.wave.shape == (10, 450)
    assert np.abs(sounds.wave[2, :420]).max() > 0.4
    assert not sounds.wave[2, 420:].any()


def test_a_missing_and_a_damaged_file_are_named(small):
    path = small / "3_ada_0.wav"
    path.write_bytes(CONTENT["3_ada_0.wav"][:-1] + b"\1")
    with pytest.raises(DataError, match=r"3_ada_0.wav: wrong content"):
        fsdd(small)
    path.unlink()
    with pytest.raises(DataError, match=r"3_ada_0.wav: no such file"):
        fsdd(small)


def test_an_unknown_speaker_and_no_samples_are_refused(small):
    with pytest.raises(ValueError, match="unknown speaker 'bob': choose from ada"):
        leave_speaker_out(fsdd(small), "bob")
    with pytest.raises(ValueError, match="samples must be >= 1, got 0"):
        fsdd(small, samples=0)


def archive(content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as out:
        for name, data in content.items():
            out.writestr(f"fsdd-1.0/recordings/{name}", data)
        out.writestr("../../outside.txt", "not followed")
    return file.getvalue()


def answer(path):
    return {
        "good": archive(CONTENT),
        "lacking": archive({k: v for k, v in CONTENT.items() if not k.startswith("7")}),
        "changed": archive(CONTENT | {"4_ada_0.wav": CONTENT["5_ada_0.wav"]}),
        "short": archive(CONTENT)[:-300],
        "page": b"<html>please sign in</html>",
    }.get(path.strip("/"))


BAD = ["absent", "lacking", "changed", "short", "page"]


@pytest.fixture
def home(small, server, monkeypatch, tmp_path):
    """An empty cache, and a function that names the mirrors."""
    server.answer = answer
    monkeypatch.delenv("JAXDIGITS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    names = lambda *mirrors: monkeypatch.setattr(
        module, "MIRRORS", [f"{server.url}/{m}" for m in mirrors]
    )
    return tmp_path / "cache" / "jaxdigits" / "fsdd", names


def test_the_first_good_archive_fills_the_cache_and_is_fetched_once(home):
    cache, mirrors = home
    mirrors(*BAD, "good")
    first = fsdd()
    assert sorted(path.name for path in cache.iterdir()) == sorted(CONTENT)
    assert not list(cache.parent.parent.rglob("outside.txt"))
    mirrors("absent")
    np.testing.assert_array_equal(fsdd().wave, first.wave)


def test_without_a_good_archive_every_reason_is_told_and_nothing_is_left(home):
    cache, mirrors = home
    mirrors(*BAD)
    with pytest.raises(DataError) as error:
        fsdd()
    message = str(error.value)
    assert "7_ada_0.wav is not in the archive" in message
    assert "4_ada_0.wav has the wrong content" in message
    assert "BadZipFile" in message
    assert "JAXDIGITS_DATA" in message
    assert "\n" not in message
    assert not any(cache.iterdir())


def test_a_folder_of_the_users_comes_before_the_cache(small, monkeypatch):
    base = small.parent
    (base / "fsdd").mkdir()
    small.rename(base / "fsdd" / "recordings")
    monkeypatch.setenv("JAXDIGITS_DATA", str(base))
    monkeypatch.setattr(module, "MIRRORS", [])
    monkeypatch.setitem(sys.modules, "pooch", None)  # which is for the cache alone
    assert len(fsdd().label) == 10
