"""Delay lines hold what came in before, and send back what came of it."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.spikes import delays

X = np.random.default_rng(0).standard_normal((6, 4, 2)).astype(np.float32)


def test_each_tap_is_the_signal_of_so_many_steps_ago():
    y, _ = delays(3).forward((), jnp.asarray(X), None)
    assert y.shape == (6, 4, 6)
    for t in range(6):
        for i in range(3):
            wanted = X[t - i] if t >= i else np.zeros((4, 2))
            np.testing.assert_array_equal(y[t, :, 2 * i : 2 * i + 2], wanted)


def test_one_tap_is_the_signal_itself():
    np.testing.assert_array_equal(delays(1).forward((), jnp.asarray(X), None)[0], X)


def test_more_taps_than_steps_are_silent():
    y, _ = delays(9).forward((), jnp.asarray(X), None)
    assert y.shape == (6, 4, 18)
    assert not np.any(y[..., 12:])


def test_weights_behind_delays_convolve_over_time():
    weight = np.random.default_rng(1).standard_normal(3).astype(np.float32)
    y = delays(3).forward((), jnp.asarray(X[:, :, :1]), None)[0] @ weight
    np.testing.assert_allclose(y[:, 0], np.convolve(X[:, 0, 0], weight)[:6], rtol=1e-5)


def test_the_shape_that_comes_out_is_told():
    assert delays(5).init(None, (20, 3)) == ((), (20, 15))


def test_no_tap_is_refused():
    with pytest.raises(ValueError, match="taps must be >= 1, got 0"):
        delays(0)
