"""The score of one network and of several."""

import numpy as np
import pytest

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
