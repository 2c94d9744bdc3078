"""Accuracies with their intervals: of one network on a test set, and of many networks."""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from jaxdigits.losses.classification import largest_is_label


class Summary(NamedTuple):
    """A sample of runs."""

    mean: float
    std: float
    """of the sample, with n − 1"""
    low: float
    high: float
    """95 % interval of the mean"""


class Score(NamedTuple):
    """Accuracy on a test set, as `jaxdigits train --json` reports it."""

    test_accuracy: float
    """0 to 1; the mean of several networks"""
    test_interval: tuple[float, float]
    """95 %"""
    interval_over: str
    """the chance that the interval covers: "test images", or "seeds" for several networks"""
    test_accuracies: list[float]
    """of each network"""
    test_std: float | None
    """standard deviation over the seeds; None for one network"""


def score(
    logits: ArrayLike,
    label: ArrayLike,
    right: Callable[[Array, Any], Array] = largest_is_label,
) -> Score:
    """Score the logits [networks, N, K] of one or more networks against labels [N].

    Args:
      right: says which answers are right, as `Loss.right` does.  It may take logits of more
        axes than K, as the points of signatures are.

    Raises:
      ValueError: if the shapes do not fit.
    """
    logits, label = np.asarray(logits), np.asarray(label)
    few, axes = 2 + label.ndim, logits.ndim
    fit = axes == few or (axes > few and right is not largest_is_label)
    if not fit or logits.shape[1] != len(label):
        raise ValueError(
            f"logits {logits.shape} must be [networks, N, K] for labels {label.shape}"
        )
    count = np.asarray(right(jnp.asarray(logits), label)).sum(1)
    accuracies = (count / len(label)).tolist()
    if len(count) == 1:
        interval = wilson(int(count[0]), len(label))
        return Score(accuracies[0], interval, "test images", accuracies, None)
    sample = summarise(accuracies)
    interval = max(0.0, sample.low), min(1.0, sample.high)  # Student's t knows no bounds
    return Score(sample.mean, interval, "seeds", accuracies, sample.std)


def wilson(correct: int, examples: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of an accuracy, `correct` of `examples` [1].

    It covers the chance of the examples alone: another training run may differ by more.

    [1] Wilson, J. Am. Stat. Assoc. 22(158), 1927, doi:10.1080/01621459.1927.10502953.

    Raises:
      ValueError: unless 0 <= correct <= examples and examples >= 1.
    """
    if not 0 <= correct <= examples or examples < 1:
        raise ValueError(f"{correct} correct of {examples} examples is not possible")
    # Not scipy.stats.binomtest: it takes half a second to import.
    z, share = NormalDist().inv_cdf(0.975), correct / examples
    middle = share + z * z / (2 * examples)
    reach = z * math.sqrt(share * (1 - share) / examples + (z / (2 * examples)) ** 2)
    scale = 1 + z * z / examples
    # At the ends the bound is exact, and rounding must not pass it.
    low = 0.0 if correct == 0 else (middle - reach) / scale
    return low, 1.0 if correct == examples else (middle + reach) / scale


def summarise(values: ArrayLike) -> Summary:
    """Return the mean of runs [P], their standard deviation, and Student's 95 % interval.

    Raises:
      ValueError: for fewer than two values.
    """
    # Not scipy.stats.ttest_1samp: it warns where all values are equal.
    from scipy.special import stdtrit

    values = np.asarray(values, float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"an interval over runs needs at least two, got {values.shape}")
    mean, std = float(values.mean()), float(values.std(ddof=1))
    half = float(stdtrit(len(values) - 1, 0.975)) * std / len(values) ** 0.5
    return Summary(mean, std, mean - half, mean + half)
