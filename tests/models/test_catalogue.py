"""Networks by name: what a JSON file says is what a builder is given."""

import inspect
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.layers import Statistics
from jaxdigits.models import NETWORKS, build, snn
from jaxdigits.models.catalogue import (
    ACTIVATIONS,
    ENCODERS,
    NEURON,
    READOUTS,
    SURROGATES,
    option_names,
)
from jaxdigits.spikes import arctan, latency, leaky_readout, lif

KEY = jax.random.key(0)


def logits(network, image):
    """Of a network, or a function that makes one, with params from the same key."""
    run = lambda image: network.forward(network.init(KEY, image.shape[1:])[0], image, KEY)[0]
    return jax.jit(run)(image)


@pytest.mark.usefixtures("quick_compile")
def test_names_stand_for_functions_and_numbers_for_the_neurons():
    by_name = build("snn", dict(
        hidden=[8], steps=6, encoder="latency", surrogate="arctan", readout="max",
        decay=0.75, threshold=0.25, reset="zero", learn=["decay"],
    ))  # fmt: skip
    by_function = snn(
        hidden=(8,), steps=6, encoder=latency, surrogate=arctan(),
        readout=partial(leaky_readout, reduce="max"),
        neuron=partial(lif, decay=0.75, threshold=0.25, reset="zero", learn=("decay",)),
    )  # fmt: skip
    image = jnp.asarray(np.random.default_rng(0).integers(0, 256, (3, 6, 6)), jnp.uint8)
    np.testing.assert_array_equal(logits(by_name, image), logits(by_function, image))


@pytest.mark.parametrize("name", NETWORKS)
def test_without_options_it_is_the_default_network(name):
    params = lambda network: jax.eval_shape(lambda: network.init(KEY, (28, 28))[0])
    assert params(build(name, {})) == params(NETWORKS[name]())


@pytest.mark.parametrize("name", NETWORKS)
def test_the_options_are_those_of_the_builder(name):
    names = option_names(name)
    functions = {"training", "statistics", "neuron", "chain"}
    assert functions.isdisjoint(names)
    assert set(NEURON) <= set(names) or name in ("mlp", "cnn")
    own = set(inspect.signature(NETWORKS[name]).parameters)
    assert set(names) - set(NEURON) == own - functions


def test_the_neurons_options_are_those_of_lif():
    assert set(NEURON) == set(inspect.signature(lif).parameters) - {"surrogate"}


@pytest.mark.parametrize(
    ("option", "table", "network"),
    [
        ("activation", ACTIVATIONS, "mlp"), ("activation", ACTIVATIONS, "cnn"),
        ("encoder", ENCODERS, "snn"), ("surrogate", SURROGATES, "snn"),
        ("readout", READOUTS, "conv_snn"),
    ],
)  # fmt: skip
def test_every_name_in_a_table_builds(option, table, network):
    for name in table:
        build(network, {option: name})
    choices = ", ".join(table)
    with pytest.raises(ValueError, match=f"unknown {option} 'magic': choose from {choices}"):
        build(network, {option: "magic"})


def test_training_and_statistics_are_handed_on():
    with pytest.raises(ValueError, match="needs `statistics`"):
        build("mlp", dict(norm="batch", hidden=[4]), training=False)
    statistics = [Statistics(jnp.zeros(4), jnp.ones(4))]
    options = dict(norm="batch", hidden=[4], activation="tanh", dropout_rate=0.9)
    network = build("mlp", options, training=False, statistics=statistics)
    params = jax.eval_shape(lambda: network.init(KEY, (3, 3))[0])
    logits, _ = jax.eval_shape(network.forward, params, jnp.ones((2, 3, 3)), None)
    assert logits.shape == (2, 10)


@pytest.mark.parametrize(
    ("network", "options", "match"),
    [
        ("transformer", {}, "unknown network 'transformer': choose from mlp, cnn"),
        ("mlp", dict(depth=3), "mlp has no option 'depth'; it has hidden, activation, norm"),
        ("mlp", dict(decay=0.5), "mlp has no option 'decay'"),
        ("snn", dict(neuron=lif), "snn has no option 'neuron'"),
        ("snn", dict(training=True), "snn has no option 'training'"),
        ("snn", dict(reset="half"), "reset must be"),
    ],
)
def test_what_is_not_there_is_refused_with_what_there_is(network, options, match):
    with pytest.raises(ValueError, match=match):
        build(network, options)
