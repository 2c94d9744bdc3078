"""McNemar's test, the bootstrap of pairs, and the area under a curve: by hand and by SciPy."""

import numpy as np
import pytest
from scipy import stats

from jaxdigits.measure import area_under_curve, bootstrap_of_pairs, mcnemar, wilson


def readers(only, only_other, both=20, neither=5):
    rows = [(1, 0)] * only + [(0, 1)] * only_other + [(1, 1)] * both + [(0, 0)] * neither
    return np.array(rows, bool).T


@pytest.mark.parametrize(("only", "only_other"), [(3, 12), (12, 3), (1, 0), (40, 61), (7, 7)])
def test_mcnemar_is_the_binomial_test_of_what_they_differ_on(only, only_other):
    wanted = stats.binomtest(only, only + only_other).pvalue
    assert mcnemar(*readers(only, only_other)) == pytest.approx(wanted)


def test_readers_that_never_differ_cannot_be_told_apart():
    assert mcnemar(*readers(0, 0)) == 1


def test_with_partners_of_their_own_the_interval_is_that_of_examples():
    right = np.arange(2000) % 20 != 0
    low, high = bootstrap_of_pairs(right, np.arange(2000))
    wanted = wilson(int(right.sum()), 2000)
    # The product of two counts of mean and variance 1 has the variance 2 · 2 − 1.
    assert (high - low) / (wanted[1] - wanted[0]) == pytest.approx(3**0.5, rel=0.1)
    assert low < right.mean() < high


def test_shared_recordings_widen_the_interval():
    partner = np.arange(3000) % 30
    by_recording = partner >= 3  # three recordings of thirty nobody understands
    by_chance = np.random.default_rng(0).permutation(by_recording)
    wide, narrow = (np.ptp(bootstrap_of_pairs(r, partner)) for r in (by_recording, by_chance))
    assert wide > 5 * narrow


def test_the_bootstrap_is_the_same_each_time_and_knows_no_more_than_all():
    right, partner = np.ones(50), np.zeros(50, int)
    assert bootstrap_of_pairs(right, partner) == (1.0, 1.0)
    some = np.arange(50) % 3 > 0
    assert bootstrap_of_pairs(some, partner) == bootstrap_of_pairs(some, partner)


def test_the_area_by_hand():
    # Of the six pairs of a positive and a negative four are in order, and one is a tie.
    score, positive = [0.9, 0.3, 0.5, 0.3, 0.4], [1, 1, 0, 0, 0]
    assert area_under_curve(score, positive) == pytest.approx((3 + 0.5) / 6)
    assert area_under_curve([1, 2, 3, 4], [0, 0, 1, 1]) == 1
    assert area_under_curve([1, 2, 3, 4], [1, 1, 0, 0]) == 0


def test_the_area_is_scipys_u():
    rng = np.random.default_rng(0)
    score, positive = rng.normal(size=300).round(1), rng.random(300) < 0.3
    u = stats.mannwhitneyu(score[positive], score[~positive]).statistic
    count = positive.sum()
    assert area_under_curve(score, positive) == pytest.approx(u / (count * (300 - count)))


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: mcnemar([True], [True, False]), "of the same examples"),
        (lambda: bootstrap_of_pairs([1, 0], [1]), r"must be \[N\]"),
        (lambda: bootstrap_of_pairs([], []), r"must be \[N\]"),
        (lambda: area_under_curve([1, 2], [1]), r"must be \[N\]"),
        (lambda: area_under_curve([1, 2], [1, 1]), "2 of 2 examples are positive"),
    ],
)
def test_what_does_not_fit_is_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call()
