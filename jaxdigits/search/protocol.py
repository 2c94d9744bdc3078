"""The search itself: brackets of halving, one group after another, each decision a record.

The next step is a function of the records so far, and so is each trial.  A clock decides only
where the search ends, so a longer search goes on where a shorter one was cut.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from jaxdigits.data import Dataset
from jaxdigits.search.cube import point_of
from jaxdigits.search.folds import Folds
from jaxdigits.search.groups import (
    Facts,
    Group,
    Settings,
    all_groups,
    default_settings,
    group_of,
    hyper_of,
    settings_in,
    trial_seed,
)
from jaxdigits.search.halving import (
    Score,
    bracket,
    next_group,
    order,
    places,
    survivors,
)
from jaxdigits.search.journal import Pool, Record
from jaxdigits.search.lanes import (
    WIDTH,
    Judgement,
    Lanes,
    Task,
    compiled_lanes,
    joined,
    train_tasks,
)
from jaxdigits.search.pace import Pace, step_seconds, timed
from jaxdigits.search.pareto import front_order
from jaxdigits.search.proposals import Told, propose
from jaxdigits.search.records import Rung, Trial, next_rung, packed, trials_of, turns_of
from jaxdigits.search.space import Space

TOGETHER = 4  # groups of a round: each is compiled anew
SILENT, SATURATED = 0.001, 0.5  # spikes per neuron and time step
TRIAL = 1  # in a seed, before a trial's number


class Plan(NamedTuple):
    """Everything that decides which trials there are, besides the data."""

    space: Space
    facts: Facts
    seed: int = 0
    goal: str = "accuracy"
    sampler: str = "sobol"
    width: int = WIDTH
    folds: int = 1
    """of the training data, each held out once; 1: the validation data are apart"""
    host: tuple[int, int] = (0, 1)
    """number of this host, and of all: groups are dealt to them in turn"""


@dataclass
class Work:
    """The data of a search, its compiled programs, and their pace."""

    plan: Plan
    train: Dataset
    valid: Dataset
    """with folds the same as `train`"""
    folds: Folds | None = None
    groups: list[Settings] = field(default_factory=list)
    lanes: dict[int, tuple[Group, Lanes]] = field(default_factory=dict)
    pace: Pace = field(default_factory=Pace)

    def __post_init__(self):
        self.groups = self.groups or all_groups(
            self.plan.space, self.plan.facts, self.plan.seed
        )


class Hooks(NamedTuple):
    """Functions that a search calls; by default none does anything."""

    append: Callable[[Record], None] = lambda record: None
    """with each record, before anything follows from it"""
    save: Callable[[Pool], None] = lambda pool: None
    """with the states of the trials that go on, after each rung"""
    may_start: Callable[[int, float], bool] = lambda epochs, seconds: True
    """whether a step of so many member-epochs and seconds may start"""
    tick: Callable[[], None] = lambda: None
    """after each epoch of the lanes; raises `Interrupted` to stop"""
    others: Callable[[], dict[int, Score]] = dict
    """the best score of each group that another host has trained"""


NO_HOOKS = Hooks()


def extend(work: Work, records: list[Record], pool: Pool, hooks: Hooks = NO_HOOKS) -> None:
    """Go on with a search until `hooks` stop it: `records` and `pool` grow in place.

    Raises:
      Interrupted: from `hooks.tick`; the rung that was training has no record.
    """
    while True:
        rung = next_rung(records)
        epochs, seconds = (0, 0.0) if rung is None else cost_of(work, rung)
        if not hooks.may_start(epochs, seconds):
            return
        record = (
            _bracket(work, records, hooks)
            if rung is None
            else _trained(work, rung, pool, hooks)
        )
        records.append(record)
        hooks.append(record)
        if rung is not None:
            going = parts_of(work.plan, record["on"]) if next_rung(records) else []
            for trial in set(pool) - set(going):
                del pool[trial]
            hooks.save(pool)


def examples_of(work: Work) -> int:
    """Return the examples that a trial trains on."""
    return len(work.train) if work.folds is None else work.folds.train.shape[1]


def lanes_for(work: Work, networks: int) -> int:
    """Return how often all lanes are needed for that many networks, each with its folds."""
    return -(-networks * work.plan.folds // work.plan.width)


def tasks_of(
    plan: Plan, number: int, place: Sequence[int], hyper: dict[str, float], epochs: int
) -> list[Task]:
    """Return the tasks of a network, one for each fold.

    Args:
      number: of the network.
      place: whole numbers that name its seed.
    """
    return [
        Task(part, trial_seed(*place, *([fold] if fold else [])), hyper, epochs, fold)
        for fold, part in enumerate(parts_of(plan, [number]))
    ]


def parts_of(plan: Plan, trials: Sequence[int]) -> list[int]:
    """Return the numbers in the pool of all folds of some trials."""
    return [trial * plan.folds + fold for trial in trials for fold in range(plan.folds)]


def cost_of(work: Work, rung: Rung) -> tuple[int, float]:
    """Return the member-epochs of a rung, and its seconds at the present pace."""
    epochs, count = rung.epoch - rung.before, len(rung.trials)
    ticks = epochs * lanes_for(work, count)
    return epochs * count, step_seconds(work.pace, rung.group, ticks)


def lanes_of(work: Work, group: int) -> tuple[Group, Lanes]:
    """Return a group and its programs."""
    if group not in work.lanes:
        plan = work.plan
        own = group_of(plan.space, work.groups[group], plan.facts)
        data, count = (work.train, work.valid), plan.goal != "accuracy"
        work.lanes[group] = (
            own,
            compiled_lanes(own.config, *data, plan.width, count=count, folds=work.folds),
        )
    return work.lanes[group]


def _bracket(work: Work, records: Sequence[Record], hooks: Hooks) -> Record:
    """Propose the trials of the next bracket."""
    plan, trials = work.plan, trials_of(records)
    turns = turns_of(records, trials)
    number = len(turns)
    group, others = _next_group(work, turns, hooks)
    place = sum(g == group for g, _ in turns)
    shape = bracket(place, plan.facts.epochs)
    own, _ = lanes_of(work, group)
    # Without a traced number all trials of a group would be equal.
    size = shape.size if own.names else 1
    defaults = [s for s in _usual(work) if _static(s, work, group)] if not place else []
    told = [_told(work, own, t, shape.rungs[-1]) for t in trials.values() if t.group == group]
    seed = (plan.seed, group, number)
    points = propose(plan.sampler, own.names, size - len(defaults[:size]), told, seed)
    settings = [*defaults[:size], *(settings_in(plan.space, own, p) for p in points)]
    host, hosts = plan.host
    numbers = [hosts * i + host for i in range(len(trials), len(trials) + size)]
    known = {"others": {str(g): list(score) for g, score in others.items()}} if others else {}
    return known | {
        "bracket": number, "group": group, "rungs": list(shape.rungs), "trials": numbers,
        "defaults": numbers[: len(defaults)], "settings": settings,
    }  # fmt: skip


def _next_group(
    work: Work, turns: Sequence[tuple[int, Score]], hooks: Hooks
) -> tuple[int, dict[int, Score]]:
    """Return the group of the next bracket, and the scores of other hosts that decide it.

    A group that is in the worse half of all hosts' groups makes room for a new one.
    """
    host, hosts = work.plan.host
    own = list(range(host, len(work.groups), hosts)) or [0]
    together = -(-max(TOGETHER, len(_usual(work))) // hosts)
    dealt = [(own.index(group), score) for group, score in turns]
    group = own[next_group(dealt, together, len(own))]
    others = hooks.others()
    mine = {g: score for g, score in turns if g == group}
    fresh = [g for g in own if g not in {had for had, _ in turns}]
    if others and mine and fresh:
        best = [mine[group], *others.values()]
        if order(best).index(0) >= (len(best) + 1) // 2:
            group = fresh[0]
    return group, others


def _trained(work: Work, rung: Rung, pool: Pool, hooks: Hooks) -> Record:
    """Train and judge the trials of a rung, and decide who goes on."""
    group, lanes = lanes_of(work, rung.group)
    plan, epochs = work.plan, rung.epoch - rung.before
    tasks = [
        task for trial, settings in zip(rung.trials, rung.settings, strict=True)
        for task in tasks_of(
            plan, trial, (plan.seed, TRIAL, trial), hyper_of(group, settings), epochs
        )
    ]  # fmt: skip
    rates: dict[int, list[float]] = {}
    measure = timed(work.pace, rung.group, hooks.tick)

    def tick(rows):
        rates.update({trial: row["firing_rates"] for trial, row in rows})
        measure(rows)

    stepped = "steps" in group.config.options
    own = lambda trial: parts_of(plan, [trial])
    trouble = lambda trial: max(_trouble(rates[part], stepped) for part in own(trial))
    forget = lambda judged: _lost(plan, rung, joined_trials(plan, judged), trouble)
    judged = train_tasks(lanes, tasks, pool, work.train, work.valid, tick, forget)
    judged = joined_trials(plan, judged)
    rows = [judged[trial] for trial in rung.trials]
    ended = {trial: reason for trial in rung.trials if (reason := trouble(trial))}
    return _rung_record(plan, rung, rows, ended)


def joined_trials(plan: Plan, judged: dict[int, Judgement]) -> dict[int, Judgement]:
    """Return the judgements of trials of which all folds are judged."""
    trials = dict.fromkeys(part // plan.folds for part in judged)
    parts = {trial: parts_of(plan, [trial]) for trial in trials}
    return {
        trial: joined([judged[part] for part in own])
        for trial, own in parts.items() if all(part in judged for part in own)
    }  # fmt: skip


def _lost(
    plan: Plan, rung: Rung, judged: dict[int, Judgement], trouble: Callable[[int], str]
) -> list[int]:
    """Return the parts of trials that cannot go on, whoever comes: no state is needed.

    A rank by accuracy only gets worse as others come; a rank on a front may not.
    """
    known = [trial for trial in rung.trials if trial in judged]
    if rung.last or plan.goal == "front":
        return parts_of(plan, known) if rung.last else []
    able = [trial for trial in known if not trouble(trial)]
    ranked = order([Score(*judged[trial][:2]) for trial in able])
    staying = {able[i] for i in ranked[: places(len(rung.trials))]}
    return parts_of(plan, [trial for trial in known if trial not in staying])


def _rung_record(plan: Plan, rung: Rung, rows: list[Judgement], ended: dict[int, str]):
    scores = [Score(row.accuracy, row.cross_entropy) for row in rows]
    losses = np.array([[-row.accuracy, row.operations] for row in rows])
    ranked = front_order(losses) if plan.goal == "front" else order(scores)
    going = survivors(scores, [i for i in ranked if rung.trials[i] not in ended])
    return {
        "rung": rung.epoch, "bracket": rung.bracket, "trials": list(rung.trials),
        "accuracy": [row.accuracy for row in rows],
        "cross_entropy": [row.cross_entropy for row in rows],
        "operations": [row.operations for row in rows],
        "images": len(rows[0].right), "right": [packed(row.right) for row in rows],
        "ended": {str(trial): reason for trial, reason in ended.items()},
        "on": [rung.trials[i] for i in going],
    }  # fmt: skip


def _trouble(rates: Sequence[float], stepped: bool) -> str:
    """Return why a spiking trial ends; "" if it may go on."""
    if any(rate < SILENT for rate in rates):
        return "silent"
    return "saturated" if stepped and any(rate > SATURATED for rate in rates) else ""


def _told(work: Work, group: Group, trial: Trial, longest: int) -> Told:
    point = point_of(work.plan.space, trial.settings)
    scores = {epochs: score.accuracy for epochs, score in trial.scores.items()}
    done = longest in scores
    return Told({n: point[n] for n in group.names}, scores, done, trial.operations)


def _usual(work: Work) -> list[Settings]:
    return default_settings(work.plan.space, work.plan.facts)


def _static(settings: Settings, work: Work, group: int) -> bool:
    return all(settings.get(n, ...) == v for n, v in work.groups[group].items())
