"""Inputs of one sense or several, and what is drawn anew for each example."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.data import Dataset, Drawn, Packed, as_inputs, split
from jaxdigits.data.inputs import select

KEYS = jax.random.split(jax.random.key(0), 400)
LABEL = np.arange(400, dtype=np.int32) % 2
# Even recordings belong to class 0, odd ones to class 1.
SOUND = Drawn(np.arange(20.0)[:, None] * np.ones(3), np.arange(20).reshape(10, 2).T, LABEL)
IMAGE = as_inputs(np.arange(400)[:, None, None])
PACKED = Packed(np.arange(400)[:, None].astype(np.uint8), (2, 4))
BOTH = Dataset({"image": IMAGE, "sound": SOUND}, LABEL)


def test_an_array_gives_its_rows():
    np.testing.assert_array_equal(IMAGE.take(jnp.array([7, 3]), KEYS[:2]), IMAGE[[7, 3]])


def test_what_is_drawn_is_one_of_the_group_and_all_are_alike():
    rows = jnp.arange(400)
    drawn = np.asarray(SOUND.take(rows, KEYS))[:, 0].astype(int)
    np.testing.assert_array_equal(drawn % 2, LABEL)
    counts = np.bincount(drawn)
    assert counts.shape == (20,)
    assert counts.min() > 5
    assert counts.max() < 40


def test_what_is_drawn_depends_on_the_key_of_the_example_alone():
    rows = jnp.arange(400)
    whole = BOTH.inputs.take(rows, KEYS)
    some = jax.jit(lambda inputs, *a: inputs.take(*a))(BOTH.inputs, rows[5:9], KEYS[5:9])
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[5:9], b), whole, some)
    other = BOTH.inputs.take(rows, jax.random.split(jax.random.key(1), 400))
    assert (other["sound"] != whole["sound"]).any()
    np.testing.assert_array_equal(other["image"], whole["image"])


def test_one_value_a_group_is_a_choice_that_is_fixed():
    fixed = Drawn(SOUND.value, np.arange(20)[::-1, None], np.arange(20))
    np.testing.assert_array_equal(fixed.take(jnp.arange(4), KEYS[:4])[:, 0], [19, 18, 17, 16])


def test_each_kind_has_a_size_and_a_shape():
    assert IMAGE.size == SOUND.size == BOTH.inputs.size == 400
    assert BOTH.inputs.shape == {"image": (1, 1), "sound": (3,)}
    with pytest.raises(ValueError, match="each sense needs an input of each example"):
        Dataset({"image": IMAGE[:7], "sound": SOUND}, LABEL)


@pytest.mark.parametrize("inputs", [IMAGE, SOUND, BOTH.inputs, PACKED])
def test_selected_examples_are_taken_as_from_all(inputs):
    rows = np.array([5, 3, 300])
    got = select(inputs, rows).take(jnp.arange(3), KEYS[rows])
    jax.tree.map(np.testing.assert_array_equal, got, inputs.take(rows, KEYS[rows]))


@pytest.mark.parametrize("inputs", [None, 3, [object()]])
def test_other_things_are_no_inputs(inputs):
    with pytest.raises(ValueError, match=r"inputs must be an array .* or a dict of"):
        as_inputs(inputs)


def test_a_split_divides_the_values_to_draw_from_too():
    large, small = split(BOTH, (300, 100), seed=0)
    assert large.inputs["sound"].among.shape == (2, 7)
    assert small.inputs["sound"].among.shape[1] == 3
    everything = np.concatenate([part.inputs["sound"].among for part in (large, small)], 1)
    np.testing.assert_array_equal(np.sort(everything, 1), SOUND.among)
    for part in (large, small):
        np.testing.assert_array_equal(part.inputs["sound"].group, part.label)
        np.testing.assert_array_equal(part.inputs["image"][:, 0, 0] % 2, part.label)
    again = split(BOTH, (300, 100), seed=0)[0]
    np.testing.assert_array_equal(again.inputs["sound"].among, large.inputs["sound"].among)
    assert (again.inputs["sound"].among != np.sort(large.inputs["sound"].among)).any()


def test_a_value_that_a_group_has_twice_is_in_one_data_set():
    twice = replace(SOUND, among=np.array([[0, 2, 4, 0, 2, 4], [1, 3, 5, 7, 9, 11]]))
    for seed in range(5):
        parts = split(Dataset(twice, LABEL), (200, 200), seed=seed)
        of_even, of_odd = zip(*(map(set, part.inputs.among) for part in parts), strict=True)
        assert sorted([*of_even[0], *of_even[1]]) == [0, 2, 4]
        assert sorted([*of_odd[0], *of_odd[1]]) == [1, 3, 5, 7, 9, 11]


@pytest.mark.parametrize("sizes", [(1, 1, 398), (399, 1), (100,) * 4])
def test_each_data_set_of_a_split_has_something_to_draw(sizes):
    parts = split(BOTH, sizes, seed=3)
    among = [part.inputs["sound"].among.shape[1] for part in parts]
    assert min(among) >= 1
    assert sum(among) == 10


def test_a_split_into_too_many_is_refused():
    with pytest.raises(ValueError, match="10 values of a group are not enough for 20 data"):
        split(BOTH, (20,) * 20, seed=0)
