"""Rounded weights, and the gradient straight through them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import serial, snn
from jaxdigits.layers import dense, relu
from jaxdigits.quantise import quantise, quantised, rounded
from jaxdigits.quantise.weights import CLIPS
from jaxdigits.tree import named_leaves

WEIGHT = np.random.default_rng(0).standard_normal((40, 6)) * np.geomspace(0.1, 10, 6)


def squared_error(weight, bits, share):
    """Of one column, clipped at a share of its largest weight, in float64."""
    n = 2 ** (bits - 1) - 1
    scale = share * np.abs(weight).max() / n
    return ((weight - scale * np.clip(np.round(weight / scale), -n, n)) ** 2).sum()


def test_halves_go_to_even_and_the_largest_weight_is_the_last_level():
    q = quantise(jnp.array([[3.5], [0.25], [0.75], [-1.25], [-3.5]]), 4)
    np.testing.assert_array_equal(q.levels[:, 0], [7, 0, 2, -2, -7])  # 0.5, 1.5 and 2.5 levels
    np.testing.assert_array_equal(q.scale, [0.5])
    np.testing.assert_array_equal(q.value, 0.5 * q.levels)
    assert q.inside.all()


def test_one_bit_is_a_sign_and_the_sign_of_zero_is_positive():
    q = quantise(jnp.array([[0.5, -2.0], [0.0, 0.0], [-1.0, 1.0]]), 1)
    np.testing.assert_array_equal(q.levels, [[1, -1], [1, 1], [-1, 1]])
    np.testing.assert_array_equal(q.value, [[0.5, -1], [0.5, 1], [-0.5, 1]])
    assert quantise(jnp.zeros((3, 2)), 8).value.sum() == 0


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_the_clip_of_each_neuron_has_the_least_error(float64, bits):
    q = quantise(jnp.asarray(WEIGHT), bits)
    assert q.scale.shape == (6,)
    assert np.abs(q.levels).max() == 2 ** (bits - 1) - 1
    shares = CLIPS if bits < 4 else (1.0,)
    for column, value in zip(WEIGHT.T, np.asarray(q.value).T, strict=True):
        best = min(squared_error(column, bits, share) for share in shares)
        np.testing.assert_allclose(((column - value) ** 2).sum(), best, rtol=1e-9)
    assert bool(q.inside.all()) is (bits >= 4)


@pytest.mark.parametrize("bits", [1, 2, 3, 8])
def test_neurons_of_many_sizes_need_their_own_scales_and_rounding_twice_changes_nothing(bits):
    weight = jnp.asarray(WEIGHT, jnp.float32)
    own, one = quantise(weight, bits), quantise(weight, bits, per="tensor")
    assert one.scale.shape == (1,)
    error = lambda q: (((weight - q.value) / weight.std(0)) ** 2).mean()
    assert error(own) < 0.6 * error(one)
    again = quantise(own.value, bits)
    np.testing.assert_array_equal(again.levels, own.levels)
    np.testing.assert_allclose(again.value, own.value, rtol=1e-6)


def test_only_weights_are_rounded_at_any_depth():
    network = snn(hidden=(8,), steps=3, learn=("threshold",))
    params, _ = network.init(jax.random.key(0), (5, 5))
    params = jax.tree.map(lambda a: a + 0.01, params)
    before, after = named_leaves(params), named_leaves(rounded(params, 2))
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {name for name in before if name.endswith("weight")} != set()
    assert len(np.unique(after["2/weight"][:, 0])) == 3


def test_the_gradient_stops_beyond_the_largest_level(float64):
    layer = quantised(dense(6), 2)
    params, _ = layer.init(jax.random.key(0), (40,))
    params["weight"] = jnp.asarray(WEIGHT)
    x = jnp.ones((1, 40))
    y, inner = layer.forward(params, x)
    grads, x_bar = layer.backward(params, inner, jnp.ones((1, 6)))
    q = quantise(params["weight"], 2)
    np.testing.assert_array_equal(grads["weight"], q.inside)
    assert 0 < q.inside.mean() < 1
    np.testing.assert_allclose(y[0], q.value.sum(0), rtol=1e-12)
    np.testing.assert_allclose(x_bar[0], q.value.sum(1), rtol=1e-12)


def test_training_moves_float_weights_to_other_levels():
    """Steps that are smaller than a level add up: y = x can be learned with two bits."""
    network = quantised(serial(dense(8), relu(), dense(1)), 2)
    params, _ = network.init(jax.random.key(1), (3,))
    x = jax.random.normal(jax.random.key(2), (64, 3))

    @jax.jit
    def step(params):
        y, inner = network.forward(params, x)
        miss = y[:, 0] - x[:, 0]
        grads, _ = network.backward(params, inner, 2 * miss[:, None] / len(x))
        return jax.tree.map(lambda p, g: p - 0.02 * g, params, grads), (miss**2).mean()

    losses = []
    for _ in range(200):
        params, loss = step(params)
        losses.append(float(loss))
    assert min(losses[-20:]) < 0.15 * losses[0]


@pytest.mark.parametrize("bits", [0, 33, 9, 2.0, True])
def test_other_numbers_of_bits(bits):
    for call in (lambda: quantise(WEIGHT, bits), lambda: quantised(dense(3), bits)):
        with pytest.raises(ValueError, match=r"bits must be a whole number from 1 to 8, got"):
            call()


def test_other_arguments():
    with pytest.raises(ValueError, match="per must be one of neuron, tensor, got 'row'"):
        quantised(dense(3), 4, per="row")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="weights must be floats, got int"):
        quantise(jnp.ones((2, 2), int), 4)
    with pytest.raises(ValueError, match="quantised takes a layer with weights"):
        quantised(relu(), 4).init(jax.random.key(0), (3,))


def test_it_remembers_its_layer():
    assert repr(quantised(dense(3), 4)) == "quantised(layer=dense(n=3), bits=4)"
    assert quantised(snn(), 4).about.find(snn).arguments["steps"] == 25
