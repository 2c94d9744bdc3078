"""Fronts against a definition spelled out, and which settings matter where it is known."""

import numpy as np
import pytest

from jaxdigits.search.importance import importances
from jaxdigits.search.pareto import cheapest_of_good, crowding, front_order, front_ranks
from jaxdigits.search.space import Choice, Real, Space


@pytest.mark.parametrize("seed", range(5))
def test_the_front_is_the_points_that_no_other_dominates(seed):
    points = np.random.default_rng(seed).integers(0, 8, (30, 2))
    ranks = front_ranks(points)
    left = list(range(30))
    for rank in range(ranks.max() + 1):
        dominated = lambda i: any(
            (points[j] <= points[i]).all() and (points[j] < points[i]).any() for j in left
        )
        front = [i for i in left if not dominated(i)]
        assert sorted(front) == np.flatnonzero(ranks == rank).tolist()
        left = [i for i in left if i not in front]
    assert not left


def test_crowding_is_infinite_at_the_ends_and_the_size_of_the_gap_between():
    line = np.array([[0, 4], [1, 3], [2, 2], [4, 0]])
    assert crowding(line).tolist() == [np.inf, 1.0, 1.5, np.inf]
    assert front_order(np.vstack([line, [[4, 4]]])) == [0, 3, 2, 1, 4]


def test_the_cheapest_within_a_standard_error_of_the_best():
    means, errors, costs = [0.95, 0.949, 0.90], [0.002, 0.1, 0.1], [9.0, 5.0, 1.0]
    assert cheapest_of_good(means, errors, costs) == 1
    assert cheapest_of_good(means, [0.0005, 0.1, 0.1], costs) == 0


def test_the_settings_that_make_the_accuracy_come_first():
    space = Space(lr=Real(1e-4, 1e-1, log=True), norm=Choice("a", "b"), idle=Real(0, 1),
                  extra=Real(0, 1, when=("norm", "b")))  # fmt: skip
    draw = np.random.default_rng(0)
    settings, accuracy = [], []
    for i in range(80):
        norm = "ab"[i % 2]
        row = dict(lr=10 ** draw.uniform(-4, -1), norm=norm, idle=draw.uniform())
        settings.append(row | ({"extra": draw.uniform()} if norm == "b" and i < 10 else {}))
        accuracy.append(-np.log10(row["lr"]) + (norm == "a"))
    rows = importances(space, settings, accuracy)
    assert [row.name for row in rows] == ["lr", "norm", "idle"], "extra has five trials only"
    lr, norm, idle = rows
    assert lr.direction < -0.7
    assert lr.share == lr.direction**2
    assert 0.1 < norm.share < 0.5
    assert idle.share < 0.05
