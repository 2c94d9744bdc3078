"""The work of a search: its plan, its data and programs, and the tasks of a network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from jaxdigits.data import Dataset
from jaxdigits.search.folds import Folds
from jaxdigits.search.groups import (
    Facts,
    Group,
    Settings,
    all_groups,
    default_settings,
    group_of,
    trial_seed,
)
from jaxdigits.search.halving import Score
from jaxdigits.search.journal import Pool, Record
from jaxdigits.search.lanes import (
    WIDTH,
    Judgement,
    Lanes,
    Task,
    compiled_lanes,
    joined,
)
from jaxdigits.search.pace import Pace, step_seconds
from jaxdigits.search.records import Rung
from jaxdigits.search.space import Space
from jaxdigits.search.split import trained_on


class Plan(NamedTuple):
    """Everything that decides which trials there are, besides the data."""

    space: Space
    facts: Facts
    seed: int = 0
    goal: str = "accuracy"
    sampler: str = "elites"
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
    usual: list[Settings] = field(init=False)
    """the hand-tuned settings of each network"""

    def __post_init__(self):
        self.usual = default_settings(self.plan.space, self.plan.facts)
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


def examples_of(work: Work) -> int:
    """Return the examples that a trial trains on."""
    return trained_on(work.train, work.folds)


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


def joined_trials(plan: Plan, judged: dict[int, Judgement]) -> dict[int, Judgement]:
    """Return the judgements of trials of which all folds are judged."""
    trials = dict.fromkeys(part // plan.folds for part in judged)
    parts = {trial: parts_of(plan, [trial]) for trial in trials}
    return {
        trial: joined([judged[part] for part in own])
        for trial, own in parts.items() if all(part in judged for part in own)
    }  # fmt: skip
