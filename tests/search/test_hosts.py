"""Hosts share a folder: groups are dealt, trials are joined, and one may be killed."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from jaxdigits.data import digits
from jaxdigits.errors import RunError
from jaxdigits.search.groups import Facts
from jaxdigits.search.halving import Score
from jaxdigits.search.hosts import folder_of, host_of, others_of, require_same_hosts
from jaxdigits.search.journal import append_record, create_journal, read_journal
from jaxdigits.search.protocol import _next_group
from jaxdigits.search.records import trials_of
from jaxdigits.search.space import Choice, Real, Space
from jaxdigits.search.work import Hooks, Plan, Work

COMMAND = (
    "search", "mlp", "--hidden", "8", "--batch", "16|32|64|128", "--learning-rate",
    "1e-3..3e-2:log", "--longest", "1", "--images", "200",
)  # fmt: skip
SPACE = Space(
    network="mlp", hidden=(8,), batch=Choice(16, 32, 64), learning_rate=Real(1e-3, 1e-2)
)


def test_a_host_has_its_number_and_its_folder(tmp_path):
    assert host_of("1/3") == (0, 3)
    assert folder_of(tmp_path, (0, 3)) == tmp_path
    assert folder_of(tmp_path, (2, 3)) == tmp_path / "hosts" / "3"
    for text in ("3", "0/3", "4/3", "a/b", "1/"):
        with pytest.raises(ValueError, match="host must be a number of all, as 1/3 to 3/3"):
            host_of(text)


def test_hosts_read_each_other_and_no_other_search(tmp_path):
    head = {"seed": 1, "host": [0, 2]}
    create_journal(tmp_path, head)
    other = folder_of(tmp_path, (1, 2))
    assert others_of(tmp_path) == []
    create_journal(other, head | {"host": [1, 2]})
    append_record(other, {"bracket": 0}, 1)
    assert others_of(tmp_path) == [[{"bracket": 0}]]
    assert others_of(other) == [[]]
    with pytest.raises(RunError, match="has a search by 2 hosts, not 3: pass --host N/2"):
        require_same_hosts(tmp_path, head | {"host": [2, 3]})
    require_same_hosts(tmp_path, head | {"host": [1, 2]})
    with pytest.raises(RunError, match="is a search of another seed"):
        require_same_hosts(tmp_path, head | {"seed": 2})
    create_journal(folder_of(tmp_path, (2, 2)), {"seed": 2, "host": [2, 2]})
    with pytest.raises(RunError, match="is a search of another seed"):
        others_of(tmp_path)


def test_groups_are_dealt_and_a_worse_one_makes_room():
    train, _ = digits()
    works = [Work(Plan(SPACE, Facts("digits", None, 1), host=(i, 2)), train[:9], train[:9])
             for i in range(2)]  # fmt: skip
    assert [_next_group(work, [], Hooks())[0] for work in works] == [0, 1]
    turns = [(0, Score(0.5, 1.0)), (2, Score(0.4, 1.0))]
    better = Hooks(others=lambda: {1: Score(0.9, 0.1), 3: Score(0.8, 0.1)})
    group, others = _next_group(works[0], turns[:1], better)
    assert group == 2
    assert others[1].accuracy == 0.9
    assert _next_group(works[0], turns, Hooks())[0] == 0


def start(folder, host, epochs):
    program = [sys.executable, "-c", "from jaxdigits.cli import main; main()"]
    command = [*program, *COMMAND, "--out", folder, "--host", host, "--epochs", epochs]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(list(map(str, command)), stdout=quiet, stderr=quiet)


def test_of_three_processes_one_is_killed_and_its_trials_count(tmp_path):
    shared = tmp_path / "shared"
    places = [folder_of(shared, (i, 3)) for i in range(3)]
    second, third = start(shared, "2/3", 24), start(shared, "3/3", 9999)
    journal = places[2] / "journal.jsonl"
    while not (journal.exists() and '"rung"' in journal.read_text()):
        assert third.poll() is None, "it ended before it was killed"
        time.sleep(0.05)
    os.kill(third.pid, signal.SIGKILL)
    assert second.wait() == 0
    first = start(shared, "1/3", 24)
    assert first.wait() == 0
    assert third.wait() == -signal.SIGKILL
    result = json.loads((shared / "result.json").read_text())
    trials = [trials_of(read_journal(place)[1]) for place in places]
    scored = [sum(bool(trial.scores) for trial in own.values()) for own in trials]
    assert scored[:2] == [24, 24]
    assert scored[2] >= 24
    assert len({number for own in trials for number in own}) == sum(map(len, trials))
    assert len({trial.group for own in trials for trial in own.values()}) >= 3
    assert result["trials"] == sum(scored)
    assert (shared / "best" / "params.npz").exists()
    assert not any((place / "best").exists() for place in places[1:])
