"""Figures of numbers against numbers."""

import numpy as np
import pytest

from jaxdigits.measure import summarise
from jaxdigits.plots import (
    corruption_figure,
    learning_figure,
    lines_figure,
    pareto_figure,
)


def test_each_curve_is_drawn_over_x_under_its_name():
    x, lines = np.array([1, 10, 100]), {"a": np.array([1, 2, 3]), "b": np.array([3, 2, 1])}
    (axes,) = lines_figure(x, lines, x_label="T", y_label="MB", log=True).axes
    for line, (name, y) in zip(axes.lines, lines.items(), strict=True):
        assert line.get_label() == name
        np.testing.assert_array_equal(line.get_xydata(), np.stack([x, y], 1))
    assert (axes.get_xscale(), axes.get_xlabel(), axes.get_ylabel()) == ("log", "T", "MB")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]


def test_a_curve_of_another_length_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'b' has shape \(2,\), x has \(3,\)"):
        lines_figure(np.arange(3), {"b": np.arange(2)}, x_label="", y_label="")


def test_the_front_is_made_of_the_points_that_none_beats():
    series = {"a": [(1, 10, 5.0), (3, 30, 4.0), (9, 90, 4.5)], "b": [(2, 5, 3.0), (8, 8, 1.0)]}
    figure = pareto_figure(series, x_labels=("params", "products"), y_label="error")
    fronts = [axes.lines[-1].get_xydata().tolist() for axes in figure.axes]
    assert fronts == [[[1, 5], [2, 3], [8, 1]], [[5, 3], [8, 1]]]
    assert [axes.get_xlabel() for axes in figure.axes] == ["params", "products"]
    drawn = figure.axes[1].lines[0]
    assert drawn.get_label() == "a"
    assert drawn.get_xydata().tolist() == [[10, 5], [30, 4], [90, 4.5]]
    with pytest.raises(ValueError, match=r"'b' has shape \(1, 2\), not \[N, 3\]"):
        pareto_figure({"b": [(1, 2)]}, x_labels=("x", "z"), y_label="y")


def test_learning_curves_of_one_network_are_its_numbers():
    losses = {"training": [3.0, 2.0, 1.0], "validation": [3.5, 3.0, 3.1]}
    above, below = learning_figure(losses, [0.5, 0.6, 0.7], chosen=[2]).axes
    for line, (name, values) in zip(above.lines, losses.items(), strict=True):
        assert line.get_label() == name
        np.testing.assert_array_equal(line.get_xydata(), np.stack([[1, 2, 3], values], 1))
    curve, chosen = below.lines
    np.testing.assert_allclose(curve.get_ydata(), [50, 60, 70])
    assert chosen.get_xdata() == [2, 2]
    assert (below.get_xlabel(), below.get_ylabel()) == ("epoch", "accuracy in %")


def test_learning_curves_of_several_are_means_in_bands_of_students_interval():
    accuracy = np.array([[0.5, 0.6, 0.9], [0.7, 0.8, 0.8]])
    above, below = learning_figure({"training": accuracy}, accuracy).axes
    np.testing.assert_allclose(below.lines[0].get_ydata(), 100 * accuracy.mean(1))
    edges = below.collections[0].get_paths()[0].vertices
    for epoch, values in enumerate(accuracy, start=1):
        at = edges[edges[:, 0] == epoch, 1]
        of = summarise(100 * values)
        np.testing.assert_allclose((at.min(), at.max()), (of.low, of.high))
    assert "mean of 3" in above.lines[0].get_label()
    with pytest.raises(ValueError, match=r"'b' has shape \(3,\), the accuracy \(2, 3\)"):
        learning_figure({"b": [1, 2, 3]}, accuracy)


def test_a_population_of_one_is_a_network():
    _, below = learning_figure({"a": [[1], [2]]}, [[0.5], [0.6]]).axes
    np.testing.assert_allclose(below.lines[0].get_ydata(), [50, 60])
    assert not below.collections


def test_accuracy_against_corruption_has_a_panel_for_each_kind_and_the_mean():
    found = {"fog": {1: [0.8, 1.0], 3: [0.5, 0.5]}, "blur_it": {1: [1.0, 1.0], 3: [0.7, 0.7]}}
    fog, blurred, mean = corruption_figure(found, {"fog": "light", "blur_it": "blur"}).axes
    assert [axes.get_title(loc="left") for axes in (fog, blurred, mean)] == [
        "light",
        "blur",
        "all",
    ]
    np.testing.assert_allclose(fog.lines[0].get_xydata(), [[1, 90], [3, 50]])
    assert blurred.lines[0].get_label() == "blur it"
    np.testing.assert_allclose(mean.lines[0].get_ydata(), [95, 60])
    with pytest.raises(ValueError, match="'fog' has no kind"):
        corruption_figure(found, {"blur_it": "blur"})
