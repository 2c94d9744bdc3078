"""Scores of one network and of several; intervals by formula, SciPy, and their promise."""

import numpy as np
import pytest
from scipy import stats

from jaxdigits.losses import contrastive
from jaxdigits.measure import score, summarise, wilson

LABEL = np.arange(8)


def logits_with(*right):
    """[networks, 8, 10]: network i recognises the first right[i] images only."""
    logits = np.zeros((len(right), 8, 10))
    for of_network, n in zip(logits, right, strict=True):
        of_network[np.arange(8), np.where(np.arange(8) < n, LABEL, LABEL + 1)] = 1
    return logits


def test_one_network_has_the_interval_of_its_test_images():
    got = score(logits_with(6), LABEL)
    assert got == (0.75, wilson(6, 8), "test images", [0.75], None)


def test_several_networks_have_the_interval_of_their_seeds():
    accuracies = [n / 8 for n in (4, 5, 4, 3)]
    got = score(logits_with(4, 5, 4, 3), LABEL)
    sample = summarise(accuracies)
    assert got == (0.5, (sample.low, sample.high), "seeds", accuracies, sample.std)


def test_an_interval_stays_between_none_and_all():
    low, high = score(logits_with(8, 4), LABEL).test_interval
    assert 0 <= low < 0.75 < high == 1


@pytest.mark.parametrize("shape", [(8, 10), (1, 7, 10), (1, 8, 10, 1)])
def test_shapes_that_do_not_fit_are_refused(shape):
    with pytest.raises(ValueError, match=r"must be \[networks, N, K\] for labels \(8,\)"):
        score(np.zeros(shape), LABEL)


def test_an_answer_may_have_more_axes_where_the_loss_reads_them():
    points = np.zeros((1, 8, 3, 2, 4))
    points[..., 0, :, 0] = points[..., 1:, :, 1] = 1
    points[0, :2, 0, 1], points[0, :2, 1, 0] = np.eye(4)[[1, 0]]  # two hands exchange pictures
    got = score(points, LABEL, contrastive().right)
    assert (got.test_accuracy, got.interval_over) == (0.75, "test images")


@pytest.mark.parametrize(("correct", "n"), [(0, 1), (1, 1), (7, 10), (97, 100), (9900, 10_000)])
def test_wilson_is_that_of_scipy(correct, n):
    wanted = stats.binomtest(correct, n).proportion_ci(method="wilson")
    low, high = wilson(correct, n)
    np.testing.assert_allclose((low, high), wanted, rtol=1e-13, atol=1e-15)
    assert (low == 0) == (correct == 0)
    assert (high == 1) == (correct == n)


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
