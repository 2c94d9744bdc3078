"""MNIST: 60,000 digits to learn from and 10,000 to test on, 28×28 pixels [1].

The four files are looked for in a folder, in `JAXDIGITS_DATA`, in the user's cache, and last
on the network.  Wherever a file was found, its content must have the official SHA-256.

[1] LeCun, Bottou, Bengio & Haffner, Proc. IEEE 86(11), 1998, doi:10.1109/5.726791.
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

from jaxdigits.data.dataset import DataError, Dataset
from jaxdigits.data.idx import read_idx


class File(NamedTuple):
    """What a file must hold."""

    shape: tuple[int, ...]
    sha256: str
    """of the uncompressed content: mirrors compress it each in their own way"""


FILES: Mapping[str, File] = {
    "train-images-idx3-ubyte": File(
        (60_000, 28, 28), "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
    ),
    "train-labels-idx1-ubyte": File(
        (60_000,), "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
    ),
    "t10k-images-idx3-ubyte": File(
        (10_000, 28, 28), "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
    ),
    "t10k-labels-idx1-ubyte": File(
        (10_000,), "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
    ),
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist",
    "https://raw.githubusercontent.com/fgnt/mnist/master",
)
WAYS_OUT = "set JAXDIGITS_DATA to a folder with its four files, or run once with a network"
TIMEOUT = 30  # seconds without a byte after which the next mirror is tried


def mnist(folder: str | PathLike[str] | None = None) -> tuple[Dataset, Dataset]:
    """(train, test) of 60,000 and 10,000 images in their official order.

    Args:
      folder: where the four files are, gzipped or not.  By default the first place that has
        all four: `$JAXDIGITS_DATA/mnist`, `$JAXDIGITS_DATA`, the user's cache; else they are
        downloaded into the cache, 11 MB.

    Raises:
      DataError: if `folder` lacks a file, if a file is damaged or not the official one, or if
        no mirror could be reached.
      ImportError: if the cache is needed and pooch is not installed.
    """
    home = _cached() if folder is None else Path(folder)
    for name in FILES:
        if _path(home, name) is None:
            raise DataError(f"{home}: no {name}[.gz] in this folder; MNIST is four such files")
    image, label, test_image, test_label = _read(home, FILES)
    return Dataset(image, label), Dataset(test_image, test_label)


def _read(home: Path, files: Mapping[str, File]) -> list[np.ndarray]:
    """Images as they are and labels as int32, in the order of `files`."""
    arrays = []
    for name, file in files.items():
        path = _path(home, name) or home / name
        array = read_idx(path, shape=file.shape, sha256=file.sha256)
        arrays.append(array if array.ndim == 3 else array.astype(np.int32))
    return arrays


def _path(home: Path, name: str) -> Path | None:
    return next((p for p in (home / name, home / f"{name}.gz") if p.is_file()), None)


def _cached() -> Path:
    """The first folder that has all four files; the cache, filled if need be."""
    places = []
    if base := os.environ.get("JAXDIGITS_DATA"):
        places = [Path(base, "mnist"), Path(base)]
    for place in places:
        if all(_path(place, name) for name in FILES):
            return place
    cache = Path(_pooch().os_cache("jaxdigits"), "mnist")
    _fill(cache, FILES, MIRRORS)
    return cache


def _fill(cache: Path, files: Mapping[str, File], mirrors: Sequence[str]) -> None:
    """Download into `cache` what it lacks of `files`: whole and verified, or not at all."""
    missing = [name for name in files if _path(cache, name) is None]
    if not missing:
        return
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".download-") as folder:
            for name in missing:
                part = Path(folder, f"{name}.gz")
                _download(part, files[name], mirrors)
                os.replace(part, cache / part.name)
    except OSError as error:
        raise DataError(f"cannot write MNIST to {cache} ({error}); {WAYS_OUT}") from error


def _download(part: Path, file: File, mirrors: Sequence[str]) -> None:
    """Write to `part` the first mirror's copy that has the shape and the hash of `file`."""
    # Not pooch.retrieve: it hashes the compressed file, and writes to its log.
    fetch = _pooch().HTTPDownloader(timeout=TIMEOUT, chunk_size=1 << 16)
    reasons = []
    for mirror in mirrors:
        try:
            fetch(f"{mirror}/{part.name}", str(part), None)
            read_idx(part, shape=file.shape, sha256=file.sha256)
        except DataError as error:
            reasons.append(f"{mirror}: {str(error).removeprefix(f'{part}: ')}")
        except OSError as error:
            # Its name says it all ("ConnectionError"); its text is a paragraph.
            reasons.append(f"{mirror}: {type(error).__name__}")
        else:
            return
    raise DataError(f"no mirror gave {part.name} ({', '.join(reasons)}); {WAYS_OUT}")


def _pooch() -> ModuleType:
    try:
        import pooch
    except ImportError as error:
        raise ImportError("the cache of mnist() needs pooch: pip install pooch") from error
    return pooch
