"""Gaussian noise has its deviation, comes from each key alone, and passes gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.layers import gaussian_noise

KEYS = jax.random.split(jax.random.key(0), 8)
X = jnp.tile(jnp.linspace(-2, 2, 501), (8, 1))


@pytest.mark.parametrize("deviation", [0.1, 1.0, 3.0])
def test_what_is_added_is_normal_and_anew_for_each_number_of_each_example(deviation):
    y, _ = gaussian_noise(deviation).forward((), X, KEYS)
    noise = np.asarray(y - X) / deviation
    assert abs(noise.mean()) < 5 / noise.size**0.5
    assert abs(noise.var() - 1) < 5 * (2 / noise.size) ** 0.5
    assert abs((np.abs(noise) < 1).mean() - 0.6827) < 0.04
    assert np.abs(np.corrcoef(noise) - np.eye(8)).max() < 0.2


def test_the_gradient_passes_as_it_is():
    layer = gaussian_noise(0.5)
    _, residual = layer.forward((), X, KEYS)
    np.testing.assert_array_equal(layer.backward((), residual, 3 * X)[1], 3 * X)


def test_the_noise_of_an_example_does_not_depend_on_its_batch():
    layer = gaussian_noise(0.5)
    whole, part = layer.forward((), X, KEYS)[0], layer.forward((), X[2:5], KEYS[2:5])[0]
    np.testing.assert_array_equal(part, whole[2:5])


def test_the_input_keeps_its_type():
    assert gaussian_noise(0.5).forward((), X.astype("bfloat16"), KEYS)[0].dtype == "bfloat16"


def test_nothing_is_added_at_deviation_0_and_no_key_is_needed():
    assert gaussian_noise(0.0).forward((), X, None)[0] is X


def test_bad_arguments_are_refused():
    for deviation in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="deviation must be >= 0 and finite"):
            gaussian_noise(deviation)
    with pytest.raises(ValueError, match="gaussian_noise draws random numbers"):
        gaussian_noise(0.1).forward((), X, None)
