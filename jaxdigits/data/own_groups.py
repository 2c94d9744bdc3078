"""Examples of people's own data that belong together: copies of a picture, and one writer's.

A copy in the test data is no test, and a writer whose hand was trained on is an easy one.  So
the examples of a group are in one part, whatever the data are split for.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxdigits.errors import DataError

ENOUGH = 20  # examples of each class that a search chooses by
UNEVEN = 3.0  # times the smallest class: then the largest is mentioned


def groups_of(image: np.ndarray, writers: Sequence[str] | None = None) -> np.ndarray:
    """Return the group [N] of each example: its number, or that of an earlier member.

    Args:
      image: [N, H, W]; equal images are of one group.
      writers: [N] names; the examples of a writer are of one group.
    """
    group = np.arange(len(image))
    names = [hashlib.sha256(np.ascontiguousarray(each).tobytes()).digest() for each in image]
    for keys in (names, writers):
        if keys is None:
            continue
        first: dict[object, int] = {}
        for i, key in enumerate(keys):
            here, there = _root(group, i), _root(group, first.setdefault(key, i))
            group[max(here, there)] = min(here, there)
    return np.array([_root(group, i) for i in range(len(group))])


def writers_of(paths: Sequence[Path], mark: str) -> list[str]:
    """Return the writer of each picture: the part of its file's name before `mark`.

    Raises:
      DataError: for a name without the mark.
    """
    for path in paths:
        if mark not in path.stem:
            raise DataError(
                f"{path}: no {mark!r} in its name, which --group-by {mark} needs behind the "
                "writer: rename it, or leave the option out"
            )
    return [path.stem.partition(mark)[0] for path in paths]


def rows_apart(
    label: np.ndarray, groups: np.ndarray, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return (other rows, about `count` rows) of whole groups, each class with its share.

    Args:
      label: [N] whole numbers.
      groups: [N] whole numbers.

    Raises:
      ValueError: if one of the two would be empty.
    """
    names, number = np.unique(groups, return_inverse=True)
    table = np.zeros((len(names), int(label.max()) + 1), np.int64)
    np.add.at(table, (number, label), 1)
    left = table.sum(0) * count / len(label)
    ticket, chosen = np.random.PCG64(seed).random_raw(len(names)), np.zeros(len(names), bool)
    for group in np.lexsort((ticket, -table.sum(1))):
        if np.minimum(table[group], left).sum() * 2 >= table[group].sum():
            chosen[group] = True
            left = np.maximum(left - table[group], 0)
    apart = chosen[number]
    if apart.all() or not apart.any():
        raise ValueError(f"{len(names)} groups cannot be split: one part has none")
    return np.flatnonzero(~apart), np.flatnonzero(apart)


def notes_on(
    place: Path, label: np.ndarray, names: Sequence[str], copies: np.ndarray
) -> list[str]:
    """Return notes on copies and on classes of very different sizes.

    Args:
      copies: [N] the group of each example, of equal images alone.
    """
    notes = []
    if repeats := len(copies) - len(set(copies.tolist())):
        notes.append(f"{place} has {repeats} copies of other pictures: they stay in one part")
    counts = np.bincount(label, minlength=len(names))
    least, most = int(counts[counts > 0].min()), int(counts.max())
    if most > UNEVEN * least:
        few, many = names[int(np.flatnonzero(counts == least)[0])], names[int(counts.argmax())]
        notes.append(f"{place} is uneven: {most} of class {many}, {least} of class {few}")
    return notes


def require_enough(place: str, label: np.ndarray, names: Sequence[str]) -> None:
    """Check that each class has examples enough to choose by.

    Raises:
      DataError: naming the smallest class.
    """
    counts = np.bincount(label, minlength=len(names))
    least = int(counts.argmin())
    if counts[least] < ENOUGH:
        raise DataError(
            f"{place}: class {names[least]!r} has {counts[least]} examples to train on, and a "
            f"search needs {ENOUGH} of each: add some, or take the class out"
        )


def _root(group: np.ndarray, i: int) -> int:
    while group[i] != i:
        i = group[i]
    return int(i)
