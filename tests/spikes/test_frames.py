"""Frames spread over time steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.spikes import frames_to_steps


def spread(x, steps):
    return np.asarray(frames_to_steps(steps).forward((), jnp.asarray(x), None)[0])


def test_a_step_is_the_mean_of_its_frames():
    x = np.array([[[1.0], [3.0], [5.0], [9.0]]])
    np.testing.assert_allclose(spread(x, 2)[:, 0, 0], [2, 7])
    np.testing.assert_allclose(spread(x, 4)[:, 0, 0], [1, 3, 5, 9], rtol=1e-6)
    np.testing.assert_allclose(spread(x, 8)[:, 0, 0], [1, 1, 3, 3, 5, 5, 9, 9], rtol=1e-6)
    np.testing.assert_allclose(spread(x[:, :3], 2)[:, 0, 0], [5 / 3, 13 / 3], rtol=1e-6)


@pytest.mark.parametrize("steps", [1, 7, 63, 100])
def test_an_even_signal_stays_even_and_the_mean_is_kept(steps):
    x = jax.random.normal(jax.random.key(0), (2, 63, 5))
    np.testing.assert_allclose(spread(np.ones((2, 63, 5), np.float32), steps), 1, rtol=1e-5)
    np.testing.assert_allclose(spread(x, steps).mean(0), x.mean(1), atol=1e-6)


def test_what_are_no_frames_is_refused():
    with pytest.raises(ValueError, match="steps must be >= 1, got 0"):
        frames_to_steps(0)
    with pytest.raises(ValueError, match=r"frames \[F, M\], got features \(9,\)"):
        frames_to_steps(3).init(jax.random.key(0), (9,))
    with pytest.raises(ValueError, match="frames_to_steps takes floats, got int"):
        spread(np.ones((1, 2, 3), int), 2)
