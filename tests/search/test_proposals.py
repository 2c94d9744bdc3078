"""Proposals are a function of the seed and of earlier scores, never of a process."""

import builtins

import numpy as np
import pytest

from jaxdigits.search.proposals import SAMPLERS, Told, propose, sobol_points, static_points
from jaxdigits.search.space import Choice, Real, Space

NAMES = ("lr", "decay")


def told(count, best=0.2):
    """Trials that are the better the nearer `lr` is to `best`."""
    points = np.random.default_rng(1).random((count, 2))
    return [
        Told(dict(zip(NAMES, p, strict=True)), {1: 0.5, 3: 1 - abs(p[0] - best)}, i % 2 == 0)
        for i, p in enumerate(points.tolist())
    ]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_seed_and_scores_give_the_same_proposals(sampler):
    pytest.importorskip("optuna")
    ask = lambda seed: propose(sampler, NAMES, 6, told(12), (seed, 0, 1))
    first = ask(0)
    assert first == ask(0)
    assert first != ask(1)
    assert all(0 <= u <= 1 for point in first for u in point.values())
    assert len({tuple(point.values()) for point in first}) == 6


def test_sobol_goes_on_where_it_stopped_and_covers_evenly():
    whole = sobol_points(NAMES, 0, 32, (3, 0))
    parts = [*sobol_points(NAMES, 0, 5, (3, 0)), *sobol_points(NAMES, 5, 27, (3, 0))]
    assert parts == whole
    for name in NAMES:
        eighths = np.bincount([int(8 * point[name]) for point in whole])
        assert eighths.tolist() == [4] * 8
    assert propose("sobol", NAMES, 3, told(5), (3, 0, 9)) == whole[5:8]


def test_tpe_learns_from_scores():
    pytest.importorskip("optuna")
    points = propose("tpe", NAMES, 16, told(60), (0, 0, 1))
    distance = lambda some: np.mean([abs(p["lr"] - 0.2) for p in some])
    assert distance(points) < 0.6 * distance(sobol_points(NAMES, 0, 16, (0, 0)))


def test_half_of_the_points_are_near_the_best_that_trained_longest():
    short = [Told({"lr": 0.9, "decay": 0.9}, {1: 0.99}, False)] * 9
    points = propose("elites", NAMES, 16, told(60) + short, (0, 0, 1))
    assert points[:8] == sobol_points(NAMES, 69, 8, (0, 0))
    near = [abs(point["lr"] - 0.2) for point in points[8:]]
    assert np.mean(near) < 0.1
    assert max(near) < 0.3
    assert np.std([point["decay"] for point in points[8:]]) > 0.1, "of which nothing is known"
    assert propose("elites", NAMES, 4, told(3), (0, 0, 1)) == sobol_points(NAMES, 3, 4, (0, 0))


def test_with_costs_the_points_are_near_the_front_not_at_the_most_accurate_alone():
    trial = lambda lr, accuracy, cost: Told({"lr": lr, "decay": 0.5}, {3: accuracy}, True, cost)
    cheap = [trial(0.9, 0.6 + i / 100, 1.0 + i) for i in range(4)]
    waste = [trial(0.5, 0.9, 9.0 + i) for i in range(8)]
    best = [trial(0.1, 0.95 + i / 100, 5.0 + i) for i in range(4)]
    near = propose("elites", ("lr",), 400, cheap + waste + best, (0, 0, 1))[200:]
    assert np.mean([point["lr"] > 0.7 for point in near]) > 0.3
    free = [t._replace(cost=0.0) for t in cheap + waste + best]
    near = propose("elites", ("lr",), 400, free, (0, 0, 1))[200:]
    assert np.mean([point["lr"] > 0.7 for point in near]) < 0.05


def test_groups_are_the_different_static_settings():
    space = Space(lr=Real(0, 1), norm=Choice("a", "b"), size=Choice(1, 2, when=("norm", "b")))
    groups = static_points(space, ("norm", "size"), 9, seed=0)
    assert sorted(map(str, groups)) == sorted(
        map(str, [{"norm": "a"}, {"norm": "b", "size": 1}, {"norm": "b", "size": 2}])
    )
    assert static_points(space, (), 9, seed=0) == [{}]


def test_without_optuna_there_is_the_line_that_installs_it(monkeypatch):
    real = builtins.__import__

    def without(name, *args):
        if name == "optuna":
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'tpe.* pip install "jaxdigits\[search\]"'):
        propose("tpe", NAMES, 1, [], (0, 0, 0))
