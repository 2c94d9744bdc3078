"""The settings of a bracket, all proposed at once: evenly, near the best, or by Optuna.

A proposal is a function of (space, seed, group, bracket, earlier scores), so a search that was
stopped proposes the same trials again.  A library's sampler would forget its random state with
its process; so each bracket has a fresh one, which is told all earlier trials of the group.

[1] Owen, J. Complexity 14(4), 1998, doi:10.1006/jcom.1998.0487 (scrambled Sobol points).
[2] de Boer, Kroese, Mannor & Rubinstein, Ann. Oper. Res. 134, 2005,
    doi:10.1007/s10479-005-5724-z (elites, in the cross-entropy method).
[3] Bergstra, Bardenet, Bengio & Kégl, NeurIPS 2011 (TPE).
[4] Scott, Multivariate Density Estimation, Wiley 1992, doi:10.1002/9780470316849.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxdigits.search.cube import settings_at
from jaxdigits.search.pareto import front_order
from jaxdigits.search.space import Space, free

SAMPLERS = ("elites", "sobol", "tpe", "nsga2")
ELITES = 8  # an eighth of the earlier trials, and at least so many, are elites
LEAST = 0.02  # deviation of a coordinate near an elite
BITS = 30  # of a Sobol coordinate
STATIC = 2**31  # in place of a group's number, in a seed
MISSING = 'the sampler {!r} needs Optuna: pip install "jaxdigits[search]"'


class Told(NamedTuple):
    """An earlier trial, as a sampler learns of it."""

    point: Mapping[str, float]
    """in the unit cube, for the names that are proposed"""
    scores: Mapping[int, float]
    """accuracy after each rung, by epochs"""
    done: bool
    """whether it trained to the end; else it was pruned"""
    cost: float = 0.0
    """operations an image; 0 where accuracy alone counts"""


def sobol_points(names: Sequence[str], first: int, count: int, seed: Sequence[int]):
    """Return `count` points of a scrambled Sobol sequence, from its point `first` on.

    Args:
      names: of the coordinates.
      seed: whole numbers, together the seed of the scrambling.
    """
    from scipy.stats import qmc

    if not names:
        return [{} for _ in range(count)]
    random = np.random.default_rng(list(seed))
    sequence = qmc.Sobol(len(names), scramble=True, bits=BITS, rng=random)
    if first:
        sequence.fast_forward(first)
    drawn = np.vstack(
        [sequence.random(1) for _ in range(count)]
    )  # any count, without a warning
    return [dict(zip(names, map(float, row), strict=True)) for row in drawn]


def near_elites(
    names: Sequence[str], count: int, told: Sequence[Told], seed: Sequence[int]
) -> list[dict[str, float]]:
    """Return `count` points, each at a random one of the best trials but for a normal deviate.

    The deviate is a share of the best ones' own, by Scott's rule for kernels [4].
    """
    best = _best(told, max(ELITES, len(told) // ELITES))
    points = np.array([[trial.point[name] for name in names] for trial in best])
    width = np.maximum(points.std(0) * len(best) ** (-1 / (len(names) + 4)), LEAST)
    random = np.random.default_rng(list(seed))
    deviate = width * random.standard_normal((count, len(names)))
    moved = np.abs(points[random.integers(len(points), size=count)] + deviate)
    moved = np.clip(1 - np.abs(1 - moved), 0, 1)  # reflected at 0 and at 1
    return [dict(zip(names, map(float, row), strict=True)) for row in moved]


def _best(told: Sequence[Told], count: int) -> list[Told]:
    """Return trials that trained longest, and of those the front of accuracy and cost."""
    best: list[Told] = []
    for epochs in sorted({max(trial.scores) for trial in told}, reverse=True):
        same = [trial for trial in told if max(trial.scores) == epochs]
        losses = np.array([[-trial.scores[epochs], trial.cost] for trial in same])
        best += [same[i] for i in front_order(losses)]
        if len(best) >= count:
            break
    return best[:count]


def last_of(trial: Told) -> float:
    """Return the accuracy after the last rung."""
    return trial.scores[max(trial.scores)]


def propose(
    sampler: str,
    names: Sequence[str],
    count: int,
    told: Sequence[Told],
    seed: Sequence[int],
) -> list[dict[str, float]]:
    """Return `count` points of the unit cube, by name.

    Args:
      sampler: a name of `SAMPLERS`.
      told: the group's earlier trials, in order.
      seed: (seed of the search, group, bracket).

    Raises:
      ImportError: for a sampler of Optuna without it, with the line that installs it.
    """
    even = lambda n: sobol_points(names, len(told), n, seed[:2])
    if sampler == "sobol" or not names:
        return even(count)
    if sampler == "elites":
        known = count // 2 if len(told) > ELITES else 0
        return even(count - known) + (near_elites(names, known, told, seed) if known else [])
    study = _study(sampler, seed)
    space = _distributions(names)
    for trial in told:
        study.add_trial(_as_trial(sampler, trial, space))
    asked = [study.ask(space) for _ in range(count)]
    return [{name: trial.params[name] for name in names} for trial in asked]


def static_points(space: Space, names: Sequence[str], most: int, seed: int):
    """Return the different settings, without numbers that are traced, of up to `most` groups.

    Args:
      names: of the choices and ranges that are static.
    """
    if not names:
        return [{}]
    different: list[dict[str, Any]] = []
    middle = dict.fromkeys(free(space), 0.5)
    for point in sobol_points(names, 0, 8 * most, (seed, STATIC)):
        settings = settings_at(space, middle | point)
        chosen = {name: settings[name] for name in names if name in settings}
        if chosen not in different:
            different.append(chosen)
    return different[:most]


def _study(sampler: str, seed: Sequence[int]) -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ImportError(MISSING.format(sampler)) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    number = int(np.random.SeedSequence(list(seed)).generate_state(1)[0])
    if sampler == "nsga2":
        own: Any = optuna.samplers.NSGAIISampler(seed=number, population_size=24)
        return optuna.create_study(directions=["maximize", "minimize"], sampler=own)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # both options are marked as experimental
        # Of a batch that is asked at once, a constant liar keeps the proposals apart.
        own = optuna.samplers.TPESampler(seed=number, multivariate=True, constant_liar=True)
    return optuna.create_study(direction="maximize", sampler=own)


def _distributions(names: Sequence[str]) -> dict[str, Any]:
    from optuna.distributions import FloatDistribution

    return {name: FloatDistribution(0.0, 1.0) for name in names}


def _as_trial(sampler: str, told: Told, space: Mapping[str, Any]) -> Any:
    from optuna.trial import TrialState, create_trial

    params = {name: told.point[name] for name in space}
    last = last_of(told)
    if sampler == "nsga2":
        return create_trial(params=params, distributions=dict(space), values=[last, told.cost])
    if told.done:
        return create_trial(params=params, distributions=dict(space), value=last,
                            intermediate_values=dict(told.scores))  # fmt: skip
    return create_trial(params=params, distributions=dict(space), state=TrialState.PRUNED,
                        intermediate_values=dict(told.scores))  # fmt: skip
