"""Encoders: how often a pixel fires, when, and of what alone its spikes are a function."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.layer import serial
from jaxdigits.layers import dense, layer_norm
from jaxdigits.spikes import at_each_step, direct, latency, rate

KEYS = jax.random.split(jax.random.key(0), 16)
ALL_GREYS = jnp.tile(jnp.arange(256, dtype=jnp.uint8), (16, 1))


def encode(layer, x, key=None):
    return np.asarray(layer.forward((), x, key)[0])


def random_images(dtype, shape=(6, 3, 5)):
    grey = np.random.default_rng(0).random(shape)
    return jnp.asarray(256 * grey if dtype == jnp.uint8 else grey, dtype)


dtypes = pytest.mark.parametrize("dtype", [jnp.uint8, jnp.float32])


def test_a_pixel_fires_with_probability_x_over_256():
    steps = 256
    spikes, n = encode(rate(steps), ALL_GREYS, KEYS), 16 * steps
    assert set(np.unique(spikes)) == {0, 1}
    p = np.arange(256) / 256
    count = spikes.sum((0, 1))
    assert count[0] == 0
    assert count[255] == n
    far = np.abs(count - n * p)[1:255] / (n * p * (1 - p))[1:255] ** 0.5
    assert far.max() < 5
    assert (far**2).mean() == pytest.approx(1, abs=5 * (2 / 254) ** 0.5)  # nor too near


def test_a_float_fires_with_probability_x_and_beyond_0_and_1_never_or_always():
    p = np.array([-1e4, 0, 0.125, 0.5, 0.75, 1, 1e4])
    spikes = encode(rate(256), jnp.tile(jnp.asarray(p, jnp.float32), (16, 1)), KEYS)
    n, p = 16 * 256, p.clip(0, 1)
    assert (np.abs(spikes.sum((0, 1)) - n * p) <= 5 * (n * p * (1 - p)) ** 0.5).all()


def test_steps_and_neighbours_are_independent():
    spikes = encode(rate(400), jnp.full((4, 64), 128, jnp.uint8), KEYS[:4]) - 0.5
    for pair in (spikes[1:] * spikes[:-1], spikes[..., 1:] * spikes[..., :-1],
                 spikes[:, 1:] * spikes[:, :-1]):  # fmt: skip
        assert abs(pair.mean()) < 5 * 0.25 / pair.size**0.5


@dtypes
def test_neither_the_batch_nor_the_number_of_steps_changes_spikes(dtype):
    x = random_images(dtype)
    whole = encode(rate(9), x, KEYS[:6])
    np.testing.assert_array_equal(encode(rate(5), x[2:5], KEYS[2:5]), whole[:5, 2:5])
    np.testing.assert_array_equal(encode(rate(9), x[::-1], KEYS[:6][::-1]), whole[:, ::-1])


@dtypes
def test_one_key_serves_a_batch_by_being_split(dtype):
    x = random_images(dtype)
    one = encode(rate(9), x, jax.random.key(3))
    each = encode(rate(9), x, jax.random.split(jax.random.key(3), 6))
    np.testing.assert_array_equal(one, each)


@dtypes
@pytest.mark.parametrize(
    ("key", "match"),
    [
        (None, "rate coding draws random numbers: pass a key"),
        (jax.random.key_data(KEYS[0]), "rate coding takes one typed key .*uint32"),
        (KEYS[:5], "5 keys for a batch of 6"),
        (KEYS[:1], "1 keys for a batch of 6"),
    ],
)
def test_a_missing_or_wrong_key_is_refused(dtype, key, match):
    with pytest.raises(ValueError, match=match):
        encode(rate(3), random_images(dtype), key)


def test_the_gradient_of_a_rate_is_that_of_its_mean():
    s_bar = np.random.default_rng(1).integers(-8, 8, (9, 6, 3, 5)).astype(np.float32)
    _, kept = rate(9).forward((), random_images(jnp.float32), KEYS[:6])
    np.testing.assert_array_equal(rate(9).backward((), kept, s_bar)[1], s_bar.sum(0))


@pytest.mark.parametrize("steps", [1, 2, 25])
def test_latency_is_one_spike_the_brighter_the_earlier_and_none_for_black(steps):
    spikes = encode(latency(steps), ALL_GREYS[:1])[:, 0]
    np.testing.assert_array_equal(spikes.sum(0), [0] + 255 * [1])
    when = spikes.argmax(0)[1:]
    assert (np.diff(when) <= 0).all()
    assert (when[0], when[-1]) == (steps - 1, 0)


@pytest.mark.usefixtures("float64")
def test_latency_of_pixels_is_that_of_their_value():
    of_floats = encode(latency(10), ALL_GREYS[:1] / 255.0)
    np.testing.assert_array_equal(encode(latency(10), ALL_GREYS[:1]), of_floats)


def test_latency_takes_floats_beyond_0_and_1_as_0_and_1():
    spikes = encode(latency(3), jnp.array([[-1e4, 0.0, 1e-6, 0.5, 1.0, 1e4]]))
    np.testing.assert_array_equal(
        spikes[:, 0], [[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 0, 0], [0, 0, 1, 0, 0, 0]]
    )


def test_direct_is_the_value_at_every_step():
    x = jnp.array([[-3.0, 0.25, 7.0]])
    layer = direct(4)
    current, kept = layer.forward((), x, None)
    np.testing.assert_array_equal(current, np.tile(x, (4, 1, 1)))
    np.testing.assert_array_equal(layer.backward((), kept, current)[1], 4 * x)
    np.testing.assert_array_equal(encode(layer, jnp.array([[0, 255]], jnp.uint8))[2], [[0, 1]])


@pytest.mark.parametrize("behind", [(), (layer_norm(),)], ids=["plain", "norm behind"])
@pytest.mark.usefixtures("float64")
def test_a_layer_once_is_that_layer_at_each_step_of_a_direct_input(behind):
    once = serial(at_each_step(dense(3), 7), *behind)
    always = serial(direct(7), dense(3), *behind)
    params, shape = once.init(KEYS[0], (5,))
    assert shape == (3,)
    x, y_bar = jax.random.normal(KEYS[1], (6, 5)), jax.random.normal(KEYS[2], (7, 6, 3))
    y, kept = once.forward(params, x, None)
    wanted, kept_always = always.forward(((), *params), x, None)
    np.testing.assert_allclose(y, wanted, rtol=1e-12)
    grads, x_bar = once.backward(params, kept, y_bar)
    grads_always, x_bar_always = always.backward(((), *params), kept_always, y_bar)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    jax.tree.map(close, (grads, x_bar), (grads_always[1:], x_bar_always))
    assert not any(7 in leaf.shape for leaf in jax.tree.leaves(kept[0]))


@pytest.mark.parametrize("make", [rate, direct, latency])
def test_an_image_in_uint8_has_no_gradient(make):
    x = random_images(jnp.uint8)
    spikes, kept = make(9).forward((), x, KEYS[:6])
    assert spikes.dtype == jnp.float32
    assert make(9).backward((), kept, spikes) == ((), None)


@pytest.mark.parametrize("make", [rate, direct, latency])
def test_bad_arguments_are_refused_by_name(make):
    with pytest.raises(ValueError, match="steps must be >= 1, got 0"):
        make(0)
    with pytest.raises(ValueError, match="steps must be >= 1, got 0"):
        at_each_step(dense(3), 0)
    with pytest.raises(ValueError, match="uint8 or float, got int32"):
        make(3).forward((), jnp.ones((6, 2), jnp.int32), KEYS[:6])
