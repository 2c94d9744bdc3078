"""People's own signatures: a folder for each writer, and folders that do not fit."""

import shutil

import numpy as np
import pytest
from PIL import Image

from jaxdigits.data import own_data
from jaxdigits.errors import DataError


@pytest.fixture
def folder(hands_folder, tmp_path):
    return shutil.copytree(hands_folder, tmp_path / "hands")


def read(folder):
    return own_data(folder, hands=True)


def test_each_folder_is_a_writer_and_some_are_set_apart(folder):
    data = read(folder)
    assert (data.train.classes, data.test.classes) == (6, 2)
    assert data.notes == (f"{folder} has 8 writers: 2 are set apart to test",)
    assert data.own.shape == data.train.inputs.picture.shape[1:] == (64, 128)
    assert (data.train.inputs.count == 3).all()


def test_folders_within_are_names_which_others_write_too(folder):
    for writer in folder.iterdir():
        for picture in ("0", "1"):
            (writer / "other").mkdir(exist_ok=True)
            shutil.copy(writer / f"{picture}.png", writer / "other")
    hands = read(folder).train.inputs
    np.testing.assert_array_equal(hands.count, np.tile([3, 2], 6))
    np.testing.assert_array_equal(hands.who[:, 1], np.tile([0, 1], 6))


def test_the_digest_tells_whether_pictures_changed(folder, draw_hand):
    before = read(folder).own.digest
    assert read(folder).own.digest == before
    draw_hand(0, 9).save(folder / "w0" / "0.png")
    assert read(folder).own.digest != before


def test_photographs_among_scans_are_named(folder, draw_hand):
    draw_hand(0, 0, np.linspace(255, 200, 200)).save(folder / "w0" / "0.png")
    _, mixed = read(folder).notes
    assert f"w0/0.png is a photograph and {folder}/w0/1.png a scan" in mixed
    assert "take all pictures in one way" in mixed


def remove(count):
    return lambda folder: [shutil.rmtree(folder / f"w{n}") for n in range(8 - count)]


def keep_one_picture(folder):
    for writer in folder.iterdir():
        for picture in ("1", "2"):
            (writer / f"{picture}.png").unlink()


def spoil(image):
    return lambda folder: image.save(folder / "w3" / "1.png")


two = Image.new("L", (200, 400), 255)
two.paste(0, (20, 20, 180, 60))
two.paste(0, (20, 340, 180, 380))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (remove(0), "no pictures in it; give each writer a folder of signatures"),
        (remove(1), "1 writers have two pictures of a name: add some"),
        (remove(3), "3 writers are too few for 2 parts with two each: add more"),
        (keep_one_picture, "0 writers have two pictures of a name: add some"),
        (
            spoil(Image.new("L", (80, 60), 255)),
            "1 of 24 pictures cannot be read: mend or remove them; the first is .*w3/1.png: "
            "no signature: nothing stands out from the paper",
        ),
        (spoil(two), "w3/1.png: two pieces of ink above each other: cut out one signature"),
    ],
)
def test_a_folder_that_does_not_fit_is_refused_in_one_line(folder, change, problem):
    change(folder)
    with pytest.raises(DataError, match=problem) as refused:
        read(folder)
    assert "\n" not in str(refused.value)
