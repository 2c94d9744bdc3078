"""Figures of what spiking neurons do."""

import numpy as np
import pytest

from jaxdigits.plots import membrane_figure, raster_figure, rates_figure, spike_times_figure
from jaxdigits.plots.spikes import SHOWN

SPIKES = np.zeros((6, 3))
SPIKES[1, 0] = SPIKES[4, 0] = SPIKES[2, 2] = 1


def marks(axes):
    return sorted(map(tuple, axes.lines[0].get_xydata().tolist()))


def test_a_raster_has_a_mark_for_each_spike_in_the_row_of_its_neuron():
    busy = np.ones((6, 2))
    first, second = raster_figure({"hidden": SPIKES, "busy": busy}).axes
    assert marks(first) == [(1, 0), (2, 2), (4, 0)]
    assert len(marks(second)) == 12
    assert first.get_title(loc="left") == "hidden: 3 neurons"
    assert (second.get_xlabel(), second.get_xlim()) == ("time step", (-0.5, 5.5))
    with pytest.raises(ValueError, match=r"'a' has shape \(6,\), not \[T, n\]"):
        raster_figure({"a": SPIKES[:, 0]})


def test_of_many_neurons_some_of_those_that_fire_are_shown():
    spikes = np.zeros((4, 1000))
    spikes[0, 100:700] = 1
    (axes,) = raster_figure({"a": spikes}).axes
    assert axes.get_title(loc="left") == f"a: {SHOWN} of the 600 of 1000 that fire"
    assert marks(axes) == [(0, row) for row in range(SHOWN)]
    (silent,) = raster_figure({"a": 0 * spikes}).axes
    assert marks(silent) == []


def test_spike_times_that_never_were_are_not_drawn():
    times = np.array([[1.0, 9.0, 10.0], [2.5, 10.0, 10.0]])
    (axes,) = spike_times_figure({"a": times}, duration=10.0).axes
    assert marks(axes) == [(1, 0), (2.5, 0), (9, 1)]
    assert axes.get_xlabel() == "time in ms"


def test_a_membrane_is_drawn_with_its_threshold_and_its_spikes():
    v = np.arange(18.0).reshape(6, 3)
    panels = membrane_figure(v, SPIKES, [1.0, 2.0, 3.0], names=["a", "b", "c"]).axes
    for n, axes in enumerate(panels):
        threshold, potential, fired = axes.lines
        assert set(threshold.get_ydata()) == {n + 1.0}
        np.testing.assert_array_equal(potential.get_ydata(), v[:, n])
        steps = np.flatnonzero(SPIKES[:, n])
        np.testing.assert_array_equal(fired.get_xydata(), np.stack([steps, v[steps, n]], 1))
    assert [axes.get_ylabel() for axes in panels] == ["a", "b", "c"]
    assert all(len(axes.lines) == 2 for axes in membrane_figure(v, SPIKES, None).axes)
    with pytest.raises(ValueError, match=r"v \(6, 3\) and spikes \(6, 2\) must be \[T, n\]"):
        membrane_figure(v, SPIKES[:, :2], 1.0)


def test_rates_are_counted_and_the_silent_are_named():
    rates = np.array([0.0, 0.0, 0.1, 0.4])
    (axes,) = rates_figure({"layer 1": rates}).axes
    assert sum(patch.get_height() for patch in axes.patches) == 4
    title = axes.get_title(loc="left")
    assert title == "layer 1: mean 0.125 (dashed), 50 % of 4 silent"
    assert axes.get_xlabel() == "firing rate in spikes per step"
    assert rates_figure({"a": 0 * rates}).axes[0].patches[0].get_height() == 4
