"""Randomness is a pure function of a key, an example and a position."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.keys import (
    draw_bytes,
    draw_normal,
    draw_unit,
    example_keys,
    fold_in,
    per_example,
    require_key,
    uniform,
)
from jaxdigits.layers import dense, dropout

KEY = jax.random.key(7)
FOUR = jax.random.split(KEY, 4)


def data(key):
    return np.asarray(jax.random.key_data(key))


def test_fold_in_serves_one_key_and_one_per_example_alike():
    one_by_one = [data(jax.random.fold_in(key, 3)) for key in FOUR]
    np.testing.assert_array_equal(data(fold_in(FOUR, 3)), one_by_one)
    np.testing.assert_array_equal(data(fold_in(KEY, 3)), data(jax.random.fold_in(KEY, 3)))
    assert fold_in(None, 3) is None


def test_the_key_of_an_example_depends_on_its_index_alone():
    keys = data(example_keys(KEY, jnp.arange(6)))
    np.testing.assert_array_equal(data(example_keys(KEY, jnp.array([5, 2]))), keys[[5, 2]])
    assert len(np.unique(keys, axis=0)) == 6


def test_one_key_for_a_batch_is_split_into_one_per_example():
    np.testing.assert_array_equal(data(per_example(KEY, 4)), data(FOUR))
    assert per_example(FOUR, 4) is FOUR


def test_bytes_are_uniform():
    count = np.bincount(np.ravel(draw_bytes(KEY, 64, (32, 257))), minlength=256)
    mean = 64 * 32 * 257 / 256
    assert len(count) == 256
    assert np.abs(count - mean).max() < 5 * mean**0.5


def test_bytes_of_an_example_do_not_depend_on_its_batch():
    whole = draw_bytes(FOUR, 4, (3, 5))
    np.testing.assert_array_equal(draw_bytes(FOUR[1:3], 2, (3, 5)), whole[1:3])
    np.testing.assert_array_equal(draw_bytes(FOUR, 4, (3, 5), axis=1), whole.swapaxes(0, 1))


@pytest.mark.parametrize("keys", [FOUR, jax.random.split(jax.random.key(1, impl="rbg"), 4)])
@pytest.mark.parametrize("axis", [0, 1])
def test_units_are_the_numbers_of_jax_itself(keys, axis):
    draw = lambda key: jax.random.uniform(key, (5, 7))
    wanted = jax.vmap(draw, out_axes=axis)(keys)
    np.testing.assert_array_equal(draw_unit(keys, 4, (5, 7), axis), wanted)


def test_normal_numbers_are_normal():
    drawn = np.asarray(draw_normal(KEY, 4, (100, 501)))
    assert drawn.shape == (4, 100, 501)
    for power, moment in enumerate((0, 1, 0, 3), start=1):
        assert abs((drawn**power).mean() - moment) < 0.05
    shares = [(drawn < x).mean() for x in (-1.96, -1, 0, 1, 1.96)]
    np.testing.assert_allclose(shares, [0.025, 0.1587, 0.5, 0.8413, 0.975], atol=0.005)
    assert np.abs(drawn).max() < 4.4


def test_uniform_numbers_have_the_variance_and_come_from_the_key_alone():
    numbers = np.asarray(uniform(KEY, (40, 100), 0.25))
    assert numbers.var() == pytest.approx(0.25, rel=5 * (0.8 / 4000) ** 0.5)
    assert np.abs(numbers).max() <= 0.75**0.5
    np.testing.assert_array_equal(uniform(KEY, (100, 40), 0.25).ravel(), numbers.ravel())


@pytest.mark.parametrize("width", [1, 4, 6])
def test_a_longer_first_axis_only_adds_rows(width):
    longer = draw_bytes(FOUR, 4, (9, width))
    np.testing.assert_array_equal(draw_bytes(FOUR, 4, (5, width)), longer[:, :5])


@pytest.mark.parametrize(
    ("key", "match"),
    [
        (None, r"rain draws random numbers: pass a key, jax.random.key\(seed\)"),
        (0, "rain takes one typed key .*int"),
        (np.zeros(2, np.uint32), "rain takes one typed key .*uint32"),
        (FOUR.reshape(2, 2), r"rain takes one typed key .*\(2, 2\)"),
    ],
)
def test_what_is_not_a_key_is_refused(key, match):
    with pytest.raises(ValueError, match=match):
        require_key(key, "rain")
    if key is not None:
        with pytest.raises(ValueError, match="typed key"):
            fold_in(key, 0)


@pytest.mark.parametrize("key", [None, np.zeros(2, np.uint32)], ids=["none", "legacy"])
@pytest.mark.parametrize(
    "draw",
    [
        lambda key: draw_bytes(key, 2, (3,)),
        lambda key: draw_normal(key, 2, (3,)),
        lambda key: per_example(key, 2),
        lambda key: example_keys(key, jnp.arange(2)),
        lambda key: uniform(key, (3,), 1.0),
        lambda key: dropout(0.5).forward((), jnp.ones((2, 3)), key),
        lambda key: dense(3).init(key, (2,)),
    ],
)
def test_every_draw_refuses_it_in_one_line(draw, key):
    with pytest.raises(ValueError, match=r"pass a key|takes one typed key") as caught:
        draw(key)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("batch", [1, 3, 5])
def test_a_wrong_number_of_keys_is_refused(batch):
    with pytest.raises(ValueError, match=f"got 4 keys for a batch of {batch}"):
        draw_bytes(FOUR, batch, (2,))


def by_jax(keys, shape, axis):
    """The same bytes from `jax.random.bits`, word by word."""
    words = (*shape[:-1], -(-shape[-1] // 4))
    draw = lambda key: np.asarray(jax.random.bits(key, words, jnp.uint32)).view(np.uint8)
    return np.stack([draw(key)[..., : shape[-1]] for key in keys], axis)


SHAPES = [((5,), 0), ((8,), 0), ((3, 6), 0), ((3, 6), 1), ((1, 1), 1), ((2, 3, 9), 0),
          ((2, 3, 9), 1), ((2, 3, 9), 2), ((7, 784), 1)]  # fmt: skip


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_bytes_are_those_of_jax_bit_for_bit(shape, axis):
    wanted = by_jax(FOUR, shape, axis)
    np.testing.assert_array_equal(draw_bytes(FOUR, 4, shape, axis), wanted)
    np.testing.assert_array_equal(draw_bytes(KEY, 4, shape, axis), wanted)  # FOUR, by splitting
    np.testing.assert_array_equal(
        draw_bytes(FOUR[:1], 1, shape, axis), by_jax(FOUR[:1], shape, axis)
    )


def test_bytes_are_the_same_in_any_transformation():
    shape, population = (3, 6), jax.random.split(KEY, (2, 4))
    draw = jax.jit(lambda keys: draw_bytes(keys, 4, shape, axis=1))
    wanted = np.stack([by_jax(keys, shape, 1) for keys in population])
    np.testing.assert_array_equal(draw(population[1]), wanted[1])
    np.testing.assert_array_equal(jax.vmap(draw)(population), wanted)
    scanned = jax.lax.scan(lambda carry, keys: (carry, draw(keys)), None, population)[1]
    np.testing.assert_array_equal(scanned, wanted)
    with jax.enable_x64(True):
        np.testing.assert_array_equal(draw(population[0]), wanted[0])


def test_bytes_do_not_depend_on_how_jax_is_set_to_draw():
    wanted = by_jax(FOUR, (3, 6), 1)
    with jax.threefry_partitionable(False):
        assert (by_jax(FOUR, (3, 6), 1) != wanted).any(), "else the setting does nothing"
        np.testing.assert_array_equal(draw_bytes(FOUR, 4, (3, 6), 1), wanted)


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_another_generator_draws_as_it_does_in_jax(shape, axis):
    key = jax.random.key(7, impl="rbg")
    draw = lambda key: jax.random.bits(key, (*shape[:-1], -(-shape[-1] // 4)), jnp.uint32)
    words = np.asarray(jax.vmap(draw, out_axes=axis)(jax.random.split(key, 4)))
    drawn = draw_bytes(key, 4, shape, axis)
    np.testing.assert_array_equal(drawn, words.view(np.uint8)[..., : shape[-1]])


@pytest.mark.parametrize("axis", [-1, 2])
def test_the_batch_stays_before_the_last_axis(axis):
    with pytest.raises(ValueError, match=rf"the batch needs an axis of \(3, 6\), got {axis}"):
        draw_bytes(FOUR, 4, (3, 6), axis)
