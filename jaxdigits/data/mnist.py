"""MNIST: 60,000 digits to learn from and 10,000 to test on, 28×28 pixels [1].

The loader looks for the four files in a folder, in `JAXDIGITS_DATA`, in the user's cache, and
last on the network.  Each file's content must have the official SHA-256.  Other names are
accepted too: `train-images.idx3-ubyte`, and torchvision's folder `MNIST/raw`.

[1] LeCun, Bottou, Bengio & Haffner, Proc. IEEE 86(11), 1998, doi:10.1109/5.726791.
"""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxdigits.data.cache import cache_folder, fill, places
from jaxdigits.data.dataset import Dataset
from jaxdigits.data.files import content_of
from jaxdigits.data.idx import MAX_BYTES, read_idx
from jaxdigits.errors import DataError


class File(NamedTuple):
    """The contents of a file."""

    shape: tuple[int, ...]
    sha256: str
    """of the content"""
    compressed: str
    """SHA-256 of the official .gz file, which the mirrors have"""


FILES: Mapping[str, File] = {
    "train-images-idx3-ubyte": File(
        (60_000, 28, 28),
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    "train-labels-idx1-ubyte": File(
        (60_000,),
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    "t10k-images-idx3-ubyte": File(
        (10_000, 28, 28),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    "t10k-labels-idx1-ubyte": File(
        (10_000,),
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist",
    "https://raw.githubusercontent.com/fgnt/mnist/master",
)
FASHION = (9, 0, 0, 3, 0, 2, 7, 2, 5, 5)  # the first labels of Fashion-MNIST
REMEDY = "set JAXDIGITS_DATA to a folder with its four files, or run once with a network"


def mnist(folder: str | PathLike[str] | None = None) -> tuple[Dataset, Dataset]:
    """Load (train, test), 60,000 and 10,000 images in their official order.

    Args:
      folder: folder of the four files, gzipped or not.  By default the first place that has
        all four: `$JAXDIGITS_DATA/mnist`, `$JAXDIGITS_DATA`, the user's cache; else they are
        downloaded into the cache, 11 MB.

    Raises:
      DataError: if `folder` lacks a file, if a file is damaged or not the official one, or if
        no mirror can be reached.
      ImportError: if the cache is needed and pooch is not installed.
    """
    home = _cached() if folder is None else Path(folder)
    for name in FILES:
        if find_idx(home, name) is None:
            raise DataError(f"{home}: no {name}[.gz] in this folder; MNIST is four such files")
    try:
        image, label, test_image, test_label = _read(home, FILES)
    except DataError as error:
        if not _is_fashion(home):
            raise
        raise DataError(
            f"{home} has Fashion-MNIST, not MNIST: train on it with --data {home}, or get "
            "MNIST's files"
        ) from error
    return Dataset(image, label), Dataset(test_image, test_label)


def _read(home: Path, files: Mapping[str, File]) -> list[np.ndarray]:
    """Read images as they are and labels as int32, in the order of `files`."""
    arrays = []
    for name, file in files.items():
        path = find_idx(home, name) or home / name
        array = read_idx(path, shape=file.shape, sha256=file.sha256)
        arrays.append(array if array.ndim == 3 else array.astype(np.int32))
    return arrays


def find_idx(home: Path, name: str) -> Path | None:
    """Return the path of an IDX file of MNIST, by any of its usual names, gzipped or not."""
    folders = (home, home / "raw", home / "MNIST" / "raw")
    names = [name, name.replace("-idx", ".idx")]
    paths = (f / f"{n}{end}" for f in folders for n in names for end in ("", ".gz"))
    return next((path for path in paths if path.is_file()), None)


def _is_fashion(home: Path) -> bool:
    """Return whether the labels are Fashion-MNIST's, which has files of the same names."""
    try:
        path = find_idx(home, "train-labels-idx1-ubyte") or home
        head = content_of(path, 8 + len(FASHION), file_most=MAX_BYTES)
    except DataError:
        return False
    return head[8:] == bytes(FASHION)


def _cached() -> Path:
    """Return the first folder that has all four files; the cache, filled if need be."""
    for place in places("mnist", ""):
        if all(find_idx(place, name) for name in FILES):
            return place
    cache = cache_folder("mnist")
    for name, file in FILES.items():
        if find_idx(cache, name) is None:
            urls = [f"{mirror}/{name}.gz" for mirror in MIRRORS]
            fill(
                cache,
                [f"{name}.gz"],
                urls,
                sha256=file.compressed,
                title="MNIST",
                remedy=REMEDY,
            )
    return cache
