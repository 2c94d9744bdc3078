"""Figures of a classifier's errors."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxdigits.measure import reliability, risk_coverage
from jaxdigits.plots.style import (
    AMOUNT,
    BLUE,
    INK,
    RED,
    WIDTH,
    bare,
    look,
    new_figure,
    with_style,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEWEST = 5  # answers of a bin that is drawn


@with_style
def confusion_figure(confusion: np.ndarray, names: Sequence[str] | None = None) -> "Figure":
    """Draw a confusion matrix [K, K] (row: label), errors coloured by their share.

    Args:
      names: of the classes; None: their numbers.
    """
    from matplotlib.ticker import PercentFormatter

    classes = len(confusion)
    figure = new_figure(0.48 * classes + 2.0, 0.48 * classes + 0.7)
    axes = figure.add_subplot()
    share = confusion / np.maximum(1, confusion.sum(1, keepdims=True))
    errors = np.where(np.eye(classes, dtype=bool) | (confusion == 0), np.nan, share)
    most = max(0.01, np.nanmax(errors, initial=0))
    image = axes.imshow(errors, cmap=AMOUNT, vmin=0, vmax=most)
    if np.isfinite(errors).any():
        key = figure.colorbar(image, shrink=0.6, format=PercentFormatter(1, decimals=1))
        key.set_label("share of the label's images")
    for (i, j), count in np.ndenumerate(confusion):
        if count and i == j:
            axes.text(j, i, f"{count}", ha="center", va="center", fontsize=8, weight="bold")
        elif count:
            # Not INK: the cell has a colour of its own.
            colour = "white" if errors[i, j] > 0.6 * most else "black"
            axes.text(j, i, f"{count}", ha="center", va="center", fontsize=8, color=colour)
    axes.set(xlabel="taken for", ylabel="label", xticks=range(classes), yticks=range(classes))
    if names is not None:
        axes.set_xticklabels(names, rotation=90 if max(map(len, names)) > 3 else 0)
        axes.set_yticklabels(names)
    axes.spines[:].set_visible(True)
    axes.tick_params(length=0)
    axes.set_title(f"{np.trace(confusion)} of {confusion.sum()} right")
    return figure


@with_style
def mistakes_figure(
    image: np.ndarray,
    label: np.ndarray,
    probability: np.ndarray,
    *,
    most: int = 12,
    names: Sequence[str] | None = None,
) -> "Figure":
    """Draw the worst mistakes, each beside the probabilities of the network.

    The images whose own digit had the least probability come first.  The bar of their own digit
    is blue; the bar of the wrong digit is red and hatched.

    Args:
      image: [N, H, W] ink.
      label: [N].
      probability: [N, K].
      most: number of images.
      names: of the classes; None: their numbers.

    Raises:
      ValueError: unless there is an image, a label and a row of probabilities for each.
    """
    if not len(image) == len(label) == len(probability):
        raise ValueError(
            f"{len(image)} images, {len(label)} labels and {len(probability)} probabilities"
        )
    right = np.take_along_axis(probability, np.asarray(label)[:, None], 1)[:, 0]
    wrong = np.flatnonzero(probability.argmax(1) != label)
    wrong = wrong[np.argsort(right[wrong])][:most]
    names = list(map(str, range(probability.shape[1]))) if names is None else names
    columns = 3
    rows = max(1, -(-len(wrong) // columns))
    figure = new_figure(WIDTH, 1.3 * rows + 0.3)
    if not len(wrong):
        figure.text(0.5, 0.5, "no mistakes", ha="center", va="center")
        return figure
    grid = figure.subplots(rows, 2 * columns, squeeze=False).reshape(-1, 2)
    for (picture, bars), n in zip(grid, wrong, strict=False):
        wrong_digit = int(probability[n].argmax())
        picture.imshow(image[n], cmap="gray_r", vmin=0)
        picture.set_title(f"{names[int(label[n])]}, taken for {names[wrong_digit]}", fontsize=8)
        bare(picture)
        digits = np.arange(probability.shape[1])
        colours = [BLUE if d == label[n] else RED if d == wrong_digit else INK for d in digits]
        rectangles = bars.barh(digits, 100 * probability[n], color=colours, height=0.75)
        rectangles[wrong_digit].set(hatch="//////", edgecolor="white", linewidth=0)
        bars.set(xlim=(0, 100), xticks=(0, 50, 100), yticks=digits, yticklabels=names)
        bars.tick_params(labelsize=6, length=2, pad=1)
        bars.invert_yaxis()
    for axes in grid[len(wrong) :].ravel():
        axes.remove()
    figure.supxlabel("probability in %", fontsize=9)
    return figure


@with_style
def doubt_figure(probability: np.ndarray, label: np.ndarray) -> "Figure":
    """Draw a reliability diagram, and the errors among the surest answers.

    Above: the accuracy of answers against their probability, where the diagonal is perfect;
    bins with fewer than five answers are left out.
    Below: the share of errors when only the surest answers are given, against their share.

    Args:
      probability: [N, K].
      label: [N].
    """
    confidence, right = probability.max(1), probability.argmax(1) == label
    bins, (coverage, risk) = reliability(confidence, right), risk_coverage(confidence, right)
    shown = bins.answers >= FEWEST
    figure = new_figure(WIDTH, 6)
    above, below = figure.subplots(2, height_ratios=(3, 2))
    above.plot([0, 100], [0, 100], color=INK, linewidth=0.8, linestyle=":", label="perfect")
    above.plot(100 * bins.confidence[shown], 100 * bins.accuracy[shown], **look(0),
               label=f"answers, calibration error {100 * bins.error:.2f} %")  # fmt: skip
    above.set(xlabel="probability of the answer in %", ylabel="right in %")
    above.legend()
    below.plot(100 * coverage, 100 * risk, **look(1) | dict(marker=""))
    below.set(xlabel="answers given in %, the surest first", ylabel="wrong in %", ylim=0)
    for axes in (above, below):
        axes.grid()
    return figure
