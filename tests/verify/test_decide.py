"""Scores, likelihood ratios and decisions, against normal distributions of known overlap."""

import numpy as np
import pytest
from scipy.stats import norm

from jaxdigits.verify import Scores, calibrate, distances, equal_error, errors_of, scores_of

ALONE = np.zeros((0, 6))  # a cohort of nobody
RNG = np.random.default_rng(0)
SCORES = Scores(RNG.normal(0.3, 0.1, 4000), RNG.normal(0.7, 0.1, 6000), RNG.normal(1, 0.1, 500))


def test_the_ratio_is_that_of_the_two_densities():
    near = Scores(RNG.normal(0.4, 0.1, 9000), RNG.normal(0.6, 0.1, 9000), np.zeros(0))
    score = np.linspace(0.35, 0.65, 7)
    ratio = norm.logpdf(score, 0.4, 0.1) - norm.logpdf(score, 0.6, 0.1)
    np.testing.assert_allclose(calibrate(near).log_ratio(score), ratio, rtol=0.1, atol=0.1)


def test_the_equal_error_is_where_both_densities_have_as_much_beyond():
    assert equal_error(*SCORES[:2]) == pytest.approx(norm.cdf(-2), abs=0.004)
    assert equal_error(np.array([1.0, 2.0]), np.array([3.0, 4.0])) == 0


def test_decisions_err_at_most_as_stated_on_other_data():
    calibration = calibrate(SCORES, 0.01)
    rng = np.random.default_rng(1)
    genuine, impostor = rng.normal(0.3, 0.1, 20_000), rng.normal(0.7, 0.1, 20_000)
    share = lambda scores, word: np.mean([calibration.decide(s) == word for s in scores])
    assert share(genuine, "another hand") <= 0.01
    assert share(impostor, "same hand") <= 0.01
    assert share(genuine, "same hand") > 0.9
    errors = errors_of(calibration, SCORES)
    assert errors.impostor <= 0.01
    assert errors.genuine <= 0.01
    assert errors.simple == 0


def test_kinds_that_overlap_leave_most_unsaid():
    near = Scores(RNG.normal(0.5, 0.1, 500), RNG.normal(0.55, 0.1, 500), np.zeros(0))
    calibration = calibrate(near, 0.01)
    assert calibration.decide(0.52) == "cannot say"


def test_few_scores_decide_nothing():
    few = calibrate(Scores(np.array([0.1, 0.2]), np.array([0.8, 0.9]), np.zeros(0)))
    assert few.same == np.inf
    assert np.isnan(errors_of(few, Scores(np.zeros(1), np.ones(1), np.zeros(0))).simple)
    assert few.decide(0.0) == "cannot say"
    with pytest.raises(ValueError, match="got none"):
        calibrate(Scores(np.zeros(0), np.ones(3), np.zeros(0)))


def test_scores_are_mean_distances_to_the_first_references():
    points = np.eye(6)[[0, 0, 1, 2, 2, 2, 3, 0]]
    writer, name = [0, 0, 0, 1, 1, 1, 1, 2], [0, 0, 0, 0, 0, 0, 1, 0]
    scores = scores_of(points, writer, name, 2, ALONE)
    # Of writer 0: each of its three against the two others.  Of writer 1: all alike.
    np.testing.assert_allclose(np.sort(scores.genuine), [0, 0, 0, 0.5, 0.5, 1])
    # Writers 1 and 2 against writer 0's first two (0, 0), writers 0 and 2 against writer 1's.
    np.testing.assert_allclose(np.sort(scores.impostor), [0] + [1] * 7)
    np.testing.assert_allclose(scores.simple, [1])


def test_hands_like_everybody_are_not_nearer_for_it():
    rng = np.random.default_rng(0)
    points, cohort = rng.normal(size=(5, 3)), rng.normal(size=(80, 3))
    points, cohort = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (points, cohort))
    near = distances(points[:2], points[2:], cohort)
    usual = [np.sort(1 - cohort @ point)[:60].mean() for point in points]
    for i in range(2):
        for j in range(3):
            middle = (usual[i] + usual[2 + j]) / 2
            assert near[i, j] == pytest.approx(1 - points[i] @ points[2 + j] - middle)
