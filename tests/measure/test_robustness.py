"""Accuracy by corruption: the right images reach the network, and the right ones count."""

import jax
import numpy as np
import pytest

from jaxdigits.data import digits
from jaxdigits.keys import example_keys
from jaxdigits.measure import CORRUPTIONS, corrupt, robustness

KEY = jax.random.key(0)
DATA = digits()[1][:60]


def test_each_network_is_scored_on_what_the_corruption_makes():
    seen, shown = [], []

    def predict(image):
        """Two networks: one always right, one that says 0."""
        seen.append(np.asarray(image))
        return np.stack([np.eye(10)[DATA.label], np.tile(np.eye(10)[0], (60, 1))])

    names, severities = ("fog", "rotate"), (1, 4)
    found = robustness(predict, DATA, KEY, names=names, severities=iter(severities),
                       report=lambda *row: shown.append(row))  # fmt: skip
    keys = example_keys(KEY, np.arange(60))
    cases = [(name, severity) for name in names for severity in severities]
    for image, row, (name, severity) in zip(seen, shown, cases, strict=True):
        np.testing.assert_allclose(
            image, corrupt(name, keys, DATA.inputs[:], severity=severity), atol=1e-5
        )
        assert row[:2] == (name, severity)
        np.testing.assert_array_equal(found[name][severity], row[2])
        np.testing.assert_array_equal(row[2], [1, (np.asarray(DATA.label) == 0).mean()])


def test_all_of_them_are_measured_unless_said():
    predict = lambda image: np.zeros((1, 60, 10))
    found = robustness(predict, DATA, KEY, severities=(2,))
    assert list(found) == list(CORRUPTIONS)
    with pytest.raises(ValueError, match="unknown corruption"):
        robustness(predict, DATA, KEY, names="rust")
    with pytest.raises(ValueError, match="robustness takes one key, got"):
        robustness(predict, DATA, jax.random.split(KEY, 60))
    with pytest.raises(ValueError, match="robustness draws random numbers"):
        robustness(predict, DATA, None)
