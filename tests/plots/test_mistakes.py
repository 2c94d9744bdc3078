"""Figures of where a classifier errs."""

import numpy as np
import pytest

from jaxdigits.plots import confusion_figure, mistakes_figure
from jaxdigits.plots.style import BLUE, RED, png

CONFUSION = np.diag(np.arange(10, 20)) + np.eye(10, k=1, dtype=int) * 3


@pytest.mark.parametrize(
    "confusion", [CONFUSION, np.zeros((10, 10), int), np.eye(2, dtype=int)]
)
def test_a_confusion_matrix_becomes_a_picture(confusion):
    assert png(confusion_figure(confusion), dpi=40).startswith(b"\x89PNG")


def test_each_count_is_written_where_it_belongs_and_zeros_are_not():
    figure = confusion_figure(CONFUSION)
    axes, key = figure.axes
    written = {text.get_position(): text.get_text() for text in axes.texts}
    wanted = {(j, i): f"{n}" for (i, j), n in np.ndenumerate(CONFUSION) if n}
    assert written == wanted
    assert axes.get_title(loc="left") == f"{np.trace(CONFUSION)} of {CONFUSION.sum()} right"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("taken for", "label")
    assert key.get_ylabel() == "share of the label's images"


def test_without_errors_there_are_no_colours_to_explain():
    assert len(confusion_figure(np.eye(10, dtype=int)).axes) == 1


def test_errors_are_coloured_by_their_share_and_what_is_right_is_not():
    (image,) = confusion_figure(CONFUSION).axes[0].images
    shown = image.get_array()
    np.testing.assert_array_equal(np.ma.getmaskarray(shown), np.eye(10, k=1) == 0)
    assert shown[0, 1] == 3 / 13


def test_the_worst_mistake_comes_first_with_the_doubts_of_the_network():
    probability = np.array(
        [[0.1, 0.6, 0.3], [0.7, 0.2, 0.1], [0.01, 0.09, 0.9], [0.4, 0.5, 0.1]]
    )
    label, image = np.array([2, 0, 0, 0]), np.arange(16).reshape(4, 2, 2)
    axes = mistakes_figure(image, label, probability, most=2).axes
    pictures, bars = axes[::2], axes[1::2]
    told = [picture.get_title(loc="left") for picture in pictures]
    assert told == ["0, taken for 2", "2, taken for 1"]
    np.testing.assert_array_equal(pictures[0].images[0].get_array(), image[2])
    np.testing.assert_allclose([b.get_width() for b in bars[1].patches], [10, 60, 30])
    colours = [patch.get_facecolor() for patch in bars[1].patches]
    assert np.allclose(colours[2][:3], [int(BLUE[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    assert np.allclose(colours[1][:3], [int(RED[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    assert [bool(patch.get_hatch()) for patch in bars[1].patches] == [False, True, False]


def test_a_network_without_mistakes_says_so():
    figure = mistakes_figure(np.zeros((1, 2, 2)), np.array([1]), np.array([[0.0, 1.0]]))
    assert [text.get_text() for text in figure.texts] == ["no mistakes"]
    with pytest.raises(ValueError, match="1 images, 2 labels and 1 probabilities"):
        mistakes_figure(np.zeros((1, 2, 2)), np.array([1, 1]), np.array([[0.0, 1.0]]))
