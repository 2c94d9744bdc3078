"""Readouts of spike times against quadrature, hand arithmetic and the checker."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from jaxdigits.gradients import check
from jaxdigits.layer import serial
from jaxdigits.layers import dense
from jaxdigits.spikes.event_neuron import EventNeuron
from jaxdigits.spikes.event_readout import first_spike, mean_potential

END = 10.0
TIMES = np.array([[[1.0, 0.0, END]], [[4.0, 9.5, END]], [[END, END, 25.0]]])  # [3, 1, 3]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("tau_m", "tau_s"), [(4.0, 2.0), (3.0, 1.0), (2.0, 2.0), (1.0, 3.0)])
def test_the_mean_potential_is_the_integral_of_the_potential(tau_m, tau_s):
    share, _ = mean_potential(EventNeuron(tau_m, tau_s), duration=END).forward((), TIMES, None)

    def potential(t, fired):  # of an input with weight 1
        since = t - fired[fired < t]
        if tau_m == tau_s:
            return (since / tau_m * np.exp(-since / tau_m)).sum()
        gain = tau_s / (tau_m - tau_s)
        return gain * (np.exp(-since / tau_m) - np.exp(-since / tau_s)).sum()

    for m in range(3):
        fired = TIMES[:, 0, m]
        area, _ = quad(potential, 0, END, args=(fired,), points=list(fired[fired < END]))
        np.testing.assert_allclose(share[0, m], area / END, atol=1e-9)
    assert share[0, 0] > 0.1
    assert share[0, 2] == 0


@pytest.mark.parametrize(("tau_m", "tau_s"), [(4.0, 2.0), (2.0, 2.0)])
def test_the_gradient_of_the_mean_potential_is_that_of_all_witnesses(tau_m, tau_s):
    layer = serial(mean_potential(EventNeuron(tau_m, tau_s), duration=END), dense(2))
    params, _ = layer.init(jax.random.key(0), (3,))
    times = np.random.default_rng(0).uniform(0, 1.2 * END, (3, 4, 3))
    check(layer, params, times).raise_if_bad()


def test_the_earliest_spike_has_the_largest_logit():
    layer = first_spike(2.0)
    y, kept = layer.forward((), jnp.asarray(TIMES), None)
    np.testing.assert_array_equal(y, [[-0.5, 0, -5]])
    y_bar = jnp.array([[8.0, 4.0, 2.0]])
    times_bar = layer.backward((), kept, y_bar)[1]
    np.testing.assert_array_equal(times_bar, [[[-4, -2, -1]], [[0, 0, 0]], [[0, 0, 0]]])
    check(layer, (), TIMES).raise_if_bad()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: first_spike(0.0), "tau must be > 0, got 0"),
        (lambda: mean_potential(duration=0.0), "duration must be > 0 and finite, got 0"),
    ],
)
def test_bad_arguments_are_refused_by_name(make, match):
    with pytest.raises(ValueError, match=match):
        make()
