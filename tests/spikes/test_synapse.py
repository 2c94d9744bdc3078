"""Current-based neurons against hand arithmetic, JAX, differences and known limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.spikes import firing_rates, sigmoid, soft_twin, traces, triangle
from jaxdigits.spikes.adaptive import alif_neuron
from jaxdigits.spikes.convention import Convention
from jaxdigits.spikes.lif import lif
from jaxdigits.spikes.synapse import cuba_lif, cuba_lif_neuron, current_based
from jaxdigits.spikes.unroll import over_time

LEARN = ("synapse_decay", "decay", "threshold")
OTHER = Convention(
    reset=0.25, reset_step="same", spikes="several", spike_from="old",
    differentiate_reset=True, gain=0.5, normalise=True,
)  # fmt: skip
OPTIONS = dict(synapse_decay=[0.5, 0.75], decay=0.75, threshold=0.5)


def normal(shape):
    return np.random.default_rng(0).normal(0.5, 1.0, shape)


def test_currents_potentials_and_spikes_match_hand_arithmetic():
    # α = β = 1/2, θ = 3/4, one unit of charge at the first step; * fires
    layer = cuba_lif(synapse_decay=0.5, decay=0.5, threshold=0.75)
    spikes, kept = layer.forward((), jnp.zeros((4, 1)).at[0].set(1.0), None)
    np.testing.assert_array_equal(kept[1]["current"][:, 0], [1, 1 / 2, 1 / 4, 1 / 8])
    np.testing.assert_array_equal(traces(kept)[0].v[:, 0], [1, 1 / 4, 3 / 8, 5 / 16])
    np.testing.assert_array_equal(spikes[:, 0], [1, 0, 0, 0])
    assert firing_rates(kept) == 1 / 4


def test_the_gradient_matches_hand_arithmetic():
    # As above, with h(u) = 1 − |u|, s̄ₜ = 1: u = (1/4, −1/2, −3/8), q = λ, and j̄ = q + j̄/2
    layer = cuba_lif(triangle(), synapse_decay=0.5, decay=0.5, threshold=0.75, learn=LEARN[:1])
    params, _ = layer.init(jax.random.key(0), (1,))
    spikes, kept = layer.forward(params, jnp.zeros((3, 1)).at[0].set(1.0), None)
    grads, j_bar = layer.backward(params, kept, jnp.ones_like(spikes))
    np.testing.assert_array_equal(j_bar[:, 0], [1.15625 + 1.125 / 2, 0.8125 + 0.625 / 2, 0.625])
    np.testing.assert_array_equal(grads["synapse_decay"], 0.25 * (1.125 * 1 + 0.625 / 2))


@pytest.mark.usefixtures("float64")
def test_the_gradient_by_hand_is_that_of_jax(gradients):
    layers = [
        cuba_lif(sigmoid(2.0), **OPTIONS, learn=LEARN),
        cuba_lif(sigmoid(2.0), **OPTIONS, learn=LEARN, convention=OTHER),
        cuba_lif(sigmoid(2.0), **OPTIONS, learn=("threshold",), convention=OTHER),
        over_time(current_based(alif_neuron(sigmoid(2.0), decay=0.75), decay=0.5, learn=True)),
    ]
    found = gradients(layers, normal((8, 3, 2)))
    assert all(0.05 < firing_rates(kept)[0] < 1.5 for _, kept in found)
    assert [sorted(grads) for (grads, _), _ in found][2:] == [["threshold"], ["synapse_decay"]]


@pytest.mark.usefixtures("float64")
def test_the_gradient_by_hand_is_that_of_differences_when_firing_is_soft(slopes):
    twin, flow = soft_twin(sigmoid(2.0)), Convention(differentiate_reset=True)
    layers = [cuba_lif(twin, **OPTIONS, learn=LEARN, convention=c) for c in (flow, OTHER)]
    by_hand, differences = slopes(layers, normal((8, 3, 2)))
    np.testing.assert_allclose(by_hand, differences, rtol=1e-7)


def test_a_synapse_without_memory_is_none():
    current = jnp.asarray(normal((20, 3)), jnp.float32)
    plain, kept = lif(decay=0.75, threshold=0.5).forward((), current, None)
    spikes, kept_too = cuba_lif(synapse_decay=0.0, decay=0.75, threshold=0.5).forward(
        (), current, None
    )
    assert 0.05 < plain.mean() < 0.95
    np.testing.assert_array_equal(spikes, plain)
    np.testing.assert_array_equal(traces(kept_too)[0].v, kept.v)


def test_a_spike_brings_its_weight_over_one_minus_alpha():
    """Without leak and threshold out of reach, all the charge of a current arrives."""
    layer = cuba_lif(synapse_decay=0.5, decay=1.0, threshold=10.0)
    _, kept = layer.forward((), jnp.zeros((30, 1)).at[0].set(1.0), None)
    assert traces(kept)[0].v[-1] == 2 - 0.5**29  # rounds to 2 in float32


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (dict(synapse_decay=1.5), r"synapse_decay must be in \[0, 1\], got 1.5"),
        (dict(synapse_decay=1.0, learn=LEARN), "learned synapse_decay must start inside"),
        (dict(decay=-1.0), "decay must be in"),
        (dict(learn=("delay",)), "names from .*synapse_decay.*threshold.* got 'delay'"),
    ],
)
def test_bad_arguments_are_refused_by_name(options, match):
    with pytest.raises(ValueError, match=match):
        cuba_lif(**options)


def test_a_synapse_behind_a_synapse_is_refused():
    twice = over_time(current_based(cuba_lif_neuron(synapse_decay=0.5), decay=0.25))
    params, _ = twice.init(jax.random.key(0), (1,))
    with pytest.raises(ValueError, match="takes a neuron without a synapse of its own"):
        twice.forward(params, jnp.ones((4, 2, 1)), None)
