"""From distances to a decision: likelihood ratios, and errors on writers that were not seen.

The score of a questioned signature is its mean distance 1 − cos to the references.  A logistic
regression on validation writers, both kinds weighted equally, gives log LR = a + b · score:
how much likelier the score is from the same hand than from another that writes the name.

"same hand" is said above an LR at which at most a share of the impostors lies, "another hand"
below one at which at most a share of the genuine ones does: shares with an upper bound
(Clopper-Pearson) at the stated error.  Between both nothing can be said.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxdigits.measure.calibration import error_bound

ERROR = 0.05  # the share of wrong decisions, of either kind, that a decision states
MOST = 5  # references that are calibrated; more count as that many


class Scores(NamedTuple):
    """Scores by the number of references, of one set of writers."""

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
    same: float | None
    """the least log LR of "same hand"; None: never said"""
    other: float | None
    """the largest log LR of "another hand"; None: never said"""
    errors: Mapping[str, float]
    """on validation writers: shares of genuine called another hand, and of impostors and simple
    forgeries called the same"""

    def log_ratio(self, score: Any) -> Any:
        """Return log LR of scores [...]."""
        return self.a + self.b * np.asarray(score)

    def decide(self, score: float) -> str:
        """Return "same hand", "another hand" or "cannot say"."""
        ratio = float(self.log_ratio(score))
        if self.same is not None and ratio >= self.same:
            return "same hand"
        if self.other is not None and ratio <= self.other:
            return "another hand"
        return "cannot say"


def distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return 1 − cos [..., N, M] of points [..., N, D] and others [..., M, D] of length one."""
    return 1 - points @ np.swapaxes(others, -1, -2)


def scores_of(points: np.ndarray, writer: Any, name: Any, references: int) -> Scores:
    """Return the scores of all pictures against each hand's references.

    Each picture [M, D] in turn is questioned.  Its references are the first others of one hand
    and one name; a hand with fewer is left out.

    Args:
      points: [M, D]
      writer, name: [M]
      references: how many.
    """
    writer, name = np.asarray(writer), np.asarray(name)
    near = distances(points, points)
    scores: tuple[list[np.ndarray], ...] = ([], [], [])
    hands = sorted(set(zip(writer.tolist(), name.tolist(), strict=True)))
    for w, n in hands:
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
    a, b = _regression(scores)
    calibration = Calibration(a, b, None, None, {})
    genuine, impostor, simple = (calibration.log_ratio(each) for each in scores)
    same = _limit(impostor, error)
    other = _limit(-genuine, error)
    whole = calibration._replace(same=same, other=None if other is None else -other)
    if whole.same is not None and whole.other is not None and whole.same <= whole.other:
        # Both kinds hardly overlap: one limit in the middle errs less than promised.
        middle = (whole.same + whole.other) / 2
        whole = whole._replace(same=middle, other=np.nextafter(middle, -np.inf))

    def share(ratios, limit, sign):
        reached = (
            np.zeros(1) if limit is None or not len(ratios) else sign * (ratios - limit) >= 0
        )
        return float(reached.mean())

    errors = {
        "genuine": share(genuine, whole.other, -1),
        "impostor": share(impostor, whole.same, 1),
        "simple": share(simple, whole.same, 1),
    }
    return whole._replace(errors=errors)


def equal_error(genuine: np.ndarray, impostor: np.ndarray) -> float:
    """Return the equal error rate: the share of both kinds of errors where they are equal."""
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


def _limit(ratios: np.ndarray, error: float) -> float | None:
    """Return the least limit that at most a share `error` of ratios reaches, by its bound."""
    ordered = np.sort(ratios)[::-1]
    best = None
    for wrong in range(len(ordered)):
        if error_bound(wrong, len(ordered)) > error:
            break
        best = float(np.nextafter(ordered[wrong], np.inf))
    return best
