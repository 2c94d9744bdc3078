"""Learning rules by name: the configuration builds them, and training takes their gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.gradients.rules import RULES
from jaxdigits.losses import cross_entropy
from jaxdigits.runs.usual import config_for

SNN = dict(hidden=[5], steps=4, threshold=0.25)
AT_STEPS = [name for name in RULES if name != "eventprop"]
THROUGH_TIME = [name for name in AT_STEPS if name.startswith(("eprop", "ottt", "rtrl"))]
ANYWHERE = [name for name in AT_STEPS if name not in THROUGH_TIME]


def step(config):
    """(loss, grads) of three images, by the configuration's network and estimator."""
    network = config.build()(training=True)
    params, _ = network.init(jax.random.key(0), (28, 28))
    image = jax.random.randint(jax.random.key(1), (3, 28, 28), 0, 256).astype(jnp.uint8)
    estimator = config.estimator()(network, cross_entropy())
    options = {"xla_backend_optimization_level": 0}
    estimate = jax.jit(lambda *a: estimator(*a)[:2], compiler_options=options)
    return estimate(params, (image, jnp.arange(3)), jax.random.key(2))


@pytest.mark.parametrize("name", AT_STEPS)
def test_every_rule_trains_the_same_network(name):
    build = lambda gradient: config_for("snn", "digits", gradient=gradient, options=SNN)
    config, plain = build(name), build("by_hand")
    (loss, grads), (wanted, _) = step(config), step(plain)
    assert float(loss) == pytest.approx(float(wanted), rel=1e-5)
    assert all(np.isfinite(g).all() and np.abs(g).max() > 0 for g in jax.tree.leaves(grads))


@pytest.mark.parametrize("name", AT_STEPS)
def test_a_rule_builds_its_network_inside_a_population(name):
    config = config_for("snn", "digits", gradient=name, options=SNN)
    init = lambda key: config.build()(training=True).init(key, (28, 28))[0]
    keys = jax.random.split(jax.random.key(0), 2)
    params = jax.eval_shape(jax.jit(jax.vmap(init)), keys)
    assert params[2]["weight"].shape == (2, 784, 5)


@pytest.mark.parametrize("name", ANYWHERE)
def test_rules_without_time_train_an_mlp(name):
    loss, grads = step(config_for("mlp", "digits", gradient=name, options=dict(hidden=[5])))
    assert np.isfinite(loss)
    assert all(np.abs(g).max() > 0 for g in jax.tree.leaves(grads))


@pytest.mark.parametrize("name", THROUGH_TIME)
def test_rules_through_time_refuse_an_mlp(name):
    with pytest.raises(ValueError, match="this network has no time"):
        config_for("mlp", "digits", gradient=name)


@pytest.mark.parametrize("network", ["cnn", "conv_snn"])
def test_convolutions_learn_by_backpropagation_only(network):
    config_for(network, "digits", gradient="bptt")
    with pytest.raises(ValueError, match=f"{network} learns by backpropagation only"):
        config_for(network, "digits", gradient="feedback")


def test_evaluation_has_the_ordinary_network_of_the_same_params():
    config = config_for("snn", "digits", gradient="eprop_adaptive", options=SNN)
    params, _ = config.build()(training=True).init(jax.random.key(0), (28, 28))
    plain = config_for("snn", "digits", options=SNN).build()(training=False)
    image, key = jnp.full((2, 28, 28), 90, jnp.uint8), jax.random.key(1)
    logits = [n.forward(params, image, key)[0] for n in (config.build()(training=False), plain)]
    np.testing.assert_array_equal(*logits)
