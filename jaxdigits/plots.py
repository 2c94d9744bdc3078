"""Figures: arrays in, a matplotlib Figure out.

matplotlib comes with the extra `plots`; it is imported only here, and no backend is chosen.
"""

from collections.abc import Mapping, Sequence
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


def lines_figure(
    x: np.ndarray,
    lines: Mapping[str, np.ndarray],
    *,
    x_label: str,
    y_label: str,
    log: bool = False,
) -> "Figure":
    """Named curves [N] over the same x [N], with a legend beside them.

    Args:
      log: whether both axes are logarithmic.

    Raises:
      ImportError: without matplotlib, saying how to install it.
      ValueError: for a curve of another length than x, naming it.
    """
    figure = _figure(figsize=(7, 4))
    axes = figure.add_subplot()
    for name, y in lines.items():
        if np.shape(y) != np.shape(x):
            raise ValueError(f"{name!r} has shape {np.shape(y)}, x has {np.shape(x)}")
        axes.plot(x, y, label=name, marker=".", linewidth=1.5)
    if log:
        axes.set(xscale="log", yscale="log")
    axes.set(xlabel=x_label, ylabel=y_label, xticks=x, xticklabels=[f"{v:g}" for v in x])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return figure


def ratio_figure(ratios: Mapping[str, tuple[float, float, float]], *, x_label: str) -> "Figure":
    """A bar for each name up to its median, a line from quartile to quartile, and a line at 1.

    Args:
      ratios: (lower quartile, median, upper quartile) by name; the first name is on top.

    Raises:
      ImportError: without matplotlib, saying how to install it.
      ValueError: for quartiles that are not in order, naming them.
    """
    figure = _figure(figsize=(7, 0.32 * len(ratios) + 1.2))
    axes = figure.add_subplot()
    for name, (low, median, high) in ratios.items():
        if not low <= median <= high:
            raise ValueError(f"quartiles of {name!r} are not in order: {low}, {median}, {high}")
        axes.barh(name, median, color="tab:blue", alpha=0.7)
        axes.plot([low, high], [name, name], color="black", linewidth=1.5)
        axes.annotate(f"{median:.2f}", (high, name), xytext=(4, 0), textcoords="offset points",
                      va="center", fontsize=8)  # fmt: skip
    axes.axvline(1, color="black", linewidth=0.8, linestyle="--")
    axes.set(xlabel=x_label)
    axes.margins(x=0.1)
    axes.invert_yaxis()
    return figure


def pareto_figure(
    series: Mapping[str, np.ndarray], *, x_labels: Sequence[str], y_label: str
) -> "Figure":
    """What is paid and what it brings: a panel for each cost, all axes logarithmic.

    The black line of a panel is the front: the points that none beats in both.

    Args:
      series: points [N, K + 1] by name: K costs each, and what is the better the smaller.
      x_labels: of the K costs.

    Raises:
      ImportError: without matplotlib, saying how to install it.
      ValueError: for points that do not have as many costs, naming them.
    """
    points = {name: np.asarray(rows, float) for name, rows in series.items()}
    for name, rows in points.items():
        if rows.ndim != 2 or rows.shape[1] != len(x_labels) + 1:
            raise ValueError(f"{name!r} has shape {rows.shape}, not [N, {len(x_labels) + 1}]")
    figure = _figure(figsize=(4.5 * len(x_labels), 4))
    panels = figure.subplots(1, len(x_labels), sharey=True, squeeze=False)[0]
    for k, (axes, x_label) in enumerate(zip(panels, x_labels, strict=True)):
        for name, rows in points.items():
            axes.plot(rows[:, k], rows[:, -1], label=name, marker="o", linewidth=1)
        every = np.concatenate([rows[:, [k, -1]] for rows in points.values()])
        every = every[np.lexsort(every.T[::-1])]
        front = every[every[:, 1] < np.minimum.accumulate([np.inf, *every[:-1, 1]])]
        axes.plot(*front.T, color="black", linewidth=3, alpha=0.25, label="front")
        axes.set(xscale="log", yscale="log", xlabel=x_label)
        axes.grid(alpha=0.3, which="both")
    panels[0].set_ylabel(y_label)
    panels[-1].legend(frameon=False)
    return figure


def images_figure(rows: Mapping[str, np.ndarray]) -> "Figure":
    """Rows of images [N, H, W] in [0, 1], ink dark, with the name of each row beside it.

    Raises:
      ImportError: without matplotlib, saying how to install it.
      ValueError: for rows of different shapes, naming one.
    """
    shapes = {name: np.shape(images) for name, images in rows.items()}
    first = next(iter(shapes.values()), ())
    for name, shape in shapes.items():
        if len(shape) != 3 or shape != first:
            raise ValueError(f"rows must be alike, [N, H, W]: {name!r} has shape {shape}")
    count = first[0] if first else 0
    figure = _figure(figsize=(0.5 * count + 1.5, 0.52 * len(rows)))
    for axes, (name, images) in zip(figure.subplots(len(rows), squeeze=False)[:, 0],
                                    rows.items(), strict=True):  # fmt: skip
        axes.imshow(np.hstack(list(images)), cmap="gray_r", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
        axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    return figure


def _figure(**options) -> "Figure":
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('figures need matplotlib: pip install "jaxdigits[plots]"') from error
    return Figure(layout="constrained", **options)
