"""A search in a folder: its journal, its clock, its end, and the network that it chose.

SEARCH/journal.jsonl, pool/   the decisions, and the states that wait
SEARCH/clock.json             the budget, and the seconds that are spent
SEARCH/best/                  the winner, an ordinary run
SEARCH/result.json            the claim, the fresh seeds, the correction and the test
"""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from jaxdigits.data import Dataset
from jaxdigits.errors import RunError
from jaxdigits.measure import score
from jaxdigits.runs.config import Config
from jaxdigits.runs.folder import Run, load_run, read_result, save_doubt, write_json, writing
from jaxdigits.runs.job import doubt_of, finish_run, fit_one, predictor
from jaxdigits.runs.save import save_run
from jaxdigits.search.finals import (
    SEEDS,
    Final,
    claims,
    finalists,
    fresh_seeds,
    gain,
    sealed,
    train_anew,
    winner,
)
from jaxdigits.search.groups import config_of, hyper_of
from jaxdigits.search.journal import (
    POOL,
    Pool,
    Record,
    append_record,
    cut_journal,
    pool_file,
    read_journal,
    read_pool,
    save_pool,
)
from jaxdigits.search.lanes import Interrupted, Task, like_state
from jaxdigits.search.protocol import Hooks, Work, extend, lanes_of
from jaxdigits.search.records import Trial, member_epochs, needs_pool, next_rung, trials_of
from jaxdigits.search.texts import text_of
from jaxdigits.train.fit import Fit
from jaxdigits.tree import parameter_count

SHARE = 2 / 3  # of the minutes are for the search; the rest for finalists and the test
CLOCK = "clock.json"


class Budget(NamedTuple):
    """The end of a search: minutes of everything, or exact member-epochs of the search."""

    minutes: float | None
    epochs: int | None


class Stopped(Exception):
    """The search stopped on request; its journal has every decision so far."""


@dataclass
class Session:
    """A search that runs: where it stands, and whom it calls."""

    folder: Path
    work: Work
    budget: Budget
    report: Callable[["Session"], None] = lambda session: None
    """called after each tick and each record"""
    stop: Callable[[], bool] = lambda: False
    records: list[Record] = field(default_factory=list)
    pool: Pool = field(default_factory=dict)
    before: float = 0.0
    """seconds that earlier processes spent"""
    began: float = field(default_factory=time.perf_counter)
    finals: list[Final] = field(default_factory=list)

    def seconds(self) -> float:
        """Seconds since the search began, without those between two processes."""
        return self.before + time.perf_counter() - self.began


def resume_session(session: Session) -> None:
    """Read the journal into a session, cut to its newest record that can go on.

    Raises:
      RunError: as `read_journal`.
    """
    folder, work = session.folder, session.work
    _, records = read_journal(folder)
    session.before = float(_read_clock(folder).get("seconds", 0.0))
    for count in reversed(range(len(records) + 1)):
        trials = needs_pool(records[:count])
        if not trials:
            break
        if pool_file(folder, count).exists():
            rung = next_rung(records[:count])
            assert rung is not None
            group, lanes = lanes_of(work, rung.group)
            task = Task(trials[0], 0, hyper_of(group, rung.settings[0]), 1)
            pool = read_pool(folder, count, trials, like_state(lanes, task, work.train))
            if pool is not None:
                session.pool = pool
                break
    session.records = records[:count]
    cut_journal(folder, count)


def run_session(
    session: Session, test: Callable[[], Dataset], whole: tuple[Dataset, Dataset] | None = None
) -> dict[str, Any]:
    """Search until the budget ends, train the finalists, and write the winner as a run.

    Args:
      test: reads the test set; it is called once.
      whole: (train, valid) on which the winner is trained; None: on the data of the search.

    Raises:
      Stopped: where `session.stop` returned True.
      RunError: if the folder cannot be written.
    """
    read_test = sealed(test)
    try:
        _search(session)
        trials = list(trials_of(session.records).values())
        chosen = finalists(trials, session.work.plan.goal)
        _train_finalists(session, chosen)
    except Interrupted:
        raise Stopped from None
    finally:
        _write_clock(session)
    place = winner(session.finals, session.work.plan.goal)
    return _finish(session, session.finals[place], read_test, whole)


def _search(session: Session) -> None:
    minutes, epochs = session.budget
    deadline = 60 * minutes * SHARE if minutes is not None else float("inf")

    def append(record):
        append_record(session.folder, record, len(session.records))
        _write_clock(session)
        session.report(session)

    def may_start(more, seconds):
        if session.stop():
            raise Interrupted
        if epochs is not None:
            return member_epochs(session.records) + more <= epochs
        return not _scored(session) or session.seconds() + seconds <= deadline

    def tick():
        session.report(session)
        if session.stop():
            raise Interrupted
        if _scored(session) and session.seconds() > deadline:
            raise _TimeIsOver

    save = lambda pool: save_pool(session.folder, pool, len(session.records)) if pool else None
    try:
        extend(
            session.work, session.records, session.pool, Hooks(append, save, may_start, tick)
        )
    except _TimeIsOver:
        session.pool.clear()
    if not _scored(session):
        raise ValueError(
            "the budget ended before one epoch of the first trials: raise --minutes or --epochs"
        )


class _TimeIsOver(Exception):
    pass


def _scored(session: Session) -> bool:
    return any("rung" in record for record in session.records)


def _train_finalists(session: Session, chosen: list[Trial]) -> None:
    """Train the default, then the best first, for as long as there is time."""
    work, minutes = session.work, session.budget.minutes
    deadline = 60 * minutes if minutes is not None else float("inf")
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


def _finish(
    session: Session, final: Final, read_test: Callable[[], Dataset],
    whole: tuple[Dataset, Dataset] | None,
) -> dict[str, Any]:  # fmt: skip
    """Write the winner as a run, and test it once."""
    folder, plan, work = session.folder / "best", session.work.plan, session.work
    config = config_of(final.trial.settings, plan.facts, seed=final.seed)
    with writing(session.folder):
        shutil.rmtree(folder, ignore_errors=True)  # that a killed process left
    params, statistics, epoch = final.network
    fitted = Fit(params, statistics, epoch, final.history, None)  # pyright: ignore
    if whole is not None:
        fitted = fit_one(config, *whole)
    save_run(fitted, config, folder)
    logits_of = predictor(Run(config, fitted.params, fitted.statistics))
    valid = work.valid if whole is None else whole[1]
    save_doubt(folder, doubt_of(config, logits_of, valid))
    test = read_test()
    tested = score(logits_of(test.inputs), test.label, config.loss().right)._asdict()
    row = fitted.history[fitted.best_epoch - 1] if fitted.history else {}
    run = tested | dict(
        valid_accuracy=[row.get("valid_accuracy", float(final.accuracy.max()))],
        best_epoch=[fitted.best_epoch], parameters=parameter_count(fitted.params),
        seconds=round(session.seconds(), 2), run=str(folder),
    )  # fmt: skip
    finish_run(folder, run)
    result = _summary(session, final, config) | tested | {"run": str(folder)}
    with writing(session.folder):
        write_json(session.folder / "result.json", result)
        shutil.rmtree(session.folder / POOL, ignore_errors=True)
    return result


def _summary(session: Session, final: Final, config: Config) -> dict[str, Any]:
    claimed, honest, trials = claims(session.records)
    default = next((f for f in session.finals if f.trial.default), None)
    better = gain(final, default)._asdict() if default and default is not final else None
    fresh = [
        dict(trial=f.trial.number, default=f.trial.default, accuracy=f.accuracy.tolist(),
             operations=f.operations, settings=f.trial.settings)
        for f in session.finals
    ]  # fmt: skip
    settings = {name: text_of(value) for name, value in final.trial.settings.items()}
    return dict(
        trials=trials, member_epochs=member_epochs(session.records), network=config.network,
        winner=final.trial.number, settings=settings, seed=final.seed, claimed=claimed,
        corrected=honest._asdict(), fresh=fresh, fresh_mean=float(final.accuracy.mean()),
        better_than_default=better, seconds=round(session.seconds(), 2),
    )  # fmt: skip


def finished(folder: Path) -> dict[str, Any] | None:
    """Return the result of a search that has ended; None of one that may go on."""
    result = read_result(folder)
    if result is None or "claimed" not in result:
        return None
    load_run(folder / "best")
    return result


def read_budget(folder: Path) -> Budget:
    """Return the budget that a search was begun with."""
    clock = _read_clock(folder)
    return Budget(clock.get("minutes"), clock.get("epochs"))


def _read_clock(folder: Path) -> dict[str, Any]:
    try:
        clock = json.loads((folder / CLOCK).read_text())
    except (OSError, ValueError) as error:
        raise RunError(f"{folder / CLOCK} cannot be read: begin a new search") from error
    return clock if isinstance(clock, dict) else {}


def _write_clock(session: Session) -> None:
    values = session.budget._asdict() | {"seconds": round(session.seconds(), 3)}
    with writing(session.folder):
        write_json(session.folder / CLOCK, values)
