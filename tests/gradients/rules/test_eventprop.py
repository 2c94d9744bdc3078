"""EventProp by name: for networks whose spikes are times, and no others."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.gradients import by_autodiff
from jaxdigits.gradients.rules import RULES
from jaxdigits.losses import cross_entropy
from jaxdigits.runs.usual import config_for

OPTIONS = dict(hidden=[5, 4], steps=6)
ON_A_GRID = [name for name in RULES if name not in ("bptt", "eventprop")]


def step(config, estimator=None):
    """(loss, grads) of three images, by the configuration's estimator or another."""
    network = config.build()(training=True)
    params, _ = network.init(jax.random.key(0), (28, 28))
    image = jax.random.randint(jax.random.key(1), (3, 28, 28), 0, 256).astype(jnp.uint8)
    estimate = (estimator or config.estimator())(network, cross_entropy())
    compiled = jax.jit(lambda *a: estimate(*a)[:2])
    return compiled(params, (image, jnp.arange(3)), jax.random.key(2))


def test_it_is_the_networks_own_gradient_and_that_of_jax():
    build = lambda gradient: config_for(
        "event_snn", "digits", gradient=gradient, options=OPTIONS
    )
    loss, grads = step(build("eventprop"))
    loss_by_hand, by_hand = step(build("by_hand"))
    assert loss == loss_by_hand
    jax.tree.map(np.testing.assert_array_equal, grads, by_hand)
    assert all(np.abs(g).max() > 0 for g in jax.tree.leaves(grads))
    _, by_jax = step(build("eventprop"), by_autodiff)
    for ours, theirs in zip(*map(jax.tree.leaves, (grads, by_jax)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3 * np.abs(theirs).max())


def test_bptt_is_another_name_of_it_here():
    (loss, grads), (named_loss, named) = (
        step(config_for("event_snn", "digits", gradient=gradient, options=OPTIONS))
        for gradient in ("eventprop", "bptt")
    )
    assert loss == named_loss
    jax.tree.map(np.testing.assert_array_equal, grads, named)


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        ("snn", "EventProp is for spikes that come at times, .* they come at steps"),
        ("mlp", "EventProp is for spikes that come at times, .* nothing spikes"),
        ("cnn", "EventProp is for spikes that come at times, .* nothing spikes"),
        ("conv_snn", "EventProp is for spikes that come at times, .* they come at steps"),
    ],
)
def test_networks_whose_spikes_are_no_times_are_refused(network, reason):
    with pytest.raises(ValueError, match=f"{reason}|{network} learns by backpropagation only"):
        config_for(network, "digits", gradient="eventprop")


@pytest.mark.parametrize("rule", ON_A_GRID)
def test_rules_that_know_spikes_at_steps_refuse_spikes_at_times(rule):
    with pytest.raises(ValueError, match=r"needs spikes on a time grid; .* learn by EventProp"):
        config_for("event_snn", "digits", gradient=rule, options=OPTIONS)
