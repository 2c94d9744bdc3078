"""Flatten, the channel of a grey image, and the scale of pixels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.layers import add_channel, flatten, standardise

KEY = jax.random.key(0)


@pytest.mark.parametrize("leading", [(), (2,), (3, 2)])
def test_flatten_merges_the_last_axes_row_by_row(leading):
    x = np.arange(np.prod((*leading, 3, 4, 2))).reshape(*leading, 3, 4, 2)
    layer = flatten(3)
    y, kept = layer.forward((), x, None)
    np.testing.assert_array_equal(y, x.reshape(*leading, 24))
    np.testing.assert_array_equal(layer.backward((), kept, y)[1], x)
    assert layer.init(KEY, (3, 4, 2)) == ((), (24,))


def test_a_grey_image_gets_one_channel_and_loses_it_backwards():
    x = jnp.ones((2, 3, 4))
    y, kept = add_channel().forward((), x, None)
    assert y.shape == (2, 3, 4, 1)
    assert add_channel().init(KEY, (3, 4)) == ((), (3, 4, 1))
    np.testing.assert_array_equal(add_channel().backward((), kept, y)[1], x)


def test_pixels_are_first_brought_into_0_to_1():
    layer = standardise(0.5, 0.25)
    y, kept = layer.forward((), jnp.array([0, 255], jnp.uint8), None)
    np.testing.assert_array_equal(y, [-2, 2])
    assert layer.backward((), kept, y) == ((), None)


def test_floats_are_taken_as_they_are():
    layer = standardise(0.5, 0.25)
    y, kept = layer.forward((), jnp.array([-1.0, 2.0]), None)
    np.testing.assert_array_equal(y, [-6, 6])
    np.testing.assert_array_equal(layer.backward((), kept, jnp.ones(2))[1], [4, 4])


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: flatten(0), "axes must be >= 1, got 0"),
        (lambda: flatten(2).init(KEY, (3,)), r"flatten\(2\) takes 2 feature axes, got \(3,\)"),
        (lambda: standardise(std=0.0), "std must be > 0, got 0.0"),
        (lambda: standardise().forward((), jnp.ones(2, jnp.int32), None), "got int32"),
    ],
)
def test_bad_arguments_are_refused_by_name(make, match):
    with pytest.raises(ValueError, match=match):
        make()
