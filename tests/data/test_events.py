"""Event files that the tests write themselves, whole and broken, and their spikes."""

import sys

import h5py
import numpy as np
import pytest

from jaxdigits.data import (
    NMNIST_SHAPE,
    SHD_CHANNELS,
    DataError,
    SensorEvents,
    binned,
    read_nmnist,
    read_shd,
)

#        column, row, polarity, microseconds
EVENTS = [(3, 5, 1, 0), (33, 0, 0, 1_000), (0, 33, 1, 0x7FFFFF), (7, 8, 0, 299_999)]


def nmnist(path, events=EVENTS):
    words = [(x << 32 | y << 24 | p << 23 | t) for x, y, p, t in events]
    path.write_bytes(b"".join(word.to_bytes(5, "big") for word in words))
    return path


def shd(path, times, units, labels):
    with h5py.File(path, "w") as file:
        group = file.create_group("spikes")
        for name, rows, kind in (("times", times, np.float32), ("units", units, np.int16)):
            data = group.create_dataset(name, (len(rows),), h5py.vlen_dtype(kind))
            for i, row in enumerate(rows):
                data[i] = np.asarray(row, kind)
        file["labels"] = np.asarray(labels)
    return path


def test_an_event_of_n_mnist_is_read_bit_by_bit_and_in_order_of_time(tmp_path):
    events = read_nmnist(nmnist(tmp_path / "a.bin"))
    np.testing.assert_allclose(events.time, [0, 0.001, 0.299999, 8.388607])
    wanted = [(5, 3, 1), (0, 33, 0), (8, 7, 0), (33, 0, 1)]
    np.testing.assert_array_equal(events.address, wanted)


def test_events_fall_into_the_step_that_holds_their_time(tmp_path):
    spikes = binned(read_nmnist(nmnist(tmp_path / "a.bin")), 3, NMNIST_SHAPE, duration=0.3)
    assert spikes.shape == (3, 34, 34, 2)
    assert spikes.dtype == np.uint8
    # That of 8.4 s is after the end.
    assert np.argwhere(spikes).tolist() == [[0, 0, 33, 0], [0, 5, 3, 1], [2, 8, 7, 0]]


def test_two_events_in_a_step_are_one_spike():
    events = SensorEvents(np.array([0.0, 0.1, 0.5]), np.zeros((3, 1), np.int32))
    np.testing.assert_array_equal(binned(events, 2, (1,), duration=1.0), [[1], [1]])
    with pytest.raises(ValueError, match=r"these events have 1 axes, the shape is \(2, 3\)"):
        binned(events, 2, (2, 3), duration=1.0)
    for steps, duration in ((0, 1.0), (2, 0.0)):
        with pytest.raises(ValueError, match="steps must be >= 1 and duration > 0"):
            binned(events, steps, (1,), duration=duration)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "no events; get it again"),
        (b"\1" * 13, "3 bytes of an event at its end; get it again"),
        (b"\x22\0\0\0\0", r"an event at \(0, 34, 0\), outside of the sensor \(34, 34, 2\)"),
        (b"\0\xff\x80\0\0", r"an event at \(255, 0, 1\), outside of the sensor"),
    ],
)
def test_a_broken_file_of_n_mnist_is_refused_by_name(tmp_path, content, match):
    path = tmp_path / "broken.bin"
    path.write_bytes(content)
    with pytest.raises(DataError, match=match) as error:
        read_nmnist(path)
    assert "broken.bin" in str(error.value)


def test_a_missing_or_enormous_file_of_n_mnist_is_refused(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"none.bin: No such file"):
        read_nmnist(tmp_path / "none.bin")
    monkeypatch.setattr("jaxdigits.data.events.MAX_FILE", 10)
    with pytest.raises(DataError, match="over 0 MB, no N-MNIST recording"):
        read_nmnist(nmnist(tmp_path / "a.bin"))


def test_recordings_of_shd_come_in_order_of_time_with_their_labels(tmp_path):
    path = shd(tmp_path / "a.h5", [[0.5, 0.25], []], [[3, 699], []], [0, 19])
    events, labels = read_shd(path)
    np.testing.assert_array_equal(labels, [0, 19])
    np.testing.assert_array_equal(events[0].time, [0.25, 0.5])
    np.testing.assert_array_equal(events[0].address, [[699], [3]])
    assert events[1].address.shape == (0, 1)
    spikes = binned(events[0], 4, (SHD_CHANNELS,), duration=1.0)
    assert np.argwhere(spikes).tolist() == [[1, 699], [2, 3]]


@pytest.mark.parametrize(
    ("times", "units", "labels", "match"),
    [
        ([[0.5]], [[3, 4]], [0], r"recording 0 has \(1,\) times and \(2,\) channels"),
        ([[0.5]], [[700]], [0], r"recording 0: has an event at \(700,\), outside"),
        ([[0.5]], [[-1]], [0], r"recording 0: has an event at \(-1,\), outside"),
        ([[0.5], [np.nan]], [[3], [4]], [0, 1], "recording 1: has times that are not finite"),
        ([[-0.5]], [[3]], [0], "recording 0: has times .* before the beginning"),
        ([[0.5]], [[3]], [0, 1], "has 1 recordings and 2 labels"),
        ([[0.5]], [[3]], [20], "labels are not 0 to 19"),
    ],
)
def test_a_wrong_file_of_shd_is_refused_by_name(tmp_path, times, units, labels, match):
    with pytest.raises(DataError, match=match):
        read_shd(shd(tmp_path / "wrong.h5", times, units, labels))


def test_what_is_no_shd_file_is_refused(tmp_path):
    path = tmp_path / "other.h5"
    with pytest.raises(DataError, match="no such file"):
        read_shd(path)
    path.write_bytes(b"not HDF5")
    with pytest.raises(DataError, match=r"other.h5: no whole SHD file \(OSError\)"):
        read_shd(path)
    with h5py.File(path, "w") as file:
        file["labels"] = [1]
    with pytest.raises(DataError, match=r"no whole SHD file \(KeyError\)"):
        read_shd(path)


def test_a_damaged_file_of_shd_never_crashes(tmp_path):
    path = shd(tmp_path / "a.h5", [[0.5, 0.25]] * 3, [[3, 699]] * 3, [0, 1, 2])
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(100):
        changed = bytearray(content[: rng.integers(8, len(content) + 1)])
        for at in rng.integers(0, len(changed), 4):
            changed[at] = rng.integers(256)
        path.write_bytes(changed)
        try:
            read_shd(path)
        except DataError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_without_h5py_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r'pip install "jaxdigits\[events\]"'):
        read_shd(tmp_path / "a.h5")
