"""The budget of a search: its session, and the seconds that its last steps need.

The minutes hold everything.  Trials have two thirds at the most; they leave the time that the
best of them needs to be trained anew, then on all data, and tested.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import NamedTuple

from jaxdigits.search.finals import SEEDS, Final, finalists
from jaxdigits.search.journal import Pool, Record
from jaxdigits.search.pace import ROOM, step_seconds, tick_seconds
from jaxdigits.search.records import Trial, trials_of
from jaxdigits.search.work import Work, lanes_for

ALONE = 1.25  # times the share of a lane's tick, for a network that trains alone
FORWARD = 0.4  # of the seconds of compiling an epoch are those of compiling a test
SHARE = 2 / 3  # of the minutes are for the search; the rest for finalists and the test


class Budget(NamedTuple):
    """The end of a search: minutes of everything, or exact member-epochs of the search."""

    minutes: float | None
    epochs: int | None


class TimeIsOver(Exception):
    """There is no time for this step."""


class Stopped(Exception):
    """The search stopped on request; its records have every decision so far."""


class TooFewEpochs(ValueError):
    """The budget ends before the first trials are compared."""


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
    began: float = field(default_factory=perf_counter)
    """by `time.perf_counter`; of a command, when it was called"""
    after: list[float] = field(default_factory=list)
    """seconds after each record, for the report alone"""
    finals: list[Final] = field(default_factory=list)
    growth: float = 0.0
    """images that the winner is trained on in the end, in units of the search's; 0: none"""
    others: Callable[[], list[list[Record]]] = list
    """the records of the other hosts, so far"""
    reserve: float = 0.0
    """seconds that the search leaves to the finalists and the winner"""

    def seconds(self) -> float:
        """Seconds since the search began, without those between two processes."""
        return self.before + perf_counter() - self.began


def end_of(session: Session) -> float:
    """Return the second at which everything is to be done."""
    minutes = session.budget.minutes
    return float("inf") if minutes is None else 60 * minutes


def training_seconds(session: Session, group: int, epochs: int) -> float:
    """Return the seconds of training a network of that group alone on all data."""
    work = session.work
    epoch = ALONE * session.growth * tick_seconds(work.pace, group) / work.plan.width
    return ROOM * (work.pace.compiling + epochs * epoch)


def test_seconds(session: Session) -> float:
    """Return the seconds of a winner's test, which is a program of its own."""
    return ROOM * FORWARD * session.work.pace.compiling


def last_seconds(session: Session, group: int) -> float:
    """Return the seconds that a winner of that group needs after the finalists."""
    epochs = session.work.plan.facts.epochs
    training = training_seconds(session, group, epochs) if session.growth else 0.0
    return test_seconds(session) + training


def deadline(session: Session) -> float:
    """Return the second at which the search ends, so that the finalists have their time."""
    return min(SHARE * end_of(session), end_of(session) - session.reserve)


def reserve(session: Session) -> float:
    """Return the seconds of training the best trial anew, and then as the winner."""
    if session.budget.minutes is None or not scored(session):
        return 0.0
    trials = list(trials_of(session.records).values())
    chosen = finalists(trials, session.work.plan.goal)
    needs = [final_seconds(session, t) + last_seconds(session, t.group) for t in chosen[:1]]
    return min(sum(needs), SHARE * end_of(session))


def final_seconds(session: Session, trial: Trial, seeds: int = SEEDS) -> float:
    """Return the seconds of training a finalist anew with that many seeds."""
    work = session.work
    ticks = work.plan.facts.epochs * lanes_for(work, seeds)
    return ROOM * step_seconds(work.pace, trial.group, ticks)


def scored(session: Session) -> bool:
    """Return whether any trials have been compared."""
    return any("rung" in record for record in session.records)


def epochs_until(session: Session, trial: Trial, seeds: int, deadline: float) -> int:
    """Return the epochs of a finalist that fit before a deadline, one at the least."""
    whole = final_seconds(session, trial, seeds)
    share = max(0.0, deadline - session.seconds()) / max(whole, 1e-9)
    return max(1, int(min(share, 1.0) * session.work.plan.facts.epochs))
