"""Recurrent layers of every neuron, against hand arithmetic, JAX, differences and limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.spikes import Traces, firing_rates, sigmoid, soft_twin, traces, triangle
from jaxdigits.spikes.adaptive import alif_neuron
from jaxdigits.spikes.convention import Convention
from jaxdigits.spikes.lif import lif, lif_neuron
from jaxdigits.spikes.recurrent import recurrent
from jaxdigits.spikes.synapse import cuba_lif_neuron
from jaxdigits.spikes.unroll import over_time

OTHER = Convention(
    reset=0.25, reset_step="same", fires="at", spikes="several", spike_from="old",
    differentiate_reset=True, gain=2.0, normalise=True,
)  # fmt: skip
FLOW = Convention(differentiate_reset=True)
CONSTANTS = dict(decay=0.75, threshold=0.5, learn=("decay", "threshold"))
NEURONS = {"lif": lif_neuron, "cuba_lif": cuba_lif_neuron, "alif": alif_neuron}


def normal(shape):
    return np.random.default_rng(0).normal(0.5, 1.0, shape)


@pytest.mark.parametrize("spike_from", ["new", "old"])
def test_spikes_match_hand_arithmetic(spike_from):
    # β = 1/2, θ = 3/4: neuron 1 fires at t = 1 and hands 1 to neuron 2, which takes 1/2 away
    weight = jnp.array([[0.0, 1.0], [-0.5, 0.0]])
    layer = recurrent(
        lif_neuron(decay=0.5, threshold=0.75, convention=Convention(spike_from=spike_from))
    )
    current = jnp.zeros((4, 2)).at[0, 0].set(1.0).at[2, 0].set(1.25)
    spikes, kept = layer.forward({"weight": weight}, current, None)
    np.testing.assert_array_equal(
        kept.v, [[1, 0], [-1 / 4, 1], [5 / 8, -1 / 4], [5 / 16, -1 / 8]]
    )
    fired = np.array([[1, 0], [0, 1], [0, 0], [0, 0]])
    late = np.array([[0, 0], [1, 0], [0, 1], [0, 0]])
    np.testing.assert_array_equal(spikes, fired if spike_from == "new" else late)


def test_the_gradient_matches_hand_arithmetic():
    # Two steps of the above, h(u) = 1 − |u|, s̄ = 1.  t = 2: u = (−1, 1/4), λ = h = (0, 3/4)
    # t = 1: z̄ = 1 + λ Wᵀ = (7/4, 1), u = (1/4, −3/4), λ = λ/2 + h z̄ = (21/16, 5/8)
    layer = recurrent(lif_neuron(triangle(), decay=0.5, threshold=0.75))
    params = {"weight": jnp.array([[0.0, 1.0], [-0.5, 0.0]])}
    spikes, kept = layer.forward(params, jnp.array([[1.0, 0], [0, 0]]), None)
    grads, x_bar = layer.backward(params, kept, jnp.ones_like(spikes))
    np.testing.assert_array_equal(x_bar, [[21 / 16, 5 / 8], [0, 3 / 4]])
    np.testing.assert_array_equal(grads["weight"], [[0, 3 / 4], [0, 0]])


@pytest.mark.usefixtures("float64")
def test_the_gradient_by_hand_is_that_of_jax(gradients):
    options = dict(surrogate=sigmoid(2.0), **CONSTANTS)
    layers = [recurrent(make(**options), gain=1.0) for make in NEURONS.values()]
    layers += [
        recurrent(make(**options, convention=OTHER), gain=1.0, emit=emit)
        for make, emit in zip(
            NEURONS.values(), ("potential", "spikes", "potential"), strict=True
        )
    ]
    found = gradients(layers, normal((6, 3, 4)))
    for (grads, _), kept in found:
        assert 0.02 < firing_rates(kept)[0] < 1.5
        assert sorted(grads) == ["decay", "threshold", "weight"]
        assert np.abs(grads["weight"]).min() > 0


@pytest.mark.usefixtures("float64")
def test_the_gradient_by_hand_is_that_of_differences_when_firing_is_soft(slopes):
    twin = soft_twin(sigmoid(2.0))
    layers = [
        recurrent(make(twin, **CONSTANTS, convention=convention), gain=1.0)
        for make in NEURONS.values()
        for convention in (FLOW, OTHER)
    ]
    by_hand, differences = slopes(layers, normal((6, 3, 4)))
    np.testing.assert_allclose(by_hand, differences, rtol=1e-7)


def test_without_weights_it_is_the_layer_over_time():
    current = jnp.asarray(normal((20, 3)), jnp.float32)
    alone, _ = lif(decay=0.75, threshold=0.5).forward((), current, None)
    layer = recurrent(lif_neuron(decay=0.75, threshold=0.5))
    spikes, kept = layer.forward({"weight": jnp.zeros((3, 3))}, current, None)
    assert 0.05 < alone.mean() < 0.95
    np.testing.assert_array_equal(spikes, alone)
    assert isinstance(kept, Traces)


def test_behind_a_convolution_channels_are_joined_at_each_pixel():
    layer = recurrent(lif_neuron(decay=0.5, threshold=0.5), gain=2.0)
    params, shape = layer.init(jax.random.key(0), (2, 2, 3))
    assert shape == (2, 2, 3)
    assert params["weight"].shape == (3, 3)
    current = jnp.asarray(normal((6, 1, 2, 2, 3)), jnp.float32)
    spikes, kept = layer.forward(params, current, None)
    grads, x_bar = layer.backward(params, kept, jnp.ones_like(spikes))
    pixels = current.reshape(6, 4, 3)
    flat, kept = layer.forward(params, pixels, None)
    grads_too, x_bar_too = layer.backward(params, kept, jnp.ones_like(flat))
    assert 0.1 < spikes.mean() < 0.9
    np.testing.assert_array_equal(spikes.reshape(6, 4, 3), flat)
    np.testing.assert_allclose(x_bar.reshape(6, 4, 3), x_bar_too, rtol=1e-6)
    np.testing.assert_allclose(grads["weight"], grads_too["weight"], rtol=1e-6)


def test_weights_start_with_their_documented_variance():
    layer = recurrent(lif_neuron(learn=("decay",)), gain=2.0)
    params, _ = layer.init(jax.random.key(0), (100,))
    assert sorted(params) == ["decay", "weight"]
    np.testing.assert_allclose(params["weight"].var(), 2 / 100, rtol=0.05)


def test_residuals_of_other_neurons_hold_their_states():
    params, _ = recurrent(alif_neuron()).init(jax.random.key(0), (2,))
    _, kept = recurrent(alif_neuron()).forward(params, jnp.ones((3, 2)), None)
    assert traces(kept)[0].spikes.shape == kept[1]["adaptation"].shape == (3, 2)


@pytest.mark.parametrize(
    ("options", "match"),
    [(dict(gain=0.0), "gain must be > 0, got 0.0"), (dict(emit="all"), "emit must be .*'all'")],
)
def test_bad_arguments_are_refused_by_name(options, match):
    with pytest.raises(ValueError, match=match):
        recurrent(lif_neuron(), **options)


@pytest.mark.parametrize("make", [recurrent, over_time])
def test_what_is_no_neuron_is_refused(make):
    with pytest.raises(ValueError, match=r"takes a neuron, as lif_neuron.*, not a layer"):
        make(lif())
    with pytest.raises(ValueError, match=r"takes a neuron, as lif_neuron.*, not <function"):
        make(lif_neuron)


def test_currents_are_floats_of_jax():
    layer = recurrent(lif_neuron())
    params, _ = layer.init(jax.random.key(0), (2,))
    assert layer.forward(params, np.ones((3, 2)), None)[0].dtype == jnp.float32
    with pytest.raises(ValueError, match="currents must be floats, got int32"):
        layer.forward(params, jnp.ones((3, 2), int), None)
