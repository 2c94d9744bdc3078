"""The delta code: what it says of a signal, and that the signal can be had back of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.spikes import level_crossing


def code(x, height, **options):
    return np.asarray(level_crossing(height, **options).forward((), jnp.asarray(x), None)[0])


def test_each_step_up_and_down_is_a_spike():
    x = np.array([0.5, 0.75, 0.75, 1.0, 0.75, 0.25])[:, None]
    spikes = code(x, 0.25)[:, 0]
    np.testing.assert_array_equal(spikes[:, 1], [0, 1, 0, 1, 0, 0])
    np.testing.assert_array_equal(spikes[:, 0], [0, 0, 0, 0, 1, 1])
    # The last step is two heights, of which one spike says the first.
    np.testing.assert_array_equal(code(x, 0.25, spikes="several")[-1, 0], [2, 0])


def test_less_than_a_step_is_silence_until_it_adds_up():
    x = 0.125 * np.arange(5.0)[:, None]
    np.testing.assert_array_equal(code(x, 0.25)[:, 0, 1], [0, 0, 1, 0, 1])
    most = 0.9 * np.arange(5.0)[:, None]  # of a step, which rounding would take for a whole one
    np.testing.assert_array_equal(code(most, 1.0)[:, 0, 1], [0, 0, 1, 1, 1])
    np.testing.assert_array_equal(code(-most, 1.0)[:, 0, 0], [0, 0, 1, 1, 1])


@pytest.mark.parametrize("height", [0.1, 0.5])
def test_the_signal_can_be_had_back_to_within_a_step(height):
    x = jax.random.normal(jax.random.key(0), (50, 3, 4)).cumsum(0)
    spikes = code(x, height, spikes="several")
    back = x[0] + height * (spikes[..., 1] - spikes[..., 0]).cumsum(0)
    assert spikes.max() > 1
    assert np.abs(back - x).max() < height * 1.001


def test_one_spike_a_step_falls_behind_and_catches_up():
    x = np.concatenate([[0.0], np.full(6, 1.0)])[:, None]
    np.testing.assert_array_equal(code(x, 0.25)[:, 0, 1], [0, 1, 1, 1, 1, 0, 0])


def test_the_gradient_is_zero_for_jax_too():
    x = jax.random.normal(jax.random.key(0), (9, 2, 3))
    layer = level_crossing(0.5)
    spikes, kept = layer.forward((), x, None)
    assert spikes.any()
    _, by_hand = layer.backward((), kept, jnp.ones_like(spikes))
    by_jax = jax.grad(lambda x: layer.forward((), x, None)[0].sum())(x)
    np.testing.assert_array_equal(by_hand, np.zeros(x.shape))
    np.testing.assert_array_equal(by_jax, by_hand)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (dict(height=0.0), "height must be > 0, got 0.0"),
        (dict(height=1.0, spikes="many"), "spikes must be one of one, several, got 'many'"),
    ],
)
def test_what_is_no_code_is_refused(options, match):
    with pytest.raises(ValueError, match=match):
        level_crossing(**options)


def test_pixels_are_no_signal():
    with pytest.raises(ValueError, match="level_crossing takes floats, got uint8"):
        code(np.zeros((3, 2), np.uint8), 1.0)
