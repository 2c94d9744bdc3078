"""Evaluation: the batch is nobody's business, and the statistics are those of all images."""

from functools import partial

import jax
import numpy as np
import pytest

from jaxdigits import serial
from jaxdigits.keys import fold_in
from jaxdigits.layer import without_params
from jaxdigits.layers import batch_norm
from jaxdigits.models import mlp, snn
from jaxdigits.models.choices import MNIST_MEAN, MNIST_STD
from jaxdigits.train import gather_statistics, logits_of
from jaxdigits.train.state import evaluation_keys

KEY = jax.random.key(0)
N = 23
SNN = partial(snn, hidden=(8,), steps=4)


def evaluated(build, image, batch):
    network = build(training=False)
    params, _ = network.init(KEY, image.shape[1:])
    return jax.jit(partial(logits_of, network, batch=batch))(params, image, KEY)


@pytest.fixture(scope="module")
def at_once(small):
    logits, rates = evaluated(SNN, small[0].inputs[:N], N)
    assert logits.shape == (N, 10)
    assert rates.shape == (1,)
    assert 0.01 < rates[0] < 0.9
    return logits, rates


@pytest.mark.parametrize("batch", [5, 22, 500])
def test_neither_logits_nor_rates_depend_on_the_batch(small, at_once, batch):
    logits, rates = evaluated(SNN, small[0].inputs[:N], batch)
    # The same bits on the CPUs we saw, but no matrix product promises that.
    np.testing.assert_allclose(logits, at_once[0], atol=1e-6)
    np.testing.assert_allclose(rates, at_once[1], rtol=1e-6)


def test_an_examples_logits_do_not_depend_on_those_behind_it(small, at_once):
    logits, _ = evaluated(SNN, small[0].inputs[:7], 4)
    np.testing.assert_allclose(logits, at_once[0][:7], atol=1e-6)


ECHO = without_params(lambda x, keys: (jax.random.key_data(keys) / 2.0**32, ()), None)


def test_evaluation_draws_from_its_own_stream(small):
    """A network whose logits are its keys shows which stream they are of."""
    image = small[0].inputs[:N]
    keys = evaluation_keys(KEY, np.arange(N))
    logits, _ = logits_of(ECHO, (), image, KEY, batch=5)
    np.testing.assert_array_equal(logits, ECHO.forward((), image, keys)[0])
    network = serial(ECHO, batch_norm())
    params, _ = network.init(KEY, (2,))
    drawn, _ = ECHO.forward((), image, fold_in(keys, 0))  # by the first layer
    (statistics,) = gather_statistics(network, params, image, KEY, batch=N)
    np.testing.assert_allclose(statistics.mean, drawn.mean(0), rtol=1e-5)


def test_a_network_without_spikes_has_no_rates(small):
    logits, rates = evaluated(partial(mlp, hidden=(4,)), small[0].inputs[:5], 3)
    assert (logits.shape, rates.shape) == ((5, 10), (0,))


def test_no_images_are_refused(small):
    with pytest.raises(ValueError, match="inputs must have at least one example, got none"):
        evaluated(SNN, small[0].inputs[:0], 4)


@pytest.mark.parametrize(("most", "used"), [(40, 48), (2, 32)])
def test_statistics_are_the_mean_and_variance_over_all_of_the_batches(small, most, used):
    network = mlp(hidden=(8, 8), norm="batch", dropout_rate=0.0)
    params, _ = network.init(KEY, (28, 28))
    image = small[0].inputs[:50]
    first, second = gather_statistics(network, params, image, KEY, batch=16, most=most)
    pixels = (image[:used].reshape(used, -1) / 255 - MNIST_MEAN) / MNIST_STD
    x = pixels @ np.asarray(params[2]["weight"], float)
    np.testing.assert_allclose(first.mean, x.mean(0), atol=1e-5)
    np.testing.assert_allclose(first.variance, x.var(0), rtol=1e-4)
    assert second.mean.shape == second.variance.shape == (8,)


def test_fewer_images_than_a_batch_are_one_batch(small):
    network = mlp(hidden=(4,), norm="batch", dropout_rate=0.0)
    params, _ = network.init(KEY, (28, 28))
    image = small[0].inputs[:9]
    whole = gather_statistics(network, params, image, KEY, batch=9)
    (got,) = gather_statistics(network, params, image, KEY, batch=128)
    jax.tree.map(np.testing.assert_array_equal, got, whole[0])


def test_a_network_without_batch_norm_has_no_statistics(small):
    network = mlp(hidden=(4,), norm="layer", dropout_rate=0.0)
    params, _ = network.init(KEY, (28, 28))
    assert gather_statistics(network, params, small[0].inputs[:9], KEY) == ()
