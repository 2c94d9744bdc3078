"""The words of the generator are those of JAX, bit for bit, however they are drawn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.fast.switch import without
from jaxdigits.fast.threefry import _row_by_row, _words, draw_words

KEYS = jax.random.split(jax.random.key(7), 4)
SHAPES = [((5,), 0), ((3, 6), 0), ((3, 6), 1), ((1, 1), 1), ((2, 3, 9), 2), ((7, 196), 1)]


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_words_are_those_of_jax_at_once_row_by_row_and_plain(shape, axis):
    draw = lambda key: jax.random.bits(key, shape, jnp.uint32)
    expected = jax.vmap(draw, out_axes=axis)(KEYS)
    assert expected.shape == (*shape[:axis], 4, *shape[axis:])
    data = jax.random.key_data(KEYS)
    with without():
        plain = draw_words(KEYS, shape, axis)
    for words in (
        draw_words(KEYS, shape, axis), plain,
        _words(data, shape=shape, axis=axis), _row_by_row(data, shape=shape, axis=axis),
    ):  # fmt: skip
        assert words.dtype == jnp.uint32
        np.testing.assert_array_equal(words, expected)


def test_the_plain_words_do_not_depend_on_how_jax_is_set_to_draw_either():
    expected = draw_words(KEYS, (3, 6), 1)
    with jax.threefry_partitionable(False), without():
        np.testing.assert_array_equal(draw_words(KEYS, (3, 6), 1), expected)
