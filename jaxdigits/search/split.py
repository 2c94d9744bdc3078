"""The split of the training data: what trials learn from, what chooses, the winner's own."""

from typing import NamedTuple

import numpy as np

from jaxdigits.data import Dataset, split
from jaxdigits.runs.job import SPLIT_SEED, validation_split
from jaxdigits.search.folds import Folds, fold_count, folds_of


class Split(NamedTuple):
    """The data of the trials."""

    train: Dataset
    valid: Dataset
    """with folds the same as `train`"""
    folds: Folds | None
    """of `train`, each held out once; None: `valid` chooses"""

    def examples(self) -> int:
        """Return the examples that a trial trains on."""
        return trained_on(self.train, self.folds)

    def to_choose(self) -> str:
        """Return the images that choose, in words."""
        if self.folds is None:
            return f"{len(self.valid):,}"
        return f"{self.folds.valid.size:,} in {len(self.folds.valid)} folds"


def split_for(
    train: Dataset, images: int, groups: np.ndarray | None = None
) -> tuple[Split, tuple[Dataset, Dataset] | None]:
    """Return the split of the trials, and (train, valid) of the winner.

    Args:
      images: that the trials may have.
      groups: [N] whole numbers of the training images, equal for those that belong together.

    Returns:
      the split, and None in place of the winner's where both are the same.
    """
    whole = validation_split(train)
    strings = np.ndim(train.label) == 2
    count = 1 if strings else fold_count(min(images, len(train)), len(whole[1]))
    learn = whole[0] if count == 1 else train
    some = min(images, len(learn))
    rows = np.arange(len(learn))
    if some < len(learn):
        numbered = Dataset(rows[:, None], learn.label, learn.classes, strings=strings)
        rows = np.asarray(split(numbered, (some, len(learn) - some), seed=0)[0].inputs[:])[:, 0]
    part = learn if some == len(learn) else learn[rows]
    if count == 1:
        return Split(part, whole[1], None), None if images >= len(train) else whole
    own = None if groups is None else groups[rows]
    folds = folds_of(np.asarray(part.label), count, seed=SPLIT_SEED, groups=own)
    return Split(part, part, folds), whole


def trained_on(train: Dataset, folds: Folds | None) -> int:
    """Return the examples that a trial trains on."""
    return len(train) if folds is None else folds.train.shape[1]
