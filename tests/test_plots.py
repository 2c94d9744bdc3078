"""Figures: drawn without a display, without pyplot, and without matplotlib refused."""

import io
import subprocess
import sys

import numpy as np
import pytest

from jaxdigits.plots import confusion_figure, images_figure, lines_figure, pareto_figure

CONFUSION = np.diag(np.arange(10, 20)) + np.eye(10, k=1, dtype=int) * 3


@pytest.mark.parametrize(
    "confusion", [CONFUSION, np.zeros((10, 10), int), np.eye(2, dtype=int)]
)
def test_a_confusion_matrix_becomes_a_picture(confusion):
    file = io.BytesIO()
    confusion_figure(confusion).savefig(file, format="png")
    assert file.getvalue().startswith(b"\x89PNG")


def test_each_count_is_written_where_it_belongs_and_zeros_are_not():
    figure = confusion_figure(CONFUSION)
    (axes,) = figure.axes
    written = {text.get_position(): text.get_text() for text in axes.texts}
    wanted = {(j, i): f"{n}" for (i, j), n in np.ndenumerate(CONFUSION) if n}
    assert written == wanted
    assert axes.get_title() == f"{np.trace(CONFUSION)} of {CONFUSION.sum()} right"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("taken for", "label")


def test_errors_are_coloured_by_their_share_and_what_is_right_is_not():
    (image,) = confusion_figure(CONFUSION).axes[0].images
    shown = image.get_array()
    np.testing.assert_array_equal(np.ma.getmaskarray(shown), np.eye(10, dtype=bool))
    assert shown[0, 1] == 3 / 13
    assert shown[9, 0] == 0


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


def test_pyplot_is_never_imported():
    code = """if True:
        import io, sys, numpy
        from jaxdigits.plots import confusion_figure
        assert "matplotlib" not in sys.modules, "before it is needed"
        confusion_figure(numpy.eye(3, dtype=int)).savefig(io.BytesIO())
        assert "matplotlib.pyplot" not in sys.modules, "it chooses a backend"
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "jaxdigits\[plots\]"'):
        confusion_figure(CONFUSION)
