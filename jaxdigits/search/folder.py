"""A search in a folder: its journal, its clock, and the network that it chose.

SEARCH/journal.jsonl, pool/   the decisions, and the states that wait
SEARCH/clock.json             the budget, the seconds after each decision, and the pace
SEARCH/best/                  the winner, an ordinary run
SEARCH/result.json            the claim, the fresh seeds, the correction and the test
"""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from jaxdigits.data import Dataset
from jaxdigits.errors import RunError
from jaxdigits.measure import score
from jaxdigits.runs.answer import predictor
from jaxdigits.runs.config import Config
from jaxdigits.runs.folder import Run, load_run, read_result, save_doubt
from jaxdigits.runs.job import doubt_of, finish_run, fit_one
from jaxdigits.runs.plain_files import write_json, writing
from jaxdigits.runs.save import save_run
from jaxdigits.search.budget import (
    Budget,
    Session,
    TimeIsOver,
    end_of,
    test_seconds,
    training_seconds,
)
from jaxdigits.search.finals import Final, sealed
from jaxdigits.search.groups import hyper_of
from jaxdigits.search.hosts import others_of
from jaxdigits.search.journal import (
    POOL,
    append_record,
    cut_journal,
    pool_file,
    read_journal,
    read_pool,
    save_pool,
)
from jaxdigits.search.lanes import Task, like_state
from jaxdigits.search.records import member_epochs, needs_pool, next_rung
from jaxdigits.search.session import Found, all_trials, found_of, run_session, run_trials
from jaxdigits.search.space import Choice
from jaxdigits.search.texts import text_of
from jaxdigits.search.work import examples_of, lanes_of, parts_of
from jaxdigits.train.fit import Fit
from jaxdigits.train.snapshot import Hooks, Snapshot
from jaxdigits.tree import parameter_count

CLOCK = "clock.json"


def resume_session(folder: Path, session: Session) -> None:
    """Read the journal into a session, cut to its newest record that can go on.

    Raises:
      RunError: as `read_journal`.
    """
    work = session.work
    _, records = read_journal(folder)
    clock = _read_clock(folder)
    session.before = float(clock.get("seconds", 0.0))
    work.pace.compiling = float(clock.get("compiling", 0.0))
    work.pace.ticks = {int(group): own for group, own in clock.get("ticks", {}).items()}
    count = len(records)
    for count in range(len(records), -1, -1):
        trials = needs_pool(records[:count])
        if not trials:
            break
        if pool_file(folder, count).exists():
            rung = next_rung(records[:count])
            assert rung is not None
            group, lanes = lanes_of(work, rung.group)
            task = Task(trials[0], 0, hyper_of(group, rung.settings[0]), 1)
            parts = parts_of(work.plan, trials)
            pool = read_pool(folder, count, parts, like_state(lanes, task, work.train))
            if pool is not None:
                session.pool = pool
                break
    session.records, session.after = records[:count], clock.get("after", [])[:count]
    cut_journal(folder, count)


def search_in(
    folder: Path,
    session: Session,
    test: Callable[[], Dataset],
    whole: tuple[Dataset, Dataset] | None = None,
) -> dict[str, Any] | None:
    """Run a session whose journal is in the folder, write the winner as a run, and test it.

    Of several hosts the first does so; another returns None after its trials.

    Args:
      test: reads the test set; it is called once.
      whole: (train, valid) on which the winner is trained; None: on the data of the search.

    Raises:
      Stopped: where `session.stop` returned True.
      RunError: if the folder cannot be written.
    """

    def append(session, record):
        append_record(folder, record, len(session.records))
        session.after.append(round(session.seconds(), 1))
        _write_clock(folder, session)

    if session.work.plan.host[1] > 1:
        session.others = lambda: others_of(folder)
    session.append = append
    session.growth = len(whole[0]) / examples_of(session.work) if whole else 0.0
    session.save = lambda session: save_pool(folder, session.pool, len(session.records))
    try:
        if session.work.plan.host[0]:
            run_trials(session)
            return None
        final = run_session(session)
    finally:
        _write_clock(folder, session)
    return _finish(folder, session, final, sealed(test), whole)


def _finish(
    search: Path, session: Session, final: Final, read_test: Callable[[], Dataset],
    whole: tuple[Dataset, Dataset] | None,
) -> dict[str, Any]:  # fmt: skip
    """Write the winner as a run, and test it once.

    The result of an earlier end stays if its winner was trained with more seeds or epochs.
    """
    folder, work, found = search / "best", session.work, found_of(session, final)
    config, before = found.config, None
    with suppress(RunError):  # a damaged run does not stand in the way of a new one
        before = finished(search)
    params, statistics, epoch = final.network
    fitted = Fit(params, statistics, epoch, final.history, None)  # pyright: ignore
    if whole is not None:
        fitted = _on_all_data(session, final, config, whole) or fitted
        config = replace(config, epochs=max(len(fitted.history), 1))
    if before and _trained_less(final, config, before, load_run(folder).config):
        return before | {"stays": True}
    with writing(search):
        shutil.rmtree(folder, ignore_errors=True)
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
    result = _summary(found, final) | tested | {"run": str(folder)}
    with writing(search):
        write_json(search / "result.json", result)
        shutil.rmtree(search / POOL, ignore_errors=True)
    return result


def _trained_less(final: Final, config: Config, before: dict[str, Any], own: Config) -> bool:
    """Return whether a winner has fewer seeds or epochs than one before it, with `own`."""
    seeds = (
        len(row["accuracy"]) for row in before["fresh"] if row["trial"] == before["winner"]
    )
    return len(final.seeds) < max(seeds) or config.epochs < own.epochs


def _on_all_data(
    session: Session, final: Final, config: Config, whole: tuple[Dataset, Dataset]
) -> Fit | None:
    """Train the winner on all data, with as many epochs as there is time; None: not one."""
    group, epochs = final.trial.group, config.epochs
    end = end_of(session) - test_seconds(session)
    while epochs and session.seconds() + training_seconds(session, group, epochs) > end:
        epochs -= 1
    if not epochs:
        return None
    states: list[Snapshot] = []
    clock = session.seconds()

    def save(now: Snapshot) -> None:
        nonlocal clock
        states[:] = [now]
        session.report(session)
        before, clock = clock, session.seconds()
        if 2 * clock - before > end and now.best.epoch:  # the next epoch takes as long
            raise TimeIsOver

    try:
        return fit_one(replace(config, epochs=epochs), *whole, Hooks(save=save))
    except TimeIsOver:
        best, history = states[0].best, states[0].history
        return Fit(best.params, best.statistics, int(best.epoch), history, states[0].state)


def _summary(found: Found, final: Final) -> dict[str, Any]:
    session = found.session
    fresh = [
        dict(trial=f.trial.number, default=f.trial.default, accuracy=f.accuracy.tolist(),
             operations=f.operations, settings=f.trial.settings)
        for f in session.finals
    ]  # fmt: skip
    settings = {name: text_of(value) for name, value in final.trial.settings.items()}
    networks = session.work.plan.space.entries["network"]
    tried = {trial.settings["network"] for trial in all_trials(session)}
    every = networks.values if isinstance(networks, Choice) else ()
    return dict(
        untried=[name for name in every if name not in tried],
        trials=found.trials, member_epochs=member_epochs(session.records),
        network=found.config.network, winner=final.trial.number, settings=settings,
        seed=final.seed, claimed=found.claimed, corrected=found.corrected._asdict(),
        fresh=fresh, fresh_mean=found.fresh,
        better_than_default=found.better._asdict() if found.better else None,
        seconds=round(session.seconds(), 2),
    )  # fmt: skip


def finished(folder: Path) -> dict[str, Any] | None:
    """Return the result of a search that has ended; None of one that may go on."""
    result = read_result(folder)
    if result is None or "claimed" not in result:
        return None
    load_run(folder / "best")
    return result


def read_times(folder: Path) -> list[float]:
    """Return the seconds after which each record of the journal was written."""
    return [float(seconds) for seconds in _read_clock(folder).get("after", ())]


def read_budget(folder: Path) -> Budget:
    """Return the budget that a search was begun with.

    Raises:
      RunError: if it is lost.
    """
    clock = _read_clock(folder)
    budget = Budget(clock.get("minutes"), clock.get("epochs"))
    if budget.minutes is None and budget.epochs is None:
        raise RunError(f"{folder / CLOCK} has no budget: pass --minutes or --epochs")
    return budget


def _read_clock(folder: Path) -> dict[str, Any]:
    """Return the clock; an empty one if it is lost, as no decision depends on it."""
    try:
        clock = json.loads((folder / CLOCK).read_text())
    except (OSError, ValueError):
        return {}
    return clock if isinstance(clock, dict) else {}


def _write_clock(folder: Path, session: Session) -> None:
    pace = session.work.pace
    values = session.budget._asdict() | dict(
        seconds=round(session.seconds(), 3), after=session.after,
        compiling=pace.compiling, ticks=pace.ticks,
    )  # fmt: skip
    with writing(folder):
        write_json(folder / CLOCK, values)
