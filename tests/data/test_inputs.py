"""Inputs of one sense or several, and what is drawn anew for each example."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.data import Dataset, Drawn, split
from jaxdigits.data.inputs import count, features, take

KEYS = jax.random.split(jax.random.key(0), 400)
LABEL = np.arange(400, dtype=np.int32) % 2
# Even recordings belong to class 0, odd ones to class 1.
SOUND = Drawn(np.arange(20.0)[:, None] * np.ones(3), np.arange(20).reshape(10, 2).T, LABEL)
IMAGE = np.arange(400)[:, None, None]
BOTH = Dataset({"image": IMAGE, "sound": SOUND}, LABEL)


def test_an_array_gives_its_rows():
    np.testing.assert_array_equal(take(IMAGE, jnp.array([7, 3]), KEYS[:2]), IMAGE[[7, 3]])


def test_what_is_drawn_is_one_of_the_group_and_all_are_alike():
    rows = jnp.arange(400)
    drawn = np.asarray(take(SOUND, rows, KEYS))[:, 0].astype(int)
    np.testing.assert_array_equal(drawn % 2, LABEL)
    counts = np.bincount(drawn)
    assert counts.shape == (20,)
    assert counts.min() > 5
    assert counts.max() < 40


def test_what_is_drawn_depends_on_the_key_of_the_example_alone():
    rows = jnp.arange(400)
    whole = take(BOTH.image, rows, KEYS)
    some = jax.jit(take)(BOTH.image, rows[5:9], KEYS[5:9])
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[5:9], b), whole, some)
    other = take(BOTH.image, rows, jax.random.split(jax.random.key(1), 400))
    assert (other["sound"] != whole["sound"]).any()
    np.testing.assert_array_equal(other["image"], whole["image"])


def test_one_value_a_group_is_a_choice_that_is_fixed():
    fixed = Drawn(SOUND.value, np.arange(20)[::-1, None], np.arange(20))
    np.testing.assert_array_equal(take(fixed, jnp.arange(4), KEYS[:4])[:, 0], [19, 18, 17, 16])


def test_examples_are_counted_and_their_shapes_told():
    assert count(IMAGE) == count(SOUND) == count(BOTH.image) == 400
    assert features(BOTH.image) == {"image": (1, 1), "sound": (3,)}
    with pytest.raises(ValueError, match="each sense needs an input of each example"):
        count({"image": IMAGE[:7], "sound": SOUND})


def test_a_split_parts_what_is_drawn_from_too():
    large, small = split(BOTH, (300, 100), seed=0)
    assert large.image["sound"].among.shape == (2, 7)
    assert small.image["sound"].among.shape[1] == 3
    everything = np.concatenate([part.image["sound"].among for part in (large, small)], 1)
    np.testing.assert_array_equal(np.sort(everything, 1), SOUND.among)
    for part in (large, small):
        np.testing.assert_array_equal(part.image["sound"].group, part.label)
        np.testing.assert_array_equal(part.image["image"][:, 0, 0] % 2, part.label)
    again = split(BOTH, (300, 100), seed=0)[0]
    np.testing.assert_array_equal(again.image["sound"].among, large.image["sound"].among)
    assert (again.image["sound"].among != np.sort(large.image["sound"].among)).any()


def test_a_value_that_a_group_has_twice_is_of_one_part():
    twice = SOUND._replace(among=np.array([[0, 2, 4, 0, 2, 4], [1, 3, 5, 7, 9, 11]]))
    for seed in range(5):
        parts = split(Dataset(twice, LABEL), (200, 200), seed=seed)
        of_even, of_odd = zip(*(map(set, part.image.among) for part in parts), strict=True)
        assert sorted([*of_even[0], *of_even[1]]) == [0, 2, 4]
        assert sorted([*of_odd[0], *of_odd[1]]) == [1, 3, 5, 7, 9, 11]


@pytest.mark.parametrize("sizes", [(1, 1, 398), (399, 1), (100,) * 4])
def test_each_part_has_something_to_draw(sizes):
    parts = split(BOTH, sizes, seed=3)
    among = [part.image["sound"].among.shape[1] for part in parts]
    assert min(among) >= 1
    assert sum(among) == 10


def test_too_many_parts_are_refused():
    with pytest.raises(ValueError, match="10 values of a group are not enough for 20 parts"):
        split(BOTH, (20,) * 20, seed=0)
