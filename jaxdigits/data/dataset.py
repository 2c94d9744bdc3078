"""A data set, and how to split one in a fair and repeatable way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits.data.inputs import Inputs, Rows, as_inputs, partition, select


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True, eq=False, init=False)
class Dataset:
    """Examples with their classes, as stored; the step scales them, on the device.

    `data[:100]` is the data set of the first hundred examples.  A pytree of its arrays, so it
    can be an argument of a compiled function.
    """

    inputs: Any
    """an `Inputs` of N examples; for digits it holds [N, 28, 28] uint8, where 0 is paper and
    255 the darkest stroke"""
    label: Array | np.ndarray
    """[N] int32, each >= 0: the digit; for SHD 0 to 19, digits in two languages; or strings
    [N, L] of them, with −1 behind the last of each"""
    classes: int
    """number of classes, a static number; for strings the last one is blank"""

    def __init__(
        self,
        inputs: Inputs | Array | np.ndarray | Mapping[str, Any],
        label: Any,
        classes: int | None = None,
        *,
        strings: bool = False,
    ):
        """Check and wrap the examples.

        Args:
          inputs: [N, ...] an array, a dict of them with one for each sense, or an `Inputs`.
          label: [N] whole numbers.
          classes: None: the largest label and one more; for strings of digits 11.
          strings: label is [N, L], as `losses.ctc` takes it.

        Raises:
          ValueError: unless there is a label >= 0 for each input and at least one example, and
            for a label that is no class.
        """
        inputs = as_inputs(inputs)
        values = np.asarray(label)
        if values.ndim != 1 + strings or not np.issubdtype(values.dtype, np.integer):
            raise ValueError(
                f"label must be whole numbers {'[N, L]' if strings else '[N]'}, got "
                f"{values.dtype} {list(values.shape)}{'' if strings else _remedy(values)}"
            )
        if inputs.size != len(values):
            raise ValueError(
                f"each input needs a label, got {inputs.size} inputs and {len(values)} labels; "
                "pass as many of both"
            )
        if not len(values):
            raise ValueError("a data set needs at least one example, got none")
        if strings:
            _require_ends(values)
            classes = 11 if classes is None else classes
        least, most = int(values.min()) + strings, int(values.max()) + strings
        classes = most + 1 if classes is None else classes
        if isinstance(classes, bool) or not isinstance(classes, Integral):
            raise ValueError(f"classes must be a whole number, got {classes!r}")
        if classes > np.iinfo(np.int32).max:
            raise ValueError(f"label must be below 2³¹, got {most}")
        if least < 0 or most >= classes:
            raise ValueError(
                f"label must be >= 0 and below classes, {classes}, got {least} to {most}"
            )
        convert = jnp.asarray if isinstance(label, Array) else np.asarray
        self._set(inputs, convert(label, np.int32), int(classes))

    def __getitem__(self, rows: Any) -> "Dataset":
        """Return the data set of some examples: a slice, or an array of their numbers."""
        if isinstance(rows, int):  # also ends `inputs, label = data` with a line of its own
            raise TypeError("select examples by a slice or an array, as in data[:8]")
        part = select(self.inputs, rows), self.label[rows], self.classes
        return Dataset(*part, strings=np.ndim(self.label) == 2)

    def __len__(self) -> int:
        return len(self.label)

    def tree_flatten(self) -> tuple[Any, int]:
        return (self.inputs, self.label), self.classes

    @classmethod
    def tree_unflatten(cls, classes: int, children: Any) -> "Dataset":
        data = object.__new__(cls)
        data._set(children[0], children[1], classes)
        return data

    def _set(self, inputs: Any, label: Any, classes: int) -> None:
        for name, value in dict(inputs=inputs, label=label, classes=classes).items():
            object.__setattr__(self, name, value)


def view(data: Dataset, rows: Array) -> Dataset:
    """Return the data set of the examples `rows` [N], without a copy of their inputs.

    Traceable: each lane of a program may have rows of its own.
    """
    label = jnp.asarray(data.label)[rows]
    return Dataset.tree_unflatten(data.classes, (Rows(data.inputs, rows), label))


def _require_ends(label: np.ndarray) -> None:
    """Raise a ValueError for the first string [N, L] with a label behind its end."""
    behind = ((label[:, 1:] != -1) & (label[:, :-1] == -1)).any(1)
    if behind.any():
        n = int(behind.argmax())
        raise ValueError(f"label[{n}] is {label[n].tolist()}: nothing may follow −1")


def _remedy(label: np.ndarray) -> str:
    """Return how to make whole numbers of such labels."""
    if label.dtype.kind in "USO":
        return ": number the texts, as np.unique(label, return_inverse=True)[1] does"
    if label.ndim == 2 and label.shape[1] == 1:
        return ": pass label[:, 0]"
    if label.ndim == 2 and (label.sum(1) == 1).all() and ((label == 0) | (label == 1)).all():
        return ", one-hot: pass label.argmax(1)"
    return ": pass label.astype(int)" if label.ndim == 1 and label.dtype.kind in "fb" else ""


def split(data: Dataset, sizes: Sequence[int], *, seed: int) -> tuple[Dataset, ...]:
    """Split `data` into disjoint data sets of exactly `sizes`, which cover it.

    Stratified: each has its proportional share of each class, to within one example, and keeps
    the order of its examples.  The values that examples draw from (`Drawn`) are split too.  The
    same seed gives the same split on every machine and with every version of NumPy.

    Args:
      data: N examples.
      sizes: numbers of examples; they sum to N.
      seed: int >= 0.

    Raises:
      ValueError: if a size is not an int >= 1, the sizes do not sum to N, seed is not an
        int >= 0, or a group of a `Drawn` has fewer values than there are sizes, as for
        `recordings_in_turn`.
    """
    _check(len(data), sizes, seed)
    label = np.asarray(data.label)
    strings = label.ndim == 2  # which are hardly ever the same
    number = (
        np.unique(label, return_inverse=True)[1] if not strings else np.zeros(len(label), int)
    )
    # NumPy promises the raw stream of PCG64 for good, but not Generator.permutation's.
    ticket = np.random.PCG64(seed).random_raw(len(label))
    by_class = np.lexsort((ticket, number))
    counts = _shares(sizes, np.bincount(number))
    owner = np.concatenate([np.repeat(np.arange(len(sizes)), n) for n in counts.T])
    groups = [np.sort(by_class[owner == i]) for i in range(len(sizes))]
    inputs = zip(partition(data.inputs, groups, seed), groups, strict=True)
    return tuple(Dataset(x, label[rows], data.classes, strings=strings) for x, rows in inputs)


def _check(examples: int, sizes: Sequence[int], seed: int) -> None:
    if not all(_is_int(size) and size >= 1 for size in sizes):
        raise ValueError(f"sizes must be counts, each an int >= 1, got {tuple(sizes)}")
    if sum(sizes) != examples:
        raise ValueError(
            f"sizes must sum to the {examples} examples of data, got {tuple(sizes)}"
        )
    if not (_is_int(seed) and seed >= 0):
        raise ValueError(f"seed must be an int >= 0, got {seed!r}")


def _is_int(x: object) -> bool:
    return isinstance(x, int | np.integer) and not isinstance(x, bool)


def _shares(sizes: Sequence[int], per_class: np.ndarray) -> np.ndarray:
    """Return counts [sizes, classes] whose rows sum to `sizes` and columns to `per_class`.

    The proportional share sizeₚ·n_c/N is rounded down, and the rest is distributed one by one:
    in each row, one more for each of the classes with the most examples left.  By Gale and
    Ryser's theorem that greedy order always ends with every row and column exact.
    """
    size = np.asarray(sizes, np.int64)[:, None]
    counts, remainder = np.divmod(size * per_class, per_class.sum())
    left = per_class - counts.sum(0)
    for row, missing in enumerate(size[:, 0] - counts.sum(1)):
        chosen = np.lexsort((-remainder[row], -left))[:missing]
        counts[row, chosen] += 1
        left[chosen] -= 1
    return counts
