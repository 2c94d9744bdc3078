"""The accuracy of one network, or of a sample of them, with its interval."""

from typing import NamedTuple

import numpy as np
from jax.typing import ArrayLike

from jaxdigits.measure.intervals import summarise, wilson


class Score(NamedTuple):
    """Accuracy on a test set, as `jaxdigits train --json` reports it."""

    test_accuracy: float
    """0 to 1; of several networks the mean"""
    test_interval: tuple[float, float]
    """95 %"""
    interval_over: str
    """what chance the interval speaks of: "test images", or "seeds" of several networks"""
    test_accuracies: list[float]
    """of each network"""
    test_std: float | None
    """standard deviation over the seeds; None for one"""


def score(logits: ArrayLike, label: ArrayLike) -> Score:
    """Score the logits [networks, N, K] of one or more networks against labels [N].

    Raises:
      ValueError: if the shapes do not fit.
    """
    logits, label = np.asarray(logits), np.asarray(label)
    if logits.ndim != 3 or logits.shape[1:2] != label.shape:
        raise ValueError(
            f"logits {logits.shape} must be [networks, N, K] for labels {label.shape}"
        )
    right = (logits.argmax(-1) == label).sum(1)
    accuracies = (right / len(label)).tolist()
    if len(right) == 1:
        interval = wilson(int(right[0]), len(label))
        return Score(accuracies[0], interval, "test images", accuracies, None)
    sample = summarise(accuracies)
    interval = max(0.0, sample.low), min(1.0, sample.high)  # Student's t knows no bounds
    return Score(sample.mean, interval, "seeds", accuracies, sample.std)
