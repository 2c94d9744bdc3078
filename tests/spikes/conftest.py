"""Witnesses for hand-derived gradients: JAX, and central differences; many layers a program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree


@pytest.fixture
def gradients():
    """(layers, x) -> (gradient by hand, residual) of each, after comparing it with JAX's."""

    def gradients(layers, x):
        found = compiled(lambda x: [both_gradients(layer, x) for layer in layers])(x)
        for by_hand, by_jax, _ in found:
            assert np.abs(by_jax[1]).max() > 0
            for ours, theirs in zip(*map(jax.tree.leaves, (by_hand, by_jax)), strict=True):
                tolerance = 1e-10 * np.abs(theirs).max()
                np.testing.assert_allclose(ours, theirs, atol=tolerance, rtol=0)
        return [(by_hand, kept) for by_hand, _, kept in found]

    return gradients


@pytest.fixture
def slopes():
    """(layers, x) -> slopes of a loss along a random direction, by hand and by differences."""

    def slopes(layers, x):
        found = compiled(lambda x: [both_slopes(layer, x) for layer in layers])(x)
        return np.array(found).T

    return slopes


def compiled(function):
    run = jax.jit(function)
    return lambda x: jax.tree.map(np.asarray, run(jnp.asarray(x)))


def both_gradients(layer, x):
    params, _ = layer.init(jax.random.key(0), x.shape[2:])
    y, vjp, kept = jax.vjp(lambda p, x: layer.forward(p, x, None), params, x, has_aux=True)
    y_bar = jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape)
    return layer.backward(params, kept, y_bar), vjp(y_bar), kept


def both_slopes(layer, x, h=1e-5):
    key = jax.random.key(0)
    params, _ = layer.init(key, x.shape[2:])
    numbers, shaped = ravel_pytree((params, x))
    push = jax.random.normal(key, numbers.shape)
    points = numbers + h * jnp.array([[-1.0], [0], [1]]) * push
    y, kept = jax.vmap(lambda point: layer.forward(*shaped(point), None))(points)
    y_bar = jax.random.normal(key, x.shape)
    here = jax.tree.map(lambda leaf: leaf[1], kept)
    grads = ravel_pytree(layer.backward(params, here, y_bar))[0]
    return grads @ push, jnp.vdot(y_bar, y[2] - y[0]) / (2 * h)
