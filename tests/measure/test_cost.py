"""Costs against arithmetic by hand."""

import jax
import jax.numpy as jnp
import pytest

from jaxdigits.layer import Layer, serial
from jaxdigits.layers import conv2d, dense
from jaxdigits.measure import cost
from jaxdigits.models import cnn, conv_snn, event_snn, mlp, snn
from jaxdigits.spikes import direct, rate
from jaxdigits.tree import parameter_count


def test_a_perceptron_multiplies_once_for_each_weight():
    found = cost(mlp(hidden=(300, 100), training=False))
    weights = 784 * 300 + 300 * 100 + 100 * 10
    assert found == (weights + 410, weights)


@pytest.mark.parametrize("build", [mlp, cnn, snn, conv_snn, event_snn])
def test_the_default_networks_have_a_cost(build):
    found = cost(build())
    params, _ = build().init(jax.random.key(0), (28, 28))
    assert found.parameters == parameter_count(params)
    assert found.multiply_accumulates > 10_000


def test_a_spiking_network_does_so_at_each_step():
    weights = 784 * 50 + 50 * 10
    for steps in (1, 5, 25):
        network = snn(hidden=(50,), steps=steps, encoder=rate, training=False)
        assert cost(network) == (weights + 60, steps * weights)


def test_what_a_direct_input_makes_is_made_once():
    network = snn(hidden=(50,), steps=7, encoder=direct, training=False)
    assert cost(network).multiply_accumulates == 784 * 50 + 7 * 50 * 10
    network = conv_snn(channels=(4, 8), kernel=5, steps=3, norm=None, training=False)
    # 24 × 24 outputs of 25 products; pooled to 12; 8 × 8 of 100; pooled to 4.
    wanted = 24**2 * 25 * 4 + 3 * (8**2 * 100 * 8 + 4 * 4 * 8 * 10)
    assert cost(network) == (104 + 808 + 1290, wanted)


def test_a_convolution_counts_its_kernel_at_each_place():
    found = cost(cnn(channels=(4, 8), kernel=3, hidden=(), norm=None, training=False))
    wanted = 28**2 * 9 * 4 + 14**2 * 36 * 8 + 7 * 7 * 8 * 10
    assert found == (40 + 296 + 3930, wanted)


@pytest.mark.parametrize("repeats", [1, 4])
def test_loops_and_calls_are_looked_into(repeats):
    inner = serial(dense(784, bias=False))

    def forward(params, x, key):
        x = x.reshape(1, 784).astype(jnp.float32)
        step = jax.jit(lambda x: inner.forward(params, x, key)[0])
        return jax.lax.scan(lambda x, _: (step(x), None), x, length=repeats)[0], ()

    network = Layer(lambda key, shape: inner.init(key, (784,)), forward, inner.backward)
    assert cost(network) == (784**2, repeats * 784**2)


def test_strides_and_padding_are_in_the_outputs():
    def forward(params, x, key):
        return conv.forward(params, x[..., None].astype(jnp.float32), key)

    conv = conv2d(6, (3, 5), stride=2, padding="VALID")
    network = Layer(lambda key, shape: conv.init(key, (*shape, 1)), forward, conv.backward)
    assert cost(network) == (15 * 6 + 6, 13 * 12 * 15 * 6)
