"""Forty-two random networks, all correct: the checker finds nothing wrong with any."""

import jax
import numpy as np
import pytest

from jaxdigits import layers as ly
from jaxdigits import spikes as sp
from jaxdigits.gradients import Differences, check
from jaxdigits.layer import parallel, residual, serial
from jaxdigits.spikes.adaptive import alif_neuron
from jaxdigits.spikes.convention import Convention
from jaxdigits.spikes.encoders import direct, rate
from jaxdigits.spikes.readout import leaky_readout, spike_count
from jaxdigits.spikes.recurrent import recurrent
from jaxdigits.spikes.surrogates import arctan, fast_sigmoid, sigmoid, soft_twin
from jaxdigits.spikes.synapse import cuba_lif

EXAMPLES, STEPS, WIDTH = 3, 4, 4
FEW = Differences(directions=3, coordinates=2)  # for each leaf of each network


def pick(rng, *choices):
    return choices[rng.integers(len(choices))]


def plain(rng):
    """A layer [..., WIDTH] -> [..., WIDTH]; a bias before batch norm has a gradient of zero."""
    return pick(
        rng,
        ly.dense(WIDTH),
        serial(ly.dense(WIDTH), ly.batch_norm()),
        ly.layer_norm(),
        ly.group_norm(2, 1),
        ly.relu(),
        ly.leaky_relu(0.1),
        ly.gelu(),
        ly.tanh(),
        ly.dropout(0.3),
        residual(serial(ly.dense(WIDTH), ly.tanh())),
        parallel({"a": ly.dense(WIDTH), "b": ly.tanh()}, fuse="sum"),
    )


def images(rng):
    """A network of images [..., 4, 5, 2]."""
    pool = pick(rng, ly.max_pool, ly.average_pool)
    conv = ly.conv2d(2, pick(rng, 2, 3), stride=pick(rng, 1, 2))
    norm = pick(rng, ly.batch_norm(), ly.group_norm(2), ly.layer_norm(3), ly.relu())
    layers = pick(rng, [conv, norm], [pool(2), conv], [conv, norm, pool(2)])
    return serial(*layers, ly.flatten(3), ly.dense(3)), (4, 5, 2)


def vectors(rng):
    return serial(ly.dense(WIDTH), *(plain(rng) for _ in range(rng.integers(1, 4)))), (3,)


def spiking(rng):
    """A network of spiking neurons, hard or soft, between an encoder and a readout."""
    surrogate = pick(rng, arctan(), sigmoid(), fast_sigmoid(4.0))
    surrogate = soft_twin(surrogate) if rng.random() < 0.5 else surrogate
    convention = Convention(
        reset=pick(rng, "subtract", 0.0),
        reset_step=pick(rng, "next", "same"),
        fires=pick(rng, "above", "at"),
        spike_from=pick(rng, "new", "old"),
        differentiate_reset=bool(rng.integers(2)),
        normalise=bool(rng.integers(2)),
    )
    options = dict(decay=0.8, threshold=0.1, convention=convention)
    learn = pick(rng, (), ("decay", "threshold"))
    neurons = pick(
        rng,
        sp.lif(surrogate, learn=learn, **options),
        cuba_lif(surrogate, learn=learn, **options),
        recurrent(alif_neuron(surrogate, learn=learn, **options)),
    )
    encoder = pick(rng, direct, rate)(STEPS)
    readout = pick(rng, leaky_readout(), leaky_readout(reduce="last"), spike_count())
    drive = ly.dense(WIDTH), ly.layer_norm()  # normed, so that no network is silent
    return serial(encoder, *drive, neurons, ly.dense(2), readout), (3,)


@pytest.mark.parametrize("seed", range(42))
def test_a_correct_network_passes(seed):
    rng = np.random.default_rng(seed)
    network, features = (vectors, images, spiking)[seed % 3](rng)
    params, _ = network.init(jax.random.key(seed), features)
    params = jax.tree.map(lambda a: a + 0.1 * rng.standard_normal(a.shape), params)
    x = rng.random((EXAMPLES, *features))
    keys = jax.random.split(jax.random.key(seed), EXAMPLES)
    check(network, params, x, keys, differences=FEW).raise_if_bad()
