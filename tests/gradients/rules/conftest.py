"""Small lively networks, and their gradients by a rule, in float64."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.gradients import by_hand
from jaxdigits.losses import cross_entropy
from jaxdigits.models import mlp, snn
from jaxdigits.spikes import firing_rates, lif
from jaxdigits.tree import named_leaves, relative_error

NEURON = dict(threshold=0.25, decay=0.75)
RNG = np.random.default_rng(0)
IMAGE = np.where(RNG.random((5, 4, 4)) < 0.7, RNG.integers(1, 256, (5, 4, 4)), 0).astype("u1")
LABEL = np.array([0, 2, 1, 1, 2])
SMALL = dict(classes=3, dropout_rate=0.25)
KEY = jax.random.key(3)


class Networks:
    """Networks of one seed, and what a rule makes of them."""

    def __init__(self):
        self.results = {}

    def mlp(self, hidden=(5,), **options):
        return mlp(hidden=hidden, **SMALL | options)

    def snn(self, hidden=(6,), neuron=(), **options):
        neuron = partial(lif, **NEURON | dict(neuron))
        return snn(hidden=hidden, neuron=neuron, **dict(steps=8) | SMALL | options)

    def result(self, network, estimator=by_hand, params=None):
        """(loss, grads by name, residual) of the one batch, from the one initial params.

        Many tests compare with the same backpropagation, so a file computes it once.  A rule's
        network names its chain, but not which.
        """
        asked = None if params or "chain=" in repr(network) else (repr(network), estimator)
        if asked not in self.results:
            params = self.params(network) if params is None else params
            estimate = jax.jit(estimator(network, cross_entropy()))
            loss, grads, residual = estimate(params, (jnp.asarray(IMAGE), LABEL), KEY)
            grads = named_leaves(jax.tree.map(np.asarray, grads))
            self.results[asked] = float(loss), grads, residual
        return self.results[asked] if asked else self.results.pop(None)

    def params(self, network):
        params, _ = network.init(jax.random.key(0), IMAGE.shape[1:])
        return params

    def grads(self, network, **options):
        return self.result(network, **options)[1]

    def error(self, grads, reference, layers=("",)):
        """The largest relative error, over leaves whose names begin with one of `layers`."""
        assert set(grads) >= set(reference)
        assert all(np.abs(leaf).max() > 1e-9 for leaf in reference.values()), "nothing learns"
        chosen = [name for name in reference if name.startswith(tuple(layers))]
        assert chosen
        return max(relative_error(grads[name], reference[name]) for name in chosen)

    def assert_lively(self, residual):
        rates = np.asarray(firing_rates(residual))
        assert len(rates)
        assert ((rates > 0.03) & (rates < 0.97)).all(), rates


@pytest.fixture(scope="module")
def of_the_file():
    return Networks()


@pytest.fixture
def networks(float64, of_the_file):
    return of_the_file
