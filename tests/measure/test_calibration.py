"""Temperature, thresholds with a bound, and reliability, against cases with known answers."""

import numpy as np
import pytest
from scipy.stats import binom

from jaxdigits import measure
from jaxdigits.measure.calibration import COVERAGES, Doubt, Step


def sample(n=4000, temperature=1.0, networks=1):
    """Logits [networks, n, 5] whose softmax(logits / temperature) is the truth, and labels."""
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 2, (n, 5))
    p = np.exp(truth) / np.exp(truth).sum(1, keepdims=True)
    label = (p.cumsum(1) > rng.random((n, 1))).argmax(1)
    return np.repeat(truth[None] * temperature, networks, 0), label


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_the_temperature_of_the_truth_is_found(temperature):
    logits, label = sample(temperature=temperature)
    assert measure.fit_temperature(logits, label) == pytest.approx(temperature, rel=0.1)
    p = measure.probabilities(logits, temperature)
    np.testing.assert_allclose(p, measure.probabilities(sample()[0]), atol=1e-12)


def test_the_error_of_calibration_is_the_distance_of_share_and_confidence():
    confidence, right = np.full(100, 0.9), np.arange(100) < 70
    bins = measure.reliability(confidence, right)
    assert bins.error == pytest.approx(0.2)
    assert bins.answers.sum() == 100
    logits, label = sample(temperature=4.0)
    error = []
    for temperature in (1.0, 4.0):
        p = measure.probabilities(logits, temperature)
        error.append(measure.reliability(p.max(1), p.argmax(1) == label).error)
    assert error[0] > 0.1
    assert error[1] < 0.03


def test_several_networks_answer_with_their_mean():
    logits = np.array([[[9.0, 0.0]], [[0.0, 9.0]]])
    np.testing.assert_allclose(measure.probabilities(logits), [[0.5, 0.5]])


@pytest.mark.parametrize(("errors", "answers"), [(0, 300), (3, 500), (40, 60)])
def test_the_bound_is_where_so_few_errors_have_the_chance_of_one_in_twenty(errors, answers):
    bound = measure.error_bound(errors, answers)
    assert binom.cdf(errors, answers, bound) == pytest.approx(0.05)
    assert measure.error_bound(errors, errors) == 1.0


def test_the_lowest_threshold_within_the_promise_is_taken():
    doubt = Doubt(1.0, (Step(0.9, 2000, 0), Step(0.5, 4000, 10), Step(0.0, 5000, 300)))
    assert measure.threshold(doubt, 0.01) == 0.5
    assert measure.threshold(doubt, 0.004) == 0.9
    assert measure.threshold(doubt, 0.2) == 0.0
    assert measure.threshold(doubt, 0.001) is None
    for bad in (0, 1, float("nan")):
        with pytest.raises(ValueError, match="max_error must be between 0 and 1"):
            measure.threshold(doubt, bad)


def test_a_promise_holds_on_other_data():
    logits, label = sample(8000)
    doubt = measure.learn_doubt(logits[:, :4000], label[:4000])
    assert [step.answers for step in doubt.steps] == [round(c * 4000) for c in COVERAGES]
    least = measure.threshold(doubt, 0.1)
    assert least is not None
    p = measure.probabilities(logits[:, 4000:], doubt.temperature)
    given = p.max(1) > least
    assert given.mean() > 0.05
    assert (p.argmax(1) != label[4000:])[given].mean() < 0.1


def test_risk_and_coverage_begin_with_the_surest_answer():
    coverage, risk = measure.risk_coverage([0.2, 0.9, 0.5, 0.7], [False, True, False, True])
    np.testing.assert_allclose(coverage, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(risk, [0, 0, 1 / 3, 1 / 2])


def test_a_few_right_answers_do_not_make_every_answer_sure():
    logits = np.array([[[2.0, 0.0, 1.0]] * 6])
    assert measure.fit_temperature(logits, [0] * 6) > 0.3
    assert measure.fit_temperature(np.tile(logits, (1, 1000, 1)), [0] * 6000) < 0.2


@pytest.mark.parametrize("label", [[-1, 0], [0, 3], [0], [[0], [1]], [0.0, 1.0], ["a", "b"]])
def test_labels_that_are_no_classes_are_refused(label):
    p = np.full((2, 3), 1 / 3)
    for use in (measure.calibration_error, lambda p, y: measure.learn_doubt(p[None], y)):
        with pytest.raises(ValueError, match="label must be "):
            use(p, label)


def test_a_promise_is_measured_on_the_answers_above_its_threshold():
    doubt = Doubt(1.0, (Step(0.9, 1000, 0), Step(0.0, 2000, 500)))
    confidence = np.array([0.95, 0.99, 0.9, 0.2])
    promise = measure.measure_promise(doubt, 0.01, confidence, [True, False, False, True])
    assert promise[:4] == (0.9, 0.5, 2, 1)
    assert promise.bound == pytest.approx(measure.error_bound(1, 2))
    assert measure.measure_promise(doubt, 1e-4, confidence, [True] * 4) is None
