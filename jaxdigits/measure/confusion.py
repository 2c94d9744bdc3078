"""Where a classifier errs: the confusion matrix and what follows from it."""

from typing import NamedTuple

import numpy as np
from jax.typing import ArrayLike


class PerClass(NamedTuple):
    """Counts and shares of each class [K]; a share of nothing is not a number."""

    images: np.ndarray
    recall: np.ndarray
    """of the examples of this class, the share that was recognised"""
    precision: np.ndarray
    """of the examples taken for this class, the share that was of it"""


def confusion_matrix(label: ArrayLike, prediction: ArrayLike, classes: int = 10) -> np.ndarray:
    """[classes, classes] int: row is the label, column what it was taken for.

    Raises:
      ValueError: unless both are [N], whole numbers in 0..classes − 1.
    """
    label, prediction = np.asarray(label), np.asarray(prediction)
    if label.shape != prediction.shape or label.ndim != 1:
        raise ValueError(f"label {label.shape} and prediction {prediction.shape} must be [N]")
    for name, values in dict(label=label, prediction=prediction).items():
        if not len(values):
            continue
        if not np.issubdtype(values.dtype, np.integer):
            raise ValueError(f"{name} must be whole numbers, got {values.dtype}")
        if values.min() < 0 or values.max() >= classes:
            raise ValueError(f"{name} must be in 0..{classes - 1}")
    pairs = label.astype(int) * classes + prediction.astype(int)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def per_class(confusion: np.ndarray) -> PerClass:
    """Recall and precision of each class, from a confusion matrix [K, K]."""
    right, count, taken = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    share = lambda n: np.divide(right, n, out=np.full(len(n), np.nan), where=n > 0)
    return PerClass(count, share(count), share(taken))
