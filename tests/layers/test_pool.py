"""Pooling against NumPy; where inputs tie, the first of the window takes the gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.layers import average_pool, max_pool

KEY = jax.random.key(0)


def windows(x, k):
    """[H, W, C] -> [⌊H/k⌋, ⌊W/k⌋, k², C], the positions of a window row by row."""
    h, w = x.shape[0] // k, x.shape[1] // k
    return np.array([
        [x[i * k : i * k + k, j * k : j * k + k].reshape(k * k, -1) for j in range(w)]
        for i in range(h)
    ])  # fmt: skip


@pytest.mark.parametrize("window", [1, 2, 3])
@pytest.mark.parametrize("shape", [(6, 6, 2), (7, 5, 1)])
def test_pools_are_those_of_numpy_and_leave_out_what_fills_no_window(window, shape):
    x = np.random.default_rng(0).integers(-8, 8, shape).astype(np.float32)
    parts = windows(x, window)
    for layer, wanted in (
        (max_pool(window), parts.max(2)),
        (average_pool(window), parts.mean(2)),
    ):
        y, _ = layer.forward((), x[None], None)
        np.testing.assert_allclose(y[0], wanted, rtol=1e-6, atol=1e-6)
        assert layer.init(KEY, shape)[1] == wanted.shape


def image(*rows):
    """One image [1, H, W, 1]."""
    return jnp.array(rows, jnp.float32)[None, ..., None]


def gradient(layer, x, y_bar):
    _, kept = layer.forward((), x, None)
    by_hand = layer.backward((), kept, y_bar)[1]
    by_jax = jax.grad(lambda x: jnp.vdot(y_bar, layer.forward((), x, None)[0]))(x)
    np.testing.assert_array_equal(by_hand, by_jax)
    return by_hand[0, ..., 0]


def test_the_first_of_tied_maxima_takes_the_whole_gradient():
    x = image([0, 1, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 1])
    x_bar = gradient(max_pool(2), x, image([2, 3], [5, 7]))
    wanted = [[0, 2, 3, 0], [0, 0, 0, 0], [5, 0, 0, 0], [0, 0, 0, 7]]
    np.testing.assert_array_equal(x_bar, wanted)


def test_average_spreads_the_gradient_over_its_window():
    x_bar = gradient(average_pool(2), image([0, 1, 9], [2, 3, 9], [9, 9, 9]), image([4]))
    np.testing.assert_array_equal(x_bar, [[1, 1, 0], [1, 1, 0], [0, 0, 0]])


def test_the_winner_of_a_large_window_is_still_its_position():
    for window in (11, 12):  # whose last positions are 120 and 143: int8 ends at 127
        x = jnp.zeros((window, window, 1)).at[-1, -1].set(1)
        _, (winner, _) = max_pool(window).forward((), x, None)
        assert winner.item() == window**2 - 1


@pytest.mark.parametrize("make", [max_pool, average_pool])
def test_bad_arguments_are_refused_by_name(make):
    with pytest.raises(ValueError, match="window must be >= 1, got 0"):
        make(0)
    for features in ((4, 4), (1, 4, 1), (4, 1, 1)):
        with pytest.raises(ValueError, match=r"\(H, W, C\), got"):
            make(2).init(KEY, features)
