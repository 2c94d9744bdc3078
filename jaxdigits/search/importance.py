"""Which settings mattered: rank correlations between settings and accuracy, on one rung.

[1] Hutter, Hoos & Leyton-Brown, ICML 2014 (functional ANOVA).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxdigits.search.cube import unit_of
from jaxdigits.search.space import Choice, Space, free

FEWEST = 6  # trials below which nothing is said


class Importance(NamedTuple):
    """The part of a setting in the ranks of the trials that have it."""

    name: str
    share: float
    """of the variance of the ranks, 0 to 1"""
    direction: float
    """Spearman's correlation of a number with accuracy, −1 to 1; 0 for a choice"""
    trials: int


def importances(
    space: Space, settings: Sequence[Mapping[str, Any]], accuracy: Sequence[float]
) -> list[Importance]:
    """Return the importance of each setting, the largest first.

    For a number the share is Spearman's correlation squared; for a choice the variance of the
    ranks' means by value, with the expectation of chance subtracted.

    Args:
      settings: of trials that trained for the same number of epochs.
      accuracy: of each.
    """
    rows = []
    for name in free(space):
        entry = space.entries[name]
        having = [i for i, values in enumerate(settings) if name in values]
        if len(having) < FEWEST:
            continue
        values = [settings[i][name] for i in having]
        ranks = _ranks([accuracy[i] for i in having])
        if isinstance(entry, Choice):
            share, direction = _between([str(v) for v in values], ranks), 0.0
        else:
            direction = _correlation(_ranks([unit_of(entry, v) for v in values]), ranks)
            share = direction**2
        rows.append(Importance(name, share, direction, len(having)))
    return sorted(rows, key=lambda row: -row.share)


def fanova(
    space: Space, settings: Sequence[Mapping[str, Any]], accuracy: Sequence[float]
) -> dict[str, float] | None:
    """Return the share of each setting that all trials have, by Optuna's fANOVA [1].

    None without Optuna or scikit-learn, with too few trials, or where all are equal.
    """
    names = [n for n in free(space) if all(n in values for values in settings)]
    if len(settings) < FEWEST or not names or len(set(accuracy)) < 2:
        return None
    try:
        import optuna
        import sklearn  # noqa: F401  (Optuna needs it for this alone)
    except ImportError:
        return None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize")
    axes: Any = {name: optuna.distributions.FloatDistribution(0.0, 1.0) for name in names}
    for values, score in zip(settings, accuracy, strict=True):
        point = {name: unit_of(space.entries[name], values[name]) for name in names}
        study.add_trial(
            optuna.trial.create_trial(params=point, distributions=axes, value=score)
        )
    own = optuna.importance.FanovaImportanceEvaluator(seed=0)
    shares = optuna.importance.get_param_importances(study, evaluator=own)
    return {name: float(share) for name, share in shares.items()}


def _ranks(values: Sequence[float]) -> np.ndarray:
    from scipy.stats import rankdata

    return rankdata(values)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    if not a.std() or not b.std():
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def _between(values: Sequence[str], ranks: np.ndarray) -> float:
    """Return ω², the share of the ranks' variance that lies between values."""
    kinds = sorted(set(values))
    total = ((ranks - ranks.mean()) ** 2).sum()
    if len(kinds) < 2 or len(values) <= len(kinds) or not total:
        return 0.0
    groups = [ranks[[v == kind for v in values]] for kind in kinds]
    within = sum(((g - g.mean()) ** 2).sum() for g in groups) / (len(values) - len(kinds))
    between = total - within * (len(values) - len(kinds))
    return float(np.clip((between - (len(kinds) - 1) * within) / (total + within), 0, 1))
