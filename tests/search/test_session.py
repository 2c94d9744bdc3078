"""A search that was killed anywhere goes on to the same journal and the same network."""

import json

import numpy as np
import pytest

from jaxdigits.data import digits
from jaxdigits.errors import RunError
from jaxdigits.runs.folder import load_run
from jaxdigits.search.budget import Budget, Session, Stopped
from jaxdigits.search.folder import finished, resume_session, search_in
from jaxdigits.search.groups import Facts
from jaxdigits.search.journal import FILE, POOL, create_journal, read_journal
from jaxdigits.search.protocol import extend
from jaxdigits.search.records import member_epochs, trials_of
from jaxdigits.search.session import search
from jaxdigits.search.space import Choice, Real, Space
from jaxdigits.search.words import against_default, four_numbers
from jaxdigits.search.work import Hooks, Plan, Work

SPACE = Space(network="mlp", hidden=(8,), batch=32, learning_rate=Real(1e-3, 3e-2, log=True))
SPACE_OF_RATES = Space(learning_rate=Real(1e-3, 3e-2, log=True))
BUDGET = Budget(None, 24 + 8 * 2 + 24)


class Killed(BaseException):
    """A SIGKILL: nothing after it runs, and nobody catches it."""


@pytest.fixture(scope="module")
def work():
    """One work for all searches here: it holds compiled programs and data alone."""
    train, _ = digits()
    return Work(Plan(SPACE, Facts("digits", None, 3), seed=4), train[:160], train[200:260])


def searched(folder, work, killed_at=None, budget=BUDGET, resume=False, stop=lambda: False):
    calls = []

    def report(session):
        calls.append(1)
        if len(calls) == killed_at:
            raise Killed

    session = Session(work, budget, report, stop)
    if resume:
        resume_session(folder, session)
    else:
        create_journal(folder, {"seed": 4})
    test = digits()[1]
    search_in(folder, session, lambda: test[:50])
    return len(calls)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, work):
    folder = tmp_path_factory.mktemp("whole") / "search"
    return folder, searched(folder, work)


def same(a, b):
    assert (a / FILE).read_bytes() == (b / FILE).read_bytes()
    files = [np.load(x / "best" / "params.npz") for x in (a, b)]
    for name in files[0].files:
        np.testing.assert_array_equal(files[0][name], files[1][name])
    results = [json.loads((x / "result.json").read_text()) for x in (a, b)]
    for result in results:
        del result["seconds"], result["run"]
    assert results[0] == results[1]


def test_a_search_ends_with_an_ordinary_run_and_four_numbers(whole):
    folder, _ = whole
    run, result = load_run(folder / "best"), finished(folder)
    assert result is not None
    assert run.config.options["hidden"] == (8,)
    assert run.config.seed == result["seed"]
    assert run.doubt is not None
    assert 0.2 < result["test_accuracy"] <= 1
    assert result["corrected"]["value"] <= result["claimed"]
    assert result["corrected"]["low"] < result["corrected"]["high"]
    assert len(result["fresh"]) == 6, "five finalists and the default"
    assert all(len(row["accuracy"]) == 5 for row in result["fresh"])
    assert result["member_epochs"] == 64
    _, records = read_journal(folder)
    assert member_epochs(records) == 64
    trials = trials_of(records)
    assert trials[0].default
    assert len({t.settings["learning_rate"] for t in trials.values()}) == len(trials) == 48
    assert "test" not in (folder / FILE).read_text(), "no test accuracy in a journal"
    assert not (folder / POOL).exists()


@pytest.mark.parametrize("share", [0.02, 0.2, 0.35, 0.5, 0.8, 0.97])
def test_killed_anywhere_it_comes_to_the_same_bits(tmp_path, work, whole, share):
    folder, calls = whole
    mine = tmp_path / "search"
    with pytest.raises(Killed):
        searched(mine, work, killed_at=max(1, int(share * calls)))
    searched(mine, work, resume=True)
    same(folder, mine)


def test_a_damaged_pool_and_a_torn_line_cost_time_but_no_bit(tmp_path, work, whole):
    folder, calls = whole
    mine = tmp_path / "search"
    with pytest.raises(Killed):
        searched(mine, work, killed_at=int(0.35 * calls))
    for path in (mine / POOL).glob("*.npz"):
        path.write_bytes(path.read_bytes()[:-50])
    with open(mine / FILE, "ab") as file:
        file.write(b'{"line": 9, "rung')
    searched(mine, work, resume=True)
    same(folder, mine)


def test_of_two_budgets_one_journal_begins_the_other(tmp_path, work, whole):
    folder, _ = whole
    short = tmp_path / "search"
    searched(short, work, budget=Budget(None, 24))
    assert (folder / FILE).read_bytes().startswith((short / FILE).read_bytes())
    searched(short, work, resume=True)
    same(folder, short)


def test_states_that_cannot_go_on_are_forgotten(tmp_path, work):
    most = []
    session = Session(work, Budget(None, 24), lambda s: most.append(len(s.pool)))
    search_in(tmp_path, session, lambda: digits()[1][:50])
    assert max(most) == 8, "a third of 24 trials goes on"


def test_a_stop_keeps_all_decisions_and_too_little_budget_is_said(tmp_path, work):
    with pytest.raises(Stopped):
        searched(tmp_path / "stopped", work, stop=lambda: True)
    assert read_journal(tmp_path / "stopped")[1] == []
    with pytest.raises(ValueError, match="first trials are compared: pass 24 or more"):
        searched(tmp_path / "short", work, budget=Budget(None, 3))
    with pytest.raises(RunError, match="has a search"):
        searched(tmp_path / "stopped", work)


def test_in_python_a_search_knows_no_files(work):
    found = search("mlp", SPACE, work.train, work.valid, epochs=24, longest=3, seed=4)
    assert found.trials == 24
    network = found.config.build()(training=False, statistics=found.statistics)
    logits, _ = network.forward(found.params, work.valid.inputs[:])
    assert (logits.argmax(-1) == work.valid.label).mean() > 0.3
    with pytest.raises(ValueError, match="pass minutes > 0 or epochs > 0, got 0 and None"):
        search("mlp", SPACE, work.train, work.valid, minutes=0)
    with pytest.raises(ValueError, match="network must be one of"):
        search("mpl", SPACE_OF_RATES, work.train, work.valid, epochs=24)


def test_minutes_without_a_comparison_end_with_the_default(tmp_path, work):
    searched(tmp_path / "search", work, budget=Budget(1e-6, None))
    result = finished(tmp_path / "search")
    assert result is not None
    assert result["trials"] == 0
    assert result["claimed"] is None
    assert [row["default"] for row in result["fresh"]] == [True]
    assert "raise --minutes" in against_default(result)
    assert four_numbers(result)[0].value == "–"
    assert load_run(tmp_path / "search" / "best").config.learning_rate == 1e-3


def brackets_of(work, space, most, lanes=None, **plan):
    """The first brackets of a search: those that begin before it has `most` records."""
    records, plan = [], Plan(space, work.plan.facts, **plan)
    own = Work(plan, work.train, work.valid, lanes={} if lanes is None else lanes)
    extend(own, records, {}, Hooks(may_start=lambda epochs, seconds: len(records) < most))
    return [record for record in records if "group" in record]


def test_of_several_networks_each_is_tasted_before_one_has_a_bracket(work):
    space = Space(**SPACE.entries | dict(network=Choice("mlp", "snn")))
    brackets = brackets_of(work, space, 5)
    shapes = [(len(b["trials"]), b["settings"][0]["network"]) for b in brackets]
    assert shapes[:2] == [(4, "mlp"), (4, "snn")]
    assert [b["defaults"] for b in brackets[:2]] == [[0], [4]]
    assert len(brackets[2]["trials"]) == 24
    assert brackets[2]["group"] in [b["group"] for b in brackets[:2]]


def test_where_costs_count_other_forms_are_tasted_first(work):
    space, lanes = Space(**SPACE.entries | dict(hidden=Choice((8,), (4,)))), {}
    for goal in ("cost", "front"):
        brackets = brackets_of(work, space, 4, lanes, goal=goal)
        assert [len(b["trials"]) for b in brackets] == [4, 4]
        assert [b["group"] for b in brackets] == [0, 1]
        assert [b["defaults"] for b in brackets] == [[0], []]


def test_each_host_tastes_its_own_first_round_and_no_group_twice(work):
    more = dict(batch=Choice(16, 32, 64, 128, 256))
    brackets = brackets_of(work, Space(**SPACE.entries | more), 5, goal="cost", host=(1, 3))
    assert [len(b["trials"]) for b in brackets] == [4, 4, 24]
    assert brackets[0]["group"] == 1
    assert brackets[2]["group"] in [b["group"] for b in brackets[:2]]
