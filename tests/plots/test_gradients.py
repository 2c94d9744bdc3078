"""Figures of gradients."""

import numpy as np

from jaxdigits.plots import agreement_figure, alignment_figure, cosines_figure
from jaxdigits.plots.gradients import EXACT


def test_what_agrees_and_what_does_not_are_told_apart():
    errors = {"a": 1e-15, "b": 0.0, "c": 1e-3, "d": float("nan")}
    (axes,) = agreement_figure(errors, tolerance=1e-10).axes
    dots = [line for line in axes.lines if line.get_linestyle() == "None"]
    assert [line.get_marker() for line in dots] == ["o", "o", "X", "X"]
    assert [line.get_xdata()[0] for line in dots] == [1e-15, EXACT, 1e-3, 1.0]
    assert axes.get_xscale() == "log"


def test_cosines_are_bars_by_name():
    (axes,) = cosines_figure({"a": 1.0, "b": -0.25}).axes
    assert [bar.get_width() for bar in axes.patches] == [1.0, -0.25]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a", "b"]


def test_alignment_is_a_curve_a_rule():
    (axes,) = alignment_figure({"eprop": [0.5, 0.7], "ottt": [0.9, 1.0]}).axes
    np.testing.assert_array_equal(axes.lines[1].get_xydata(), [[1, 0.9], [2, 1.0]])
    assert axes.get_xlabel() == "epoch"
