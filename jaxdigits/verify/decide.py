"""From distances to a decision: likelihood ratios, and errors on writers that were not seen.

The score of a questioned signature is its mean distance 1 − cos to the references.  Hands
that write as most do are near to everybody's, so from each distance goes the mean of both
pictures' distances to the nearest of a cohort, pictures of the training writers [1].

A logistic regression on validation writers, both kinds weighted equally, gives
log LR = a + b · score: how much likelier the score is from the same hand than from another that
writes the name.  "same hand" is said above an LR at which at most a share of the impostors
lies, "another hand" below one at which at most a share of the genuine ones does: shares with
an upper bound (Clopper-Pearson) at the stated error.  Between both nothing can be said.

[1] Auckenthaler, Carey & Lloyd-Thomas, Digital Signal Processing 10, 2000,
    doi:10.1006/dspr.1999.0360.
"""

from typing import Any, NamedTuple

import numpy as np

from jaxdigits.measure.calibration import error_bound

ERROR = 0.05  # the share of wrong decisions, of either kind, that a decision states
NEAREST = 60  # of a cohort; 10 to 200 were as good on validation writers


class Scores(NamedTuple):
    """Scores with some number of references, of one set of writers."""

    genuine: np.ndarray
    """[N]"""
    impostor: np.ndarray
    """[M] another hand that writes the same name"""
    simple: np.ndarray
    """[S] another hand that writes another name; may be empty"""


class Calibration(NamedTuple):
    """A decision with some number of references."""

    a: float
    b: float
    """log LR = a + b · score, natural"""
    same: float
    """the least log LR of "same hand"; inf: never said"""
    other: float
    """the largest log LR of "another hand"; -inf: never said"""

    def log_ratio(self, score: Any) -> Any:
        """Return log LR of scores [...]."""
        return self.a + self.b * np.asarray(score)

    def decide(self, score: float) -> str:
        """Return "same hand", "another hand" or "cannot say"."""
        ratio = self.log_ratio(score)
        return "same hand" if ratio >= self.same else (
            "another hand" if ratio <= self.other else "cannot say"
        )  # fmt: skip


class Errors(NamedTuple):
    """Shares of wrong decisions; NaN where there was nothing to decide."""

    genuine: float
    """called another hand"""
    impostor: float
    """others that write the same name, called the same hand"""
    simple: float
    """others that write another name, called the same hand"""


def distances(points: np.ndarray, others: np.ndarray, cohort: np.ndarray) -> np.ndarray:
    """Return distances [N, M] of points [N, D] and others [M, D], beside a cohort [C, D].

    All have length one.  Without a cohort (C = 0) they are 1 − cos.
    """

    def usual(x):
        far = 1 - x @ cohort.T
        count = min(NEAREST, len(cohort))
        return np.partition(far, count - 1)[:, :count].mean(1) / 2 if count else 0 * x[:, 0]

    return 1 - points @ others.T - usual(points)[:, None] - usual(others)


def scores_of(
    points: np.ndarray, writer: Any, name: Any, references: int, cohort: np.ndarray
) -> Scores:
    """Return the scores of all pictures against each hand's references.

    Each picture [M, D] in turn is questioned.  Its references are the first others of one hand
    and one name; a hand with fewer is left out.

    Args:
      points: [M, D]
      writer, name: [M]
      references: how many.
      cohort: as for `distances`.
    """
    writer, name = np.asarray(writer), np.asarray(name)
    near = distances(points, points, cohort)
    scores: tuple[list[np.ndarray], ...] = ([], [], [])
    for w, n in sorted(set(zip(writer.tolist(), name.tolist(), strict=True))):
        own = np.flatnonzero((writer == w) & (name == n))
        if len(own) <= references:
            continue
        for i, questioned in enumerate(own):
            with_it = np.delete(own, i)[:references]
            scores[0].append(near[questioned, with_it].mean(keepdims=True))
        with_all = near[own[:references]].mean(0)
        scores[1].append(with_all[(writer != w) & (name == n)])
        scores[2].append(with_all[(writer != w) & (name != n)])
    return Scores(*(np.concatenate(each) if each else np.zeros(0) for each in scores))


def calibrate(scores: Scores, error: float = ERROR) -> Calibration:
    """Return the calibration that the scores of validation writers teach.

    Raises:
      ValueError: without genuine or impostor scores.
    """
    if not len(scores.genuine) or not len(scores.impostor):
        raise ValueError("calibrate needs scores of the same hand and of others, got none")
    fit = Calibration(*_regression(scores), np.inf, -np.inf)
    same = _limit(fit.log_ratio(scores.impostor), error)
    other = -_limit(-fit.log_ratio(scores.genuine), error)
    if (
        same <= other
    ):  # both kinds hardly overlap: a limit in the middle errs less than promised
        same = (same + other) / 2
        other = float(np.nextafter(same, -np.inf))
    return fit._replace(same=same, other=other)


def errors_of(calibration: Calibration, scores: Scores) -> Errors:
    """Return the shares of wrong decisions on the scores of other writers."""
    genuine, *others = (calibration.log_ratio(each) for each in scores)
    wrong = [genuine <= calibration.other, *(each >= calibration.same for each in others)]
    return Errors(*(float(each.mean()) if len(each) else np.nan for each in wrong))


def equal_error(genuine: np.ndarray, impostor: np.ndarray) -> float:
    """Return the share of both kinds of errors where they are equal, of scores [N] and [M]."""
    limits = np.sort(np.concatenate([genuine, impostor]))
    missed = 1 - np.searchsorted(np.sort(genuine), limits, "right") / len(genuine)
    passed = np.searchsorted(np.sort(impostor), limits, "right") / len(impostor)
    at = int(np.abs(missed - passed).argmin())
    return float((missed[at] + passed[at]) / 2)


def _regression(scores: Scores) -> tuple[float, float]:
    """Return (a, b) of log LR = a + b · score; both kinds weigh the same."""
    from scipy.optimize import minimize

    unit, few = np.std(np.concatenate(scores[:2])), min(map(len, scores[:2]))

    def loss(fit):
        missed, passed = (fit[0] + fit[1] * each / unit for each in scores[:2])
        # Weighs as one score: where no two scores overlap, ratios would be infinite.
        prior = fit @ fit / (2 * few)
        return np.logaddexp(0, -missed).mean() + np.logaddexp(0, passed).mean() + prior

    a, b = minimize(loss, np.zeros(2)).x
    return float(a), float(b / unit)


def _limit(ratios: np.ndarray, error: float) -> float:
    """Return the least limit that at most a share `error` of ratios reaches, by its bound."""
    ordered = np.sort(ratios)[::-1]
    best = np.inf
    for wrong in range(len(ordered)):
        if error_bound(wrong, len(ordered)) > error:
            break
        best = float(np.nextafter(ordered[wrong], np.inf))
    return best
