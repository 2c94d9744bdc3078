"""The errors of a classifier: its confusion matrix, recall and precision."""

from typing import NamedTuple

import numpy as np
from jax.typing import ArrayLike


class PerClass(NamedTuple):
    """Counts and shares of each class [K]; NaN where the class has no examples."""

    images: np.ndarray
    recall: np.ndarray
    """share of the class's examples that were read as this class"""
    precision: np.ndarray
    """share of the examples read as this class that are of this class"""


def confusion_matrix(label: ArrayLike, prediction: ArrayLike, classes: int = 10) -> np.ndarray:
    """Count the pairs of label and prediction in [classes, classes] int: row is the label.

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
    """Return recall and precision of each class, from a confusion matrix [K, K]."""
    right, labels, predictions = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    share = lambda n: np.divide(right, n, out=np.full(len(n), np.nan), where=n > 0)
    return PerClass(labels, share(labels), share(predictions))
