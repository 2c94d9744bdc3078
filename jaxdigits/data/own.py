"""People's own images with their classes: a folder of pictures, IDX files, or an `.npz`.

    FOLDER/CLASS/*.png               a subfolder per class, of pictures in any format read
    FOLDER/train/CLASS/*.png         the same, with a test set in FOLDER/test
    FOLDER/train-images-idx3-ubyte   and the labels; a test pair is t10k-...; gzipped or not
    FOLDER/train.npz                 `image` [N, H, W] and `label` [N]; a test set is test.npz
    FILE.npz                         the same, without a test set
    FOLDER/labels.csv                rows of digits: `jaxdigits.data.own_fields`

Pictures that all have 28×28 pixels, light on dark, are taken as they are.  All others are
prepared as a digit: cut out, scaled and centred in MNIST's geometry.  Arrays of any size are
taken as they are.  Without a test set, a fifth of each class is set apart, always the same.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from jaxdigits.data.dataset import Dataset, split
from jaxdigits.data.files import Source, name_of
from jaxdigits.data.geometry import SIDE, edge
from jaxdigits.data.mnist import find_idx
from jaxdigits.data.own_facts import (
    LEAST,
    SPLIT_SEED,
    TEST,
    Own,
    OwnData,
    digest_of,
)
from jaxdigits.data.own_fields import own_fields, table_of
from jaxdigits.data.own_files import DARK, SUFFIXES, Part, read_arrays, read_folders, read_pair
from jaxdigits.data.own_groups import groups_of, notes_on, rows_apart, writers_of
from jaxdigits.data.own_hands import own_hands
from jaxdigits.data.picture import read_grey, read_picture
from jaxdigits.errors import DataError


def own_data(place: str | PathLike[str], group_by: str = "", *, hands: bool = False) -> OwnData:
    """Read one's own images: the module's text says which files there may be.

    Args:
      group_by: mark behind the writer in the name of each picture, as _ in anna_07.png; all
        pictures of a writer are then in one part.
      hands: they are signatures, with a folder for each writer (`jaxdigits.data.own_hands`).

    Raises:
      DataError: naming the file or folder that is missing, cannot be read, or does not fit.
    """
    place = Path(place).absolute()
    names: Sequence[str] | None = None
    as_is = True
    if place.suffix == ".npz":
        train, test = read_arrays(place), None
    elif not place.is_dir():
        raise DataError(f"{place}: no such folder; pass one with a subfolder per class")
    elif hands:
        _require_pictures(place, group_by, False)
        return own_hands(place, SUFFIXES)
    elif table_of(place):
        _require_pictures(place, group_by, False)
        return own_fields(place)
    elif find_idx(place, "train-images-idx3-ubyte"):
        train, test = read_pair(place, "train"), None
        if find_idx(place, "t10k-images-idx3-ubyte"):
            test = read_pair(place, "t10k")
    elif (place / "train.npz").is_file():
        path = place / "test.npz"
        train, test = (
            read_arrays(place / "train.npz"),
            read_arrays(path) if path.is_file() else None,
        )
    else:
        train, test, names, as_is = read_folders(place)
    _require_pictures(place, group_by, bool(train.paths))
    return _joined(place, train, test, names, as_is, group_by)


def facts_of(train: Dataset, names: Sequence[str] | None = None) -> Own:
    """Return the facts of a data set in memory, for the configuration of a run.

    Args:
      train: images [N, H, W].
      names: of the classes; None: their numbers.

    Raises:
      ValueError: unless there is one name for each class.
    """
    names = [str(i) for i in range(train.classes)] if names is None else names
    if len(names) != train.classes or len(set(names)) != len(names):
        raise ValueError(
            f"names must be {train.classes} different names, got {len(names)}: {list(names)}"
        )
    return Own(tuple(train.inputs.shape), tuple(map(str, names)))


def read_as(path: Source, own: Own) -> np.ndarray:
    """Read a picture as the images of one's own data were read: [H, W] uint8.

    Raises:
      DataError: as `read_picture`, or for a size that can neither be taken nor prepared.
    """
    if own.as_is:
        grey = read_grey(path)
        if grey.shape == own.shape and np.median(edge(grey)) < DARK:
            return np.rint(grey).astype(np.uint8)
        if own.shape != (SIDE, SIDE):
            h, w = own.shape
            raise DataError(
                f"{name_of(path)}: {grey.shape[0]}×{grey.shape[1]} pixels, or dark on light; "
                f"this run reads {h}×{w}, light on dark: resize or invert it"
            )
    return read_picture(path)


def _joined(
    place: Path,
    train: Part,
    test: Part | None,
    names: Sequence[str] | None,
    as_is: bool,
    group_by: str,
) -> OwnData:
    """Number the classes, set test data apart, and check that all fit together."""
    names = list(_names(train.label) if names is None else names)
    if taken := {"unsure", "no digit"} & set(names):
        raise DataError(f"{place}: class {taken.pop()!r} is an answer of `predict`: rename it")
    if len(names) > len(train.label):
        raise DataError(
            f"{place}: labels up to {len(names) - 1}, for {len(train.label)} examples; number "
            "the classes from 0 on"
        )
    if len(names) < 2:
        raise DataError(f"{place}: only one class, {names[0]!r}; two or more are needed")
    learn = _numbered(place, train, names)
    notes: list[str] = []
    if len(learn) < LEAST:
        counts = np.bincount(np.asarray(learn.label), minlength=len(names))
        raise DataError(
            f"{place}: {len(learn)} examples to train on, of class {names[counts.argmin()]!r} "
            f"only {counts.min()}; {LEAST} are needed: add some"
        )
    copies = groups_of(train.image)
    writers = writers_of(train.paths, group_by) if group_by else None
    groups = groups_of(train.image, writers) if group_by else copies
    facts = notes_on(place, np.asarray(learn.label), names, copies)
    if test is not None:
        check = _numbered(place, test, names)
    else:
        learn, check, groups = _apart(place, learn, groups)
        count = len(check)
        notes.append(f"{place} has no test set: {count} of its examples are set apart")
    if learn.inputs.shape != check.inputs.shape:
        sizes = f"{learn.inputs.shape} and {check.inputs.shape}"
        raise DataError(f"{place}: training and test images are {sizes}; make them one size")
    if missing := _missing(train.label, names):
        notes.append(f"{place} has no example of {missing}: add some, or ignore this")
    if not as_is:
        notes.append("pictures are cut out, scaled and centred as digits of 28×28 pixels")
    digest = digest_of(learn, check)
    own = Own(learn.inputs.shape, tuple(names), as_is, digest, group_by=group_by)
    together = groups if len(set(groups.tolist())) < len(groups) else None
    return OwnData(learn, check, own, (*notes, *facts), together)


def _apart(
    place: Path, data: Dataset, groups: np.ndarray
) -> tuple[Dataset, Dataset, np.ndarray]:
    """Set a fifth apart for the test: (learn, check, groups of learn)."""
    count = len(data) // TEST
    if len(set(groups.tolist())) == len(groups):
        learn, check = split(data, (len(data) - count, count), seed=SPLIT_SEED)
        return learn, check, np.arange(len(learn))
    try:
        rows, apart = rows_apart(np.asarray(data.label), groups, count, SPLIT_SEED)
    except ValueError as error:
        raise DataError(
            f"{place}: {error}; add pictures of more writers, or a test set of its own"
        ) from error
    return data[rows], data[apart], groups[rows]


def _require_pictures(place: Path, group_by: str, pictures: bool) -> None:
    if group_by and not pictures:
        raise DataError(f"{place}: --group-by is for single pictures, by the names of files")


def _numbered(place: Path, part: Part, names: Sequence[str]) -> Dataset:
    """Return a data set whose labels are numbers of the names."""
    number = {name: i for i, name in enumerate(names)}
    texts = _texts(part.label)
    if other := sorted(set(texts) - set(number)):
        raise DataError(f"{place}: class {other[0]!r} of the test data is not in training")
    return Dataset(part.image, np.array([number[t] for t in texts], np.int32), len(names))


def _texts(label: np.ndarray) -> list[str]:
    return [str(value) for value in label.tolist()]


def _names(label: np.ndarray) -> list[str]:
    """Return the names of classes: all numbers up to the largest label, or the texts."""
    if label.dtype.kind in "iu":
        return [str(i) for i in range(int(label.max()) + 1)]
    return sorted(set(_texts(label)))


def _missing(label: np.ndarray, names: Sequence[str]) -> str:
    """Return the numbers without an example, up to the largest; "" for classes with words.

    Class folders may begin with any number, and labels of arrays with 0.
    """
    numbers = {int(t) for t in set(_texts(label)) if t.isdecimal()}
    if len(numbers) < 2 or not all(name.isdecimal() for name in names):
        return ""
    missing = sorted({*range(min(map(int, names)), max(numbers))} - numbers)
    few = ", ".join(map(str, missing[:9])) + (
        f" and {len(missing) - 9} more" if missing[9:] else ""
    )
    return few and f"{'classes' if missing[1:] else 'class'} {few}"
