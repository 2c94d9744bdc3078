"""Events as spikes, one by one and packed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.data import Dataset, SensorEvents, binned, split
from jaxdigits.data.sensor import packed


def test_events_fall_into_the_step_that_holds_their_time():
    time = np.array([0, 0.001, 0.299999, 8.4, 1e300])
    address = np.array([[5, 3, 1], [0, 33, 0], [8, 7, 0], [33, 0, 1], [1, 1, 1]], np.int32)
    spikes = binned(SensorEvents(time, address), 3, (34, 34, 2), duration=0.3)
    assert spikes.shape == (3, 34, 34, 2)
    assert spikes.dtype == np.uint8
    # Those of 8.4 s and of 10³⁰⁰ s are after the end.
    assert np.argwhere(spikes).tolist() == [[0, 0, 33, 0], [0, 5, 3, 1], [2, 8, 7, 0]]


def test_the_last_moment_belongs_to_the_last_step():
    time, address = np.array([np.nextafter(0.3, 0)]), np.zeros((1, 1), np.int32)
    for steps in range(1, 200):
        spikes = binned(SensorEvents(time, address), steps, (1,), duration=0.3)
        assert np.flatnonzero(spikes).tolist() == [steps - 1]


def test_two_events_in_a_step_are_one_spike():
    events = SensorEvents(np.array([0.0, 0.1, 0.5]), np.zeros((3, 1), np.int32))
    np.testing.assert_array_equal(binned(events, 2, (1,), duration=1.0), [[1], [1]])
    with pytest.raises(ValueError, match=r"these events have 1 axes, the shape is \(2, 3\)"):
        binned(events, 2, (2, 3), duration=1.0)
    for steps, duration in ((0, 1.0), (2, 0.0), (2, float("inf"))):
        with pytest.raises(ValueError, match="steps must be >= 1 and duration > 0"):
            binned(events, steps, (1,), duration=duration)


@pytest.fixture(scope="module")
def spikes():
    """Ten recordings of a sensor of 3×5, packed, and the spikes that are in them."""
    rng = np.random.default_rng(0)
    recordings = [
        SensorEvents(np.sort(rng.random(20)), rng.integers(0, (3, 5), (20, 2)).astype(np.int32))
        for _ in range(10)
    ]
    wanted = np.stack([binned(each, 7, (3, 5), duration=1.0) for each in recordings])
    return packed(iter(recordings), 10, 7, (3, 5), duration=1.0), wanted


def test_packed_spikes_take_a_bit_each_and_come_back_in_a_batch(spikes):
    held, wanted = spikes
    assert 0 < wanted.mean() < 1
    assert held.bits.shape == (10, 14)  # 105 bits
    assert (held.size, held.shape) == (10, (7, 3, 5))
    rows = jnp.array([3, 3, 9])
    batch = jax.jit(lambda inputs, *a: inputs.take(*a))(
        held, rows, jax.random.split(jax.random.key(0), 3)
    )
    assert batch.dtype == np.uint8
    np.testing.assert_array_equal(batch, wanted[rows])


def test_packed_spikes_are_split_with_their_labels(spikes):
    held, wanted = spikes
    data = Dataset({"image": held}, np.arange(10) % 2)
    for part in split(data, (6, 4), seed=0):
        n = len(part.label)
        keys = jax.random.split(jax.random.key(0), n)
        batch = part.inputs.take(jnp.arange(n), keys)["image"]
        rows = [int(np.flatnonzero((wanted == x).all((1, 2, 3)))[0]) for x in np.asarray(batch)]
        np.testing.assert_array_equal(np.array(rows) % 2, part.label)
