"""Intervals against SciPy, against hand arithmetic, and against what they promise."""

import numpy as np
import pytest
from scipy import stats

from jaxdigits.measure import summarise, wilson


@pytest.mark.parametrize(("correct", "n"), [(0, 1), (1, 1), (7, 10), (97, 100), (9900, 10_000)])
def test_wilson_is_scipys(correct, n):
    wanted = stats.binomtest(correct, n).proportion_ci(method="wilson")
    np.testing.assert_allclose(wilson(correct, n), wanted, atol=1e-7)


def test_wilson_by_hand():
    # p = 1/2, n = 4, z = 2: centre 1/2, half 2/(1 + 1) · √(1/16 + 4/64) = √(1/8)
    np.testing.assert_allclose(wilson(2, 4, z=2.0), [0.5 - 8**-0.5, 0.5 + 8**-0.5])


@pytest.mark.parametrize("n", [20, 300])
@pytest.mark.parametrize("p", [0.5, 0.9, 0.98])
def test_wilson_covers_the_truth_as_often_as_it_says(n, p):
    k = np.arange(n + 1)
    covered = [low <= p <= high for low, high in (wilson(int(i), n) for i in k)]
    assert 0.91 < stats.binom.pmf(k, n, p)[covered].sum() < 0.99


@pytest.mark.parametrize(("correct", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_impossible_counts_are_refused(correct, n):
    with pytest.raises(ValueError, match=f"{correct} correct of {n} examples is not possible"):
        wilson(correct, n)


def test_a_summary_by_hand():
    # 1, 2, 3: mean 2, deviation 1, Student's quantile for 2 degrees 4.302653, over √3
    mean, std, low, high = summarise([1, 2, 3])
    assert (mean, std) == (2, 1)
    np.testing.assert_allclose(
        [low, high], [2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5], atol=1e-6
    )


def test_a_summary_is_scipys():
    values = np.random.default_rng(0).normal(0.9, 0.01, 8)
    interval = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose(summarise(values)[2:], interval)
    assert summarise(values).std == pytest.approx(values.std(ddof=1))


@pytest.mark.parametrize("values", [[], [0.5], 0.5, [[0.5, 0.6]]])
def test_fewer_than_two_runs_are_no_sample(values):
    with pytest.raises(ValueError, match="an interval over runs needs at least two"):
        summarise(values)
