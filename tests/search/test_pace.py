"""The promise of time: a search on a slow machine ends when it was told to end."""

from dataclasses import replace

import pytest

from jaxdigits.data import digits
from jaxdigits.runs.folder import load_run
from jaxdigits.runs.job import fit_one
from jaxdigits.search import budget, folder, pace
from jaxdigits.search.budget import Budget, Session
from jaxdigits.search.folder import search_in
from jaxdigits.search.groups import Facts
from jaxdigits.search.journal import create_journal
from jaxdigits.search.pace import LATEST, Pace, step_seconds, tick_seconds, timed
from jaxdigits.search.space import Real, Space
from jaxdigits.search.work import Plan, Work, lanes_of

SPACE = Space(network="mlp", hidden=(8,), batch=32, learning_rate=Real(1e-3, 3e-2, log=True))


class Clock:
    def __init__(self, monkeypatch):
        self.now = 0.0
        for module in (pace, budget):
            monkeypatch.setattr(module, "perf_counter", lambda: self.now)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


@pytest.fixture(scope="module")
def work():
    """One work for all searches here: it holds compiled programs."""
    train, _ = digits()
    return Work(Plan(SPACE, Facts("digits", None, 3), seed=4), train[:160], train[200:260])


def test_ticks_are_measured_without_compiling_and_the_latest_count(clock):
    own = Pace()
    measure = timed(own, 3, lambda: None)
    for seconds in (9.0, 5.0, *[1.0] * 4, *[2.0] * LATEST):
        clock.now += seconds
        measure([])
    assert own.compiling == 9
    assert own.ticks == {3: [2.0] * LATEST}
    assert step_seconds(own, 3, 10) == 20
    assert step_seconds(own, 4, 10) == 29, (
        "another group is compiled, and as slow as the slowest"
    )
    assert tick_seconds(Pace(), 0) == 0


def searched(path, work, clock, seconds, whole=None, report=lambda session: None):
    """A session of a fake minute, in which an epoch of the lanes takes `seconds(session)`."""
    group, lanes = lanes_of(work, 0)

    def epoch(*args):
        clock.now += seconds(own)
        return lanes.epoch(*args)

    slow = {0: (group, lanes._replace(epoch=epoch))}
    mine = replace(work, pace=Pace(), lanes=slow)
    own = Session(mine, Budget(1.0, None), report, began=0.0)
    create_journal(path, {})
    return own, search_in(path, own, lambda: digits()[1][:50], whole)


@pytest.mark.parametrize(
    ("early", "late", "most"), [(1, 1, 6), (2, 2, 6), (1, 5, 2), (15, 15, 1)]
)
def test_a_search_ends_in_its_time_with_a_winner(tmp_path, clock, work, early, late, most):
    pace = lambda session: late if session.finals else early
    own, result = searched(tmp_path / "search", work, clock, pace)
    assert 30 < own.seconds() <= 60
    assert 1 <= len(result["fresh"]) <= most
    assert len(result["fresh"]) > 1 or late > 2


def test_a_winner_has_fewer_epochs_on_all_data_where_time_is_short(
    tmp_path, clock, work, monkeypatch
):
    """The machine becomes slower while the winner is trained: each epoch takes 4 seconds."""
    trained = []

    def slowly(config, train, valid, hooks):
        def save(now):
            clock.now += 4
            trained.append(now)
            hooks.save(now)

        return fit_one(config, train, valid, hooks._replace(save=save))

    monkeypatch.setattr(folder, "fit_one", slowly)
    whole = work.train, work.valid
    own, _ = searched(tmp_path / "search", work, clock, lambda session: 1, whole)
    assert own.seconds() <= 60
    assert 1 <= len(trained) < work.plan.facts.epochs
    assert load_run(tmp_path / "search" / "best").config.epochs == len(trained)
