"""Morphology agrees with SciPy's, to the last bit."""

import numpy as np
import pytest
from scipy import ndimage

from jaxdigits.data.morphology import closing, depth, median, near, quantile


@pytest.mark.parametrize("window", [(3, 4), (4, 3), (24, 1), (13, 31), (26, 60)])
def test_a_closing_is_that_of_scipy_for_each_picture_of_a_stack(window):
    image = np.random.default_rng(0).normal(0, 1, (2, 25, 31)).astype(np.float32)
    expected = [ndimage.grey_closing(one, window, mode="nearest") for one in image]
    result = closing(image, window)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(closing(image[0], window), expected[0])


@pytest.mark.parametrize("share", [0.1, 0.9, 0.999])
def test_distances_are_those_of_scipy(share):
    mask = np.random.default_rng(1).random((30, 71)) < share
    assert not mask.all()
    exact = ndimage.distance_transform_edt(mask)
    np.testing.assert_array_equal(depth(mask), exact)
    away = np.asarray(ndimage.distance_transform_edt(~mask))
    square = np.where(away < 2, np.rint(away**2), 4)
    np.testing.assert_array_equal(near(mask), square)


def test_the_depth_of_a_bar_is_measured_across_it():
    bar = np.zeros((40, 60), bool)
    bar[:, 20:27] = True  # without paper above or below
    np.testing.assert_array_equal(depth(bar)[7, 18:29], [0, 0, 1, 2, 3, 4, 3, 2, 1, 0, 0])


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_the_median_and_quantiles_are_those_of_numpy(size):
    values = np.random.default_rng(2).normal(0, 1, size).astype(np.float32)
    assert median(values) == np.median(values)
    for share in (0.0, 0.3, 0.7, 0.995, 1.0):
        assert quantile(values, share) == pytest.approx(np.quantile(values, share), abs=1e-6)


def test_nothing_has_no_median():
    assert np.isnan(median(np.zeros(0)))
