"""Norms against NumPy, and the laws of standardised numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import serial
from jaxdigits.layers import (
    Statistics,
    batch_norm,
    batch_statistics,
    group_norm,
    image_norm,
    layer_norm,
    relu,
)

KEY = jax.random.key(0)
PARAMS = {"scale": np.array([2.0, 0.5, 1, -1]), "shift": np.array([0, 1.0, -1, 3])}
X = np.random.default_rng(0).normal(3, 2, (5, 3, 2, 4))


def standard(x, axes, epsilon=1e-5):
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon)


def scaled(x_hat):
    return PARAMS["scale"] * x_hat + PARAMS["shift"]


@pytest.mark.usefixtures("float64")
def test_batch_norm_in_training_uses_the_statistics_of_the_batch():
    y, kept = batch_norm().forward(PARAMS, X, None)
    np.testing.assert_allclose(y, scaled(standard(X, (0, 1, 2))))
    (statistics,) = batch_statistics(kept)
    np.testing.assert_allclose(statistics.mean, X.mean((0, 1, 2)))
    np.testing.assert_allclose(statistics.variance, X.var((0, 1, 2)))


@pytest.mark.usefixtures("float64")
def test_batch_norm_in_evaluation_looks_at_one_example_at_a_time():
    mean, variance = np.arange(4.0), np.array([0.25, 1, 4, 16])
    layer = batch_norm(Statistics(jnp.asarray(mean), jnp.asarray(variance)))
    y, kept = layer.forward(PARAMS, X, None)
    np.testing.assert_allclose(y, scaled((X - mean) / np.sqrt(variance + 1e-5)))
    np.testing.assert_allclose(layer.forward(PARAMS, X[2:3], None)[0][0], y[2], rtol=1e-14)
    x_bar = layer.backward(PARAMS, kept, np.ones_like(X))[1]
    np.testing.assert_allclose(
        x_bar, np.broadcast_to(PARAMS["scale"] / np.sqrt(variance + 1e-5), X.shape)
    )


@pytest.mark.usefixtures("float64")
def test_layer_and_group_norm_look_at_one_example_at_a_time():
    y, _ = layer_norm(3).forward(PARAMS, X, None)
    np.testing.assert_allclose(y, scaled(standard(X, (1, 2, 3))))
    y, _ = layer_norm(1).forward(PARAMS, X, None)
    np.testing.assert_allclose(y, scaled(standard(X, (3,))))
    halves = standard(X.reshape(5, 3, 2, 2, 2), (1, 2, 4)).reshape(X.shape)
    y, _ = group_norm(2).forward(PARAMS, X, None)
    np.testing.assert_allclose(y, scaled(halves))


def test_image_norm_gives_each_image_its_own_scale():
    images = np.random.default_rng(2).integers(0, 256, (3, 6, 5)).astype(np.uint8)
    y, kept = image_norm().forward((), jnp.asarray(images), None)
    np.testing.assert_allclose(y, standard(images / 255, (1, 2)), rtol=1e-5, atol=1e-5)
    assert image_norm().backward((), kept, y)[1] is None
    dim, _ = image_norm().forward((), jnp.asarray(images / 1020 + 0.5, jnp.float32), None)
    np.testing.assert_allclose(dim, y, rtol=2e-3, atol=2e-3)
    y, _ = image_norm(3).forward((), jnp.asarray(X, jnp.float32), None)
    np.testing.assert_allclose(y, standard(X, (1, 2, 3)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "axes"),
    [(batch_norm(), (0, 1, 2)), (layer_norm(3), (1, 2, 3)), (image_norm(3), (1, 2, 3))],
)
@pytest.mark.usefixtures("float64")
def test_no_gradient_moves_the_mean_or_the_scale_of_its_set(layer, axes):
    """The output ignores both, so x̄ is orthogonal to 1, and but for ε to x − μ."""
    _, kept = layer.forward(PARAMS, X, None)
    y_bar = np.random.default_rng(1).standard_normal(X.shape)
    x_bar = np.asarray(layer.backward(PARAMS, kept, y_bar)[1])
    assert np.abs(x_bar).max() > 0.1
    np.testing.assert_allclose(x_bar.sum(axes), 0, atol=1e-12)
    deviation = X - X.mean(axes, keepdims=True)
    np.testing.assert_allclose((x_bar * deviation).sum(axes), 0, atol=1e-3)


@pytest.mark.parametrize("layer", [batch_norm(), layer_norm(3), group_norm(2)])
@pytest.mark.usefixtures("float64")
def test_the_scale_of_a_channel_is_a_factor_of_the_slope_behind_it(layer):
    y_bar = np.random.default_rng(1).standard_normal(X.shape)
    slope = lambda params, y_bar: layer.backward(
        params, layer.forward(params, X, None)[1], y_bar
    )[1]
    ones = PARAMS | {"scale": np.ones(4)}
    np.testing.assert_allclose(
        slope(PARAMS, y_bar), slope(ones, PARAMS["scale"] * y_bar), rtol=1e-12
    )
    assert np.abs(slope(PARAMS, y_bar) - slope(ones, y_bar)).max() > 0.1


def test_a_constant_input_gives_the_shift_and_a_finite_gradient():
    x = jnp.full((3, 4), 7.0)
    for layer in (batch_norm(), layer_norm()):
        params, _ = layer.init(KEY, (4,))
        y, kept = layer.forward(params, x, None)
        np.testing.assert_array_equal(y, jnp.zeros((3, 4)))
        assert np.isfinite(layer.backward(params, kept, x)[1]).all()


def test_params_start_as_ones_and_zeros():
    for layer in (batch_norm(), layer_norm(3), group_norm(2)):
        params, shape = layer.init(KEY, (3, 2, 4))
        assert shape == (3, 2, 4)
        np.testing.assert_array_equal(params["scale"], np.ones(4))
        np.testing.assert_array_equal(params["shift"], np.zeros(4))


def test_a_group_of_one_channel_has_its_rows_and_columns():
    x = jnp.asarray(X, jnp.float32)
    params, _ = group_norm(4).init(KEY, (3, 2, 4))
    y, _ = group_norm(4).forward(params, x, None)
    np.testing.assert_allclose(y, standard(np.asarray(x), (1, 2)), rtol=1e-4, atol=1e-5)


def test_the_statistics_of_a_network_come_in_its_order():
    network = serial(batch_norm(), relu(), serial(batch_norm(), layer_norm()))
    params, _ = network.init(KEY, (4,))
    _, kept = network.forward(params, jnp.asarray(X[:, 0, 0], jnp.float32), None)
    first, second = batch_statistics(kept)
    np.testing.assert_allclose(first.mean, X[:, 0, 0].mean(0), rtol=1e-5)
    assert (second.mean > 0).all()  # behind a rectifier
    assert batch_statistics(relu().forward((), X, None)[1]) == ()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: batch_norm(epsilon=0.0), "epsilon"),
        (lambda: layer_norm(epsilon=-1.0), "epsilon"),
        (lambda: group_norm(2, epsilon=0.0), "epsilon"),
        (lambda: group_norm(0), "groups must be >= 1, got 0"),
        (lambda: layer_norm(0), "axes must be >= 1, got 0"),
        (lambda: image_norm(0), "axes must be >= 1, got 0"),
        (lambda: image_norm(epsilon=0.0), "epsilon"),
        (lambda: image_norm().init(KEY, (4,)), r"2 feature axes, got \(4,\)"),
        (lambda: layer_norm(3).init(KEY, (4,)), r"3 feature axes, got \(4,\)"),
        (lambda: group_norm(3).init(KEY, (5, 5, 4)), "4 channels .* 3 groups"),
        (
            lambda: group_norm(4, 1).init(KEY, (4,)),
            r"group of one feature .* \(4,\) in 4",
        ),
        (lambda: group_norm(4).init(KEY, (1, 1, 4)), "group of one feature .* in 4 groups"),
        (lambda: layer_norm().init(KEY, (1,)), "group of one feature .* in 1 groups"),
    ],
)
def test_bad_arguments_are_refused_by_name(make, match):
    with pytest.raises(ValueError, match=match):
        make()
