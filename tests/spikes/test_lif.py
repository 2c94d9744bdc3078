"""LIF neurons against hand arithmetic in dyadic numbers, and laws of charge."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import serial
from jaxdigits.layers import dense
from jaxdigits.spikes import arctan, firing_rates, lif, traces, triangle

KEY = jax.random.key(0)
# All numbers below are exact in float32: β = 1/2, θ = 3/4, iₜ = 5/8, h(u) = 1 − |u|, s̄ₜ = 1.
DYADIC = dict(surrogate=triangle(), decay=0.5, threshold=0.75)
CURRENT = jnp.full((5, 1), 5 / 8)
POTENTIAL = {  # * fires
    "subtract": [5 / 8, 15 / 16, 11 / 32, 51 / 64, 35 / 128],  # -, *, -, *, -
    "zero": [5 / 8, 15 / 16, 5 / 8, 15 / 16, 5 / 8],  # -, *, -, *, -
}
LAMBDA = {  # of the first three steps, by (reset, whether it is differentiated)
    ("subtract", False): [183 / 128, 71 / 64, 19 / 32],
    ("subtract", True): [49689 / 65536, 1531 / 2048, 19 / 32],
    ("zero", False): [41 / 32, 13 / 16, 7 / 8],
    ("zero", True): [515679 / 524288, 1963 / 4096, 7 / 8],
}
CONSTANTS = {  # (∂L/∂β, ∂L/∂θ) of the same, with the reset held
    "subtract": (5 / 4, -23 / 8),
    "zero": (65 / 128, -41 / 16),
}
resets = pytest.mark.parametrize("reset", ["subtract", "zero"])


def run(layer, current, params=()):
    return layer.forward(params, current, None)


@resets
def test_potentials_and_spikes_match_hand_arithmetic(reset):
    spikes, kept = run(lif(**DYADIC, reset=reset), CURRENT)
    np.testing.assert_array_equal(kept.v[:, 0], POTENTIAL[reset])
    np.testing.assert_array_equal(spikes[:, 0], [0, 1, 0, 1, 0])
    np.testing.assert_array_equal(kept.spikes, spikes)


@pytest.mark.parametrize(("reset", "differentiated"), LAMBDA)
def test_the_gradient_matches_hand_arithmetic(reset, differentiated):
    layer = lif(**DYADIC, reset=reset, differentiate_reset=differentiated)
    spikes, kept = run(layer, CURRENT[:3])
    _, lam = layer.backward((), kept, jnp.ones_like(spikes))
    np.testing.assert_array_equal(lam[:, 0], LAMBDA[reset, differentiated])


@resets
def test_the_gradient_of_learned_constants_matches_hand_arithmetic(reset):
    layer = lif(**DYADIC, reset=reset, learn=("decay", "threshold"))
    params, _ = layer.init(KEY, (1,))
    spikes, kept = run(layer, CURRENT[:3], params)
    grads, lam = layer.backward(params, kept, jnp.ones_like(spikes))
    beta_bar, theta_bar = CONSTANTS[reset]
    np.testing.assert_allclose(lam[:, 0], LAMBDA[reset, False], rtol=1e-6)
    np.testing.assert_allclose(grads["decay"], 0.5 * (1 - 0.5) * beta_bar, rtol=1e-6)
    np.testing.assert_allclose(grads["threshold"], 0.75 * theta_bar, rtol=1e-6)


def test_a_potential_at_the_threshold_does_not_fire():
    spikes, _ = run(lif(decay=0.0, threshold=0.5), jnp.array([[0.5], [0.5 + 2.0**-20]]))
    np.testing.assert_array_equal(spikes[:, 0], [0, 1])


@pytest.mark.parametrize("eighths", range(1, 9))
def test_without_leak_each_unit_of_charge_is_one_spike(eighths):
    # 40 steps bring 5 × eighths units; "fires above θ" leaves the last unit unfired.
    spikes, _ = run(lif(decay=1.0, threshold=1.0), jnp.full((40, 1), eighths / 8))
    assert spikes.sum() == 5 * eighths - 1


def test_without_leak_no_charge_is_lost():
    """Charge in = θ × spikes + what is left on the membrane, to the last bit."""
    current = np.random.default_rng(0).integers(-4, 9, (50, 7)).astype(np.float32) / 16
    spikes, kept = run(lif(decay=1.0, threshold=0.75), jnp.asarray(current))
    assert 0.1 < spikes.mean() < 0.9
    left = kept.v[-1] - 0.75 * spikes[-1]
    np.testing.assert_array_equal(current.sum(0), 0.75 * spikes.sum(0) + left)


def test_below_threshold_the_potential_is_the_geometric_sum():
    # v_T = i (1 − βᵀ) / (1 − β), by halves
    _, kept = run(lif(decay=0.5, threshold=1.0), jnp.full((8, 1), 0.25))
    np.testing.assert_array_equal(kept.v[:, 0], [0.5 * (1 - 0.5**t) for t in range(1, 9)])


def test_without_memory_the_gradient_is_the_slope_alone():
    layer, current = lif(decay=0.0, threshold=0.5, reset="zero"), jax.random.normal(KEY, (6, 3))
    _, kept = run(layer, current)
    np.testing.assert_array_equal(kept.v, current)
    _, lam = layer.backward((), kept, jnp.ones_like(current))
    np.testing.assert_allclose(lam, (1 + 25 * jnp.abs(current - 0.5)) ** -2.0, rtol=1e-5)


@resets
def test_constants_per_neuron_are_each_neuron_alone(reset):
    decay, threshold = np.array([0.5, 0.75, 1.0]), np.array([0.5, 1.0, 0.75])
    current = np.random.default_rng(1).integers(-4, 12, (9, 2, 3)).astype(np.float32) / 16
    together, _ = run(lif(decay=decay, threshold=threshold, reset=reset), current)
    for n in range(3):
        alone, _ = run(
            lif(decay=decay[n], threshold=threshold[n], reset=reset), current[..., n : n + 1]
        )
        np.testing.assert_array_equal(together[..., n], alone[..., 0])


def test_learned_constants_start_where_they_were_given():
    layer = lif(decay=[0.25, 0.5], threshold=2.0, learn=("decay", "threshold"))
    params, shape = layer.init(KEY, (4, 2))
    assert shape == (4, 2)
    np.testing.assert_allclose(jax.nn.sigmoid(params["decay"]), [0.25, 0.5], rtol=1e-6)
    np.testing.assert_allclose(jnp.exp(params["threshold"]), [2, 2], rtol=1e-6)
    assert set(lif(learn=("decay",)).init(KEY, (2,))[0]) == {"decay"}
    assert lif().init(KEY, (2,)) == ({}, (2,))


def test_forward_mode_agrees_with_the_gradient_by_hand():
    layer = lif(arctan(), decay=0.75, threshold=0.5, differentiate_reset=True)
    current, push = jax.random.normal(KEY, (2, 12, 4))
    (spikes, kept), (moved, _) = jax.jvp(lambda i: run(layer, i), (current,), (push,))
    assert 0.05 < spikes.mean() < 0.95
    y_bar = jax.random.normal(jax.random.key(1), spikes.shape)
    lam = layer.backward((), kept, y_bar)[1]
    np.testing.assert_allclose(jnp.vdot(y_bar, moved), jnp.vdot(lam, push), rtol=1e-4)


def test_traces_and_rates_come_layer_by_layer():
    network = serial(lif(decay=1.0), serial(dense(2), lif(decay=1.0)))
    params, _ = network.init(KEY, (3,))
    _, kept = network.forward(params, jnp.full((8, 1, 3), 0.5), None)
    first, second = traces(kept)
    assert (first.v.shape, second.v.shape) == ((8, 1, 3), (8, 1, 2))
    rates = firing_rates(kept)
    np.testing.assert_array_equal(rates, [first.spikes.mean(), second.spikes.mean()])
    assert rates[0] == 3 / 8  # of 4 units of charge the last one has not fired
    assert firing_rates(()).shape == (0,)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (dict(decay=1.5), r"decay must be in \[0, 1\], got 1.5"),
        (dict(decay=[0.5, -0.1]), "decay"),
        (dict(decay=float("nan")), "decay"),
        (dict(threshold=0.0), "threshold must be > 0, got 0.0"),
        (dict(threshold=[1.0, -1.0]), "threshold"),
        (dict(reset="half"), "reset must be 'subtract' or 'zero', got 'half'"),
        (dict(learn=("delay",)), r"learn takes names from .*decay.*threshold.*got 'delay'"),
        (dict(learn=("decay",), decay=1.0), "learned decay"),
        (dict(learn=("decay",), decay=0.0), "learned decay"),
    ],
)
def test_bad_arguments_are_refused_by_name(options, match):
    with pytest.raises(ValueError, match=match):
        lif(**options)
