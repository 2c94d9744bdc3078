"""A search with its budget: trials for two thirds of the time, then the finalists.

    found = search("snn", space, train, valid, minutes=10)
    network = found.config.build()(training=False, statistics=found.statistics)

It knows no files: `jaxdigits.search.folder` keeps it in one.
"""

from typing import NamedTuple

from jaxdigits.data import Dataset
from jaxdigits.data.own import facts_of
from jaxdigits.layer import Params
from jaxdigits.layers import Statistics
from jaxdigits.models import NETWORKS
from jaxdigits.runs.config import Config
from jaxdigits.search.budget import (
    Budget,
    Session,
    Stopped,
    TimeIsOver,
    TooFewEpochs,
    deadline,
    end_of,
    epochs_until,
    final_seconds,
    last_seconds,
    reserve,
    scored,
)
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
from jaxdigits.search.lanes import Interrupted, usual_width
from jaxdigits.search.protocol import extend
from jaxdigits.search.records import Trial, member_epochs, trials_of, turns_of
from jaxdigits.search.space import Space
from jaxdigits.search.work import Hooks, Plan, Work, lanes_for


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
    longest: int = 9, goal: str = "accuracy", sampler: str = "elites",
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
      sampler: "elites" or "sobol"; "tpe" and "nsga2" need Optuna.

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
        Work(Plan(space, facts, seed, goal, sampler, usual_width()), train, valid),
        Budget(minutes, epochs),
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
        session.reserve = reserve(session)
        session.report(session)

    def may_start(more, seconds):
        if session.stop():
            raise Interrupted
        if epochs is not None:
            return member_epochs(session.records) + more <= epochs
        return not scored(session) or session.seconds() + seconds <= deadline(session)

    def tick():
        session.report(session)
        if session.stop():
            raise Interrupted
        if session.seconds() > deadline(session):
            raise TimeIsOver

    def save(pool):
        if pool:
            session.save(session)

    session.reserve = reserve(session)

    def others():
        turns = [turn for own in session.others() for turn in turns_of(own, trials_of(own))]
        places = order([score for _, score in turns])
        return dict(turns[i] for i in reversed(places))  # of a group the best

    hooks = Hooks(append, save, may_start, tick, others)
    try:
        extend(session.work, session.records, session.pool, hooks)
    except TimeIsOver:
        session.pool.clear()
    if not scored(session) and epochs is not None:
        raise TooFewEpochs(
            f"--epochs {epochs} ends before the first trials are compared: pass "
            f"{session.records[0]['rungs'][0] * len(session.records[0]['trials'])} or more"
        )


def _train_finalists(session: Session, chosen: list[Trial]) -> None:
    """Train the best, then the default, then the others, for as long as there is time.

    The first is trained in any case: with fewer seeds and epochs if there is no time for all.
    """
    work = session.work
    seeds = fresh_seeds(work.plan.seed)
    # Of folds, two seeds take fewer lanes than five.
    few = seeds[:2] if lanes_for(work, 2) < lanes_for(work, SEEDS) else seeds
    done = {final.trial.number for final in session.finals}
    in_turn = {trial.number: trial for trial in (*chosen[:1], *chosen[-1:], *chosen)}
    for trial in in_turn.values():
        end = end_of(session) - last_seconds(session, trial.group)
        late = session.seconds() + final_seconds(session, trial) > end
        if trial.number in done or (late and session.finals):
            continue
        epochs = epochs_until(session, trial, len(few), end) if late else None

        def tick(end: float = end) -> None:
            session.report(session)
            if session.stop():
                raise Interrupted
            if session.finals and session.seconds() > end:
                raise TimeIsOver

        own, hooks = few if late else seeds, Hooks(tick=tick)
        try:
            session.finals.append(train_anew(work, trial, own, hooks, epochs))
        except TimeIsOver:
            return
        session.report(session)
