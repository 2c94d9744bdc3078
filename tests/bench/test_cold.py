"""W9: the parts add up, compiling counts once, and a process that fails says why."""

import importlib
import time
from pathlib import Path

import pytest

from jaxdigits.data import digits

HERE = Path(__file__).parents[2] / "experiments" / "benchmark"


@pytest.fixture(scope="module")
def cold():
    """The experiment, as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        yield importlib.import_module("cold")


def test_what_overlaps_counts_once(cold):
    assert cold.covered([]) == 0
    assert cold.covered([(0, 1), (2, 4)]) == 3
    assert cold.covered([(2, 4), (0, 3), (2.5, 3)]) == 4


@pytest.mark.parametrize(("accuracy", "reached"), [(0.0, True), (1.1, False)])
def test_training_ends_at_the_goal_or_with_its_schedule(cold, monkeypatch, accuracy, reached):
    monkeypatch.setattr(cold, "mnist", digits)
    row = cold.train_until(cold.Goal("mlp", accuracy, 2, "a test"), time.time() - 1)
    assert row["reached"] is reached
    assert len(row["valid_accuracies"]) == (1 if reached else 2)
    seconds = dict(row["cold_seconds"])
    total = seconds.pop("total")
    assert sum(seconds.values()) == pytest.approx(total)
    assert all(part > 0 for part in seconds.values())
    assert seconds["import"] >= 1
    assert row["peak_rss_bytes"] > 1e7


def test_a_process_that_fails_says_why(cold, monkeypatch, tmp_path):
    (tmp_path / "mnist").touch()
    monkeypatch.setenv("JAXDIGITS_DATA", str(tmp_path / "mnist"))
    monkeypatch.setattr(cold, "__file__", str(tmp_path / "absent.py"))
    with pytest.raises(RuntimeError, match=r"W9-snn failed in its process: .*absent.py"):
        cold.measure_cold("W9-snn")
