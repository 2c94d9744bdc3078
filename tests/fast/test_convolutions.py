"""The product with a band matrix is the transposed convolution, for any sizes."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.fast import convolutions as conv
from jaxdigits.fast.convolutions import PIECE, banded_input_gradient
from jaxdigits.layers import conv2d

KEY = jax.random.key(0)
KERNELS = [(1, 1), (1, 4), (2, 2), (3, 1), (4, 3), (5, 5)]
WIDTHS = [1, PIECE - 1, PIECE, 2 * PIECE + 1]
CHANNELS = [(1, 1), (1, 5), (3, 2), (20, 1)]
SIZES = [
    (kernel, (2 + i % 3, width), CHANNELS[i % len(CHANNELS)])
    for i, (kernel, width) in enumerate(itertools.product(KERNELS, WIDTHS))
]


def transposed(outs, weight):
    """The transposed product of a VALID convolution, by JAX."""
    (n, o, p, _), (k, m, c, _) = outs.shape, weight.shape
    convolve = lambda x: jax.lax.conv_general_dilated(
        x, weight, (1, 1), "VALID", dimension_numbers=conv.IMAGES
    )
    x = jax.ShapeDtypeStruct((n, o + k - 1, p + m - 1, c), outs.dtype)
    return jax.linear_transpose(convolve, x)(outs)[0]


@pytest.mark.parametrize(("kernel", "size", "channels"), SIZES)
@pytest.mark.usefixtures("float64")
def test_it_is_the_transposed_convolution(kernel, size, channels):
    rng = np.random.default_rng(0)
    outs = rng.standard_normal((3, *size, channels[1]))
    weight = rng.standard_normal((*kernel, *channels))
    both = lambda *a: (banded_input_gradient(*a, lambda a, b: a @ b.T), transposed(*a))
    got, wanted = jax.jit(both)(outs, weight)
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)


@pytest.fixture
def asked(monkeypatch):
    """What conv2d asks of the band product, as it asks."""
    calls = []

    def instead(outs, weight, multiply_transpose):
        calls.append((weight.shape[2], multiply_transpose.keywords["precision"]))
        return banded_input_gradient(outs, weight, multiply_transpose)

    monkeypatch.setattr(conv, "banded_input_gradient", instead)
    return calls


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("kernel", [(1, 1), (2, 5), (3, 3), (4, 2)])
@pytest.mark.parametrize("channels", [conv.NARROW - 1, conv.NARROW])
@pytest.mark.usefixtures("float64")
def test_conv2d_with_few_channels_asks_for_it_and_with_many_does_not(
    asked, padding, kernel, channels
):
    layer = conv2d(2, kernel, padding=padding)

    @jax.jit
    def both(x):
        params, _ = layer.init(KEY, (5, 7, channels))
        y, vjp = jax.vjp(lambda x: layer.forward(params, x, None)[0], x)
        y_bar = jnp.cos(jnp.arange(float(y.size))).reshape(y.shape)
        return layer.backward(params, x, y_bar)[1], vjp(y_bar)[0]

    x_bar, wanted = both(np.random.default_rng(0).standard_normal((2, 5, 7, channels)))
    np.testing.assert_allclose(x_bar, wanted, rtol=1e-12, atol=1e-13)
    assert bool(asked) == (channels < conv.NARROW)


def test_strides_are_for_the_convolution(asked):
    layer = conv2d(2, 3, stride=2)
    params, _ = layer.init(KEY, (5, 5, 1))
    y, kept = layer.forward(params, jnp.ones((1, 5, 5, 1)), None)
    layer.backward(params, kept, y)
    assert not asked


def test_its_products_have_the_precision_of_the_layer(asked):
    layer = conv2d(2, precision="mixed")
    params, _ = layer.init(KEY, (5, 5, 1))
    y, kept = layer.forward(params, jnp.ones((1, 5, 5, 1)), None)
    layer.backward(params, kept, y)
    assert asked == [(1, "mixed")]
