"""Batch norms folded into weights: the same function, also inside of spiking layers."""

import jax
import numpy as np
import pytest

from jaxdigits import conv_snn, layers, serial, snn
from jaxdigits.fold import fold, folded, without_norms
from jaxdigits.spikes import traces

KEY = jax.random.key(0)
IMAGE = np.random.default_rng(0).integers(0, 256, (3, 12, 12)).astype(np.uint8)
STATISTICS = lambda *sizes: tuple(
    layers.Statistics(np.linspace(-0.2, 0.3, n), np.linspace(0.5, 2, n)) for n in sizes
)
NETWORKS = {
    "rate": (snn, dict(hidden=(8, 6), statistics=STATISTICS(8, 6))),
    "direct": (snn, dict(hidden=(8,), encoder="direct", statistics=STATISTICS(8))),
    "images": (
        conv_snn,
        dict(channels=(3, 4), kernel=3, pool="average", statistics=STATISTICS(3, 4)),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_spikes_and_logits_stay(name):
    build, options = NETWORKS[name]
    network = build(norm="batch", steps=5, threshold=0.25, training=False, **options)
    params = jax.jit(lambda key: network.init(key, (12, 12))[0])(KEY)
    shorter, own = without_norms(network, params)
    assert "batch_norm" in repr(network)
    assert "batch_norm" not in repr(shorter)
    keys = jax.random.split(KEY, 3)
    logits, residual = jax.jit(network.forward)(params, IMAGE, keys)
    again, other = jax.jit(shorter.forward)(own, IMAGE, keys)
    np.testing.assert_allclose(again, logits, atol=1e-4)
    for one, two in zip(traces(residual), traces(other), strict=True):
        assert one.spikes.any()
        np.testing.assert_array_equal(one.spikes, two.spikes)


def test_a_network_without_norms_stays_itself():
    network = serial(layers.dense(3), layers.relu(), layers.dense(2))
    params, _ = network.init(KEY, (4,))
    assert without_norms(network, params) == (network, params)
    assert without_norms(layers.dense(3), params)[1] is params


def test_a_norm_needs_weights_before_it_and_its_statistics():
    statistics = layers.Statistics(np.zeros(3), np.ones(3))
    behind = serial(layers.dense(3), layers.relu(), layers.batch_norm(statistics))
    with pytest.raises(ValueError, match="folds into the weights before it"):
        folded(behind)
    largest = serial(layers.conv2d(3), layers.max_pool(2), layers.batch_norm(statistics))
    with pytest.raises(ValueError, match="folds into the weights before it"):
        folded(largest)
    training = serial(layers.dense(3), layers.batch_norm())
    params, _ = training.init(KEY, (4,))
    with pytest.raises(ValueError, match="build the network with training=False"):
        fold(training, params)
    with pytest.raises(ValueError, match="remembers its layers"):
        folded(layers.dense(3))
