"""The claim of a search, corrected: where all trials are equal it must not believe its best."""

import numpy as np
import pytest

from jaxdigits.search.finals import Claim, Final, corrected, finalists, gain, sealed, winner
from jaxdigits.search.halving import Score
from jaxdigits.search.records import Trial


def trial(number, scores, default=False, settings=None, last=True):
    scores = {epochs: Score(accuracy, 1.0) for epochs, accuracy in scores.items()}
    return Trial(number, 0, settings or {"lr": number}, default, scores, np.zeros(4, bool), 0.0,
                 last)  # fmt: skip


def final(number, rows, operations=1.0, default=False):
    right = np.array(rows, bool)
    seeds = list(range(len(right)))
    return Final(trial(number, {9: 0.5}, default), seeds, right.mean(1), right, operations,
                 None, 0, ())  # fmt: skip


@pytest.mark.parametrize(("images", "level"), [(120, 0.1), (500, 0.9)])
def test_the_corrected_interval_covers_what_equal_trials_are_worth_and_the_claim_does_not(
    images, level
):
    draw = np.random.default_rng(0)
    covered, above, off = 0, 0, []
    for _ in range(100):
        right = draw.random((64, images)) < level
        claim = corrected(right, draws=200)
        covered += claim.low <= level <= claim.high
        above += right.mean(1).max() > level + 1.5 * (level * (1 - level) / images) ** 0.5
        off.append(claim.value - level)
    assert covered >= 90
    assert above >= 90, "the best of 64 looks better than it is"
    assert abs(np.mean(off)) < 0.005


def test_one_clearly_best_trial_keeps_its_accuracy():
    draw = np.random.default_rng(1)
    right = np.vstack([draw.random((20, 2000)) < 0.5, draw.random((1, 2000)) < 0.9])
    claim = corrected(right, draws=300)
    assert claim.value == pytest.approx(right[-1].mean(), abs=0.002)
    assert 0.02 < claim.high - claim.low < 0.032, "as wide as ±1.96 standard errors, 0.026"


def test_finalists_are_the_best_of_the_longest_and_the_default_comes_last():
    trials = [
        trial(0, {1: 0.4}, default=True), trial(1, {1: 0.99}, last=False),
        trial(2, {1: 0.5, 9: 0.7}), trial(3, {1: 0.5, 9: 0.9}), trial(4, {1: 0.5, 9: 0.8}),
        trial(5, {9: -1.0}), trial(6, {9: 0.85}, settings={"lr": 3}), trial(7, {}),
        trial(8, {3: 0.75}),
    ]  # fmt: skip
    assert [t.number for t in finalists(trials, "accuracy")] == [3, 4, 8, 2, 0]
    assert [t.number for t in finalists(trials, "accuracy", best=1)] == [3, 0]


def test_the_winner_is_the_best_mean_or_the_cheapest_near_it():
    lucky = final(0, [[1, 1, 1, 1], [0, 0, 0, 1]], operations=5.0)
    steady = final(1, [[1, 1, 1, 0], [1, 1, 1, 1]], operations=9.0)
    weak = final(2, [[1, 0, 0, 0], [1, 0, 0, 0]], operations=1.0)
    assert winner([lucky, steady, weak], "accuracy") == 1
    near = final(3, [[1, 1, 1, 0], [1, 1, 1, 0]], operations=2.0)
    assert winner([lucky, steady, weak, near], "cost") == 3


def test_a_gain_has_an_interval_that_tells_luck_from_difference():
    draw = np.random.default_rng(2)
    rows = lambda level: draw.random((5, 400)) < level
    same = gain(final(0, rows(0.9)), final(1, rows(0.9)), draws=300)
    assert same.low < 0 < same.high
    better = gain(final(0, rows(0.95)), final(1, rows(0.8)), draws=300)
    assert 0.1 < better.low < better.value < better.high < 0.25
    assert isinstance(better, Claim)


def test_the_test_set_is_read_once():
    read = sealed(lambda: "test")  # pyright: ignore
    assert read() == "test"
    with pytest.raises(ValueError, match="the test set is read once"):
        read()
