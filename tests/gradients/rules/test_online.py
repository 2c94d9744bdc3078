"""The online forms: the sums of the batched forms, in memory that time does not fill."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.gradients import by_hand
from jaxdigits.gradients.rules import RULES, eprop, ottt
from jaxdigits.gradients.rules.replay import stream_of
from jaxdigits.losses import cross_entropy
from jaxdigits.models import snn
from jaxdigits.spikes import (
    firing_rates,
    leaky_readout,
    rate,
)

PAIRS = {
    "symmetric": (eprop(), eprop(online=True)),
    "random": (eprop("random"), eprop("random", online=True)),
    "adaptive": (eprop("adaptive"), eprop("adaptive", online=True)),
    "ottt": (ottt(), ottt(online=True)),
}
OPTIONS = {
    "as it is": {},
    "last": dict(readout=lambda: leaky_readout(0.5, reduce="last")),
    "thresholds": dict(neuron=dict(threshold=np.array([0.125, 0.25, 0.25, 0.375, 0.5]))),
}


@pytest.mark.parametrize(
    ("rule", "option"),
    [*((rule, "as it is") for rule in PAIRS), ("random", "last"), ("ottt", "thresholds")],
)
def test_online_is_batched(networks, rule, option):
    (batched, online), options = PAIRS[rule], OPTIONS[option]
    loss, wanted, residual = networks.result(networks.snn((5, 5), chain=batched, **options))
    networks.assert_lively(residual)
    got = networks.result(networks.snn((5, 5), chain=online, **options))
    assert got[0] == pytest.approx(loss, rel=1e-12)
    assert networks.error(got[1], wanted) < 1e-10
    np.testing.assert_allclose(firing_rates(got[2]), firing_rates(residual), rtol=1e-12)


@pytest.mark.parametrize("encoder", ["direct", "latency"])
def test_other_encoders(networks, encoder):
    wanted = networks.grads(networks.snn(chain=eprop(), encoder=encoder))
    got = networks.grads(networks.snn(chain=eprop(online=True), encoder=encoder))
    assert networks.error(got, wanted) < 1e-10


@pytest.mark.parametrize("pixels", [(3,), (4, 5)])
@pytest.mark.parametrize("of_batch", [False, True])
def test_a_stream_has_the_spikes_of_the_rate_code(pixels, of_batch):
    x = jnp.asarray(np.random.default_rng(0).integers(0, 256, (4, *pixels)), jnp.uint8)
    key = jax.random.key(5) if of_batch else jax.random.split(jax.random.key(5), 4)
    spikes, _ = rate(9).forward((), x, key)
    stream = stream_of(rate(9))
    for t in range(9):
        np.testing.assert_array_equal(stream(x, key, t), spikes[t])
    assert 0.2 < np.mean(spikes) < 0.8


def test_dyadic_weights_make_the_same_firing_rates(networks):
    params = jax.tree.map(lambda p: jnp.round(p * 16) / 16, networks.params(networks.snn()))
    ordinary, online = networks.snn(), networks.snn(chain=eprop(online=True))
    rates = [firing_rates(networks.result(n, params=params)[2]) for n in (ordinary, online)]
    assert float(rates[0][0]) == float(rates[1][0]) > 0.03


@cache
def memory(rule, steps):
    """Bytes that a compiled gradient needs besides its arguments and results."""
    network = snn(hidden=(16,), steps=steps, chain=RULES[rule].chain)
    params, _ = network.init(jax.random.key(0), (6, 6))
    batch = jnp.zeros((32, 6, 6), jnp.uint8), jnp.zeros(32, jnp.int32)
    estimate = jax.jit(lambda *a: by_hand(network, cross_entropy())(*a)[:2])
    compiled = estimate.lower(params, batch, jax.random.key(0)).compile()
    return compiled.memory_analysis().temp_size_in_bytes


@pytest.mark.parametrize("rule", ["eprop_online", "ottt_online", "rtrl"])
def test_memory_does_not_grow_with_the_steps(rule):
    few, many = memory(rule, 10), memory(rule, 100)
    assert abs(many - few) < min(0.03 * few, 32 * 90), "less than a byte per example and step"


def test_memory_of_backpropagation_does():
    assert memory("bptt", 100) > 7 * memory("bptt", 10)
    assert memory("eprop_online", 100) < memory("bptt", 10)
