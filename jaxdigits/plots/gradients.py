"""Figures of gradients: their agreement, and the direction of a rule's gradient."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from jaxdigits.plots.curves import lines_figure
from jaxdigits.plots.style import BLUE, INK, RED, WIDTH, new_figure, with_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXACT = 1e-18  # where an error of 0 is drawn, on an axis that has no 0


@with_style
def agreement_figure(errors: Mapping[str, float], *, tolerance: float = 1e-10) -> "Figure":
    """Draw the difference of two gradients, leaf by leaf, on a logarithmic axis.

    Args:
      errors: by leaf, the largest difference in units of the largest number, as in the `Row`s
        of a `jaxdigits.gradients.Report`.
      tolerance: a larger error is a red cross.
    """
    figure = new_figure(WIDTH, 0.26 * len(errors) + 1)
    axes = figure.add_subplot()
    for name, error in errors.items():
        agrees = error <= tolerance
        place = max(error, EXACT) if np.isfinite(error) else 1.0
        axes.plot([EXACT, place], [name, name], color=INK, linewidth=0.6, alpha=0.4)
        axes.plot([place], [name], linestyle="", color=BLUE if agrees else RED,
                  marker="o" if agrees else "X", markersize=6 if agrees else 8)  # fmt: skip
    axes.axvline(tolerance, color=INK, linestyle="--", linewidth=0.9)
    axes.set(xscale="log", xlim=(EXACT, 10), xlabel="largest relative difference")
    axes.set_title(
        f"dashed: the tolerance, {tolerance:.0e}; at the left edge: equal bit for bit"
    )
    axes.minorticks_off()
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.invert_yaxis()
    return figure


@with_style
def cosines_figure(cosines: Mapping[str, float]) -> "Figure":
    """Draw the cosine of two gradients, leaf by leaf: 1 same direction, 0 nothing in common."""
    figure = new_figure(WIDTH, 0.3 * len(cosines) + 1)
    axes = figure.add_subplot()
    axes.barh(list(cosines), list(cosines.values()), color=BLUE, height=0.6)
    axes.axvline(0, color=INK, linewidth=0.9)
    axes.set(xlim=(min(0, *cosines.values()) * 1.05, 1.0), xlabel="cosine")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.invert_yaxis()
    return figure


def alignment_figure(cosines: Mapping[str, ArrayLike]) -> "Figure":
    """Draw the cosine of learning rules with backpropagation, epoch by epoch.

    Args:
      cosines: by rule, one per epoch [E].

    Raises:
      ValueError: for rules with different numbers of epochs, naming one.
    """
    lines = {name: np.asarray(values) for name, values in cosines.items()}
    epochs = np.arange(1, 1 + len(next(iter(lines.values()))))
    label = "cosine with backpropagation"
    return lines_figure(epochs, lines, x_label="epoch", y_label=label)
