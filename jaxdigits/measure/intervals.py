"""Intervals for accuracies: of one network on a test set, and of many networks."""

from typing import NamedTuple

import numpy as np
from jax.typing import ArrayLike


class Summary(NamedTuple):
    """A sample of runs."""

    mean: float
    std: float
    """of the sample, with n − 1"""
    low: float
    high: float
    """95 % interval of the mean"""


def wilson(correct: int, examples: int, *, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % interval of an accuracy, from so many correct of so many examples [1].

    It speaks of the examples' chance alone: another training run may differ by more.

    [1] Wilson, J. Am. Stat. Assoc. 22(158), 1927, doi:10.1080/01621459.1927.10502953.

    Raises:
      ValueError: unless 0 <= correct <= examples and examples >= 1.
    """
    if not 0 <= correct <= examples or examples < 1:
        raise ValueError(f"{correct} correct of {examples} examples is not possible")
    p, n = correct / examples, examples
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return float(max(0, centre - half)), float(min(1, centre + half))


def summarise(values: ArrayLike) -> Summary:
    """The mean of runs [P], their standard deviation, and Student's 95 % interval of the mean.

    Raises:
      ValueError: for fewer than two values.
    """
    from scipy.special import stdtrit

    values = np.asarray(values, float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"an interval over runs needs at least two, got {values.shape}")
    mean, std = float(values.mean()), float(values.std(ddof=1))
    half = float(stdtrit(len(values) - 1, 0.975)) * std / len(values) ** 0.5
    return Summary(mean, std, mean - half, mean + half)
