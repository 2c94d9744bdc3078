"""Trouble inside a network is noticed, with the layer's name; and none where all is well."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.models import event_snn, mlp, snn
from jaxdigits.spikes import Convention, lif, traces
from jaxdigits.train.health import watcher
from jaxdigits.train.state import TrainState

KEY = jax.random.key(0)
MLP = mlp(hidden=(16, 12), dropout_rate=0.0)
SNN = snn(hidden=(24, 20), steps=12)


@pytest.fixture(scope="module")
def image():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (40, 8, 8)).astype(np.uint8)


def params_of(network, shape=(8, 8)):
    return network.init(KEY, shape)[0]


def weighted(params):
    """The places of the layers with weights."""
    return [i for i, p in enumerate(params) if isinstance(p, dict) and "weight" in p]


def changed(params, i, **leaves):
    return (*params[:i], params[i] | leaves, *params[i + 1 :])


def state_of(params, key=KEY):
    return TrainState(params, (), (), jnp.int32(0), key)


def test_all_is_well_with_a_fresh_network(image):
    for network in (MLP, SNN):
        assert watcher(network, image)(state_of(params_of(network))) == {}


def test_what_is_not_finite_is_named(image):
    params = params_of(MLP)
    _, second, _ = weighted(params)
    bias = params[second]["bias"].at[3].set(jnp.nan)
    said = watcher(MLP, image)(state_of(changed(params, second, bias=bias)))["warnings"]
    assert said["not finite"].startswith(f"not finite: {second}/bias; ")


def test_weights_that_explode_are_named(image):
    params = params_of(MLP)
    first, *_ = weighted(params)
    params = changed(params, first, weight=1000 * params[first]["weight"])
    said = watcher(MLP, image)(state_of(params))["warnings"]
    assert set(said) == {"exploding"}
    assert said["exploding"].startswith(f"weights explode: {first}/weight; ")


def test_dead_units_are_noticed_in_front_of_the_weights_that_get_zeros(image):
    params = params_of(MLP)
    first, second, last = weighted(params)
    few = changed(params, first, bias=jnp.where(jnp.arange(16) < 12, -1e6, 0.0))
    watch = watcher(MLP, image)
    assert watch(state_of(few)) == {}
    most = changed(params, second, bias=jnp.where(jnp.arange(12) < 11, -1e6, 0.0))
    said = watch(state_of(most))["warnings"]
    assert set(said) == {"dead"}
    assert f": the units before dense {last}; " in said["dead"]


def test_silent_and_saturated_spiking_layers_are_numbered(image):
    params = params_of(SNN)
    first, second, _ = weighted(params)
    watch = watcher(SNN, image)
    quiet = changed(params, second, bias=jnp.full(20, -1e3))
    said = watch(state_of(quiet))["warnings"]
    assert said["silent"].startswith("nearly no spikes: spiking layer 2; ")
    assert "saturated" not in said
    loud = changed(params, first, bias=jnp.full(24, 1e3))
    said = watch(state_of(loud))["warnings"]
    assert said["saturated"].startswith("spikes in nearly every step: spiking layer 1; ")
    assert "silent" not in said


def test_neurons_whose_spikes_are_times_are_numbered_too(image):
    network = event_snn(hidden=(8,), steps=4)
    params = params_of(network)
    quiet = changed(params, weighted(params)[0], weight=jnp.full((64, 8), -1.0))
    said = watcher(network, image)(state_of(quiet))["warnings"]
    assert said["silent"].startswith("nearly no spikes: spiking layer 1; ")


def test_of_several_networks_it_is_said_how_many(image):
    good = params_of(MLP)
    first, *_ = weighted(good)
    bad = changed(good, first, weight=jnp.full_like(good[first]["weight"], jnp.inf))
    many = jax.tree.map(lambda *leaves: jnp.stack(leaves), good, bad, good)
    state = TrainState(many, (), (), jnp.zeros(3, jnp.int32), jax.random.split(KEY, 3))
    said = watcher(MLP, image, members=3)(state)["warnings"]
    assert f"{first}/weight (in 1 of 3 networks)" in said["not finite"]


def test_images_are_looked_at_in_parts_that_a_step_has_room_for(image):
    params = params_of(MLP)
    _, second, _ = weighted(params)
    weight = jnp.zeros_like(params[second]["weight"]).at[:, :].set(0.1)
    blank = np.concatenate([np.zeros_like(image[:32]), image[32:]])
    alive = changed(params, second, weight=weight, bias=jnp.full(12, -1.0))
    dark = watcher(MLP, blank[:32], batch=8)(state_of(alive))
    assert set(dark["warnings"]) == {"dead"}  # for every image, and here all are dark
    assert watcher(MLP, blank, batch=8)(state_of(alive)) == {}


def test_a_neuron_that_fires_several_times_in_few_steps_is_not_saturated(image):
    several = partial(lif, convention=Convention(spikes="several"), threshold=0.1)
    network = snn(hidden=(24,), steps=12, neuron=several)
    params = params_of(network)
    first, _ = weighted(params)
    strong = changed(params, first, weight=3 * params[first]["weight"])
    _, residual = network.forward(strong, image, KEY)
    assert float(traces(residual)[0].spikes.mean()) > 0.9
    assert "saturated" not in watcher(network, image)(state_of(strong)).get("warnings", {})
