"""The dense layer against NumPy: products, bias, leading axes, initial weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.fast.products import NARROW
from jaxdigits.layers import dense

KEY = jax.random.key(0)


def test_the_gradient_matches_hand_arithmetic():
    # y = x W + b over two rows; x̄ = ȳ Wᵀ, W̄ = Σ xᵀ ȳ, b̄ = Σ ȳ
    params = {"weight": jnp.array([[1.0, 2], [3, 4]]), "bias": jnp.array([0.5, -0.5])}
    x, y_bar = jnp.array([[1.0, -1], [2, 0]]), jnp.array([[1.0, 0], [-1, 2]])
    y, kept = dense(2).forward(params, x, None)
    np.testing.assert_array_equal(y, [[-1.5, -2.5], [2.5, 3.5]])
    grads, x_bar = dense(2).backward(params, kept, y_bar)
    np.testing.assert_array_equal(x_bar, [[1, 3], [3, 5]])
    np.testing.assert_array_equal(grads["weight"], [[-1, 4], [-1, 0]])
    np.testing.assert_array_equal(grads["bias"], [0, 2])


@pytest.mark.parametrize("n", [NARROW, NARROW + 1])
@pytest.mark.parametrize("leading", [(), (1,), (1, 1), (3,), (2, 3)])
@pytest.mark.usefixtures("float64")
def test_any_leading_axes_are_rows(leading, n):
    layer, rng = dense(n), np.random.default_rng(0)
    params = {"weight": rng.standard_normal((4, n)), "bias": rng.standard_normal(n)}
    x, y_bar = rng.standard_normal((*leading, 4)), rng.standard_normal((*leading, n))
    y, kept = layer.forward(params, x, None)
    grads, x_bar = layer.backward(params, kept, y_bar)
    np.testing.assert_allclose(y, x @ params["weight"] + params["bias"])
    np.testing.assert_allclose(x_bar, y_bar @ params["weight"].T)
    by_sum = np.einsum("ri,rj->ij", x.reshape(-1, 4), y_bar.reshape(-1, n))
    np.testing.assert_allclose(grads["weight"], by_sum)
    np.testing.assert_allclose(grads["bias"], y_bar.reshape(-1, n).sum(0))


def test_numbers_of_numpy_are_taken_as_jax_takes_them():
    params, rows = {"weight": np.eye(2), "bias": np.ones(2)}, np.ones((3, 2))
    y, kept = dense(2).forward(params, rows, None)
    grads, x_bar = dense(2).backward(params, kept, rows)
    assert {a.dtype for a in (y, x_bar, *grads.values())} == {np.dtype("float32")}
    np.testing.assert_array_equal(grads["bias"], [3, 3])


@pytest.mark.parametrize("gain", [2.0, 1 / 3])
def test_weights_start_with_variance_gain_over_inputs(gain):
    params, _ = dense(400, gain=gain).init(KEY, (100,))
    weight = np.asarray(params["weight"])
    # The variance of a uniform variance's estimate is 4/5 σ⁴ / N.
    assert weight.var() == pytest.approx(gain / 100, rel=5 * (0.8 / weight.size) ** 0.5)
    assert abs(weight.mean()) < 5 * weight.std() / weight.size**0.5
    assert np.abs(weight).max() <= (3 * gain / 100) ** 0.5
    assert not params["bias"].any()


def test_without_bias_there_is_none():
    params, _ = dense(3, bias=False).init(KEY, (2,))
    y, kept = dense(3, bias=False).forward(params, jnp.zeros((1, 2)), None)
    grads, _ = dense(3, bias=False).backward(params, kept, y)
    assert set(params) == set(grads) == {"weight"}
    assert not y.any()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: dense(0), "n must be >= 1, got 0"),
        (lambda: dense(3, gain=0.0), "gain"),
        (lambda: dense(3, gain=float("nan")), "gain"),
        (lambda: dense(3).init(KEY, (2, 2)), r"shape \(m,\), got \(2, 2\)"),
    ],
)
def test_bad_arguments_are_refused_by_name(make, match):
    with pytest.raises(ValueError, match=match):
        make()
