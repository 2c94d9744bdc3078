"""The honest end of a search: finalists trained anew, and a claim without its own luck.

The best of many trials looks better than it is: its seed was lucky, and so were the validation
images.  The finalists and the default are therefore trained again with fresh seeds, and the
claim is corrected by a bootstrap of the whole choice [1]: choose the best trial on images that
are drawn with replacement, and score it on the images that were not drawn.

[1] Tsamardinos, Greasidou & Borboudakis, Mach. Learn. 107, 2018, arXiv:1708.07180.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxdigits.data import Dataset
from jaxdigits.search.groups import hyper_of, trial_seed
from jaxdigits.search.halving import Score, order
from jaxdigits.search.lanes import train_tasks
from jaxdigits.search.pace import tick_seconds, timed
from jaxdigits.search.pareto import cheapest_of_good, front_order
from jaxdigits.search.records import Trial
from jaxdigits.search.work import NO_HOOKS, Hooks, Work, joined_trials, lanes_of, tasks_of

BEST, SEEDS = 5, 5  # finalists besides the default, and fresh seeds of each
FRESH = 2  # in a seed, before a number; in its place a trial has 1
DRAWS = 2000
# The mean of a share s, drawn without replacement, has (1 − s)/s times the variance of all.
SPREAD = float(np.sqrt(np.exp(-1) / (1 - np.exp(-1))))
TAIL = 2.5  # per cent on each side of an interval


class Final(NamedTuple):
    """A finalist, trained anew with fresh seeds."""

    trial: Trial
    seeds: list[int]
    accuracy: np.ndarray
    """[seeds] on the validation data"""
    right: np.ndarray
    """[seeds, V] bool"""
    operations: float
    network: Any
    """(params, statistics, epoch) of the seed that validation prefers"""
    seed: int
    """of that network"""
    history: tuple[dict[str, Any], ...]
    """of its epochs"""


class Claim(NamedTuple):
    """An accuracy with its 95 % interval."""

    value: float
    low: float
    high: float


def finalists(trials: Sequence[Trial], goal: str, best: int = BEST) -> list[Trial]:
    """Return the best of the trials that no rung has dropped, and the best default last.

    In a bracket that was cut they trained for fewer epochs, which is to their disadvantage.
    Trials with the settings of one before are passed over.
    """
    scored = [trial for trial in trials if trial.scores]
    able = [t for t in scored if t.last and last_score(t).accuracy >= 0]
    ranked = [able[i] for i in order([last_score(t) for t in able])]
    if goal == "front" and able:
        losses = [[-last_score(t).accuracy, t.operations] for t in able]
        ranked = [able[i] for i in front_order(np.array(losses))]
    usual = [trial for trial in scored if trial.default]
    default = usual[order([last_score(t) for t in usual])[0]] if usual else None
    chosen: list[Trial] = []
    for trial in ranked:
        if all(trial.settings != other.settings for other in [*chosen, default] if other):
            chosen.append(trial)
    return [*chosen[:best], *([default] if default else [])]


def train_anew(
    work: Work,
    trial: Trial,
    seeds: Sequence[int],
    hooks: Hooks = NO_HOOKS,
    epochs: int | None = None,
) -> Final:
    """Train a finalist with fresh seeds.

    Args:
      epochs: None: as many as the longest trials have.

    Raises:
      Interrupted: from `hooks.tick`.
    """
    group, lanes = lanes_of(work, trial.group)
    hyper = hyper_of(group, trial.settings)
    epochs = work.plan.facts.epochs if epochs is None else epochs
    plan = work.plan
    each = [tasks_of(plan, i, (plan.seed, FRESH, i), hyper, epochs) for i in range(len(seeds))]
    tasks = [task for tasks in each for task in tasks]
    rows: dict[int, list[dict[str, Any]]] = {task.trial: [] for task in tasks}
    measure, pool = timed(work.pace, trial.group, hooks.tick), {}

    def tick(lines):
        for i, row in lines:
            rows[i].append({"epoch": len(rows[i]) + 1, **row, "seconds": 0.0})
        measure(lines)
        for i, _ in lines:
            rows[i][-1]["seconds"] = tick_seconds(work.pace, trial.group) / len(lines)

    judged = train_tasks(lanes, tasks, pool, work.train, work.valid, tick)
    judged = joined_trials(plan, judged)
    judgements = [judged[i] for i in range(len(seeds))]
    first = order([Score(j.accuracy, j.cross_entropy) for j in judgements])[0]
    network = each[first][0].trial  # of several folds the first
    best = pool[network][1]
    return Final(
        trial, list(seeds), np.array([max(j.accuracy, 0.0) for j in judgements]),
        np.array([j.right for j in judgements]), judgements[first].operations,
        (best.params, best.statistics, int(best.epoch)), seeds[first], tuple(rows[network]),
    )  # fmt: skip


def fresh_seeds(seed: int, count: int = SEEDS) -> list[int]:
    """Return the fresh seeds of a search, the same for each finalist."""
    return [trial_seed(seed, FRESH, i) for i in range(count)]


def winner(finals: Sequence[Final], goal: str) -> int:
    """Return the place of the finalist with the best mean; for `cost`, the cheapest near it."""
    means = [float(final.accuracy.mean()) for final in finals]
    if goal == "cost":
        errors = [float(f.accuracy.std(ddof=1)) / len(f.seeds) ** 0.5 for f in finals]
        return cheapest_of_good(means, errors, [final.operations for final in finals])
    return int(np.argmax(means))


def gain(final: Final, default: Final, draws: int = DRAWS) -> Claim:
    """Return by how much a finalist's mean is above the default's.

    The interval is a bootstrap over validation images, the same for both, and over seeds.
    """
    random = np.random.default_rng(0)
    values = np.empty(draws)
    ours, theirs = final.right.astype(float), default.right.astype(float)
    for i in range(draws):
        images = random.integers(0, ours.shape[1], ours.shape[1])
        means = [
            right[random.integers(0, len(right), len(right))].mean(0)[images].mean()
            for right in (ours, theirs)
        ]
        values[i] = means[0] - means[1]
    return _claim(float(ours.mean() - theirs.mean()), values)


def corrected(right: np.ndarray, draws: int = DRAWS) -> Claim:
    """Return the accuracy to expect of the best of some trials on images that chose nothing.

    Among equals the mean of all is taken.  The images that were not drawn are a part 1/e of
    all, so their scores spread more than a score on all: the interval is narrower by `SPREAD`.

    Args:
      right: [trials, V] bool, each answer of each trial that could have been chosen.
    """
    random, right = np.random.default_rng(0), right.astype(float)
    images = right.shape[1]
    values = []
    for _ in range(draws):
        weight = np.bincount(random.integers(0, images, images), minlength=images)
        if (weight > 0).all():
            continue
        score = right @ weight
        chosen = right[score >= score.max() - 0.5]
        values.append(chosen[:, weight == 0].mean())
    mean = float(np.mean(values))
    return _claim(mean, mean + SPREAD * (np.array(values) - mean))


def claims(trials: Sequence[Trial]) -> tuple[float, Claim, int]:
    """Return (the search's own claim, the corrected one, the number of trials).

    Without a trial that was compared both claims are not a number.
    """
    trials = [trial for trial in trials if trial.scores]
    able = [trial for trial in trials if trial.last]
    if not able:
        return np.nan, Claim(np.nan, np.nan, np.nan), 0
    best = max(last_score(trial).accuracy for trial in able)
    return best, corrected(np.array([trial.right for trial in able])), len(trials)


def last_score(trial: Trial) -> Score:
    """Return the score of a trial after the most epochs that it trained."""
    return trial.scores[max(trial.scores)]


def sealed(test: Callable[[], Dataset]) -> Callable[[], Dataset]:
    """Return a function that hands out the test set, once.

    Raises:
      ValueError: when called again.
    """
    reads: list[int] = []

    def read() -> Dataset:
        if reads:
            raise ValueError("the test set is read once, and it has been: keep its result")
        reads.append(1)
        return test()

    return read


def _claim(value: float, draws: np.ndarray) -> Claim:
    low, high = np.percentile(draws, [TAIL, 100 - TAIL])
    return Claim(value, float(low), float(high))
