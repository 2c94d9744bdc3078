"""The decisions of a run that compares signatures: learned from validation writers, on disk.

`verify.npz` of the run has a calibration for each number of references, its errors on the test
writers, and the points (no pictures) of the training writers, a cohort.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxdigits.data import Hands
from jaxdigits.data.files import replace_file
from jaxdigits.errors import RunError
from jaxdigits.runs.plain_files import writing
from jaxdigits.train.sharding import by_first_process
from jaxdigits.verify import (
    Calibration,
    Errors,
    Scores,
    calibrate,
    equal_error,
    errors_of,
    scores_of,
)

FILE = "verify.npz"
MOST = 5  # references; of more, the first ones count
PointsOf = Callable[[Any], np.ndarray]
"""pictures [M, H, W] -> the points [networks, M, D] of each network"""


class Comparison(NamedTuple):
    """All that a decision needs but the network."""

    calibrations: tuple[Calibration, ...]
    """with one reference, with two, and so on, up to five"""
    errors: tuple[Errors, ...]
    """of each calibration, on writers that no training step saw"""
    cohort: np.ndarray
    """[C, D] points of the training writers"""


class Decisions(NamedTuple):
    """The errors of decisions with some number of references."""

    references: int
    equal_error: float
    """beside others who write the same name"""
    equal_error_other_name: float | None
    """beside others who write another; None without such"""
    errors: Errors
    unsaid: float
    """share of both kinds with one name, equally weighted, of which nothing is said"""


def learn_comparison(
    points_of: PointsOf, learn: Hands, valid: Hands, test: Hands
) -> Comparison:
    """Return the comparison: learned on `valid` beside the cohort `learn`, tested on `test`."""
    cohort = joined(points_of(pictures_of(learn)[0]))
    calibrations = tuple(map(calibrate, scores_by_references(points_of, cohort, valid)))
    tested = scores_by_references(points_of, cohort, test)
    return Comparison(calibrations, tuple(map(errors_of, calibrations, tested)), cohort)


def pictures_of(hands: Hands) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pictures [M, H, W] of hands, who wrote each [M], and which name [M]."""
    rows, count, who = map(np.asarray, (hands.rows, hands.count, hands.who))
    whose, which = np.nonzero(np.arange(rows.shape[1]) < count[:, None])
    return np.asarray(hands.picture)[rows[whose, which]], *who[whose].T


def joined(points: np.ndarray) -> np.ndarray:
    """Return points [M, networks · D] of length one, from those of each network.

    The cosine of two is the mean over the networks.
    """
    return np.concatenate(list(points), -1) / len(points) ** 0.5


def scores_by_references(points_of: PointsOf, cohort: np.ndarray, hands: Hands) -> list[Scores]:
    """Return the scores with one reference, with two, and so on, while there are any."""
    picture, writer, name = pictures_of(hands)
    points = joined(points_of(picture))
    most = min(MOST, int(np.max(hands.count)) - 1)
    each = [scores_of(points, writer, name, n, cohort) for n in range(1, most + 1)]
    return [scores for scores in each if len(scores.genuine) and len(scores.impostor)]


def measure_decisions(
    points_of: PointsOf, comparison: Comparison, hands: Hands
) -> list[Decisions]:
    """Return the errors on other writers' hands, for each number of references."""
    rows = []
    scores = scores_by_references(points_of, comparison.cohort, hands)
    for n, (each, calibration) in enumerate(zip(scores, comparison.calibrations, strict=False)):
        simple = equal_error(each.genuine, each.simple) if len(each.simple) else None
        words = [[calibration.decide(s) == "cannot say" for s in kind] for kind in each[:2]]
        rows.append(Decisions(
            n + 1, equal_error(each.genuine, each.impostor), simple,
            errors_of(calibration, each), float(np.mean([np.mean(w) for w in words])),
        ))  # fmt: skip
    return rows


@by_first_process
def save_comparison(folder: Path, comparison: Comparison) -> None:
    """Write `verify.npz`, atomically.

    Raises:
      RunError: if it cannot be written.
    """
    with writing(folder):
        replace_file(folder / FILE, lambda file: np.savez(file, **comparison._asdict()))


def load_comparison(folder: Path) -> Comparison:
    """Read `verify.npz`.

    Raises:
      RunError: without the file, or for a damaged one.
    """
    path = folder / FILE
    try:
        with np.load(path, allow_pickle=False) as file:
            calibrations, errors, cohort = (file[name] for name in Comparison._fields)
        if np.isnan(calibrations).any() or not np.isfinite(cohort).all() or not len(errors):
            raise ValueError("it has numbers that are not finite")
        of_rows = lambda kind, rows: tuple(kind(*row) for row in rows.tolist())
        return Comparison(of_rows(Calibration, calibrations), of_rows(Errors, errors), cohort)
    except Exception as error:  # values of a wrong type can fail anywhere
        raise RunError(
            f"{path} cannot be used ({type(error).__name__}): train the run to its end"
        ) from error
