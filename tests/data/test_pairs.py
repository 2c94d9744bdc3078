"""Images with recordings of the same digit: any of them, or all in turn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.data import Dataset, Sounds, any_recording, recordings_in_turn, split

LABEL = np.array([3, 1, 3, 3, 1, 3, 3, 1], np.int32)
SEEN = Dataset(np.arange(8)[:, None, None], LABEL)
HEARD_LABEL = np.array([1, 3, 3, 1, 3, 1, 9], np.int32)
HEARD = Sounds(np.arange(7.0)[:, None] * np.ones(5), HEARD_LABEL, *[np.zeros(7, np.int32)] * 2)


def heard_by(data, keys):
    """[N] which recording each example has."""
    return np.asarray(data.inputs.take(jnp.arange(8), keys)["sound"])[:, 0].astype(int)


def test_any_recording_of_the_digit_may_be_drawn():
    data, many = any_recording(SEEN, HEARD), []
    for seed in range(40):
        drawn = heard_by(data, jax.random.split(jax.random.key(seed), 8))
        np.testing.assert_array_equal(HEARD_LABEL[drawn], LABEL)
        many.append(drawn)
    assert set(np.concatenate(many)) == {0, 1, 2, 3, 4, 5}
    np.testing.assert_array_equal(data.inputs["image"].array, SEEN.inputs.array)


def test_in_turn_each_image_has_one_recording_whatever_the_key():
    data = recordings_in_turn(SEEN, HEARD)
    for seed in range(3):
        drawn = heard_by(data, jax.random.split(jax.random.key(seed), 8))
        np.testing.assert_array_equal(drawn, [1, 0, 2, 4, 3, 1, 2, 5])


def test_a_digit_with_fewer_recordings_draws_from_all_of_them():
    few = Sounds(*(a[:6] for a in HEARD))
    among = (
        any_recording(SEEN, Sounds(*(a[[0, 1, 2, 3, 4]] for a in few))).inputs["sound"].among
    )
    assert [sorted(set(row)) for row in among] == [[0, 3], [1, 2, 4]]


def test_a_split_hears_other_recordings():
    parts = split(any_recording(SEEN, HEARD), (6, 2), seed=0)
    train, valid = (set(part.inputs["sound"].among.ravel()) for part in parts)
    assert train | valid == {0, 1, 2, 3, 4, 5}
    assert not train & valid


def test_a_digit_that_nobody_speaks_is_refused():
    silent = Sounds(*(a[HEARD_LABEL != 3] for a in HEARD))
    for pair in (any_recording, recordings_in_turn):
        with pytest.raises(ValueError, match="there is no recording of the digit 3"):
            pair(SEEN, silent)
