"""MNIST: 60,000 digits to learn from and 10,000 to test on, 28×28 pixels [1].

The four files are looked for in a folder, in `JAXDIGITS_DATA`, in the user's cache, and last
on the network.  Wherever a file was found, its content must have the official SHA-256.

[1] LeCun, Bottou, Bengio & Haffner, Proc. IEEE 86(11), 1998, doi:10.1109/5.726791.
"""

from collections.abc import Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxdigits.data.cache import cache_folder, download, fill, places
from jaxdigits.data.dataset import Dataset
from jaxdigits.data.idx import read_idx
from jaxdigits.errors import DataError


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
LARGEST = 20_000_000  # bytes of a compressed file; the largest has 9.9 million


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
    for place in places("mnist", ""):
        if all(_path(place, name) for name in FILES):
            return place
    cache = cache_folder("mnist")
    for name, file in FILES.items():
        if _path(cache, name) is None:
            fill(cache, [f"{name}.gz"], partial(_fetch, name, file), "MNIST", WAYS_OUT)
    return cache


def _fetch(name: str, file: File, folder: Path) -> None:
    part = folder / f"{name}.gz"
    urls = [f"{mirror}/{part.name}" for mirror in MIRRORS]
    verify = lambda path: read_idx(path, shape=file.shape, sha256=file.sha256)
    download(urls, part, verify, most=LARGEST, what=part.name, ways_out=WAYS_OUT)
