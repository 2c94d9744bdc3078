"""The picture of ratios: a bar for each, as long as its median."""

import pytest

from jaxdigits.plots import ratio_figure

RATIOS = {"W1": (1.0, 1.25, 1.5), "W2": (2.0, 2.0, 3.0)}


def test_bars_are_as_long_as_the_medians_and_the_first_is_on_top():
    (axes,) = ratio_figure(RATIOS, x_label="ratio").axes
    assert [bar.get_width() for bar in axes.patches] == [1.25, 2.0]
    assert [label.get_text() for label in axes.texts] == ["1.25", "2.00"]
    assert axes.get_xlabel() == "ratio"
    low, high = axes.get_ylim()
    assert low > high
    assert [list(line.get_xdata()) for line in axes.lines] == [[1.0, 1.5], [2.0, 3.0], [1, 1]]


def test_quartiles_out_of_order_are_refused_by_name():
    with pytest.raises(ValueError, match=r"quartiles of 'W1' are not in order: 2, 1, 3"):
        ratio_figure({"W1": (2, 1, 3)}, x_label="ratio")
