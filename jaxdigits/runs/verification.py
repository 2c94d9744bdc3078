"""The decisions of a run that compares signatures: learned from validation writers, on disk.

`verify.json` of the run has a calibration for each number of references.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxdigits.data import Dataset, Hands
from jaxdigits.errors import RunError
from jaxdigits.runs.folder import LARGEST_JSON, write_json, writing
from jaxdigits.train.sharding import by_first_process
from jaxdigits.verify import Calibration, calibrate, equal_error, scores_of

FILE = "verify.json"
MOST = 5  # references; of more, the first ones count


def pictures_of(hands: Hands) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pictures [M, H, W] of hands, who wrote each [M], and which name [M]."""
    rows, count, who = map(np.asarray, (hands.rows, hands.count, hands.who))
    whose, which = np.nonzero(np.arange(rows.shape[1]) < count[:, None])
    return np.asarray(hands.picture)[rows[whose, which]], *who[whose].T


def calibrations_of(
    points_of: Callable[[Any], np.ndarray], valid: Dataset
) -> tuple[Calibration, ...]:
    """Return the calibration for one reference, for two, and so on, up to five.

    Args:
      points_of: returns the points [networks, M, D] of pictures [M, H, W]; they are joined.
    """
    picture, writer, name = pictures_of(valid.inputs)
    points = joined(points_of(picture))
    calibrations = []
    for references in range(1, MOST + 1):
        scores = scores_of(points, writer, name, references)
        if not len(scores.genuine) or not len(scores.impostor):
            break
        calibrations.append(calibrate(scores))
    return tuple(calibrations)


def joined(points: np.ndarray) -> np.ndarray:
    """Return points [M, networks · D] of length one, from those of each network.

    The cosine of two is the mean over the networks.
    """
    return np.concatenate(list(points), -1) / len(points) ** 0.5


class Decisions(NamedTuple):
    """The errors of decisions with some number of references."""

    references: int
    equal_error: float
    """beside others who write the same name"""
    equal_error_other_name: float | None
    """beside others who write another; None without such"""
    passed: float
    """share of those who write the same name that is called the same hand"""
    missed: float
    """share of the genuine that is called another hand"""
    unsaid: float
    """share of both, equally weighted, of which nothing is said"""


def measure_decisions(
    points_of: Callable[[Any], np.ndarray], calibrations: Sequence[Calibration], hands: Hands
) -> list[Decisions]:
    """Return the errors on other writers' hands, for each number of references.

    Args:
      points_of: as for `calibrations_of`.
    """
    picture, writer, name = pictures_of(hands)
    points = joined(points_of(picture))
    rows = []
    for references, calibration in enumerate(calibrations, 1):
        scores = scores_of(points, writer, name, references)
        if not len(scores.genuine) or not len(scores.impostor):
            break
        words = [[calibration.decide(s) for s in each] for each in scores[:2]]
        share = lambda word, words=words: [
            float(np.mean([w == word for w in k])) for k in words
        ]
        simple = equal_error(scores.genuine, scores.simple) if len(scores.simple) else None
        rows.append(Decisions(
            references, equal_error(scores.genuine, scores.impostor), simple,
            share("same hand")[1], share("another hand")[0],
            float(np.mean(share("cannot say"))),
        ))  # fmt: skip
    return rows


@by_first_process
def save_calibrations(folder: Path, calibrations: Sequence[Calibration]) -> None:
    """Write `verify.json`, atomically.

    Raises:
      RunError: if it cannot be written.
    """
    with writing(folder):
        write_json(folder / FILE, [each._asdict() for each in calibrations])


def load_calibrations(folder: Path) -> tuple[Calibration, ...]:
    """Read `verify.json`.

    Raises:
      RunError: without the file, or for a damaged one.
    """
    path = folder / FILE
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise ValueError("it is too large")
        calibrations = tuple(Calibration(**row) for row in json.loads(path.read_text()))
        for a, b, same, other, errors in calibrations:
            limits = [0.0 if limit is None else limit for limit in (same, other)]
            shares = [errors[name] for name in ("genuine", "impostor", "simple")]
            if not np.isfinite([a, b, *limits, *shares]).all():
                raise ValueError("its numbers are not finite")
        if not calibrations:
            raise ValueError("it has no calibrations")
    except Exception as error:  # values of a wrong type can fail anywhere
        raise RunError(
            f"{path} cannot be used ({type(error).__name__}): train the run to its end"
        ) from error
    return calibrations
