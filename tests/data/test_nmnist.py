"""Event files of N-MNIST that the tests write themselves, whole and broken."""

import os
from importlib import import_module
from pathlib import Path

import jax
import numpy as np
import optax
import pytest

from jaxdigits.data import DataError, Dataset, nmnist, read_nmnist
from jaxdigits.models import multimodal
from jaxdigits.train import Recipe, fit

module = import_module("jaxdigits.data.nmnist")  # the function has the same name

#        column, row, polarity, microseconds
EVENTS = [(3, 5, 1, 0), (33, 0, 0, 1_000), (0, 33, 1, 0x7FFFFF), (7, 8, 0, 299_999)]


def written(path, events=EVENTS):
    words = [(x << 32 | y << 24 | p << 23 | t) for x, y, p, t in events]
    path.write_bytes(b"".join(word.to_bytes(5, "big") for word in words))
    return path


def test_an_event_of_n_mnist_is_read_bit_by_bit_and_in_order_of_time(tmp_path):
    events = read_nmnist(written(tmp_path / "a.bin"))
    np.testing.assert_allclose(events.time, [0, 0.001, 0.299999, 8.388607])
    wanted = [(5, 3, 1), (0, 33, 0), (8, 7, 0), (33, 0, 1)]
    np.testing.assert_array_equal(events.address, wanted)


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
    with pytest.raises(DataError, match=r"none.bin: no such file"):
        read_nmnist(tmp_path / "none.bin")
    monkeypatch.setattr(module, "MAX_FILE", 10)
    with pytest.raises(DataError, match="over 10 bytes"):
        read_nmnist(written(tmp_path / "a.bin"))


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.bin")
    with pytest.raises(DataError, match=r"pipe.bin: not a file"):
        read_nmnist(tmp_path / "pipe.bin")


@pytest.fixture
def folder(tmp_path):
    """Two recordings of each digit d, the later one first in time and place."""
    home = tmp_path / "nmnist"
    for part in ("Train", "Test"):
        for d in range(10):
            (home / part / str(d)).mkdir(parents=True)
            for i in (1, 0):
                written(home / part / str(d) / f"0000{i}.bin", [(d, i, 1, 1000 + 10_000 * d)])
    (home / "Train" / "3" / "readme.txt").write_text("no recording")
    return home


def test_a_folder_comes_by_digit_and_then_by_name(folder, monkeypatch):
    listed = Path.iterdir  # in whatever order the disk has them: here backwards
    monkeypatch.setattr(Path, "iterdir", lambda p: sorted(listed(p), reverse=True))
    train, test = nmnist(folder, steps=3)
    np.testing.assert_array_equal(train.label, np.repeat(np.arange(10), 2))
    assert train.label.dtype == np.int32
    keys = jax.random.split(jax.random.key(0), 20)
    spikes = np.asarray(train.inputs.take(np.arange(20), keys))
    assert spikes.shape == (20, 3, 34, 34, 2)
    wanted = [[n, 0, n % 2, n // 2, 1] for n in range(20)]
    assert np.argwhere(spikes).tolist() == wanted
    assert len(test.label) == 20
    monkeypatch.setenv("JAXDIGITS_DATA", str(folder.parent))
    np.testing.assert_array_equal(nmnist(steps=3)[1].inputs.bits, test.inputs.bits)


def test_a_folder_that_is_missing_or_broken_is_named(folder, tmp_path, monkeypatch):
    monkeypatch.delenv("JAXDIGITS_DATA", raising=False)
    with pytest.raises(DataError, match=r"^JAXDIGITS_DATA: there is no N-MNIST; unpack Train"):
        nmnist()
    with pytest.raises(DataError, match=r"nowhere: there is no N-MNIST; unpack .* nmnist"):
        nmnist(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="steps must be >= 1"):
        nmnist(folder, steps=0)
    path = folder / "Test" / "4" / "00001.bin"
    path.write_bytes(b"\1" * 7)
    with pytest.raises(DataError, match=r"Test/4/00001.bin: 2 bytes of an event at its end"):
        nmnist(folder)
    for each in (folder / "Test" / "4").iterdir():
        each.unlink()
    with pytest.raises(DataError, match=r"Test/4: no .bin file in it"):
        nmnist(folder)
    (folder / "Test" / "4").rmdir()
    with pytest.raises(DataError, match="Test/4: No such file or directory; unpack"):
        nmnist(folder)
    monkeypatch.setattr(module, "MAX_FILES", 19)
    with pytest.raises(DataError, match="Train: 20 files, more than N-MNIST has"):
        nmnist(folder)


def test_a_network_that_sees_events_learns_from_a_folder(folder):
    train, test = (
        Dataset({"image": part.inputs}, part.label) for part in nmnist(folder, steps=4)
    )

    def network(**options):
        return multimodal(
            senses=("image",), vision="events", steps=4, image_hidden=(16,), hidden=(),
            dropout_rate=0.0, **options,
        )  # fmt: skip

    recipe = Recipe(network, optax.adam(0.05), epochs=12, batch=20)
    fitted = fit(recipe, train, test, jax.random.key(0))
    assert fitted.history[-1]["valid_accuracy"] > 0.8
