"""Figures of numbers against numbers: learning, corruptions, costs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from jaxdigits.measure import summarise
from jaxdigits.plots.style import INK, WIDTH, look, new_figure, with_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@with_style
def learning_figure(
    losses: Mapping[str, ArrayLike],
    accuracy: ArrayLike,
    *,
    chosen: Sequence[int] = (),
) -> "Figure":
    """Draw losses above, and validation accuracy below, against the epoch.

    For several networks: their mean, and its 95 % interval (Student's) as a band.

    Args:
      losses: by name, for each epoch [E], or for each epoch and network [E, P].
      accuracy: [E] or [E, P], 0 to 1, on validation data.
      chosen: the epochs chosen on validation data, from 1: one per network.

    Raises:
      ValueError: for a curve of another shape than the accuracy, naming it.
    """
    accuracy = np.asarray(accuracy, float)
    epochs = np.arange(1, len(accuracy) + 1)
    figure = new_figure(WIDTH, 4.8)
    above, below = figure.subplots(2, sharex=True)
    for i, (name, values) in enumerate(losses.items()):
        if np.shape(values) != accuracy.shape:
            raise ValueError(
                f"{name!r} has shape {np.shape(values)}, the accuracy {accuracy.shape}"
            )
        _with_interval(above, epochs, np.asarray(values, float), name, i)
    _with_interval(below, epochs, 100 * accuracy, "validation", len(losses) - 1)
    for n, epoch in enumerate(sorted(chosen)):
        below.axvline(epoch, color=INK, linewidth=0.8, linestyle=":",
                      label="chosen" if n == 0 else None)  # fmt: skip
    above.set(ylabel="loss in nats")
    below.xaxis.get_major_locator().set_params(integer=True)
    below.set(ylabel="accuracy in %", xlabel="epoch")
    for axes in (above, below):
        axes.legend()
        axes.grid()
    return figure


@with_style
def lines_figure(
    x: np.ndarray,
    lines: Mapping[str, np.ndarray],
    *,
    x_label: str,
    y_label: str,
    log: bool = False,
) -> "Figure":
    """Draw named curves [N] over the same x [N], with a legend beside them.

    Args:
      log: whether both axes are logarithmic.

    Raises:
      ValueError: for a curve of another length than x, naming it.
    """
    figure = new_figure(7, 4)
    axes = figure.add_subplot()
    for i, (name, y) in enumerate(lines.items()):
        if np.shape(y) != np.shape(x):
            raise ValueError(f"{name!r} has shape {np.shape(y)}, x has {np.shape(x)}")
        axes.plot(x, y, label=name, **look(i))
    if log:
        axes.set(xscale="log", yscale="log")
    axes.set(xlabel=x_label, ylabel=y_label, xticks=x, xticklabels=[f"{v:g}" for v in x])
    axes.minorticks_off()
    axes.grid()
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


@with_style
def corruption_figure(
    accuracies: Mapping[str, Mapping[int, ArrayLike]], kinds: Mapping[str, str]
) -> "Figure":
    """Draw accuracy against severity: a panel per kind of corruption, and one for the mean.

    Args:
      accuracies: {corruption: {severity: accuracies of the networks, 0 to 1}}, as
        `jaxdigits.measure.robustness` returns them; the curves are the networks' means.
      kinds: {corruption: kind}, as noise or blur.

    Raises:
      ValueError: for a corruption without a kind, naming it.
    """
    if missing := sorted(set(accuracies) - set(kinds)):
        raise ValueError(f"{missing[0]!r} has no kind")
    severities = list(next(iter(accuracies.values())))
    mean = {
        n: [100 * np.mean(np.asarray(row[s], float)) for s in severities]
        for n, row in accuracies.items()
    }
    panels: dict[str, dict[str, Any]] = {}
    for name, row in mean.items():
        panels.setdefault(kinds[name], {})[name.replace("_", " ")] = row
    panels["all"] = {"mean of all": np.mean(list(mean.values()), axis=0)}
    rows = -(-len(panels) // 2)
    figure = new_figure(WIDTH, 2.8 * rows)
    grid = figure.subplots(rows, 2, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, (kind, lines) in zip(grid, panels.items(), strict=False):
        for i, (name, row) in enumerate(lines.items()):
            axes.plot(severities, row, label=name, **look(i))
        # The space below the curves is for their names.
        axes.set(title=kind, xticks=severities, yticks=range(0, 101, 25), ylim=(-78, 102))
        axes.spines["left"].set_bounds(0, 100)
        axes.grid()
        axes.legend(loc="lower left")
    for axes in grid[len(panels) :]:
        axes.remove()
    figure.supxlabel("severity", fontsize=10)
    figure.supylabel("accuracy in %", fontsize=10)
    return figure


@with_style
def pareto_figure(
    series: Mapping[str, np.ndarray], *, x_labels: Sequence[str], y_label: str
) -> "Figure":
    """Draw error against cost: a panel for each cost, all axes logarithmic.

    The broad line of a panel is the front: no other point is better in both.

    Args:
      series: points [N, K + 1] by name: K costs, and an error, the smaller the better.
      x_labels: of the K costs.

    Raises:
      ValueError: for points with another number of costs, naming them.
    """
    points = {name: np.asarray(rows, float) for name, rows in series.items()}
    for name, rows in points.items():
        if rows.ndim != 2 or rows.shape[1] != len(x_labels) + 1:
            raise ValueError(f"{name!r} has shape {rows.shape}, not [N, {len(x_labels) + 1}]")
    figure = new_figure(4.5 * len(x_labels), 4)
    panels = figure.subplots(1, len(x_labels), sharey=True, squeeze=False)[0]
    for k, (axes, x_label) in enumerate(zip(panels, x_labels, strict=True)):
        for i, (name, rows) in enumerate(points.items()):
            axes.plot(rows[:, k], rows[:, -1], label=name, **look(i))
        pairs = np.concatenate([rows[:, [k, -1]] for rows in points.values()])
        pairs = pairs[np.lexsort(pairs.T[::-1])]
        front = pairs[pairs[:, 1] < np.minimum.accumulate([np.inf, *pairs[:-1, 1]])]
        axes.plot(*front.T, color=INK, linewidth=5, alpha=0.25, label="front")
        axes.set(xscale="log", yscale="log", xlabel=x_label)
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.tick_params(axis="y", which="minor", labelsize=7)
        axes.grid(which="both")
    panels[0].set_ylabel(y_label)
    panels[-1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _with_interval(axes: Any, epochs: np.ndarray, values: np.ndarray, name: str, i: int):
    """Draw a curve [E], or the mean of [E, P] with its 95 % interval."""
    style = look(i) | dict(markevery=max(1, len(epochs) // 12))
    if values.ndim == 1 or values.shape[1] == 1:
        axes.plot(epochs, values.reshape(-1), label=name, **style)
        return
    summaries = [summarise(row) for row in values]
    axes.plot(epochs, [s.mean for s in summaries], **style,
              label=f"{name}, mean of {values.shape[1]} and 95 % interval")  # fmt: skip
    axes.fill_between(epochs, [s.low for s in summaries], [s.high for s in summaries],
                      color=style["color"], alpha=0.2, linewidth=0)  # fmt: skip
