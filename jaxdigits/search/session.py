"""A search with its budget: trials for two thirds of the time, then the finalists.

    found = search("snn", space, train, valid, minutes=10)
    network = found.config.build()(training=False, statistics=found.statistics)

It knows no files: `jaxdigits.search.folder` keeps it in one.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from jaxdigits.data import Dataset
from jaxdigits.data.own import facts_of
from jaxdigits.layer import Params
from jaxdigits.layers import Statistics
from jaxdigits.models import NETWORKS
from jaxdigits.runs.config import Config
from jaxdigits.search.buildable import require_buildable, require_network
from jaxdigits.search.finals import (
    SEEDS,
    Claim,
    Final,
    claims,
    finalists,
    fresh_seeds,
    gain,
    train_anew,
    winner,
)
from jaxdigits.search.groups import Facts, config_of
from jaxdigits.search.halving import SIZES
from jaxdigits.search.journal import Pool, Record
from jaxdigits.search.lanes import Interrupted
from jaxdigits.search.protocol import Hooks, Plan, Work, extend
from jaxdigits.search.records import Trial, member_epochs, trials_of
from jaxdigits.search.space import Space

ALONE = 1.25  # times the share of a lane's tick, for a network that trains alone
SHARE = 2 / 3  # of the minutes are for the search; the rest for finalists and the test


class Budget(NamedTuple):
    """The end of a search: minutes of everything, or exact member-epochs of the search."""

    minutes: float | None
    epochs: int | None


class Stopped(Exception):
    """The search stopped on request; its records have every decision so far."""


@dataclass
class Session:
    """A search that runs: where it stands, and whom it calls."""

    work: Work
    budget: Budget
    report: Callable[["Session"], None] = lambda session: None
    """called after each tick and each record"""
    stop: Callable[[], bool] = lambda: False
    append: Callable[["Session", Record], None] = lambda session, record: None
    """called with each record, before anything follows from it"""
    save: Callable[["Session"], None] = lambda session: None
    """called after each rung whose trials go on: their states are in `pool`"""
    records: list[Record] = field(default_factory=list)
    pool: Pool = field(default_factory=dict)
    before: float = 0.0
    """seconds that earlier processes spent"""
    began: float = field(default_factory=time.perf_counter)
    finals: list[Final] = field(default_factory=list)
    growth: float = 0.0
    """images that the winner is trained on in the end, in units of the search's; 0: none"""

    def seconds(self) -> float:
        """Seconds since the search began, without those between two processes."""
        return self.before + time.perf_counter() - self.began


class Found(NamedTuple):
    """The network that a search chose, and how much of its number was luck."""

    config: Config
    """that trains the winner again, with the same seed"""
    params: Params
    statistics: tuple[Statistics, ...]
    claimed: float
    """the best trial's accuracy on the validation data, too high by its luck"""
    corrected: Claim
    """the same on images that chose nothing"""
    fresh: float
    """the winner's mean on the validation data, over fresh seeds"""
    better: Claim | None
    """the mean above that of the hand-tuned default; None if that won, or had no time"""
    trials: int
    session: Session


def search(
    network: str, space: Space, train: Dataset, valid: Dataset, *,
    minutes: float | None = None, epochs: int | None = None, seed: int = 0,
    longest: int = 9, goal: str = "accuracy", sampler: str = "sobol",
) -> Found:  # fmt: skip
    """Search a space for a good network of some data.

    Args:
      network: a builder's name; the space may have others as a choice.
      space: of options of the network, and of fields of `Config`.
      train, valid: disjoint data sets of images; validation data choose.
      minutes: time for everything; or
      epochs: exact budget of the trials, in epochs of one network.
      longest: epochs of the longest trials, and of the winner.
      goal: "accuracy", "cost" or "front".
      sampler: "sobol"; "tpe" and "nsga2" need Optuna.

    Raises:
      ValueError: for a budget that is none or too small, a space that the network refuses, or
        data that do not fit.
      ImportError: for a sampler without its library.
    """
    if (minutes is None) == (epochs is None) or not (minutes or epochs or 0) > 0:
        raise ValueError(f"pass minutes > 0 or epochs > 0, got {minutes} and {epochs}")
    if "network" not in space.entries:
        space = Space(**{"network": network, **space.entries})
    require_network(space, list(NETWORKS))
    facts = Facts("memory", facts_of(train), longest)
    require_buildable(space, facts)
    session = Session(
        Work(Plan(space, facts, seed, goal, sampler), train, valid), Budget(minutes, epochs)
    )
    final = run_session(session)
    return found_of(session, final)


def run_session(session: Session) -> Final:
    """Search until the budget ends, and train the finalists; return the winner.

    Raises:
      Stopped: where `session.stop` returned True.
      ValueError: for a budget that is too small for the first rung.
    """
    goal = session.work.plan.goal
    try:
        _search(session)
        trials = list(trials_of(session.records).values())
        _train_finalists(session, finalists(trials, goal))
    except Interrupted:
        raise Stopped from None
    return session.finals[winner(session.finals, goal)]


def found_of(session: Session, final: Final) -> Found:
    """Return the result of a session, from its winner."""
    config = config_of(final.trial.settings, session.work.plan.facts, seed=final.seed)
    claimed, honest, trials = claims(session.records)
    default = next((f for f in session.finals if f.trial.default), None)
    better = gain(final, default) if default and default is not final else None
    params, statistics, _ = final.network
    mean = float(final.accuracy.mean())
    return Found(config, params, statistics, claimed, honest, mean, better, trials, session)


def _search(session: Session) -> None:
    epochs = session.budget.epochs

    def append(record):
        session.append(session, record)
        session.report(session)

    def may_start(more, seconds):
        if session.stop():
            raise Interrupted
        if epochs is not None:
            return member_epochs(session.records) + more <= epochs
        return not _scored(session) or session.seconds() + seconds <= _deadline(session)

    def tick():
        session.report(session)
        if session.stop():
            raise Interrupted
        if session.seconds() > _deadline(session):
            raise _TimeIsOver

    def save(pool):
        if pool:
            session.save(session)

    hooks = Hooks(append, save, may_start, tick)
    try:
        extend(session.work, session.records, session.pool, hooks)
    except _TimeIsOver:
        session.pool.clear()
    if not _scored(session):
        raise ValueError(
            f"the budget ends before the first trials are compared{_minutes_needed(session)}: "
            "raise --minutes or --epochs, or lower --longest or --images"
        )


class _TimeIsOver(Exception):
    pass


def _deadline(session: Session) -> float:
    """Return the second at which the search ends, so that a finalist still has its time."""
    if session.budget.minutes is None:
        return float("inf")
    total, work = 60 * session.budget.minutes, session.work
    slowest = max(work.seconds.values(), default=0.0)
    left = total - _last_seconds(session) - work.plan.facts.epochs * slowest
    return min(SHARE * total, left)


def _last_seconds(session: Session) -> float:
    """Return the seconds that the winner needs after the finalists.

    Its test is a program of its own, and so is a training on more images.
    """
    work = session.work
    epoch = ALONE * max(work.seconds.values(), default=0.0) / work.plan.width
    programs = 2 if session.growth else 1
    return programs * work.compiling + work.plan.facts.epochs * session.growth * epoch


def _minutes_needed(session: Session) -> str:
    if session.budget.minutes is None or not session.work.seconds:
        return ""
    ticks = session.work.plan.facts.epochs + SIZES[0] // session.work.plan.width
    seconds = session.seconds() + ticks * max(session.work.seconds.values())
    return f" (they and a finalist take about {seconds / 60:.1f} minutes here)"


def _scored(session: Session) -> bool:
    return any("rung" in record for record in session.records)


def _train_finalists(session: Session, chosen: list[Trial]) -> None:
    """Train the default, then the best first, for as long as there is time."""
    work, minutes = session.work, session.budget.minutes
    total = 60 * minutes if minutes is not None else float("inf")
    deadline = total - _last_seconds(session)
    seeds = fresh_seeds(work.plan.seed)
    ticks = work.plan.facts.epochs * -(-SEEDS // work.plan.width)

    def tick():
        session.report(session)
        if session.stop():
            raise Interrupted

    for trial in [*chosen[:1], *chosen[-1:], *chosen[1:-1]][: max(1, len(chosen))]:
        if any(final.trial.number == trial.number for final in session.finals):
            continue
        seconds = ticks * work.seconds.get(trial.group, 0.0)
        if session.finals and session.seconds() + seconds > deadline:
            break
        session.finals.append(train_anew(work, trial, seeds, Hooks(tick=tick)))
        session.report(session)
