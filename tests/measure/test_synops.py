"""Operations of networks: by hand, and by laws that any count must obey."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import conv_snn, event_snn, measure, mlp, multimodal, parallel, serial, snn
from jaxdigits import spikes as sp
from jaxdigits.convert import spiking
from jaxdigits.layer import residual
from jaxdigits.layers import conv2d, dense, relu, standardise
from jaxdigits.measure import TABLES, ann_of, cost, energy
from jaxdigits.measure.synops import products_of as products_of
from jaxdigits.quantise import quantised
from jaxdigits.tree import parameter_count

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 8, 8)).astype(np.uint8)
IMAGES[:, :3] = 0
KEYS = jax.random.split(jax.random.key(1), 5)
SMALL = dict(hidden=(12, 9), steps=4, training=False, threshold=0.25)


def made(network, shape=(8, 8)):
    params, _ = jax.jit(lambda key: network.init(key, shape))(jax.random.key(0))
    return network, params


def synops(network, params, *args, **options):
    """The function that is tested, in one compiled program."""
    return jax.jit(partial(measure.synops, network, **options))(params, *args)


def test_a_net_of_three_neurons_by_hand():
    """Two inputs on two neurons, and those on a third: four spikes are seven accumulates."""
    network = serial(dense(2), sp.lif(decay=0.0, threshold=0.5), dense(1))
    params = (
        {"weight": jnp.array([[1.0, 0.0], [1.0, 1.0]]), "bias": jnp.ones(2) / 4},
        {},
        {"weight": jnp.array([[2.0], [3.0]]), "bias": jnp.zeros(1)},
    )
    x = jnp.array([[[1.0, 0.0]], [[0.0, 0.0]], [[1.0, 1.0]]])  # three steps of one example
    ops = synops(over_steps(network, x), params, jnp.zeros((1, 2)))
    # Step 1: 1 weight, neuron 0 fires: 1. Step 3: 3 weights, both fire: 2.
    np.testing.assert_array_equal(ops.acs, [1 + 1 + 3 + 2])
    np.testing.assert_array_equal(ops.macs, [0])
    np.testing.assert_array_equal(ops.dense, [3 * (4 + 2)])
    np.testing.assert_array_equal(ops.updates, [3 * 2])
    np.testing.assert_allclose(ops.activation_sparsity, [6 / 12])
    np.testing.assert_allclose(ops.connection_sparsity, 1 / 6)
    assert ops.footprint == 4 * (4 + 2 + 2 + 1)


def over_steps(network, x):
    """`network` on x [T, B, n], whatever the examples are."""
    forward = lambda params, image, key=None: network.forward(params, x, key)
    return network._replace(forward=forward)


def test_spikes_times_fan_out_and_the_sum_of_examples():
    network, params = made(snn(**SMALL))
    ops = synops(network, params, IMAGES, KEYS)
    _, inner = jax.jit(network.forward)(params, IMAGES, KEYS)
    first = np.asarray(inner[2]).sum((0, 2)) * 12  # the residual of weights is their input
    hidden = [np.asarray(t.spikes).sum((0, 2)) for t in sp.traces(inner)]
    np.testing.assert_array_equal(ops.acs, first + hidden[0] * 9 + hidden[1] * 10)
    assert (ops.acs > 0).all()
    assert not ops.macs.any()
    np.testing.assert_array_equal(ops.dense, [4 * (64 * 12 + 12 * 9 + 9 * 10)] * 5)
    np.testing.assert_array_equal(ops.updates, [4 * 21] * 5)
    alone = [synops(network, params, IMAGES[i : i + 1], KEYS[i : i + 1]) for i in range(5)]
    for name in ("acs", "macs", "dense", "activation_sparsity"):
        each = np.concatenate([getattr(one, name) for one in alone])
        np.testing.assert_allclose(getattr(ops, name), each)


@pytest.mark.parametrize("storage", ["byte", "bit"])
def test_storage_changes_nothing(storage):
    network, params = made(snn(**SMALL))
    stored = snn(**SMALL, storage=storage)
    jax.tree.map(
        np.testing.assert_array_equal,
        synops(stored, params, IMAGES, KEYS), synops(network, params, IMAGES, KEYS),
    )  # fmt: skip


def test_all_ones_are_dense_and_zero_weights_are_nothing():
    network = serial(conv2d(3, stride=2), relu(), conv2d(2, (2, 3), padding="VALID"))
    network, params = made(network, (7, 6, 2))
    ones = jax.tree.map(jnp.ones_like, params)
    x = jnp.ones((2, 7, 6, 2))
    ops = synops(network, ones, x)
    # SAME with stride 2: rows see 3 of 3 rows but the first and last 2; columns 3 but the last.
    rows, columns = (2 + 3 + 3 + 2), (3 + 3 + 2)
    behind = (4 - 1) * (3 - 2) * (2 * 3 * 3 * 2)
    np.testing.assert_array_equal(ops.dense, [rows * columns * 2 * 3 + behind] * 2)
    np.testing.assert_array_equal(ops.acs + ops.macs, ops.dense)
    np.testing.assert_array_equal(ops.acs, [rows * columns * 2 * 3] * 2)  # then sums of ones
    nothing = synops(network, jax.tree.map(jnp.zeros_like, params), x)
    assert not (nothing.acs + nothing.macs).any()
    assert nothing.connection_sparsity == 1


def test_one_input_that_is_no_spike_makes_macs_of_its_example_alone():
    network, params = made(dense(3), (4,))
    x = jnp.array([[1.0, 0, -1, 1], [1.0, 0, 0.5, 0], [2.0, 0, 0, 0]])
    ops = synops(network, params, x)
    np.testing.assert_array_equal(ops.acs, [9, 0, 0])
    np.testing.assert_array_equal(ops.macs, [0, 6, 3])


def test_a_direct_input_is_multiplied_once():
    network, params = made(snn(**SMALL, encoder="direct"))
    ops = synops(network, params, IMAGES, KEYS)
    np.testing.assert_array_equal(ops.macs, (IMAGES > 0).sum((1, 2)) * 12)
    np.testing.assert_array_equal(ops.dense, [64 * 12 + 4 * (12 * 9 + 9 * 10)] * 5)


def test_a_converted_network_adds_a_weight_for_each_spike():
    rectifiers, params = made(mlp(hidden=(12,), training=False))
    network = spiking(rectifiers, steps=6)
    ops = synops(network, params, IMAGES)
    _, residual = jax.jit(network.forward)(params, IMAGES, None)
    spikes = sp.traces(residual)[0].spikes
    assert spikes.any()
    np.testing.assert_array_equal(ops.acs, 10 * spikes.sum((0, 2)))
    own, artificial = synops(rectifiers, params, IMAGES), ann_of(network, params)
    np.testing.assert_array_equal(ops.macs, np.count_nonzero(_unit(IMAGES), (1, 2)) * 12)
    for count, again in zip(own, synops(*artificial, IMAGES), strict=True):
        np.testing.assert_array_equal(count, again)


def _unit(images):
    return standardise(0.1307, 0.3081).forward((), images, None)[0]


def test_layers_around_beside_and_among_each_other():
    inside = serial(parallel({"a": residual(dense(4)), "b": dense(4)}, fuse="sum"), relu())
    network, params = made(serial(inside, dense(2)), (4,))
    ops = synops(network, params, jnp.ones((1, 4)))
    np.testing.assert_array_equal(ops.dense, [16 + 16 + 8])
    network, params = made(sp.recurrent(sp.lif_neuron(decay=0.0, threshold=0.5)), (3,))
    x = jnp.ones((4, 1, 3)).at[1].set(0)
    params = {"weight": jnp.zeros((3, 3)).at[0, 1].set(1e-3)}
    ops = synops(over_steps(network, x), params, jnp.zeros((1, 3)))
    np.testing.assert_array_equal(ops.acs, [2])  # spikes of neuron 0 at steps 1 and 3 of 4
    np.testing.assert_array_equal(ops.dense, [3 * 9])
    network, params = made(
        multimodal(steps=3, image_hidden=4, sound_hidden=4, sound_channels=2, hidden=4,
                   bands=8, training=False), {"image": (8, 8), "sound": (900,)},
    )  # fmt: skip
    senses = {"image": IMAGES, "sound": jnp.ones((5, 900))}
    assert (synops(network, params, senses, KEYS).dense > 0).all()


def test_few_bits_shrink_the_footprint_and_zeros_are_skipped():
    network, params = made(snn(**SMALL))
    few = synops(quantised(network, 2), params, IMAGES, KEYS)
    floats = synops(network, params, IMAGES, KEYS)
    weights = sum(a.size for a in jax.tree.leaves(params) if a.ndim == 2)
    assert floats.footprint == 4 * parameter_count(params)
    assert floats.footprint - few.footprint == weights * 30 // 8
    assert few.footprint == synops(network, params, IMAGES, KEYS, bits=2).footprint
    assert few.connection_sparsity > 0.2
    assert floats.connection_sparsity == 0


def test_energy_is_operations_times_the_table():
    network, params = made(snn(**SMALL, encoder="direct"))
    ops = synops(network, params, IMAGES, KEYS)
    nanojoules = energy(ops, TABLES["fp32"])
    np.testing.assert_allclose(nanojoules, (4.6 * ops.macs + 0.9 * ops.acs) / 1000, rtol=1e-6)
    assert all("Horowitz" in table.source for table in TABLES.values())


@pytest.mark.parametrize("build", [snn, conv_snn])
def test_the_artificial_network_of_the_same_shape(build):
    options = SMALL if build is snn else dict(channels=(3,), kernel=3, steps=4, norm=None)
    network, params = made(build(**{**options, "training": False}))
    ann, own = ann_of(network, params)
    ops = synops(ann, own, IMAGES, None)
    assert not ops.updates.any()
    assert (ops.macs > 0).all()
    assert (ops.macs + ops.acs < ops.dense).all()
    if build is snn:
        dense_mlp = cost(mlp(hidden=(12, 9)), (8, 8)).multiply_accumulates
        np.testing.assert_array_equal(ops.dense, [dense_mlp] * 5)
        np.testing.assert_array_less((IMAGES > 0).sum((1, 2)) * 12 - 1, ops.macs)
    logits, _ = ann.forward(own, IMAGES, None)
    assert logits.shape == (5, 10)


def test_networks_that_cannot_be_counted():
    network, params = made(snn(**SMALL, recompute=True))
    with pytest.raises(ValueError, match=r"snn: its operations cannot be counted; build it"):
        synops(network, params, IMAGES, KEYS)
    network, params = made(event_snn(hidden=(4,), training=False))
    with pytest.raises(ValueError, match="of this shape has no event_lif"):
        ann_of(network, params)
    network, params = made(sp.event_dense(3, duration=1.0), (4,))
    with pytest.raises(ValueError, match="event_dense: its operations cannot be counted"):
        _ = list(products_of(network, params, ()))
    network, params = made(sp.recurrent(sp.lif_neuron()), (3,))
    with pytest.raises(ValueError, match="takes layers in a row"):
        ann_of(network, params)
