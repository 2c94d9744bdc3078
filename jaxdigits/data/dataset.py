"""What a data set is, and how to part one in a fair and repeatable way."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jax import Array

from jaxdigits.data.inputs import Inputs, count, parted


class DataError(ValueError):
    """A file or a download that failed: one line, with what was wrong and what to do."""


class Dataset(NamedTuple):
    """Digits with their classes, as stored; scaling is the step's work, on the device."""

    image: Inputs
    """[N, 28, 28] uint8, ink: 0 is paper, 255 the darkest stroke; or a dict of what each sense
    is given, as of `jaxdigits.data.mnist_fsdd`"""
    label: Array | np.ndarray
    """[N] int32, the digit 0..9; of SHD 0..19, digits in two languages"""


def split(data: Dataset, sizes: Sequence[int], *, seed: int) -> tuple[Dataset, ...]:
    """Disjoint parts of `data`, of exactly `sizes`, that cover it and share its mixture.

    Stratified: each part holds of each class its proportional share, to within one example.
    Inside a part the examples keep their order in `data`.  What examples draw from (`Drawn`)
    is parted with them.  The same seed gives the same parts
    on every machine and with every version of NumPy.

    Args:
      data: N examples.
      sizes: how many examples each part gets; they sum to N.
      seed: int >= 0.

    Raises:
      ValueError: if image and label differ in length, a size is not an int >= 1, the sizes do
        not sum to N, seed is not an int >= 0, or a `Drawn` has fewer values of a group than
        there are parts, as of `recordings_in_turn`.
    """
    _check(data, sizes, seed)
    _, label = np.unique(data.label, return_inverse=True)
    # NumPy promises the raw stream of PCG64 for good, but not Generator.permutation's.
    ticket = np.random.PCG64(seed).random_raw(len(label))
    by_class = np.lexsort((ticket, label))
    counts = _shares(sizes, np.bincount(label))
    owner = np.concatenate([np.repeat(np.arange(len(sizes)), n) for n in counts.T])
    parts = [np.sort(by_class[owner == p]) for p in range(len(sizes))]
    inputs = parted(data.image, parts, seed)
    return tuple(Dataset(x, data.label[i]) for x, i in zip(inputs, parts, strict=True))


def _check(data: Dataset, sizes: Sequence[int], seed: int) -> None:
    n = len(data.label)
    if count(data.image) != n:
        raise ValueError(f"data must have a label per image, got {count(data.image)} and {n}")
    if not all(_is_int(size) and size >= 1 for size in sizes):
        raise ValueError(f"sizes must be counts, each an int >= 1, got {tuple(sizes)}")
    if sum(sizes) != n:
        raise ValueError(f"sizes must sum to the {n} examples of data, got {tuple(sizes)}")
    if not (_is_int(seed) and seed >= 0):
        raise ValueError(f"seed must be an int >= 0, got {seed!r}")


def _is_int(x: object) -> bool:
    return isinstance(x, int | np.integer) and not isinstance(x, bool)


def _shares(sizes: Sequence[int], per_class: np.ndarray) -> np.ndarray:
    """[parts, classes] counts whose rows sum to `sizes` and columns to `per_class`.

    The proportional share sizeₚ·n_c/N is rounded down, and what that leaves over is given out
    one by one: to each part in turn, one more of the classes of which most are left.  By
    Gale and Ryser's theorem that greedy order always ends with every row and column exact.
    """
    size = np.asarray(sizes, np.int64)[:, None]
    counts, remainder = np.divmod(size * per_class, per_class.sum())
    left = per_class - counts.sum(0)
    for p, missing in enumerate(size[:, 0] - counts.sum(1)):
        chosen = np.lexsort((-remainder[p], -left))[:missing]
        counts[p, chosen] += 1
        left[chosen] -= 1
    return counts
