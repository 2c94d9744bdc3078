"""Copies and one writer's pictures stay in one part; a search needs enough of each class."""

import numpy as np
import pytest
from PIL import Image

from jaxdigits.data import DataError, digits, own_data
from jaxdigits.data.own_groups import groups_of, notes_on, require_enough, rows_apart

TRAIN, _ = digits()


def pictures(folder, writers=6, each=12):
    rows = np.random.default_rng(0).permutation(np.flatnonzero(TRAIN.label < 2))
    for n, row in enumerate(rows[: writers * each]):
        home = folder / "ab"[TRAIN.label[row]]
        home.mkdir(parents=True, exist_ok=True)
        name = f"w{n % writers}_{n:03d}.png"
        Image.fromarray(TRAIN.inputs[row]).save(home / name)
    return folder


def test_groups_are_copies_and_writers_together():
    image = np.array([0, 1, 0, 2, 3, 2], np.uint8)[:, None, None]
    assert groups_of(image).tolist() == [0, 1, 0, 3, 4, 3]
    writers = ["x", "y", "z", "z", "y", "q"]
    assert groups_of(image, writers).tolist() == [0, 1, 0, 0, 1, 0]


def test_whole_groups_are_set_apart_and_classes_keep_their_share():
    label = np.tile(np.arange(4), 50)
    groups = np.repeat(np.arange(20), 10)
    rest, apart = rows_apart(label, groups, 40, seed=0)
    assert sorted([*rest, *apart]) == list(range(200))
    assert not set(groups[rest]) & set(groups[apart])
    assert 30 <= len(apart) <= 50
    assert np.bincount(label[apart]).min() >= 6
    single = rows_apart(label, np.arange(200), 40, seed=0)[1]
    assert np.bincount(label[single]).tolist() == [10] * 4
    with pytest.raises(ValueError, match="1 groups cannot be split"):
        rows_apart(label, np.zeros(200, int), 40, seed=0)


def test_a_writer_is_in_one_part(tmp_path):
    place = pictures(tmp_path / "marks")
    data = own_data(place, "_")
    assert data.own.group_by == "_"
    assert len(data.test) == 12
    assert data.groups is not None
    assert len(set(data.groups.tolist())) == 5
    alone = own_data(place)
    assert alone.groups is None
    assert alone.own.digest != data.own.digest
    with pytest.raises(DataError, match=r"no '-' in its name, which --group-by - needs"):
        own_data(place, "-")


def test_copies_are_mentioned_and_stay_together(tmp_path):
    place = pictures(tmp_path / "marks")
    paths = sorted((place / "a").iterdir())
    for path in paths[:5]:
        (place / "a" / f"copy{path.name}").write_bytes(path.read_bytes())
    data = own_data(place)
    assert f"{place} has 5 copies of other pictures: they stay in one part" in data.notes
    key = lambda part: {image.tobytes() for image in np.asarray(part.inputs[:])}
    assert not key(data.train) & key(data.test)


def test_uneven_and_small_classes_are_named(tmp_path):
    label = np.repeat([0, 1], [70, 20])
    assert notes_on(tmp_path, label, ("up", "down"), np.arange(90)) == [
        f"{tmp_path} is uneven: 70 of class up, 20 of class down"
    ]
    require_enough("x", label, ("up", "down"))
    with pytest.raises(DataError, match="x: class 'down' has 19 examples to train on, and a "):
        require_enough("x", label[:-1], ("up", "down"))
    np.savez(tmp_path / "a.npz", image=np.zeros((30, 4, 4), np.uint8), label=label[60:90])
    with pytest.raises(DataError, match="--group-by is for single pictures"):
        own_data(tmp_path / "a.npz", "_")
