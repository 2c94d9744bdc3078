"""Layers over time that emit their membrane's potential, against JAX and differences."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.spikes import (
    Convention,
    Traces,
    fast_sigmoid,
    lif_neuron,
    over_time,
    recurrent,
    sigmoid,
    soft_twin,
)
from jaxdigits.spikes.lif import make_membrane

CONVENTIONS = [
    Convention(reset, step, "at", "several", differentiate_reset=flow, gain=(1.0, 0.5),
               normalise=True)
    for reset, step, flow in itertools.product(
        ("subtract", 0.25), ("next", "same"), (False, True))
]  # fmt: skip
OPTIONS = dict(decay=0.75, threshold=0.5, learn=("decay", "threshold"))


def layer(convention, surrogate):
    neuron = lif_neuron(surrogate, convention=convention, **OPTIONS)
    return over_time(neuron, emit="potential")


def normal(shape):
    return np.random.default_rng(1).normal(0.9, 1.2, shape)


@pytest.mark.usefixtures("float64")
def test_the_gradient_of_a_loss_on_the_membrane_is_that_of_jax(gradients):
    layers = [layer(c, sigmoid(2.0)) for c in CONVENTIONS]
    for _, kept in gradients(layers, normal((6, 3, 2))):
        assert 0.02 < kept.spikes.mean() < 2


@pytest.mark.usefixtures("float64")
def test_it_is_that_of_differences_when_firing_is_soft(slopes):
    flows = [c for c in CONVENTIONS if c.differentiate_reset]
    layers = [layer(c, soft_twin(sigmoid(2.0))) for c in flows]
    by_hand, differences = slopes(layers, normal((6, 3, 2)))
    assert len(by_hand) == 4
    np.testing.assert_allclose(by_hand, differences, rtol=1e-7)


@pytest.mark.parametrize("emit", ["spikes", "potential"])
def test_what_a_layer_emits_is_in_its_traces(emit):
    convention = Convention(reset=0.25, reset_step="same")
    current = np.random.default_rng(0).integers(-2, 13, (9, 2, 3)) / 4
    emitting = over_time(
        lif_neuron(decay=0.5, threshold=0.75, convention=convention), emit=emit
    )
    y, kept = emitting.forward((), jnp.asarray(current, jnp.float32), None)
    assert isinstance(kept, Traces)
    end = make_membrane(fast_sigmoid(), convention).end(kept.v, 0.75)
    np.testing.assert_array_equal(y, kept.spikes if emit == "spikes" else end)


@pytest.mark.parametrize("make", [over_time, recurrent])
def test_another_output_is_refused_by_name(make):
    with pytest.raises(ValueError, match="emit must be one of spikes, potential, got"):
        make(lif_neuron(), emit="current")
