"""Figures of images."""

import numpy as np
import pytest

from jaxdigits.plots import (
    augmentation_figure,
    images_figure,
    saliency_figure,
    weights_figure,
)


def test_images_stand_in_rows_under_their_names():
    a, b = np.zeros((3, 4, 5)), np.arange(60).reshape(3, 4, 5) / 60
    figure = images_figure({"a": a, "b": b})
    assert [axes.get_ylabel() for axes in figure.axes] == ["a", "b"]
    shown = figure.axes[1].images[0].get_array()
    np.testing.assert_array_equal(shown[:, 5:10], b[1])
    with pytest.raises(ValueError, match=r"'b' has shape \(2, 4, 5\)"):
        images_figure({"a": a, "b": b[:2]})
    with pytest.raises(ValueError, match=r"'a' has shape \(4, 5\)"):
        images_figure({"a": a[0]})


def test_a_sheet_has_a_row_for_each_digit_and_a_column_for_each_draw():
    image, changed = np.zeros((2, 3, 4)), np.arange(5 * 24).reshape(5, 2, 3, 4) / 120
    original, others = augmentation_figure(image, changed).axes
    assert original.images[0].get_array().shape == (6, 4)
    shown = others.images[0].get_array()
    np.testing.assert_array_equal(shown[3:6, 8:12], changed[2, 1])
    with pytest.raises(ValueError, match=r"draws \(5, 2, 3, 4\) are not of images \(1, 3, 4\)"):
        augmentation_figure(image[:1], changed)


def test_the_largest_weights_come_first_and_share_a_scale_around_zero():
    weights = np.array([1.0, -3.0, 2.0])[:, None, None] * np.ones((3, 2, 2))
    first, second, *_ = weights_figure(weights, most=2).axes
    np.testing.assert_array_equal(first.images[0].get_array(), weights[1])
    np.testing.assert_array_equal(second.images[0].get_array(), weights[2])
    low, high = first.images[0].get_clim()
    assert low == -high
    assert second.images[0].get_clim() == (low, high)
    with pytest.raises(ValueError, match=r"weights must be \[N, H, W\], got \(2, 2\)"):
        weights_figure(weights[0])


def test_saliency_stands_below_its_image_on_a_scale_around_zero():
    image, slope = np.eye(4)[None].repeat(2, 0), np.arange(32.0).reshape(2, 4, 4) - 5
    figure = saliency_figure(image, slope, names=["a", "b"])
    above, below = figure.axes[:2], figure.axes[2:]
    assert [axes.get_title() for axes in above] == ["a", "b"]
    np.testing.assert_array_equal(below[1].images[0].get_array(), slope[1])
    low, high = below[1].images[0].get_clim()
    assert low == -high
    with pytest.raises(ValueError, match=r"must be \[N, H, W\]"):
        saliency_figure(image, slope[:1])
