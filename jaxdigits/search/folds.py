"""Folds: few images choose badly, so each trial is trained once for each part held out.

A score is of all held-out images together.  Folds are lanes: each has its own rows of one data
set, as many as all others.
"""

from typing import NamedTuple

import numpy as np

ENOUGH = 5000  # validation images of a single split
FEW, MOST, LEAST = 600, 5, 3  # images, and folds below and from there on


class Folds(NamedTuple):
    """The rows of a data set that each of k folds trains on, and those that it holds out."""

    train: np.ndarray
    """[k, N] int32"""
    valid: np.ndarray
    """[k, V] int32, all of them different"""


def fold_count(images: int, valid: int) -> int:
    """Return the folds for that many images; 1 if a split has validation images enough.

    Args:
      valid: validation images that a single split has.
    """
    if valid >= ENOUGH:
        return 1
    return MOST if images < FEW else LEAST


def folds_of(
    label: np.ndarray, count: int, *, seed: int, groups: np.ndarray | None = None
) -> Folds:
    """Return folds that each have their share of each class, the same on every machine.

    All have the same sizes: some examples of a larger fold are in none.

    Args:
      label: [N] whole numbers.
      groups: [N] whole numbers; the examples of a group are in one fold.

    Raises:
      ValueError: for fewer groups than folds.
    """
    label = np.asarray(label)
    groups = np.arange(len(label)) if groups is None else np.asarray(groups)
    fold = _assigned(label, groups, count, seed)
    sizes = np.bincount(fold, minlength=count)
    if not sizes.all():
        raise ValueError(f"{len(set(groups.tolist()))} groups cannot be in {count} folds")
    held, rest = sizes.min(), len(label) - sizes.max()
    ticket = np.random.PCG64(seed + 1).random_raw(len(label))
    order = np.argsort(ticket, kind="stable")
    pick = lambda mask, size: np.sort(order[mask[order]][:size])
    train = [pick(fold != i, rest) for i in range(count)]
    valid = [pick(fold == i, held) for i in range(count)]
    return Folds(np.array(train, np.int32), np.array(valid, np.int32))


def _assigned(label: np.ndarray, groups: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return the fold [N] of each example: large groups first, each where its classes lack."""
    names, number = np.unique(groups, return_inverse=True)
    table = np.zeros((len(names), int(label.max()) + 1), np.int64)
    np.add.at(table, (number, label), 1)
    ticket = np.random.PCG64(seed).random_raw(len(names))
    counts, home = np.zeros((count, table.shape[1])), np.zeros(len(names), int)
    for group in np.lexsort((ticket, -table.sum(1))):
        own = counts @ table[group]
        home[group] = np.lexsort((counts.sum(1), own))[0]
        counts[home[group]] += table[group]
    return home[number]
