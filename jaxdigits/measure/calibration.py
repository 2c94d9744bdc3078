"""Doubt: probabilities that mean what they say, and answers that are withheld.

A network's softmax is often too sure, or, after label smoothing, not sure enough.  One number,
the temperature T, mends both: softmax(logits / T), with the T that makes the labels of
validation data most likely [1].

An answer is withheld where its probability, the confidence, is not above a threshold.  A
promise such as "at most 1 % of the answers are wrong" needs a bound, since validation data are
few: the upper limit of Clopper and Pearson [2] for the share of errors.  Fifteen thresholds are
tried, which give 10 % to all of the answers, and the level is divided among them (Bonferroni).

[1] Guo, Pleiss, Sun & Weinberger, ICML 2017, arXiv:1706.04599.
[2] Clopper & Pearson, Biometrika 26(4), 1934, doi:10.1093/biomet/26.4.404.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jax.typing import ArrayLike

BINS = 15
HOTTEST = 20.0  # the highest temperature; the lowest is 1/20
COVERAGES = (*(n / 10 for n in range(1, 10)), 0.95, 0.97, 0.98, 0.99, 0.995, 1.0)


class Step(NamedTuple):
    """The answers above a threshold, of validation data."""

    threshold: float
    """of confidence; answers with more are given"""
    answers: int
    errors: int


class Doubt(NamedTuple):
    """How sure a network may be, learned from validation data."""

    temperature: float
    steps: tuple[Step, ...]
    """of each coverage in `COVERAGES`"""
    checked: tuple[Step, ...] = ()
    """of strings, the same where a checksum joins in"""


class Promise(NamedTuple):
    """The answers above the threshold of a promised share of errors, on other data."""

    threshold: float
    coverage: float
    """share of all that is answered"""
    answers: int
    errors: int
    bound: float
    """upper limit of the share of errors"""


class Reliability(NamedTuple):
    """Answers in bins of confidence, evenly spaced from 0 to 1; empty bins have NaN."""

    confidence: np.ndarray
    """[bins], the mean"""
    accuracy: np.ndarray
    """[bins]"""
    answers: np.ndarray
    """[bins], their number"""

    @property
    def error(self) -> float:
        """The expected calibration error: the mean distance of accuracy and confidence."""
        gap = np.abs(np.nan_to_num(self.confidence - self.accuracy))
        return float((gap * self.answers).sum() / self.answers.sum())


def probabilities(logits: ArrayLike, temperature: float = 1.0) -> np.ndarray:
    """Return the mean probabilities [N, K] of one or more networks' logits [networks, N, K]."""
    scaled = np.asarray(logits, np.float64) / temperature
    weight = np.exp(scaled - scaled.max(-1, keepdims=True))
    return (weight / weight.sum(-1, keepdims=True)).mean(0)


def fit_temperature(logits: ArrayLike, label: ArrayLike) -> float:
    """Return the temperature, from 1/20 to 20, that makes labels [N] most likely.

    Its logarithm has a normal prior of mean 0 and deviation 1/2, which a hundred examples
    outweigh.  Without it a few examples, all right, would make every answer sure.

    Args:
      logits: [networks, N, K], of validation data.

    Raises:
      ValueError: unless label is [N] whole numbers in 0..K − 1, and N >= 1.
    """
    logits, label = np.asarray(logits), _checked(label, *np.shape(logits)[1:])
    rows = np.arange(len(label))

    def log_likelihood(temperature):
        chance = probabilities(logits, temperature)[rows, label]
        return float(np.log(np.maximum(chance, 1e-300)).sum())

    return best_temperature(log_likelihood)


def best_temperature(log_likelihood: Callable[[float], float]) -> float:
    """Return the temperature, from 1/20 to 20, with the highest log-likelihood of all labels.

    Its logarithm has the prior of `fit_temperature`.
    """
    from scipy.optimize import minimize_scalar

    loss = lambda log: 2 * log**2 - log_likelihood(float(np.exp(log)))
    limit = np.log(HOTTEST)
    best = minimize_scalar(
        loss, bounds=(-limit, limit), method="bounded", options={"xatol": 1e-3}
    )
    return float(np.exp(best.x))


def learn_doubt(logits: ArrayLike, label: ArrayLike) -> Doubt:
    """Return the doubt that validation data teach: logits [networks, N, K], labels [N].

    Raises:
      ValueError: as `fit_temperature`.
    """
    temperature = fit_temperature(logits, label)
    p = probabilities(logits, temperature)
    return Doubt(temperature, steps_of(p.max(1), p.argmax(1) == np.asarray(label)))


def steps_of(confidence: ArrayLike, right: ArrayLike) -> tuple[Step, ...]:
    """Return a step for each coverage in `COVERAGES`, of answers [N] that are right [N]."""
    confidence, wrong = np.asarray(confidence, float), ~np.asarray(right, bool)
    order = np.sort(confidence)[::-1]
    steps = []
    for coverage in COVERAGES:
        n = max(1, round(coverage * len(order)))
        # Above the next lower confidence; equal ones are all given, or none.
        limit = float(order[n]) if n < len(order) else 0.0
        answered = confidence > limit
        steps.append(Step(limit, int(answered.sum()), int(wrong[answered].sum())))
    return tuple(steps)


def threshold(doubt: Doubt, max_error: float, *, level: float = 0.95) -> float | None:
    """Return the lowest threshold above which at most `max_error` of the answers are wrong.

    Or None, where validation data are too few, or too hard, to promise it.

    Args:
      level: the chance, over validation data, that the promise holds.

    Raises:
      ValueError: unless max_error and level are between 0 and 1.
    """
    for name, value in dict(max_error=max_error, level=level).items():
        if not 0 < value < 1:
            raise ValueError(f"{name} must be between 0 and 1, got {value}")
    bounds = zip(doubt.steps, error_bounds(doubt, level), strict=True)
    return min((step.threshold for step, e in bounds if e <= max_error), default=None)


def measure_promise(
    doubt: Doubt, max_error: float, confidence: ArrayLike, right: ArrayLike
) -> Promise | None:
    """Return how a promise is held by answers [N] that the doubt did not learn from.

    Or None, where the doubt promises no such share.

    Raises:
      ValueError: as `threshold`.
    """
    limit = threshold(doubt, max_error)
    if limit is None:
        return None
    above = np.asarray(confidence) > limit
    answers, errors = int(above.sum()), int((~np.asarray(right, bool)[above]).sum())
    bound = error_bound(errors, answers)
    return Promise(limit, float(above.mean()), answers, errors, bound)


def error_bounds(doubt: Doubt, level: float = 0.95) -> list[float]:
    """Return an upper limit of the share of errors above each threshold; all hold together."""
    each = 1 - (1 - level) / len(doubt.steps)
    return [error_bound(step.errors, step.answers, each) for step in doubt.steps]


def error_bound(errors: int, answers: int, level: float = 0.95) -> float:
    """Return Clopper and Pearson's upper limit of the share of errors; 1 for no answer."""
    from scipy.stats import beta

    if errors >= answers:
        return 1.0
    return float(beta.ppf(level, errors + 1, answers - errors))


def reliability(confidence: ArrayLike, right: ArrayLike, *, bins: int = BINS) -> Reliability:
    """Return the mean confidence and the accuracy of answers [N] in bins of confidence."""
    confidence, right = np.asarray(confidence, float), np.asarray(right, float)
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(which, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean = lambda x: np.bincount(which, x, minlength=bins) / count
        return Reliability(mean(confidence), mean(right), count)


def calibration_error(probability: ArrayLike, label: ArrayLike) -> float:
    """Return the expected calibration error of probabilities [N, K] for labels [N].

    Raises:
      ValueError: unless label is [N] whole numbers in 0..K − 1, and N >= 1.
    """
    p = np.asarray(probability)
    return reliability(p.max(1), p.argmax(1) == _checked(label, *p.shape)).error


def _checked(label: ArrayLike, examples: int, classes: int) -> np.ndarray:
    values = np.asarray(label)
    if not examples or values.shape != (examples,) or values.dtype.kind not in "iu":
        raise ValueError(
            f"label must be {max(examples, 1)} whole numbers, got {values.dtype} "
            f"{list(values.shape)}"
        )
    if values.min() < 0 or values.max() >= classes:
        raise ValueError(
            f"label must be in 0..{classes - 1}, got {values.min()} to {values.max()}"
        )
    return values


def risk_coverage(confidence: ArrayLike, right: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return (coverage, risk) [N]: of the n surest answers, their share, and that of errors."""
    order = np.argsort(-np.asarray(confidence), kind="stable")
    n = np.arange(1, len(order) + 1)
    wrong = np.cumsum(~np.asarray(right, bool)[order])
    return n / len(order), wrong / n
