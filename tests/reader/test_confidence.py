"""Doubt of a reader: probabilities of strings, a temperature, thresholds of two kinds."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.measure import threshold
from jaxdigits.measure.calibration import COVERAGES
from jaxdigits.reader import make_format
from jaxdigits.reader.automaton import weighted_sum
from jaxdigits.reader.confidence import answers_of, learn_reading_doubt, log_probability

CHECKED = weighted_sum([1, 1], 10)


def logits_for(text, sureness, rng, frames=8):
    """Logits [N, frames, 11] of noise, with a peak for each digit of texts [N, L]."""
    logits = rng.normal(0, 1, (len(text), frames, 11))
    logits[..., 10] += 3
    for n, i in np.ndindex(text.shape):
        if text[n, i] >= 0:
            logits[n, 1 + 3 * i, text[n, i]] += sureness
    return logits


def test_probabilities_of_all_strings_of_a_format_sum_to_one():
    logits = logits_for(np.array([[3, 7]]), 4, np.random.default_rng(0), 5)
    logp = jax.nn.log_softmax(jnp.asarray(logits))
    text = np.array([s for s in itertools.product(range(10), repeat=2) if sum(s) % 10 == 0])
    each = log_probability(jnp.repeat(logp, len(text), 0), text, CHECKED)
    assert float(jnp.exp(each).sum()) == pytest.approx(1, abs=1e-4)
    assert text[int(each.argmax())].tolist() == [3, 7]


def test_answers_are_the_best_strings_and_as_sure_as_their_probability():
    text = np.array([[3, 7], [5, -1], [9, 9]])
    logits = logits_for(text, 12, np.random.default_rng(0))
    free = make_format("digits:1-2").automaton
    confidence, right = answers_of(logits, text, free)
    assert right.tolist() == [True] * 3
    logp = jax.nn.log_softmax(jnp.asarray(logits))
    np.testing.assert_allclose(confidence, np.exp(log_probability(logp, text, free)), rtol=1e-4)
    assert not answers_of(logits, text[::-1], free)[1][[0, 2]].any()
    # With a checksum that the truth lacks another string is the answer.
    assert not answers_of(logits, np.array([[3, 8]] * 3), CHECKED)[1].any()


def test_the_temperature_of_logits_that_are_too_sure_is_found():
    rng = np.random.default_rng(0)
    text = rng.integers(0, 10, (600, 2))
    logits = logits_for(text, 4, rng)
    learned = learn_reading_doubt(3 * logits, text, None)
    once = learn_reading_doubt(logits, text, None)
    assert learned.temperature == pytest.approx(3 * once.temperature, rel=0.05)
    assert len(learned.steps) == len(COVERAGES)
    assert learned.checked == ()


def test_a_checksum_has_thresholds_of_its_own():
    rng = np.random.default_rng(0)
    text = rng.integers(0, 10, (600, 2))
    valid = np.stack([text[:, 0], -text[:, 0] % 10], 1)
    sets = logits_for(text, 6.5, rng), logits_for(valid, 6.5, rng)
    doubt = learn_reading_doubt(sets[0], text, (sets[1], valid, CHECKED))
    errors = [steps[-1].errors for steps in (doubt.steps, doubt.checked)]
    assert errors[1] < errors[0] / 2, "the checksum mends mistakes"
    limits = [threshold(doubt._replace(steps=s), 0.05) for s in (doubt.steps, doubt.checked)]
    assert None not in limits
    assert limits[1] < limits[0]
