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
    CONVENTION,
    ENCODERS,
    NEURONS,
    READOUTS,
    SURROGATES,
    option_names,
)
from jaxdigits.spikes import Convention, arctan, latency, leaky_readout, lif, traces

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
        neuron=partial(lif, decay=0.75, threshold=0.25, learn=("decay",),
                       convention=Convention(reset=0.0)),
    )  # fmt: skip
    image = jnp.asarray(np.random.default_rng(0).integers(0, 256, (3, 6, 6)), jnp.uint8)
    np.testing.assert_array_equal(logits(by_name, image), logits(by_function, image))


@pytest.mark.parametrize("name", NETWORKS)
def test_without_options_it_is_the_default_network(name):
    shape = {"image": (28, 28), "sound": (8000,)} if name == "multimodal" else (28, 28)
    params = lambda network: jax.eval_shape(lambda: network.init(KEY, shape)[0])
    assert params(build(name, {})) == params(NETWORKS[name]())


@pytest.mark.parametrize("name", NETWORKS)
def test_the_options_are_those_of_the_builder(name):
    names = option_names(name)
    functions = {"training", "statistics", "chain"}
    assert functions.isdisjoint(names)
    of_neurons = {"decay", "threshold", "learn", *CONVENTION}
    assert of_neurons <= set(names) or name in ("mlp", "cnn", "event_snn")
    own = set(inspect.signature(NETWORKS[name]).parameters)
    assert set(names) - of_neurons == own - functions


@pytest.mark.parametrize("neuron", NEURONS)
def test_the_neurons_options_are_its_own_and_those_of_its_convention(neuron):
    taken = set(inspect.signature(NEURONS[neuron]).parameters)
    assert {"surrogate", "convention"} < taken
    wanted = taken - {"surrogate", "convention"} | set(inspect.signature(Convention).parameters)
    without = set(option_names("snn")) - {"decay", "threshold", "learn", *CONVENTION}
    assert set(option_names("snn", neuron)) - without == wanted


OF_NEURONS = {  # options -> the same neuron from functions
    "lif": (dict(reset=0.25, reset_step="same", fires="at", spikes="several"),
            dict(convention=Convention(0.25, "same", "at", "several"))),
    "cuba_lif": (dict(synapse_decay=0.5, spike_from="old", learn=["synapse_decay"]),
                 dict(synapse_decay=0.5, learn=("synapse_decay",),
                      convention=Convention(spike_from="old"))),
    "alif": (dict(adaptation=0.5, adaptation_decay=0.75, gain=[2.0, 1.0], normalise=True),
             dict(adaptation=0.5, adaptation_decay=0.75,
                  convention=Convention(gain=(2.0, 1.0), normalise=True))),
}  # fmt: skip


@pytest.mark.parametrize("network", ["snn", "conv_snn"])
@pytest.mark.parametrize("neuron", OF_NEURONS)
@pytest.mark.usefixtures("quick_compile")
def test_every_neuron_has_its_options_flat(network, neuron):
    small = dict(hidden=[2], steps=6) if network == "snn" else dict(channels=[2], steps=6)
    flat, options = OF_NEURONS[neuron]
    shared = dict(threshold=0.5, decay=0.75)
    by_name = build(network, dict(neuron=neuron, **small, **shared, **flat))
    by_function = NETWORKS[network](
        **small, neuron=partial(NEURONS[neuron], **shared, **options)
    )
    image = jnp.asarray(np.random.default_rng(0).integers(0, 256, (3, 6, 6)), jnp.uint8)
    np.testing.assert_array_equal(logits(by_name, image), logits(by_function, image))
    plain = build(network, dict(neuron=neuron, **small, **shared))
    assert not np.array_equal(logits(by_name, image), logits(plain, image))


def test_options_of_the_convention_reach_the_spikes():
    options = dict(hidden=[3], steps=9, encoder="direct", spikes="several", gain=64.0)
    network = build("snn", options)
    image = jnp.ones((2, 3, 3))
    params, _ = network.init(KEY, (3, 3))
    (seen,) = traces(network.forward(params, image, KEY)[1])
    assert seen.spikes.max() > 1


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
        ("cnn", dict(neuron="lif"), "cnn has no option 'neuron'"),
        ("snn", dict(neuron="qif"), "unknown neuron 'qif': choose from lif, cuba_lif, alif"),
        ("snn", dict(training=True), "snn of lif has no option 'training'"),
        ("snn", dict(convention=Convention()), "snn of lif has no option 'convention'"),
        ("snn", dict(synapse_decay=0.5), "snn of lif has no option 'synapse_decay'; it has"),
        ("conv_snn", dict(neuron="cuba_lif", adaptation=1.0), "of cuba_lif .* 'adaptation'"),
        ("snn", dict(neuron="alif", synapse_decay=0.5), "snn of alif .*adaptation_decay"),
        ("snn", dict(reset="half"), "reset must be"),
        ("snn", dict(reset=1.0), "reset must be below the threshold"),
        ("snn", dict(fires="below"), "fires must be 'above' or 'at', got 'below'"),
    ],
)
def test_what_is_not_there_is_refused_with_what_there_is(network, options, match):
    with pytest.raises(ValueError, match=match):
        build(network, options)
