"""Files of SHD that the tests write themselves, whole, broken, and made to do harm."""

import sys
from importlib import import_module

import h5py
import jax
import numpy as np
import pytest

from jaxdigits.data import SHD_CHANNELS, DataError, binned, read_shd, shd
from jaxdigits.layer import serial
from jaxdigits.layers import add_channel
from jaxdigits.models import snn
from jaxdigits.spikes import steps_first

module = import_module("jaxdigits.data.shd")  # the function has the same name


def written(path, times, units, labels):
    with h5py.File(path, "w") as file:
        group = file.create_group("spikes")
        for name, rows, kind in (("times", times, np.float32), ("units", units, np.int16)):
            data = group.create_dataset(name, (len(rows),), h5py.vlen_dtype(kind))
            for i, row in enumerate(rows):
                data[i] = np.asarray(row, kind)
        file["labels"] = np.asarray(labels)
    return path


def test_recordings_of_shd_come_in_order_of_time_with_their_labels(tmp_path):
    path = written(tmp_path / "a.h5", [[0.5, 0.25], []], [[3, 699], []], [0, 19])
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
        ([[-0.5]], [[3]], [0], "recording 0: has times .* below 0"),
        ([[0.5]], [[3]], [0, 1], "has 1 recordings and 2 labels"),
        ([[0.5]], [[3]], [20], "labels are not 0 to 19"),
    ],
)
def test_a_wrong_file_of_shd_is_refused_by_name(tmp_path, times, units, labels, match):
    with pytest.raises(DataError, match=match):
        read_shd(written(tmp_path / "wrong.h5", times, units, labels))


def test_another_file_is_rejected(tmp_path):
    path = tmp_path / "other.h5"
    with pytest.raises(DataError, match="no such file"):
        read_shd(path)
    path.write_bytes(b"not HDF5")
    with pytest.raises(DataError, match=r"other.h5: .* \(OSError\); download it again"):
        read_shd(path)
    with h5py.File(path, "w") as file:
        file["labels"] = [1]
    with pytest.raises(DataError, match=r"not a whole SHD file \(KeyError\)"):
        read_shd(path)


def test_without_h5py_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r'pip install "jaxdigits\[events\]"'):
        read_shd(tmp_path / "a.h5")


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "shd"
    home.mkdir()
    written(home / "shd_train.h5", [[0.5, 0.1], [0.2], []], [[3, 699], [5], []], [7, 19, 0])
    written(home / "shd_test.h5", [[1.3]], [[4]], [12])
    return home


def test_a_folder_comes_in_the_order_of_its_files(folder, monkeypatch):
    train, test = shd(folder, steps=14)
    np.testing.assert_array_equal(train.label, [7, 19, 0])
    keys = jax.random.split(jax.random.key(0), 3)
    spikes = np.asarray(train.inputs.take(np.arange(3), keys))
    assert spikes.shape == (3, 14, 700)
    assert np.argwhere(spikes).tolist() == [[0, 1, 699], [0, 5, 3], [1, 2, 5]]
    assert test.label.tolist() == [12]
    monkeypatch.setenv("JAXDIGITS_DATA", str(folder.parent))
    np.testing.assert_array_equal(shd(steps=14)[0].inputs.bits, train.inputs.bits)
    encoder = lambda steps: serial(steps_first(steps), add_channel())
    network = snn(encoder=encoder, steps=14, hidden=(8,), classes=20, training=False)
    params, _ = network.init(keys[0], (14, 700))
    logits, _ = jax.jit(network.forward)(params, spikes, keys)
    assert logits.shape == (3, 20)


def test_a_folder_that_lacks_a_file_is_named(folder, monkeypatch):
    monkeypatch.delenv("JAXDIGITS_DATA", raising=False)
    with pytest.raises(DataError, match=r"^JAXDIGITS_DATA: there is no shd_train.h5; unpack"):
        shd()
    (folder / "shd_test.h5").unlink()
    with pytest.raises(DataError, match=r"shd: there is no shd_test.h5; unpack .* shd"):
        shd(folder)
    with pytest.raises(ValueError, match="steps must be >= 1"):
        shd(folder, steps=0)


def linked(file, path):
    other = written(path.with_name("other.h5"), [[0.5]], [[3]], [0])
    del file["labels"]
    file["labels"] = h5py.ExternalLink(other, "labels")


def linked_group(file, path):
    other = written(path.with_name("other.h5"), [[0.5]], [[3]], [0])
    del file["spikes"]
    file["spikes"] = h5py.ExternalLink(other, "spikes")


def outside(file, path):
    secret = path.with_name("secret")
    secret.write_bytes(bytes(8))
    del file["labels"]
    file.create_dataset("labels", (1,), "i8", external=[(secret, 0, 8)])


def virtual(file, path):
    other = written(path.with_name("other.h5"), [[0.5]], [[3]], [0])
    layout = h5py.VirtualLayout((1,), "i8")
    layout[:] = h5py.VirtualSource(other, "labels", (1,))
    del file["labels"]
    file.create_virtual_dataset("labels", layout)


def endless(file, path):
    del file["labels"]
    file.create_dataset("labels", (10**12,), "i8", chunks=(10**6,))


def swelling(file, path):
    del file["labels"]
    file.create_dataset(
        "labels", (1,), "i8", maxshape=(None,), chunks=(4 * 10**6,), compression="gzip"
    )


def packed_twice(file, path):
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_chunk((1,))
    settings.set_deflate(9)
    settings.set_deflate(9)
    del file["labels"]
    space = h5py.h5s.create_simple((1,))
    h5py.h5d.create(file.id, b"labels", h5py.h5t.NATIVE_INT64, space, settings)


def overfull(file, path):
    del file["labels"]
    labels = file.create_dataset("labels", (1,), "i8", chunks=(1,), compression="gzip")
    labels.id.write_direct_chunk((0,), bytes(400_001), 0)


def of_text(file, path):
    del file["labels"]
    file["labels"] = [b"zero"]


def table_of_two(file, path):
    del file["labels"]
    file["labels"] = [[0, 1]]


def group(file, path):
    del file["labels"]
    file.create_group("labels")


def of_floats(file, path):
    del file["spikes/units"]
    file["spikes/units"] = [3.0]


HARM = {
    linked: "labels is a link to another place",
    linked_group: "spikes/times is a link to another place",
    outside: "labels lies in another file",
    virtual: "labels lies in another file",
    endless: "labels has 1000000000000 rows, more than 20000",
    swelling: "labels is packed in a way that SHD does not need",
    packed_twice: "labels is packed in a way that SHD does not need",
    overfull: "labels is packed in a way that SHD does not need",
    of_text: "labels has the wrong type of numbers",
    table_of_two: "labels is not a table of one axis",
    group: "labels is not a table of one axis",
    of_floats: "spikes/units has the wrong type of numbers",
}


@pytest.mark.parametrize("change", HARM)
def test_what_such_a_file_has_no_need_of_is_refused(tmp_path, change):
    path = written(tmp_path / "harm.h5", [[0.5]], [[3]], [0])
    with h5py.File(path, "r+") as file:
        change(file, path)
    with pytest.raises(DataError, match=rf"harm.h5: {HARM[change]}"):
        read_shd(path)


def test_more_events_than_bytes_are_refused(tmp_path, monkeypatch):
    path = written(tmp_path / "a.h5", [[0.5, 0.6]], [[3, 4]], [0])
    monkeypatch.setattr(module, "MAX_EVENTS", 1)
    with pytest.raises(DataError, match="recording 0 has 2 events, more than 1"):
        read_shd(path)


def test_recordings_that_share_their_events_are_refused(tmp_path):
    n, path = 100, tmp_path / "shared.h5"
    rows = [np.linspace(0, 1, 1000)] + [[]] * (n - 1)
    written(path, rows, [np.arange(len(row)) % 700 for row in rows], [0] * n)
    content = bytearray(path.read_bytes())
    with h5py.File(path) as file:
        places = [file["spikes"][name].id.get_offset() for name in ("times", "units")]
    for at in places:  # 16 bytes of each row: how many events, and where they are
        content[at : at + 16 * n] = content[at : at + 16] * n
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"recording \d+ and those before it share"):
        read_shd(path)
