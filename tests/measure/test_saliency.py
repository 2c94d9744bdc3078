"""The input's gradient by hand is that of jax.grad, for each example its own digit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import cnn, event_snn, mlp, snn
from jaxdigits.measure import saliency

IMAGE = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
DIGIT = jnp.array([1, 7, 7])
NETWORKS = {
    "mlp": lambda: mlp(hidden=(8,), training=False),
    "cnn": lambda: cnn(channels=(4,), hidden=(8,), norm=None, training=False),
    "snn": lambda: snn(hidden=(8,), steps=4, training=False),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_the_gradient_of_the_logit_of_each_examples_digit(name):
    network = NETWORKS[name]()
    params, _ = network.init(jax.random.key(0), (28, 28))
    keys = jax.random.split(jax.random.key(1), 3)

    def told(x):
        logits, _ = network.forward(params, x, keys)
        return jnp.take_along_axis(logits, DIGIT[:, None], 1).sum()

    x = jnp.asarray(IMAGE, float) / 255
    found = saliency(network, params, x, DIGIT, keys)
    assert float(jnp.abs(found).max()) > 0
    np.testing.assert_allclose(found, jax.grad(told)(x), atol=1e-6)
    of_bytes = saliency(network, params, IMAGE, DIGIT, keys)
    np.testing.assert_array_equal(of_bytes, found)


def test_a_latency_code_has_none():
    network = event_snn(hidden=(8,), steps=4, training=False)
    params, _ = network.init(jax.random.key(0), (28, 28))
    assert not np.any(saliency(network, params, IMAGE, DIGIT))
