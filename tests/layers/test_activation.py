"""Activations against JAX's own and NumPy, and their slopes at the kink."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.layers import gelu, leaky_relu, relu, tanh

X = np.array([-3.0, -1.0, -0.25, 0.0, 0.25, 1.0, 3.0])


def forward(layer, x=X):
    return layer.forward((), x, None)[0]


def slope(layer, x):
    return layer.backward((), x, jnp.ones_like(x))[1]


@pytest.mark.parametrize(
    ("layer", "wanted"),
    [
        (relu(), np.maximum(X, 0)),
        (leaky_relu(0.25), np.where(X > 0, X, X / 4)),
        (gelu(), [x * 0.5 * math.erfc(-x / math.sqrt(2)) for x in X]),
        (tanh(), np.tanh(X)),
    ],
    ids=["relu", "leaky_relu", "gelu", "tanh"],
)
@pytest.mark.usefixtures("float64")
def test_values_are_those_of_the_definition(layer, wanted):
    np.testing.assert_allclose(forward(layer), wanted, rtol=1e-14)


def test_relu_of_infinities_and_of_what_is_no_number():
    x = jnp.array([-jnp.inf, jnp.inf, jnp.nan])
    y, kept = relu().forward((), x, None)
    np.testing.assert_array_equal(y, [0, jnp.inf, jnp.nan])
    np.testing.assert_array_equal(relu().backward((), kept, jnp.ones(3))[1], [0, 1, 1])


@pytest.mark.usefixtures("float64")
def test_gelu_is_the_exact_one():
    wanted = jax.nn.gelu(X, approximate=False)
    np.testing.assert_allclose(forward(gelu()), wanted, rtol=1e-12)
    assert np.abs(forward(gelu()) - jax.nn.gelu(X, approximate=True)).max() > 1e-5


def test_at_the_kink_the_slope_is_the_left_one_for_jax_too():
    zero = jnp.zeros(1)
    for layer, left in ((relu(), 0.0), (leaky_relu(0.25), 0.25)):
        assert slope(layer, zero) == left
        assert jax.grad(lambda x: forward(layer, x).sum())(zero) == left


def test_slopes_match_hand_arithmetic():
    x = jnp.array([-2.0, 0.0, 2.0])
    np.testing.assert_array_equal(slope(relu(), x), [0, 0, 1])
    np.testing.assert_array_equal(slope(leaky_relu(0.5), x), [0.5, 0.5, 1])
    assert slope(tanh(), x)[1] == 1
    assert slope(gelu(), x)[1] == 0.5
