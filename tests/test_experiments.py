"""The statistics of experiments."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from jaxdigits.measure import wilson

FILE = Path(__file__).parent.parent / "experiments" / "pairs.py"
bootstrap_of_pairs = runpy.run_path(str(FILE))["bootstrap_of_pairs"]


def test_pairs_that_share_nothing_have_the_interval_of_examples_times_root_three():
    right = np.arange(2000) % 20 != 0
    low, high = bootstrap_of_pairs(right, np.arange(2000))
    of_examples = np.diff(wilson(int(right.sum()), 2000))
    # The product of two counts of mean and variance 1 has the variance 2 · 2 − 1.
    assert (high - low) / of_examples == pytest.approx(3**0.5, rel=0.1)
    assert low < right.mean() < high


def test_shared_recordings_widen_the_interval():
    partner = np.arange(3000) % 30
    by_recording = partner >= 3  # three recordings of thirty nobody understands
    by_chance = np.random.default_rng(0).permutation(by_recording)
    wide, narrow = (np.ptp(bootstrap_of_pairs(r, partner)) for r in (by_recording, by_chance))
    assert wide > 5 * narrow


def test_the_bootstrap_is_the_same_each_time_and_all_right_has_no_width():
    assert bootstrap_of_pairs(np.ones(50), np.zeros(50, int)) == (1.0, 1.0)
    some = np.arange(50) % 3 > 0
    partner = np.zeros(50, int)
    assert bootstrap_of_pairs(some, partner) == bootstrap_of_pairs(some, partner)
