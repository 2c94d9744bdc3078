"""The gradient by hand against central differences, which know nothing of derivatives.

Each surrogate's soft twin, in which firing is smooth, and networks; the certificate takes
differences of single layers.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import cnn, conv_snn, mlp, serial, snn
from jaxdigits.certificate.certify import EXAMPLES
from jaxdigits.layers import gelu, tanh
from jaxdigits.spikes import (
    Convention,
    arctan,
    direct,
    fast_sigmoid,
    firing_rates,
    leaky_readout,
    lif,
    sigmoid,
    soft_twin,
    triangle,
)

pytestmark = pytest.mark.usefixtures("float64")

STEP = 1e-5
TWINS = {
    "fast_sigmoid": soft_twin(fast_sigmoid(4.0)),
    "arctan": soft_twin(arctan()),
    "triangle": soft_twin(triangle(2.0, 0.75)),
    "sigmoid": soft_twin(sigmoid()),
}
LEARN = ("decay", "threshold")
SOFT = partial(lif, decay=0.9, threshold=0.5, learn=LEARN,  # in a network the twin comes to it
               convention=Convention(differentiate_reset=True))  # fmt: skip
SMOOTH_NETWORKS = {
    "mlp": partial(mlp, hidden=(8,), activation=gelu, norm="batch"),
    "cnn": partial(cnn, channels=(8,), hidden=(16,), activation=tanh, norm="group",
                   pool="average"),
    "snn": partial(snn, hidden=(8, 8), steps=5, encoder=direct, neuron=SOFT,
                   surrogate=TWINS["arctan"], norm="layer", dropout_rate=0.2),
    "conv_snn": partial(conv_snn, channels=(3,), kernel=3, steps=5, neuron=SOFT,
                        surrogate=TWINS["sigmoid"]),
}  # fmt: skip


def slopes(layer, params, x):
    """(by hand, by differences): how fast ⟨ȳ, y⟩ grows in one random direction."""
    keys = jax.random.split(jax.random.key(1), EXAMPLES)
    towards = lambda a: jax.random.normal(jax.random.key(2), jnp.shape(a))
    direction = jax.tree.map(towards, (params, x))

    def both(params, x):
        y, kept = layer.forward(params, x, keys)
        y_bar = jax.random.normal(jax.random.key(3), y.shape)

        def moved(h):
            to = jax.tree.map(lambda a, d: a + h * d, (params, x), direction)
            return jnp.vdot(y_bar, layer.forward(*to, keys)[0])

        gradient = layer.backward(params, kept, y_bar)
        along = jax.tree.leaves(jax.tree.map(jnp.vdot, gradient, direction))
        return sum(along), (moved(STEP) - moved(-STEP)) / (2 * STEP), firing_rates(kept)

    return jax.jit(both)(params, x)


@pytest.mark.parametrize("reset", ["subtract", 0.0])
@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
def test_soft_neurons_agree_with_their_reset_decay_and_threshold(twin, reset):
    constants = dict(decay=[0.8, 0.9, 0.7], threshold=[0.5, 0.75, 1.0])
    convention = Convention(reset=reset, differentiate_reset=True)
    neurons = lif(twin, **constants, convention=convention, learn=LEARN)
    layer = serial(neurons, leaky_readout(0.9))
    params, _ = layer.init(jax.random.key(0), (3,))
    current = np.random.default_rng(0).normal(0.3, 0.8, (12, EXAMPLES, 3))
    by_hand, by_differences, _ = slopes(layer, params, jnp.asarray(current))
    np.testing.assert_allclose(by_hand, by_differences, rtol=1e-6)


@pytest.mark.parametrize("network", SMOOTH_NETWORKS.values(), ids=SMOOTH_NETWORKS)
def test_smooth_networks_agree(network):
    layer = network()
    params, _ = layer.init(jax.random.key(0), (8, 8))
    x = np.random.default_rng(0).random((EXAMPLES, 8, 8))
    by_hand, by_differences, _ = slopes(layer, params, jnp.asarray(x))
    assert abs(by_hand) > 1e-3
    np.testing.assert_allclose(by_hand, by_differences, rtol=1e-6)
