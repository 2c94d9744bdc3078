"""A search with its budget: trials for two thirds of the time, then the finalists.

    found = search("snn", space, train, valid, minutes=10)
    network = found.config.build()(training=False, statistics=found.statistics)

It knows no files: `jaxdigits.search.folder` keeps it in one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
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
from jaxdigits.search.halving import order
from jaxdigits.search.journal import Pool, Record
from jaxdigits.search.lanes import Interrupted
from jaxdigits.search.pace import ROOM, step_seconds, tick_seconds
from jaxdigits.search.protocol import Hooks, Plan, Work, extend, lanes_for
from jaxdigits.search.records import Trial, member_epochs, trials_of, turns_of
from jaxdigits.search.space import Space

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
      ValueError: for epochs that are too few for the first rung.
    """
    goal = session.work.plan.goal
    try:
        _search(session)
        trials = all_trials(session)
        # Without a score, as on a busy machine, the hand-tuned default is the result.
        chosen = finalists(trials, goal) or [t for t in trials if t.default][:1]
        _train_finalists(session, chosen)
    except Interrupted:
        raise Stopped from None
    return session.finals[winner(session.finals, goal)]


def found_of(session: Session, final: Final) -> Found:
    """Return the result of a session, from its winner."""
    config = config_of(final.trial.settings, session.work.plan.facts, seed=final.seed)
    claimed, honest, trials = claims(all_trials(session))
    default = next((f for f in session.finals if f.trial.default), None)
    better = gain(final, default) if default and default is not final else None
    params, statistics, _ = final.network
    mean = float(final.accuracy.mean())
    return Found(config, params, statistics, claimed, honest, mean, better, trials, session)


def run_trials(session: Session) -> None:
    """Search until the budget ends, and leave finalists and test to another host.

    Raises:
      Stopped: where `session.stop` returned True.
    """
    try:
        _search(session)
    except Interrupted:
        raise Stopped from None


def all_trials(session: Session) -> list[Trial]:
    """Return the trials of this host and of all others."""
    records = [session.records, *session.others()]
    return [trial for own in records for trial in trials_of(own).values()]


def _search(session: Session) -> None:
    epochs = session.budget.epochs

    def append(record):
        session.append(session, record)
        session.reserve = _reserve(session)
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
            raise TimeIsOver

    def save(pool):
        if pool:
            session.save(session)

    session.reserve = _reserve(session)

    def others():
        turns = [turn for own in session.others() for turn in turns_of(own, trials_of(own))]
        places = order([score for _, score in turns])
        return dict(turns[i] for i in reversed(places))  # of a group the best

    hooks = Hooks(append, save, may_start, tick, others)
    try:
        extend(session.work, session.records, session.pool, hooks)
    except TimeIsOver:
        session.pool.clear()
    if not _scored(session) and epochs is not None:
        raise ValueError(
            f"--epochs {epochs} ends before the first trials are compared: pass "
            f"{session.records[0]['rungs'][0] * len(session.records[0]['trials'])} or more"
        )


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


def _last_seconds(session: Session, group: int) -> float:
    """Return the seconds that a winner of that group needs after the finalists."""
    epochs = session.work.plan.facts.epochs
    training = training_seconds(session, group, epochs) if session.growth else 0.0
    return test_seconds(session) + training


def _deadline(session: Session) -> float:
    """Return the second at which the search ends, so that the finalists have their time."""
    return min(SHARE * end_of(session), end_of(session) - session.reserve)


def _reserve(session: Session) -> float:
    """Return the seconds of training the best trial anew, and then as the winner."""
    if session.budget.minutes is None or not _scored(session):
        return 0.0
    trials = list(trials_of(session.records).values())
    chosen = finalists(trials, session.work.plan.goal)
    needs = [_final_seconds(session, t) + _last_seconds(session, t.group) for t in chosen[:1]]
    return min(sum(needs), SHARE * end_of(session))


def _final_seconds(session: Session, trial: Trial) -> float:
    work = session.work
    ticks = work.plan.facts.epochs * lanes_for(work, SEEDS)
    return ROOM * step_seconds(work.pace, trial.group, ticks)


def _scored(session: Session) -> bool:
    return any("rung" in record for record in session.records)


def _train_finalists(session: Session, chosen: list[Trial]) -> None:
    """Train the best, then the default, then the others, for as long as there is time.

    The first is trained in any case: with fewer epochs if there is no time for all.
    """
    work = session.work
    seeds = fresh_seeds(work.plan.seed)
    done = {final.trial.number for final in session.finals}
    for trial in dict.fromkeys(t.number for t in [*chosen[:1], *chosen[-1:], *chosen]):
        trial = next(t for t in chosen if t.number == trial)
        deadline = end_of(session) - _last_seconds(session, trial.group)
        late = session.seconds() + _final_seconds(session, trial) > deadline
        if trial.number in done or (late and session.finals):
            continue
        epochs = _epochs_until(session, trial, deadline) if late else None

        def tick(deadline: float = deadline) -> None:
            session.report(session)
            if session.stop():
                raise Interrupted
            if session.finals and session.seconds() > deadline:
                raise TimeIsOver

        try:
            session.finals.append(train_anew(work, trial, seeds, Hooks(tick=tick), epochs))
        except TimeIsOver:
            return
        session.report(session)


def _epochs_until(session: Session, trial: Trial, deadline: float) -> int:
    """Return the epochs of a finalist that fit before a deadline, one at the least."""
    whole = _final_seconds(session, trial)
    share = max(0.0, deadline - session.seconds()) / whole
    return max(1, int(share * session.work.plan.facts.epochs))
