"""Convolution against a plain loop, and against JAX's own for every stride and padding."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.layers import conv2d

KEY = jax.random.key(0)


def by_loop(x, weight, bias, stride, before, size):
    """y[i, j] = b + Σ_{a,b} x[i s + a − p, j s + b − q] W[a, b], zero beyond the image."""
    (k, m, _, channels), (h, w, _) = weight.shape, x.shape
    y = np.tile(bias, (*size, 1))
    assert y.shape == (*size, channels)
    for i, j, a, b in itertools.product(*map(range, (*size, k, m))):
        row, column = i * stride + a - before[0], j * stride + b - before[1]
        if 0 <= row < h and 0 <= column < w:
            y[i, j] += x[row, column] @ weight[a, b]
    return y


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "before", "size"),
    [
        ((3, 3), 1, "SAME", (1, 1), (5, 4)),
        ((2, 4), 1, "SAME", (0, 1), (5, 4)),  # the odd zero falls at the end
        ((3, 2), 2, "SAME", (1, 0), (3, 2)),
        ((3, 2), 1, "VALID", (0, 0), (3, 3)),
        ((2, 2), 2, "VALID", (0, 0), (2, 2)),
    ],
)
def test_forward_is_the_plain_loop(kernel, stride, padding, before, size):
    layer = conv2d(2, kernel, stride=stride, padding=padding)
    rng = np.random.default_rng(0)
    # Small whole numbers, so that every sum is exact.
    x = rng.integers(-4, 5, (5, 4, 3)).astype(np.float32)
    weight = rng.integers(-4, 5, (*kernel, 3, 2)).astype(np.float32)
    bias = np.array([1.0, -2.0], np.float32)
    y, _ = layer.forward({"weight": weight, "bias": bias}, x[None], None)
    np.testing.assert_array_equal(y[0], by_loop(x, weight, bias, stride, before, size))
    assert layer.init(KEY, x.shape)[1] == (*size, 2)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(
    ("kernel", "stride"), [((3, 2), 2), ((2, 5), 3), ((1, 2), 3), ((4, 4), 2)]
)
@pytest.mark.usefixtures("float64")
def test_every_stride_and_padding_is_that_of_jax(kernel, stride, padding):
    layer = conv2d(2, kernel, stride=stride, padding=padding, bias=False)
    params, shape = layer.init(KEY, (7, 6, 2))
    x = jax.random.normal(jax.random.key(1), (2, 7, 6, 2))
    y_bar = jax.random.normal(jax.random.key(2), (2, *shape))

    def ours(params, x):
        y, kept = layer.forward(params, x, None)
        return y, *layer.backward(params, kept, y_bar)

    def theirs(params, x):
        conv = lambda params, x: jax.lax.conv_general_dilated(
            x, params["weight"], (stride, stride), padding,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )  # fmt: skip
        y, vjp = jax.vjp(conv, params, x)
        return y, *vjp(y_bar)

    both = jax.jit(lambda *a: (ours(*a), theirs(*a)))(params, x)
    for mine, other in zip(*map(jax.tree.leaves, both), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-12, atol=1e-13)


def test_time_and_batch_are_leading_axes():
    layer = conv2d(2)
    params, _ = layer.init(KEY, (4, 3, 1))
    x = jax.random.normal(KEY, (2, 3, 4, 3, 1))
    y, _ = layer.forward(params, x, None)
    merged, _ = layer.forward(params, x.reshape(6, 4, 3, 1), None)
    alone, _ = layer.forward(params, x[1, 2], None)
    np.testing.assert_allclose(y, merged.reshape(y.shape), rtol=1e-6)
    np.testing.assert_allclose(y[1, 2], alone, rtol=1e-5, atol=1e-6)


def test_weights_start_with_variance_gain_over_inputs_of_one_output():
    params, _ = conv2d(64, 5, gain=0.5).init(KEY, (9, 9, 8))
    weight = np.asarray(params["weight"])
    wanted = 0.5 / (5 * 5 * 8)
    assert weight.var() == pytest.approx(wanted, rel=5 * (0.8 / weight.size) ** 0.5)
    assert not params["bias"].any()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: conv2d(0), "channels must be >= 1, got 0"),
        (lambda: conv2d(2, 0), "size must be >= 1, got 0"),
        (lambda: conv2d(2, (3, 0)), "size must be >= 1, got 0"),
        (lambda: conv2d(2, (3,)), r"size must be one whole number or two, got \(3,\)"),
        (lambda: conv2d(2, 2.5), "size must be a whole number, got 2.5"),
        (lambda: conv2d(2.5), "channels must be a whole number, got 2.5"),
        (lambda: conv2d(2, stride=0), "stride must be >= 1, got 0"),
        (lambda: conv2d(2, padding="FULL"), "padding .* got 'FULL'"),
        (lambda: conv2d(2, gain=-1.0), "gain"),
        (lambda: conv2d(2).init(KEY, (5, 5)), r"\(H, W, C\), got \(5, 5\)"),
        (lambda: conv2d(2, (2, 6), padding="VALID").init(KEY, (5, 5, 1)), "2×6 .* 5×5"),
    ],
)
def test_bad_arguments_are_refused_by_name(make, match):
    with pytest.raises(ValueError, match=match):
        make()


@pytest.mark.parametrize(
    ("shape", "match"),
    [
        ((2, 8, 8, 4), r"weights for 3 channels, got \(8, 8, 4\)"),
        ((8, 8), r"shape \(H, W, C\), got \(8, 8\)"),
        ((2, 2, 2, 3), "a 3×3 kernel does not fit into 2×2 without padding"),
    ],
)
def test_images_that_do_not_fit_are_refused_by_name(shape, match):
    layer = conv2d(2, padding="VALID")
    params, _ = layer.init(jax.random.key(0), (8, 8, 3))
    with pytest.raises(ValueError, match=match):
        layer.forward(params, jnp.ones(shape))


def test_a_kernel_as_large_as_the_image_fits_once():
    layer = conv2d(1, 3, padding="VALID", bias=False)
    y, _ = layer.forward({"weight": jnp.ones((3, 3, 1, 1))}, jnp.ones((1, 3, 3, 1)), None)
    assert y.item() == 9
