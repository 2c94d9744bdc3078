"""Figures of spiking neurons: rasters, membranes, firing rates."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from jaxdigits.plots.style import BLUE, INK, RED, WIDTH, look, new_figure, with_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 80  # rows of a raster that the eye still tells apart
ROW = 0.032  # inches


@with_style
def raster_figure(layers: Mapping[str, np.ndarray]) -> "Figure":
    """Draw the spikes of one example: a panel per layer, a row per neuron, a mark per spike.

    A layer of more than 80 neurons shows 80, evenly spaced among those that fire.

    Args:
      layers: by name, spikes [T, n], their number in each step.

    Raises:
      ValueError: for spikes that are not [T, n], naming the layer.
    """
    rasters = {}
    for name, spikes in layers.items():
        if np.ndim(spikes) != 2:
            raise ValueError(f"{name!r} has shape {np.shape(spikes)}, not [T, n]")
        step, neuron = np.nonzero(spikes)
        rasters[name] = step, neuron, np.shape(spikes)[1]
    steps = max((len(spikes) for spikes in layers.values()), default=1)
    return _rasters(rasters, "time step", (-0.5, steps - 0.5))


@with_style
def spike_times_figure(layers: Mapping[str, np.ndarray], *, duration: float) -> "Figure":
    """Draw a raster, as `raster_figure`, of neurons whose spikes are times.

    Args:
      layers: by name, times [S, n] in ms; `duration` stands for no spike.
      duration: ms.
    """
    rasters = {}
    for name, times in layers.items():
        _, neuron = np.nonzero(times < duration)
        rasters[name] = times[times < duration], neuron, times.shape[1]
    return _rasters(rasters, "time in ms", (0, duration))


@with_style
def membrane_figure(
    v: np.ndarray,
    spikes: np.ndarray,
    threshold: ArrayLike | None,
    *,
    names: Sequence[str] = (),
) -> "Figure":
    """Draw the potentials of some neurons, a panel each, with threshold and spikes.

    Args:
      v: [T, n] potential before reset, in the threshold's unit.
      spikes: [T, n].
      threshold: one number, or one per neuron [n]; None draws none, for one that moves.
      names: of the neurons; numbers by default.

    Raises:
      ValueError: if potentials and spikes differ in shape.
    """
    if np.shape(v) != np.shape(spikes) or np.ndim(v) != 2:
        raise ValueError(f"v {np.shape(v)} and spikes {np.shape(spikes)} must be [T, n]")
    steps, count = np.shape(v)
    theta = None if threshold is None else np.broadcast_to(threshold, count)
    figure = new_figure(WIDTH, 1.1 * count + 0.9)
    panels = figure.subplots(count, sharex=True, squeeze=False)[:, 0]
    for n, axes in enumerate(panels):
        if theta is not None:
            axes.axhline(theta[n], color=INK, linewidth=0.9, linestyle="--", label="threshold")
        axes.plot(v[:, n], color=BLUE, marker=".", label="potential")
        step = np.flatnonzero(spikes[:, n])
        axes.plot(step, v[step, n], linestyle="", marker="v", color=RED, markersize=7,
                  label="spike")  # fmt: skip
        axes.set_ylabel(names[n] if len(names) else f"neuron {n}", fontsize=9)
        axes.margins(y=0.2)
        axes.grid()
    panels[-1].set(xlabel="time step", xlim=(-0.5, steps - 0.5))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=3)
    return figure


@with_style
def rates_figure(
    layers: Mapping[str, np.ndarray], *, unit: str = "spikes per step"
) -> "Figure":
    """Draw the distribution of neurons' firing rates, a panel per layer.

    Args:
      layers: by name, the rate of each neuron [n], a mean over examples.
      unit: of the rates.
    """
    figure = new_figure(WIDTH, 1.7 * len(layers) + 0.6)
    panels = figure.subplots(len(layers), sharex=True, squeeze=False)[:, 0]
    highest = max(float(np.max(rates)) for rates in layers.values()) or 1.0
    for i, (axes, (name, rates)) in enumerate(zip(panels, layers.items(), strict=True)):
        rates = np.ravel(rates)
        axes.hist(rates, np.linspace(0, highest, 31), color=look(i)["color"])
        axes.axvline(rates.mean(), color=INK, linestyle="--", linewidth=1)
        axes.set_title(f"{name}: mean {rates.mean():.3f} (dashed), {_silent(rates)}")
        axes.set_ylabel("neurons")
        axes.grid(axis="y")
    panels[-1].set(xlabel=f"firing rate in {unit}", xlim=(0, None))
    return figure


def _silent(rates: np.ndarray) -> str:
    return f"{100 * (rates == 0).mean():.0f} % of {len(rates)} silent"


def _rasters(
    rasters: Mapping[str, tuple], x_label: str, limits: tuple[float, float]
) -> "Figure":
    """Draw a panel for each (time, neuron, number of neurons)."""
    heights = [max(12, min(SHOWN, count)) for _, _, count in rasters.values()]
    figure = new_figure(WIDTH, ROW * sum(heights) + 0.5 * len(rasters) + 0.6)
    panels = figure.subplots(len(rasters), sharex=True, squeeze=False, height_ratios=heights)
    for axes, (name, (time, neuron, count)) in zip(panels[:, 0], rasters.items(), strict=True):
        sample, title = _sample(neuron, count)
        row = np.full(count, -1)
        row[sample] = np.arange(len(sample))
        visible = row[neuron] >= 0
        axes.plot(np.asarray(time)[visible], row[neuron[visible]], linestyle="", color=INK,
                  marker="|", markersize=72 * ROW, markeredgewidth=2)  # fmt: skip
        axes.set_title(f"{name}: {title}")
        axes.set(yticks=[], ylim=(len(sample), -1))
    panels[-1, 0].set(xlabel=x_label, xlim=limits)
    figure.supylabel("neurons", fontsize=10)
    return figure


def _sample(neuron: Any, count: int) -> tuple[np.ndarray, str]:
    """Return the neurons that a raster has rows for, and a line that says so."""
    if count <= SHOWN:
        return np.arange(count), f"{count} neurons"
    firing = np.unique(neuron)
    pick = np.linspace(0, max(0, len(firing) - 1), min(SHOWN, len(firing))).round()
    return firing[pick.astype(int)], f"{len(pick)} of the {len(firing)} of {count} that fire"
