"""A network that draws its encoder's spikes again is the one that keeps them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.models import snn
from jaxdigits.spikes import direct, firing_rates, latency, lif, rate

STEPS, BATCH, PIXELS = 6, 5, 12 * 12
LIVELY = dict(steps=STEPS, neuron=partial(lif, threshold=0.25), dropout_rate=0.25)
NETWORKS = {
    "rate, dropout": dict(hidden=(7,)),
    "two layers": dict(hidden=(7, 6)),
    "no hidden layer": dict(hidden=()),
    "latency": dict(hidden=(7,), encoder=latency),
    "direct": dict(hidden=(7,), encoder=direct),
    "batch norm": dict(hidden=(7,), norm="batch"),
    "spikes in bits": dict(hidden=(7,), storage="bit"),
}
KEY = jax.random.key(0)


def pair(**options):
    """The plain network, the one that recomputes, and (params, image, keys, ȳ) for both."""
    plain, again = (snn(**(LIVELY | options), recompute=r) for r in (False, True))
    grey = np.random.default_rng(0).random((BATCH, 12, 12))
    image = jnp.asarray(255 * grey * (grey > 0.5), jnp.uint8)
    params, y_bar = plain.init(KEY, (12, 12))[0], jax.random.normal(KEY, (BATCH, 10))
    return plain, again, (params, image, jax.random.split(jax.random.key(1), BATCH), y_bar)


def gradient(network):
    def both(params, image, key, y_bar):
        y, kept = network.forward(params, image, key)
        return y, network.backward(params, kept, y_bar)[0]

    return both


@pytest.mark.parametrize("options", NETWORKS.values(), ids=NETWORKS)
def test_outputs_and_gradients_are_the_same_to_the_bit(options):
    plain, again, given = pair(**options)
    assert jax.tree.structure(again.init(KEY, (12, 12))[0]) == jax.tree.structure(given[0])
    jax.tree.map(np.testing.assert_array_equal, again.init(KEY, (12, 12))[0], given[0])
    run = lambda network: jax.jit(gradient(network))(*given)
    y, grads = run(plain)
    rates = jax.jit(lambda *args: firing_rates(plain.forward(*args)[1]))(*given[:3])
    assert all(0.02 < rate < 0.98 for rate in rates)
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(grads) if leaf.ndim == 2)
    jax.tree.map(np.testing.assert_array_equal, run(again), (y, grads))


def test_what_it_keeps_has_no_spikes_of_the_encoder():
    plain, again, given = pair(hidden=(7,))
    entries = lambda network: [
        leaf.shape
        for leaf in jax.tree.leaves(jax.eval_shape(network.forward, *given[:3])[1])
        if PIXELS in (leaf.shape[-1:] or (0,)) or leaf.shape[-2:] == (12, 12)
    ]
    assert (STEPS, BATCH, PIXELS) in entries(plain)
    assert entries(again) == [(BATCH, 12, 12)]


def test_one_key_for_the_batch_serves_too():
    plain, again, (params, image, _, y_bar) = pair(hidden=(7,))
    wanted = gradient(plain)(params, image, KEY, y_bar)
    got = gradient(again)(params, image, KEY, y_bar)
    jax.tree.map(np.testing.assert_array_equal, got, wanted)


@pytest.mark.usefixtures("float64")
def test_a_stack_of_networks_in_one_program_is_each_of_them():
    plain, again, given = pair(hidden=(7, 6))
    params, image, keys, y_bar = given
    other = jax.tree.map(lambda p: p * 1.25, params), image[::-1], keys[::-1], -y_bar
    stacked = jax.tree.map(lambda a, b: jnp.stack([a, b]), given, other)
    wanted = [jax.jit(gradient(plain))(*each) for each in (given, other)]
    got = jax.jit(jax.vmap(gradient(again)))(*stacked)
    close = partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-12)
    jax.tree.map(close, got, jax.tree.map(lambda a, b: jnp.stack([a, b]), *wanted))


def test_floats_get_the_gradient_of_the_plain_network():
    plain, again, (params, image, keys, y_bar) = pair(hidden=(7,), encoder=rate)
    x_bars = []
    for network in (plain, again):
        _, kept = network.forward(params, image / 255, keys)
        x_bars.append(network.backward(params, kept, y_bar)[1])
    assert np.abs(x_bars[0]).max() > 0
    np.testing.assert_array_equal(*x_bars)
