"""Halving by known curves: where ranks never cross it must end with the best trial."""

import numpy as np
import pytest

from jaxdigits.search.halving import (
    FEWEST,
    Score,
    bracket,
    next_group,
    order,
    survivors,
)


def curve(a, rho):
    """s(h, e) = a(h) (1 − ρᵉ)"""
    return lambda epoch: a * (1 - rho**epoch)


def halved(curves, rungs, scores=lambda value: Score(value, 0.0)):
    """Return the trials that reach each rung."""
    trials, reached = list(range(len(curves))), []
    for epoch in rungs:
        reached.append(list(trials))
        places = survivors([scores(curves[t](epoch)) for t in trials])
        trials = [trials[i] for i in places]
    return reached, trials


def test_the_sequence_of_brackets_is_fixed():
    plans = [bracket(i, 9) for i in range(6)]
    assert [plan.size for plan in plans] == [24, 24, 72, 72, 72, 72]
    assert [plan.rungs for plan in plans] == [(1, 3, 9), (1, 3, 9), (3, 9)] * 2
    assert bracket(0, 27).rungs == (1, 3, 9, 27)
    assert bracket(2, 1).rungs == (1,)
    assert bracket(0, 10).rungs == (1, 3, 10)
    tastes = [bracket(0, longest, taste=True) for longest in (1, 2, 9)]
    assert tastes == [(4, (1,)), (4, (1,)), (4, (3,))]
    with pytest.raises(ValueError, match=r"longest trial must have >= 1 epochs, got 0"):
        bracket(0, 0)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("place", range(3))
def test_with_curves_that_never_cross_the_best_of_all_wins(seed, place):
    draw, plan = np.random.default_rng(seed), bracket(place, 9)
    levels = draw.permutation(plan.size) / plan.size
    reached, last = halved([curve(a, 0.7) for a in levels], plan.rungs)
    assert last[0] == int(levels.argmax())
    assert [len(trials) for trials in reached] == ([24, 8, 8] if place < 2 else [72, 24])
    best = np.argsort(-levels)[:FEWEST]
    assert set(last) == set(best.tolist())


@pytest.mark.parametrize("seed", range(10))
def test_with_curves_that_cross_the_survivors_are_those_of_an_enumeration(seed):
    draw = np.random.default_rng(seed)
    curves = [curve(a, rho) for a, rho in draw.uniform(0.2, 0.98, (72, 2))]
    _, last = halved(curves, (1, 3, 9))
    beaten = lambda t, among, epoch: sum(c(epoch) > curves[t](epoch) for c in among)
    second = [t for t in range(72) if beaten(t, curves, 1) < 24]
    third = [t for t in second if beaten(t, [curves[s] for s in second], 3) < 8]
    assert sorted(last) == third
    assert last[0] == max(third, key=lambda t: curves[t](9))


def test_equals_are_ranked_by_cross_entropy_and_the_diverged_never_go_on():
    scores = [Score(0.5, 2.0), Score(0.5, 1.0), Score(0.9, 9.0), Score(0.5, 1.0)]
    assert order(scores) == [2, 1, 3, 0]
    assert survivors([Score(-1.0, float("inf"))] * 5 + [Score(0.1, 2.0)]) == [5]


def test_groups_take_turns_and_the_worse_half_gets_none():
    level = {0: 0.5, 1: 0.9, 2: 0.1, 3: 0.7, 4: 0.95, 5: 0.2, 6: 0.3}
    turns = []
    for _ in range(15):
        group = next_group(turns, together=4, most=7)
        turns.append((group, Score(level[group], 0.0)))
    groups = [group for group, _ in turns]
    assert groups == [0, 1, 2, 3, 1, 3, 1, 1, 4, 5, 6, 1, 4, 4, 4]


def test_a_space_of_one_group_has_all_brackets():
    assert [next_group([(0, Score(0.5, 0.0))] * n, 4, 1) for n in range(4)] == [0] * 4
