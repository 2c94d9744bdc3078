"""Examples of hands: who wrote which picture, and that the key alone decides."""

import jax
import numpy as np
import pytest

from jaxdigits.augment import of_hands
from jaxdigits.data import make_hands, split_hands
from jaxdigits.errors import DataError

WRITERS, NAMES, MEDIA = 9, 3, 4
WHO = np.stack(np.meshgrid(range(WRITERS), range(NAMES), range(MEDIA), indexing="ij"), -1)
WRITER, NAME, MEDIUM = WHO.reshape(-1, 3).T
# The pixels of a picture say who wrote it.
PICTURE = np.zeros((len(WRITER), 2, 3), np.uint8)
PICTURE[:, 0] = np.stack([WRITER, NAME, MEDIUM], 1)


_taken = jax.jit(lambda inputs, rows, keys: inputs.take(rows, keys))


def taken(data):
    """The examples of a data set, drawn."""
    rows = np.arange(len(data))
    return np.asarray(_taken(data.inputs, rows, jax.random.split(jax.random.key(0), len(rows))))


@pytest.fixture(scope="module")
def drawn():
    data = make_hands(PICTURE, WRITER, NAME, hands=6)
    return data, taken(data)[:, :, :, 0]


def test_each_hand_has_two_different_pictures_of_one_name(drawn):
    _, who = drawn
    assert (who[:, :, 0, :2] == who[:, :, 1, :2]).all()
    assert (who[:, :, 0, 2] != who[:, :, 1, 2]).all()


def test_the_example_is_the_first_hand_and_the_others_are_others(drawn):
    data, who = drawn
    np.testing.assert_array_equal(who[:, 0, 0, :2], data.inputs.who)
    assert (who[:, 1:, 0, 0] != who[:, :1, 0, 0]).all()
    assert all(len({tuple(hand) for hand in row}) == 6 for row in who[:, :, 0, :2].tolist())


def test_others_write_the_same_name_but_for_a_sixth(drawn):
    _, who = drawn
    same = who[:, :, 0, 1] == who[:, :1, 0, 1]
    assert same[:, :5].all()
    assert not same[:, 5:].any()


def test_the_key_of_an_example_decides_alone(drawn):
    data, _ = drawn
    keys = jax.random.split(jax.random.key(1), 5)
    together = _taken(data.inputs, np.arange(5), keys)
    alone = _taken(data.inputs, np.array([3]), keys[3:4])
    np.testing.assert_array_equal(together[3], alone[0])


def test_writers_without_a_second_picture_are_left_out():
    few = (WRITER != 4) | (MEDIUM == 0)
    data = make_hands(PICTURE[few], WRITER[few], NAME[few])
    assert (data.classes, len(data)) == (WRITERS - 1, (WRITERS - 1) * NAMES)
    assert 4 not in taken(data)[:, :, 0, 0, 0]


def test_parts_have_different_writers():
    parts = split_hands(make_hands(PICTURE, WRITER, NAME), (5, 2, 2), seed=0)
    seen = [set(taken(part)[..., 0, 0].ravel().tolist()) for part in parts]
    assert [len(each) for each in seen] == [5, 2, 2]
    assert len(set.union(*seen)) == WRITERS


def test_pictures_of_a_hand_change_alike_and_then_each_on_its_own():
    noise = lambda keys, x: x / 2 + jax.vmap(jax.random.uniform, (0, None))(keys, x.shape[1:])
    still = lambda keys, x: x
    keys, x = jax.random.split(jax.random.key(0), 2), np.zeros((2, 3, 2, 4, 5))
    own = []
    of_hands(still, lambda keys, x: own.append(noise(keys, x)) or x)(keys, x)
    own = np.asarray(own[0]).reshape(x.shape)
    np.testing.assert_array_equal(own[:, :, 0], own[:, :, 1])
    assert len(np.unique(own.reshape(12, -1), axis=0)) == 6
    changed = np.asarray(of_hands(noise, still)(keys, x))
    assert len(np.unique(changed.reshape(12, -1), axis=0)) == 12
    np.testing.assert_array_equal(of_hands(noise, still)(keys[1:], x[1:])[0], changed[1])


def test_one_writer_alone_is_refused():
    with pytest.raises(DataError, match="there must be two writers with two signatures each"):
        make_hands(PICTURE[:4], WRITER[:4], NAME[:4])
    with pytest.raises(DataError, match="9 writers are too few for 5 parts"):
        split_hands(make_hands(PICTURE, WRITER, NAME), (1,) * 5, seed=0)
