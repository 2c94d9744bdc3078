"""W9: the parts add up, compiling counts once, and a process that fails says why."""

import time

import pytest

from jaxdigits.bench import cold
from jaxdigits.bench.cold import Goal, covered, measure_cold, mnist_folder, train_until
from jaxdigits.data import digits
from jaxdigits.data.mnist import FILES


def test_what_overlaps_counts_once():
    assert covered([]) == 0
    assert covered([(0, 1), (2, 4)]) == 3
    assert covered([(2, 4), (0, 3), (2.5, 3)]) == 4


@pytest.mark.parametrize(("accuracy", "reached"), [(0.0, True), (1.1, False)])
def test_training_ends_at_the_goal_or_with_its_schedule(monkeypatch, accuracy, reached):
    monkeypatch.setattr(cold, "mnist", lambda folder: digits())
    row = train_until(Goal("mlp", accuracy, 2, "a test"), None, time.time() - 1)
    assert row["reached"] is reached
    assert len(row["valid_accuracies"]) == (1 if reached else 2)
    seconds = dict(row["cold_seconds"])
    total = seconds.pop("total")
    assert sum(seconds.values()) == pytest.approx(total)
    assert all(part > 0 for part in seconds.values())
    assert seconds["import"] >= 1
    assert row["peak_rss_bytes"] > 1e7


def test_a_process_that_fails_says_why(tmp_path):
    with pytest.raises(RuntimeError, match=r"W9-snn failed in its process: .*no train-images"):
        measure_cold("W9-snn", tmp_path)


def test_mnist_is_looked_for_and_never_downloaded(monkeypatch, tmp_path):
    monkeypatch.setattr(cold, "os_cache", lambda name: tmp_path / "cache")
    monkeypatch.setenv("JAXDIGITS_DATA", str(tmp_path))
    assert mnist_folder(None) is None
    (tmp_path / "mnist").mkdir()
    for name in FILES:
        (tmp_path / "mnist" / f"{name}.gz").touch()
    assert mnist_folder(None) == tmp_path / "mnist"
    assert mnist_folder(tmp_path / "mnist") == tmp_path / "mnist"
    assert mnist_folder(tmp_path) is None
