"""Facts of people's own data, and the rules that all kinds of them share."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from jaxdigits.data.dataset import Dataset
from jaxdigits.errors import DataError

T = TypeVar("T")

TEST = 5  # one example in 5, as for the built-in digits
SPLIT_SEED = 0
LEAST = 12  # examples, of which some test and one validates


class Own(NamedTuple):
    """Facts of one's own data, as a run stores them."""

    shape: tuple[int, ...]
    """(H, W) of an image"""
    names: tuple[str, ...]
    """names of the classes"""
    as_is: bool = True
    """whether a picture of that size, light on dark, is taken as it is"""
    digest: str = ""
    """of all images and labels; a run's data are the same as long as this is"""
    strings: bool = False
    """whether each image is a row of digits (`data.own_fields`)"""
    group_by: str = ""
    """mark behind the writer in a file's name; a writer is in one part of the data"""


class OwnData(NamedTuple):
    """One's own data, as read from a place."""

    train: Dataset
    test: Dataset
    own: Own
    notes: tuple[str, ...]
    """one line for each choice made, for a user to read"""
    groups: np.ndarray | None = None
    """[N] of the training data: examples of a group belong together; None: each alone"""


def digest_of(*sets: Dataset) -> str:
    """Return the digest of all images and labels."""
    return digest_of_arrays(*(a for data in sets for a in (data.inputs[:], data.label)))


def digest_of_arrays(*arrays: Any) -> str:
    """Return the digest of the bytes of arrays."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.asarray(array).tobytes())
    return digest.hexdigest()[:16]


def read_each(paths: Sequence[Path], read: Callable[[Path], T]) -> list[T]:
    """Return the answer of `read` for each picture.

    Raises:
      DataError: with the number of pictures that cannot be read, and the first.
    """
    answers, errors = [], []
    for path in paths:
        try:
            answers.append(read(path))
        except DataError as error:
            errors.append(error)
    if errors:
        raise DataError(
            f"{len(errors)} of {len(paths)} pictures cannot be read: mend or remove them; "
            f"the first is {errors[0]}"
        )
    return answers
