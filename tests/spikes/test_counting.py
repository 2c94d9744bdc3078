"""Integrate-and-fire neurons count: the theorems on a constant current, in dyadic numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import layers as ly
from jaxdigits import spikes as sp
from jaxdigits.spikes import traces

CURRENT = jnp.arange(-32, 80) / 64  # of a threshold: −½ to 1¼


@pytest.mark.parametrize("steps", [1, 4, 16])
@pytest.mark.parametrize("start", [0.0, 0.25, 0.5])
def test_a_constant_current_gives_the_whole_number_of_spikes(steps, start):
    neurons = sp.integrate_and_fire(start, steps=steps)
    z, residual = neurons.forward((), CURRENT, None)
    count = np.asarray(z.sum(0))
    exact = np.clip(np.floor(start + steps * np.asarray(CURRENT)), 0, steps)
    np.testing.assert_array_equal(count, exact)
    inside = (CURRENT >= 0) & (CURRENT < 1)
    error = np.abs(count - steps * CURRENT)[inside]
    assert (error.max() <= 0.5) if start == 0.5 else (error.max() < 1)
    (trace,) = traces(residual)
    left = trace.v[-1] - z[-1]
    np.testing.assert_array_equal(count, steps * CURRENT + start - left)  # charge


def test_any_current_gives_back_its_charge():
    current = jnp.asarray(np.random.default_rng(0).integers(-64, 64, (9, 3, 5)) / 32)
    z, residual = sp.integrate_and_fire(0.25).forward((), current, None)
    (trace,) = traces(residual)
    assert z.sum() > 0
    np.testing.assert_array_equal(z.sum(0) + trace.v[-1] - z[-1], current.sum(0) + 0.25)


def test_the_mean_of_outputs_is_the_output_of_the_mean():
    layer = sp.of_mean(ly.dense(3))
    x = jnp.asarray(np.random.default_rng(0).integers(0, 2, (4, 2, 5)), float)
    params, shape = layer.init(jax.random.key(0), (5,))
    assert shape == (3,)
    each, _ = ly.dense(3).forward(params, x, None)
    np.testing.assert_allclose(layer.forward(params, x, None)[0], each.mean(0), atol=1e-6)


def test_a_start_at_the_threshold_is_refused():
    for start in (-0.1, 1.0):
        with pytest.raises(ValueError, match="start must be from 0 to below 1"):
            sp.integrate_and_fire(start)
    with pytest.raises(ValueError, match="steps must be >= 1"):
        sp.integrate_and_fire(steps=0)
