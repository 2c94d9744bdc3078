"""The files of one's own images: folders of pictures, IDX files, and archives of arrays."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxdigits.data.files import BROKEN, open_archive, require_file
from jaxdigits.data.geometry import SIDE, edge
from jaxdigits.data.idx import read_idx
from jaxdigits.data.mnist import find_idx
from jaxdigits.data.own_facts import read_each
from jaxdigits.data.picture import read_grey, read_picture
from jaxdigits.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
MAX_BYTES = 4 << 30  # of an archive, unpacked
SPLITS = ({"train", "test"}, {"training", "testing"})
DARK = 128


class Part(NamedTuple):
    """Images [N, H, W], and their labels [N], numbers or texts."""

    image: np.ndarray
    label: np.ndarray
    paths: Sequence[Path] = ()
    """[N] of pictures"""


def _checked(path: Path, image: np.ndarray, label: np.ndarray) -> Part:
    """Return images as bytes, each with a label.

    Raises:
      DataError: naming the array that does not fit.
    """
    if image.ndim != 3 or not image.size:
        raise DataError(f"{path}: image must be [N, H, W], got {list(image.shape)}")
    if label.shape != image.shape[:1] or label.dtype.kind not in "iuU":
        raise DataError(
            f"{path}: label must be {len(image)} whole numbers or texts, got {label.dtype} "
            f"{list(label.shape)}"
        )
    if label.dtype.kind in "iu" and not 0 <= label.min() <= label.max() < 1 << 20:
        raise DataError(f"{path}: label must be >= 0, got {label.min()} to {label.max()}")
    if image.dtype == np.uint8:
        return Part(image, label)
    if image.dtype.kind != "f" or not (image.min() >= 0 and image.max() <= 1):
        raise DataError(
            f"{path}: image must be uint8, or floats in 0..1, got {image.dtype} "
            f"{image.min()} to {image.max()}; divide by the largest value"
        )
    return Part(np.rint(255 * image).astype(np.uint8), label)


def read_pair(place: Path, start: str) -> Part:
    """Read an IDX pair, of images [N, H, W] and labels [N].

    Args:
      start: of both names, as "train".

    Raises:
      DataError: naming the file that is missing or does not fit.
    """
    paths = []
    for name in (f"{start}-images-idx3-ubyte", f"{start}-labels-idx1-ubyte"):
        if (path := find_idx(place, name)) is None:
            raise DataError(f"{place}: no {name}[.gz] beside its partner; add it")
        paths.append(path)
    return _checked(paths[0], *map(read_idx, paths))


def read_arrays(path: Path) -> Part:
    """Read an archive with image [N, H, W] and label [N].

    Raises:
      DataError: naming the file, and what is wrong with it.
    """
    require_file(path, MAX_BYTES)
    try:
        with open(path, "rb") as file, open_archive(file) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
                raise DataError(f"{path}: over {MAX_BYTES:,} bytes, unpacked; make it smaller")
        opened: Any = np.load(path, allow_pickle=False)
        with opened as arrays:
            for name in ("image", "label"):
                if name not in arrays.files:
                    raise DataError(
                        f"{path}: no array {name!r}, it has {', '.join(arrays.files)}; "
                        "write it by np.savez(path, image=..., label=...)"
                    )
            image, label = arrays["image"], arrays["label"]
    except DataError:
        raise
    except (OSError, ValueError, MemoryError, *BROKEN) as error:
        reason = type(error).__name__
        raise DataError(
            f"{path}: not a whole .npz of arrays ({reason}); save it again"
        ) from error
    return _checked(path, image, label)


def read_folders(place: Path) -> tuple[Part, Part | None, list[str], bool]:
    """Read folders of pictures: (train, test, names of classes, whether taken as they are)."""
    folders = {path.name: path for path in _visible(place) if path.is_dir()}
    parts = next((pair for pair in SPLITS if folders.keys() <= pair), None)
    train_name, test_name = sorted(parts, reverse=True) if parts else ("", "")
    if parts is None or train_name not in folders:
        homes = [place]
    else:
        homes = [folders[name] for name in (train_name, test_name) if name in folders]
    listed = [_listed(home, place) for home in homes]
    names = sorted(listed[0], key=_by_number)
    paths = [path for classes in listed for files in classes.values() for path in files]
    images, as_is = _read_all(paths)
    parts, start = [], 0
    for classes in listed:
        label = np.array([name for name, files in classes.items() for _ in files])
        part = slice(start, start + len(label))
        parts.append(Part(images[part], label, paths[part]))
        start += len(label)
    return parts[0], parts[1] if len(parts) > 1 else None, names, as_is


def _listed(home: Path, place: Path) -> Mapping[str, list[Path]]:
    """Return {class: its pictures}, both in the order of names."""
    classes = {path.name: path for path in _visible(home) if path.is_dir()}
    if not classes:
        raise DataError(
            f"{home}: no data in it; {place} needs a subfolder of pictures per class, "
            "IDX files, or train.npz with image and label"
        )
    listed = {}
    for name, folder in classes.items():
        listed[name] = [p for p in _visible(folder) if p.suffix.lower() in SUFFIXES]
        if not listed[name]:
            raise DataError(f"{folder}: no picture in it; add {' or '.join(SUFFIXES[:3])}")
    return listed


def _visible(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.name[0] != "." and path.name != "__MACOSX"
    )


def _by_number(name: str) -> tuple[int, str]:
    """Sort "10" behind "9", and words behind numbers."""
    return (int(name) if name.isdecimal() and len(name) < 10 else 1 << 62, name)


def _read_all(paths: Sequence[Path]) -> tuple[np.ndarray, bool]:
    """Read pictures as [N, 28, 28]; True if all are in MNIST's form already.

    Raises:
      DataError: with the number of pictures that cannot be read, and the first.
    """
    if (images := _small(paths)) is not None:
        return images, True
    return np.stack(read_each(paths, read_picture)), False


def _small(paths: Sequence[Path]) -> np.ndarray | None:
    """Return the pictures [N, 28, 28] if all have that size and their paper is dark."""
    images, edges = [], []
    for path in paths:
        try:
            grey = read_grey(path)
        except DataError:
            return None
        if grey.shape != (SIDE, SIDE):
            return None
        images.append(np.rint(grey).astype(np.uint8))
        edges.append(edge(grey))
    return np.stack(images) if np.median(edges) < DARK else None
