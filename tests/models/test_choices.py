"""Options by name: a name builds the same network as the value that it stands for."""

from functools import partial
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import layers as ly
from jaxdigits import models
from jaxdigits import spikes as sp
from jaxdigits.layers.activation import ACTIVATIONS
from jaxdigits.models import choices, mlp, snn
from jaxdigits.options import names_of
from jaxdigits.spikes.encoders import ENCODERS
from jaxdigits.spikes.readout import READOUTS
from jaxdigits.spikes.surrogates import SURROGATES, AnySurrogate

KEY = jax.random.key(0)
IMAGE = np.random.default_rng(0).integers(0, 256, (3, 6, 6)).astype(np.uint8)


def logits(network):
    run = lambda image: network.forward(network.init(KEY, (6, 6))[0], image, KEY)[0]
    return jax.jit(run)(jnp.asarray(IMAGE))


def test_names_stand_for_values_and_flat_options_for_the_neurons():
    by_name = snn(
        hidden=[8], steps=6, encoder="latency", surrogate="arctan", readout="max",
        decay=0.75, threshold=0.25, reset="zero", learn=["decay"],
    )  # fmt: skip
    by_value = snn(
        hidden=(8,), steps=6, encoder=sp.latency, surrogate=sp.arctan(),
        readout=partial(sp.leaky_readout, reduce="max"),
        neuron=partial(sp.lif, decay=0.75, threshold=0.25, learn=("decay",),
                       convention=sp.Convention(reset=0.0)),
    )  # fmt: skip
    np.testing.assert_array_equal(logits(by_name), logits(by_value))


def test_one_width_is_one_layer():
    shapes = lambda network: jax.eval_shape(lambda: network.init(KEY, (6, 6))[0])
    assert shapes(snn(hidden=64)) == shapes(snn(hidden=(64,))) == shapes(snn(hidden=[64]))


OF_NEURONS = {  # options -> the same neuron from values
    "lif": (dict(reset=0.25, reset_step="same", fires="at", spikes="several"),
            dict(convention=sp.Convention(0.25, "same", "at", "several"))),
    "cuba_lif": (dict(synapse_decay=0.5, spike_from="old", learn=["synapse_decay"]),
                 dict(synapse_decay=0.5, learn=("synapse_decay",),
                      convention=sp.Convention(spike_from="old"))),
    "alif": (dict(adaptation=0.5, adaptation_decay=0.75, gain=[2.0, 1.0], normalise=True),
             dict(adaptation=0.5, adaptation_decay=0.75,
                  convention=sp.Convention(gain=(2.0, 1.0), normalise=True))),
}  # fmt: skip


def test_every_neuron_is_here():
    assert set(OF_NEURONS) == set(sp.NEURONS)


@pytest.mark.parametrize("name", ["snn", "conv_snn"])
@pytest.mark.parametrize("neuron", OF_NEURONS)
def test_every_neuron_has_its_options_flat(name, neuron):
    small = dict(hidden=[2], steps=6) if name == "snn" else dict(channels=[2], steps=6)
    build = partial(models.NETWORKS[name], **small)
    flat, options = OF_NEURONS[neuron]
    shared = dict(threshold=0.5, decay=0.75)
    by_name = logits(build(neuron=neuron, **shared, **flat))
    by_value = logits(build(neuron=partial(sp.NEURONS[neuron], **shared, **options)))
    np.testing.assert_array_equal(by_name, by_value)
    assert not np.array_equal(by_name, logits(build(neuron=neuron, **shared)))


@pytest.mark.parametrize("make", [sp.lif, sp.lif_neuron])
def test_a_constructor_takes_options_too_and_may_be_of_one_step(make):
    options = dict(hidden=4, steps=6, threshold=0.25)
    np.testing.assert_array_equal(logits(snn(neuron=make, **options)), logits(snn(**options)))


@pytest.mark.parametrize(
    ("annotation", "table"),
    [
        (choices.AnyActivation, ACTIVATIONS), (choices.AnyEncoder, ENCODERS),
        (choices.AnyReadout, READOUTS), (AnySurrogate, SURROGATES),
    ],
)  # fmt: skip
def test_the_names_of_a_type_are_those_of_its_table(annotation, table):
    typed = [arg for arg in get_args(get_args(annotation)[0]) if hasattr(arg, "__args__")]
    assert set(get_args(typed[-1])) == set(table) == set(names_of(annotation))


@pytest.mark.parametrize(
    ("build", "options", "match"),
    [
        (mlp, dict(activation="relo"), "activation must be one of .* got 'relo'; perhaps relu"),
        (snn, dict(encoder="rat"), "encoder must be .* perhaps rate"),
        (snn, dict(neuron="liff"), "neuron must be .* perhaps lif"),
        (snn, dict(surrogate="atan"), "surrogate must be .* perhaps arctan"),
        (snn, dict(surrogate=sp.arctan), r"must be a Surrogate, as .*\(\), got arctan"),
        (snn, dict(readout="men"), "readout must be .* perhaps mean"),
        (
            snn,
            dict(treshold=0.5),
            "a network with lif neurons has no option 'treshold'; perhaps threshold",
        ),
        (
            snn,
            dict(synapse_decay=0.5),
            "a network with lif neurons has no option 'synapse_decay'",
        ),
        (
            snn,
            dict(zzz=0.5),
            "a network with lif neurons has no option 'zzz'; it has decay, threshold",
        ),
        (snn, dict(storage="bit", spikes="several"), "storage bit holds one spike a step"),
        (mlp, dict(activation=ly.relu()), "activation must be .* not called: got Layer"),
        (snn, dict(neuron=3), "neuron must be a name or a constructor .* got int"),
        (snn, dict(reset="half"), "reset must be"),
        (snn, dict(reset=1.0), "reset must be below the threshold"),
        (snn, dict(fires="below"), "fires must be one of above, at, got 'below'"),
    ],
)
def test_a_wrong_name_comes_with_the_nearest(build, options, match):
    with pytest.raises(ValueError, match=match):
        build(**options)


@pytest.mark.parametrize(
    ("shape", "match"),
    [
        ((28, 28), r"images are \[N, H, W\], grey; got \(28, 28\); one image is image\[None\]"),
        ((2, 28, 28, 1), r"grey; got \(2, 28, 28, 1\); take one channel"),
        ((2, 28, 28, 3), r"grey; got \(2, 28, 28, 3\); take one channel"),
        ((2, 14, 14), r"784 .*196"),
    ],
)
@pytest.mark.parametrize("name", ["mlp", "cnn", "snn", "conv_snn", "event_snn"])
def test_another_shape_of_images_is_one_line(name, shape, match):
    network = models.NETWORKS[name](training=False, **{
        "norm": None} if "conv" in name or name == "cnn" else {})  # fmt: skip
    params = jax.eval_shape(lambda: network.init(KEY, (28, 28))[0])
    if len(shape) == 3 and name in ("cnn", "conv_snn"):
        match = "flattened features|dense has weights"
    with pytest.raises(ValueError, match=match) as caught:
        jax.eval_shape(network.forward, params, jnp.zeros(shape, jnp.uint8), KEY)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=r"feature shape is \(H, W\), got"):
        network.init(KEY, (28, 28, 1))


def test_widths_are_one_number_a_sequence_or_an_array():
    assert choices.widths(np.array([8, 4])) == choices.widths([8, 4]) == (8, 4)
    assert choices.widths(jnp.array([8, 4])) == choices.widths(map(int, "84")) == (8, 4)
    assert choices.widths(np.array(8)) == choices.widths(8) == (8,)
    for wrong in (b"33", "8", {8}, {8: 4}, True):
        with pytest.raises(ValueError, match="n must be a whole number, got"):
            mlp(hidden=wrong)


def test_whole_numbers_of_few_bits_do_not_overflow_in_sizes():
    for n in (np.uint8(100), [np.int16(100)]):
        params, _ = mlp(hidden=n, classes=np.uint8(10)).init(KEY, (28, 28))
        assert params[2]["weight"].shape == (784, 100)
    assert repr(ly.dense(np.uint8(100))) == "dense(n=100)"
