"""Several pictures of an example through one layer, and vectors of length one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.layers import dense, dropout, each_view, unit_length


def test_each_picture_goes_through_the_same_layer():
    layer = dense(3)
    params, shape = each_view(layer, rank=1).init(jax.random.key(0), (4, 2, 5))
    x = jax.random.normal(jax.random.key(1), (6, 4, 2, 5))
    y, _ = each_view(layer, rank=1).forward(params, x, None)
    alone, _ = layer.forward(params, x[2, 3, 1][None], None)
    assert shape == (4, 2, 3)
    assert y.shape == (6, 4, 2, 3)
    np.testing.assert_allclose(y[2, 3, 1], alone[0], rtol=1e-6)


def test_each_picture_has_a_key_of_its_own_whatever_the_batch():
    layer = each_view(dropout(0.5), rank=1)
    x, keys = jnp.ones((4, 3, 64)), jax.random.split(jax.random.key(0), 4)
    y, _ = layer.forward((), x, keys)
    alone, _ = layer.forward((), x[1:2], keys[1:2])
    np.testing.assert_array_equal(y[1], alone[0])
    masks = np.unique(np.asarray(y).reshape(-1, 64), axis=0)
    assert len(masks) == 12


def test_without_axes_of_pictures_it_is_the_layer_itself():
    layer, key = each_view(dropout(0.5), rank=1), jax.random.split(jax.random.key(0), 4)
    x = jnp.ones((4, 64))
    expected, _ = dropout(0.5).forward((), x, key)
    np.testing.assert_array_equal(layer.forward((), x, key)[0], expected)


def test_lengths_are_one_and_zeros_stay():
    x = jnp.asarray([[3.0, 4.0], [0.0, 0.0]])
    y, residual = unit_length().forward((), x, None)
    np.testing.assert_allclose(y, [[0.6, 0.8], [0.0, 0.0]], rtol=1e-6)
    _, x_bar = unit_length().backward((), residual, jnp.ones((2, 2)))
    assert np.isfinite(x_bar).all()
    np.testing.assert_allclose((x_bar[0] * x[0]).sum(), 0, atol=1e-6)  # length changes nothing


def test_features_of_too_few_axes_are_refused():
    with pytest.raises(ValueError, match=r"pictures of 2 axes got features \(5,\)"):
        each_view(dense(3)).init(jax.random.key(0), (5,))
