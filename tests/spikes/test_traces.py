"""What spiking layers leave behind, found in the residual of a network."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits import serial
from jaxdigits.layers import dense
from jaxdigits.spikes import alif, firing_rates, lif, traces


def test_traces_and_rates_come_layer_by_layer():
    network = serial(lif(decay=1.0), serial(dense(2), alif(decay=1.0)))
    params, _ = network.init(jax.random.key(0), (3,))
    _, kept = network.forward(params, jnp.full((8, 1, 3), 0.5), None)
    first, second = traces(kept)
    assert (first.v.shape, second.v.shape) == ((8, 1, 3), (8, 1, 2))
    rates = firing_rates(kept)
    np.testing.assert_array_equal(rates, [first.spikes.mean(), second.spikes.mean()])
    assert rates[0] == 3 / 8  # of 4 units of charge the last one has not fired
    assert firing_rates(()).shape == (0,)
