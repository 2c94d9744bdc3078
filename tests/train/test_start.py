"""`fit` and `fit_population` begin with the params that they are passed."""

from functools import partial

import jax
import numpy as np
import optax
import pytest

from jaxdigits.models import mlp
from jaxdigits.train import Recipe, fit, fit_population, initial_state

BUILD = partial(mlp, hidden=(4,), dropout_rate=0.0, precision="full")
KEY = jax.random.key(0)


def drawn(seed):
    return BUILD(training=True).init(jax.random.key(seed), (28, 28))[0]


def recipe(optimizer):
    return Recipe(BUILD, optimizer, epochs=1, batch=128, ema=0.9)


def same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_one_network_starts_from_its_params_which_stay_whole(small):
    start = drawn(7)
    fitted = fit(recipe(optax.sgd(0.0)), *small, KEY, start=start)
    same(fitted.params, drawn(7))
    same(fitted.state.params, fitted.state.average)
    state = initial_state(recipe(optax.sgd(0.0)), (28, 28), KEY, start)
    jax.tree.map(lambda leaf: leaf.delete(), (state.params, state.average))  # as if donated
    same(start, drawn(7))


def test_each_member_starts_from_its_own(small):
    start = jax.tree.map(lambda *a: np.stack(a), drawn(7), drawn(8))
    many = recipe(lambda _: optax.sgd(0.0))
    same(fit_population(many, *small, jax.random.split(KEY), start=start).params, start)
    with pytest.raises(ValueError, match=r"start: '2/bias' has shape \(2, 4\), not \(3, 4\)"):
        fit_population(many, *small, jax.random.split(KEY, 3), start=start)


def test_params_of_another_shape_or_dtype_are_refused_by_name(small):
    start = drawn(7)
    other = mlp(hidden=(5,), training=True).init(KEY, (28, 28))[0]
    with pytest.raises(ValueError, match=r"start: '.*' has shape .*5.*, not .*4"):
        fit(recipe(optax.sgd(0.0)), *small, KEY, start=other)
    half = jax.tree.map(lambda a: a.astype("float16"), start)
    with pytest.raises(ValueError, match="is float16, not float32: convert it"):
        fit(recipe(optax.sgd(0.0)), *small, KEY, start=half)
