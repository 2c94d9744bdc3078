"""Figures: arrays in, a matplotlib Figure out.

matplotlib comes with the extra `plots`; it is imported only here, and no backend is chosen.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def confusion_figure(confusion: np.ndarray) -> "Figure":
    """A confusion matrix [K, K] (row: label) as a picture, errors coloured by their share.

    Raises:
      ImportError: without matplotlib, saying how to install it.
    """
    classes = len(confusion)
    figure = _figure(figsize=(0.55 * classes + 1.2, 0.55 * classes + 0.7))
    axes = figure.add_subplot()
    share = confusion / np.maximum(1, confusion.sum(1, keepdims=True))
    errors = np.where(np.eye(classes, dtype=bool), np.nan, share)
    axes.imshow(errors, cmap="Oranges", vmin=0, vmax=max(0.01, np.nanmax(errors)))
    for (i, j), count in np.ndenumerate(confusion):
        if count:
            weight = "bold" if i == j else "normal"
            axes.text(j, i, f"{count}", ha="center", va="center", fontsize=8, weight=weight)
    axes.set(xlabel="taken for", ylabel="label", xticks=range(classes), yticks=range(classes))
    axes.set_title(f"{np.trace(confusion)} of {confusion.sum()} right")
    return figure


def _figure(**options) -> "Figure":
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('figures need matplotlib: pip install "jaxdigits[plots]"') from error
    return Figure(layout="constrained", **options)
