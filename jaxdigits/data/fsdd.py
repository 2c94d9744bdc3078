"""The Free Spoken Digit Dataset: 3,000 recordings of ten digits by six speakers [1].

The loader looks for the files in a folder, in `JAXDIGITS_DATA`, in the user's cache, and last
on the network.  Each file must have the content that fsdd.sha256, beside this file, lists by
the first 128 bits of its SHA-256.

[1] Jackson, Souza, Flaks, Pan, Nicolas & Thite, doi:10.5281/zenodo.1342401, CC BY-SA 4.0.
"""

import hashlib
import io
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxdigits.data.cache import cache_folder, fill, places
from jaxdigits.data.files import open_archive, read_file
from jaxdigits.data.sound import RATE, fixed_length, load_soundfile
from jaxdigits.errors import DataError

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
TAKES = 50  # recordings of each digit by each speaker
TEST_TAKES = 5  # the first ones are the official test split
# No hash of the archive: GitHub builds it on request, and does not promise its bytes.
MIRRORS = (
    "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.zip",
    "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/heads/master.zip",
)
LARGEST = 1_000_000  # bytes of one file; the largest has 37 thousand
REMEDY = "set JAXDIGITS_DATA to a folder with fsdd/recordings, or run once with a network"


class Sounds(NamedTuple):
    """Spoken digits with their classes and speakers."""

    wave: np.ndarray
    """[N, S] float32 in [-1, 1], 8,000 samples a second"""
    label: np.ndarray
    """[N] int32, the digit 0..9"""
    speaker: np.ndarray
    """[N] int32, index into `SPEAKERS`"""
    take: np.ndarray
    """[N] int32, the index 0..49 of the recording"""


def fsdd(folder: str | PathLike[str] | None = None, *, samples: int = RATE) -> Sounds:
    """Load all 3,000 recordings, by digit, then speaker, then take.

    Args:
      folder: folder of the WAV files.  By default the first place that has all of them:
        `$JAXDIGITS_DATA/fsdd/recordings`, `$JAXDIGITS_DATA/fsdd`, the user's cache; else they
        are downloaded into the cache, 16 MB.
      samples: length of each: silence follows a shorter one, and a longer one (20 of them, at
        a second) is cut to its loudest stretch.

    Raises:
      DataError: if `folder` lacks a file, if a file is damaged or not the official one, naming
        it, or if no mirror can be reached.
      ValueError: unless samples >= 1.
      ImportError: if soundfile is not installed; if the cache is needed and pooch is not.
    """
    if samples < 1:
        raise ValueError(f"samples must be >= 1, got {samples}")
    soundfile = load_soundfile()
    home = _cached() if folder is None else Path(folder)
    waves = []
    for name, digest in _manifest().items():
        content = _read(home / name, digest)
        wave, _ = soundfile.read(io.BytesIO(content), dtype="float32")
        waves.append(fixed_length(wave, samples))
    digit, speaker, take = np.indices((10, len(SPEAKERS), TAKES)).reshape(3, -1)
    return Sounds(np.stack(waves), *(a.astype(np.int32) for a in (digit, speaker, take)))


def official_split(sounds: Sounds) -> tuple[Sounds, Sounds]:
    """Return (train, test): takes 5 to 49, and 0 to 4; both have the same speakers."""
    return _part(sounds, sounds.take < TEST_TAKES)


def leave_speaker_out(sounds: Sounds, speaker: str) -> tuple[Sounds, Sounds]:
    """Return (train, test): the other speakers, and one that is never in training.

    Raises:
      ValueError: for a speaker that is not in `SPEAKERS`.
    """
    if speaker not in SPEAKERS:
        raise ValueError(f"unknown speaker {speaker!r}: choose from {', '.join(SPEAKERS)}")
    return _part(sounds, sounds.speaker == SPEAKERS.index(speaker))


def _part(sounds: Sounds, test: np.ndarray) -> tuple[Sounds, Sounds]:
    pick = lambda rows: Sounds(*(a[rows] for a in sounds))
    return pick(~test), pick(test)


def _manifest() -> dict[str, str]:
    """Return digests by name, in the order of the data set."""
    digests = Path(__file__).with_name("fsdd.sha256").read_text().split()
    return dict(zip(_names(), digests, strict=True))


def _names() -> Iterator[str]:
    for digit in range(10):
        for speaker in SPEAKERS:
            yield from (f"{digit}_{speaker}_{take}.wav" for take in range(TAKES))


def _read(path: Path, digest: str) -> bytes:
    try:
        content = read_file(path, LARGEST)
    except DataError as error:
        raise DataError(f"{error}; the data set is 3,000 such files, {REMEDY}") from error
    if not _is(content, digest):
        raise DataError(f"{path}: wrong content (SHA-256); get it again")
    return content


def _is(content: bytes, digest: str) -> bool:
    return hashlib.sha256(content).hexdigest().startswith(digest)


def _cached() -> Path:
    """Return the first folder that has all files; the cache, filled if need be."""
    names = list(_names())
    has_all = lambda place: all((place / name).is_file() for name in names)
    for place in places("fsdd/recordings", "fsdd"):
        if has_all(place):
            return place
    cache = cache_folder("fsdd")
    if not has_all(cache):
        fill(cache, names, MIRRORS, unpack=_unpack, title="the recordings", remedy=REMEDY)
    return cache


def _unpack(archive: Path) -> None:
    """Write the recordings beside their archive, each by its own name: no path is followed."""
    with open(archive, "rb") as file, open_archive(file) as opened:
        members = {Path(info.filename).name: info for info in opened.infolist()}
        for name, digest in _manifest().items():
            if name not in members:
                raise DataError(f"{name} is not in the archive")
            with opened.open(members[name]) as member:
                content = member.read(LARGEST)
            if not _is(content, digest):
                raise DataError(f"{name} has the wrong content (SHA-256)")
            archive.with_name(name).write_bytes(content)
