"""Stored spikes come back exactly, whatever they were scaled by, and take less room."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.layer import serial
from jaxdigits.layers import conv2d, dense, dropout
from jaxdigits.models import conv_snn, snn
from jaxdigits.spikes import direct, firing_rates, latency, spikes_stored

STEPS, BATCH = 6, 4
KEY = jax.random.key(0)
SHAPES = {
    "dense": (dense(3), (16,)),
    "dense, width 13": (dense(3), (13,)),
    "dense, width 1": (dense(3), (1,)),
    "conv2d": (conv2d(3), (5, 4, 2)),
}
subjects = pytest.mark.parametrize(("layer", "shape"), SHAPES.values(), ids=SHAPES)
storages = pytest.mark.parametrize("storage", ["byte", "bit"])


def spikes_of(shape, highest=1):
    """[T, B, ...] whole numbers from 0 to `highest`, which is among them as 0 and 1 are."""
    rng = np.random.default_rng(0)
    spikes = rng.integers(0, highest + 1, (STEPS, BATCH, *shape)).astype(np.float32)
    spikes.flat[:3] = 0, 1, highest
    return jnp.asarray(spikes)


def everything(layer, params, x):
    """(y, params̄, x̄)"""
    y, kept = layer.forward(params, x, KEY)
    y_bar = jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape)
    return y, *layer.backward(params, kept, y_bar)


def assert_same(layer, stored, x):
    params, _ = layer.init(KEY, x.shape[2:])
    got, wanted = everything(stored, params, x), everything(layer, params, x)
    jax.tree.map(np.testing.assert_array_equal, got, wanted)
    return wanted


@storages
@subjects
@pytest.mark.parametrize("scale", [1, 256 / 154, 256 / 205, 0.1])
def test_the_gradient_of_scaled_spikes_is_the_same_to_the_bit(layer, shape, storage, scale):
    x = spikes_of(shape) * scale
    _, grads, _ = assert_same(layer, spikes_stored(layer, storage), x)
    assert np.abs(grads["weight"]).max() > 0


@storages
@subjects
def test_silence_is_kept_as_silence(layer, shape, storage):
    _, grads, _ = assert_same(layer, spikes_stored(layer, storage), 0 * spikes_of(shape))
    assert not grads["weight"].any()


@subjects
@pytest.mark.parametrize("highest", [2, 7, 255])
@pytest.mark.parametrize("scale", [1, 256 / 154, 256 / 205])
def test_a_byte_holds_several_spikes_at_once(layer, shape, highest, scale):
    x = spikes_of(shape, highest) * np.float32(scale)
    assert_same(layer, spikes_stored(layer, "byte"), x)


@storages
@pytest.mark.parametrize("rate", [0.2, 0.4, 0.9])
def test_behind_dropout_it_is_the_plain_layer(storage, rate):
    behind = lambda layer: serial(dropout(rate, time=True), layer)
    assert_same(behind(dense(3)), behind(spikes_stored(dense(3), storage)), spikes_of((13,)))


@storages
@pytest.mark.parametrize("make", [dense, conv2d])
def test_what_mixed_precision_rounds_is_kept_as_rounded(storage, make):
    layer = make(3, precision="mixed")
    x = spikes_of((5, 4, 2) if make is conv2d else (13,)) * (256 / 154)
    assert_same(layer, spikes_stored(layer, storage), x)


@storages
@pytest.mark.usefixtures("float64")
def test_floats_of_64_bits_come_back_as_such(storage):
    x = spikes_of((13,)).astype(jnp.float64) * (256 / 154)
    y, grads, x_bar = assert_same(dense(3), spikes_stored(dense(3), storage), x)
    assert {a.dtype for a in (y, x_bar, grads["weight"])} == {np.dtype("float64")}


@storages
@subjects
def test_in_one_program_and_in_a_stack_it_is_each_alone(layer, shape, storage):
    layer = spikes_stored(layer, storage)
    xs = jnp.stack([spikes_of(shape), 0 * spikes_of(shape), 1.5 * spikes_of(shape)])
    params, _ = layer.init(KEY, shape)
    stacked = jax.jit(jax.vmap(lambda x: everything(layer, params, x)))(xs)
    each = jax.tree.map(lambda *a: jnp.stack(a), *(everything(layer, params, x) for x in xs))
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    jax.tree.map(close, stacked, each)


@pytest.mark.parametrize(("storage", "width"), [("byte", 13), ("bit", 2)])
def test_what_is_kept_is_small(storage, width):
    layer = spikes_stored(dense(3), storage)
    params, _ = layer.init(KEY, (13,))
    kept = jax.eval_shape(layer.forward, params, spikes_of((13,)), None)[1]
    shapes = [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(kept)]
    assert shapes == [((STEPS, BATCH, width), jnp.uint8), ((), jnp.float32)]


def test_full_is_the_layer_itself():
    layer = dense(3)
    assert spikes_stored(layer, "full")[:3] == layer[:3]  # all but the name


@pytest.mark.parametrize(
    "build",
    [lambda s: snn(hidden=(9,), steps=STEPS, storage=s),
     lambda s: snn(hidden=(9, 7), steps=STEPS, encoder=latency, storage=s),
     lambda s: snn(hidden=(9, 7), steps=STEPS, encoder=direct, storage=s),
     lambda s: conv_snn(channels=(3, 4), kernel=3, steps=STEPS, norm=None, storage=s),
     lambda s: conv_snn(channels=(3,), kernel=3, steps=STEPS, encoder=latency, storage=s)],
    ids=["snn", "snn, latency", "snn, direct", "conv_snn", "conv_snn, latency"],
)  # fmt: skip
def test_networks_have_the_same_gradient_and_keep_bytes(build):
    plain, *stored = map(build, ("full", "byte", "bit"))
    grey = np.random.default_rng(0).random((BATCH, 10, 10))
    image = jnp.asarray(255 * grey, jnp.uint8)
    params = jax.jit(lambda key: plain.init(key, (10, 10))[0])(KEY)
    params = jax.tree.map(lambda p: 2 * p, params)  # livelier

    @jax.jit
    def compared(params, image):
        rates = firing_rates(plain.forward(params, image, KEY)[1])
        return rates, [everything(network, params, image) for network in (plain, *stored)]

    rates, (expected, *got) = compared(params, image)
    assert all(0.01 < rate < 0.99 for rate in rates)
    for each in got:
        jax.tree.map(np.testing.assert_array_equal, each, expected)
    kept = [jax.eval_shape(n.forward, params, image, KEY)[1] for n in (plain, *stored)]
    size = lambda tree: sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
    assert size(kept[0]) > size(kept[1]) > size(kept[2])


@pytest.mark.parametrize("storage", ["nibble", None])
def test_another_storage_is_refused_by_name(storage):
    with pytest.raises(ValueError, match="storage must be one of full, byte, bit, got"):
        spikes_stored(dense(3), storage)


@pytest.mark.parametrize(("storage", "spikes"), [("bit", [1, 2, 0]), ("byte", [2, 3, 0])])
def test_what_it_cannot_hold_ends_in_nan_and_not_in_another_gradient(storage, spikes):
    layer = spikes_stored(dense(3), storage)
    params, _ = layer.init(KEY, (3,))
    y, kept = layer.forward(params, jnp.array([spikes], float), None)
    assert jnp.isfinite(y).all()
    assert jnp.isnan(layer.backward(params, kept, jnp.ones_like(y))[0]["weight"][:2]).all()
