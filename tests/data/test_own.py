"""People's own images: folders of pictures, IDX files, `.npz`; and each way to be wrong."""

import gzip
import struct

import numpy as np
import pytest
from PIL import Image

from jaxdigits.data import DataError, Own, digits, facts_of, own_data, read_picture
from jaxdigits.data.own import read_as

TRAIN, TEST = digits()
NAMES = ("ash", "birch", "cedar")
FEW = np.flatnonzero(TRAIN.label < 3)[:30]


def idx(array):
    head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return head + array.astype(np.uint8).tobytes()


def pictures(folder, shown=lambda image: image, rows=FEW, names=NAMES):
    for n in rows:
        home = folder / names[TRAIN.label[n]]
        home.mkdir(parents=True, exist_ok=True)
        Image.fromarray(shown(TRAIN.inputs[n])).save(home / f"{n:04d}.png")
    return folder


def on_paper(image):
    return np.kron(255 - image, np.ones((2, 2), np.uint8))


def same(a, b):
    for one, other in ((a.train, b.train), (a.test, b.test)):
        np.testing.assert_array_equal(one.inputs[:], other.inputs[:])
        np.testing.assert_array_equal(one.label, other.label)


def test_small_light_digits_are_taken_as_they_are_and_a_fifth_is_set_apart(tmp_path):
    place = pictures(tmp_path / "trees")
    (place / "ash" / "notes.txt").write_text("no picture")
    (place / ".hidden").mkdir()
    data = own_data(place)
    assert data.own[:3] == ((28, 28), NAMES, True)
    assert (len(data.train), len(data.test)) == (24, 6)
    assert data.notes == (f"{place} has no test set: 6 of its examples are set apart",)
    sums = lambda image: sorted(image.sum((1, 2), dtype=int).tolist())
    both = np.concatenate([data.train.inputs[:], data.test.inputs[:]])
    assert sums(both) == sums(TRAIN.inputs[FEW])
    for part in (data.train, data.test):
        for image, label in zip(part.inputs[:], part.label, strict=True):
            match = (TRAIN.inputs[FEW] == image).all((1, 2))
            assert label in TRAIN.label[FEW][match]
    same(own_data(place), data)
    assert own_data(place).own == data.own
    (place / "ash" / "more.png").write_bytes(next((place / "ash").glob("*.png")).read_bytes())
    assert own_data(place).own.digest != data.own.digest


def test_other_pictures_are_prepared_and_read_so_again(tmp_path):
    place = pictures(tmp_path / "trees", on_paper)
    data = own_data(place)
    assert not data.own.as_is
    assert data.notes[1] == "pictures are cut out, scaled and centred as digits of 28×28 pixels"
    path = sorted((place / "ash").iterdir())[0]
    prepared = read_picture(path)
    assert (data.train.inputs[:] == prepared).all((1, 2)).any()
    np.testing.assert_array_equal(read_as(path, data.own), prepared)
    # A run of pictures taken as they are prepares one on paper, and takes one that is light.
    np.testing.assert_array_equal(read_as(path, data.own._replace(as_is=True)), prepared)
    light = pictures(tmp_path / "light") / path.relative_to(place)
    image = TRAIN.inputs[int(path.stem)]
    np.testing.assert_array_equal(read_as(light, Own((28, 28), NAMES)), image)
    with pytest.raises(DataError, match=r"28×28 pixels, or dark .* reads 30×28, .*: resize or"):
        read_as(light, Own((30, 28), NAMES))


def test_a_test_set_beside_it_is_used_and_numbers_are_sorted_as_numbers(tmp_path):
    names = ("10", "9", "2")
    for part, rows in (("training", FEW[:20]), ("testing", FEW[20:])):
        pictures(tmp_path / part, rows=rows, names=names)
    data = own_data(tmp_path)
    assert data.own.names == ("2", "9", "10")
    note = f"{tmp_path} has no example of classes 3, 4, 5, 6, 7, 8: add some, or ignore this"
    assert (len(data.train), len(data.test), data.notes) == (20, 10, (note,))


@pytest.mark.parametrize(
    ("labels", "missing"),
    [
        ([0, 1, 3], "class 2"),
        ([1, 2, 5], "classes 0, 3, 4"),
        ([0, 29], "classes 1, 2, 3, 4, 5, 6, 7, 8, 9 and 19 more"),
        ([0, 1, 2], ""),
        (["1", "2"], ""),
        (["1", "3"], "class 2"),
        (["2", "four"], ""),
    ],
)
def test_numbers_without_an_example_are_named(tmp_path, labels, missing):
    label = np.array([labels[i % len(labels)] for i in range(30)])
    np.savez(tmp_path / "a.npz", image=TRAIN.inputs[:30], label=label)
    notes = own_data(tmp_path / "a.npz").notes
    wanted = f"{tmp_path / 'a.npz'} has no example of {missing}: add some, or ignore this"
    assert notes[1:] == ((wanted,) if missing else ())


IDX = {
    "train-images{}3-ubyte": TRAIN.inputs[:30],
    "train-labels{}1-ubyte": TRAIN.label[:30],
    "t10k-images{}3-ubyte": TEST.inputs[:9],
    "t10k-labels{}1-ubyte": TEST.label[:9],
}


@pytest.mark.parametrize(
    ("folder", "mark", "end"),
    [("", "-idx", ".gz"), ("MNIST/raw", ".idx", ""), ("raw", "-idx", "")],
)
def test_idx_files_are_found_by_their_usual_names(tmp_path, folder, mark, end):
    home = tmp_path / folder
    home.mkdir(parents=True, exist_ok=True)
    for name, array in IDX.items():
        content = idx(array)
        (home / (name.format(mark) + end)).write_bytes(
            gzip.compress(content) if end else content
        )
    data = own_data(tmp_path)
    np.testing.assert_array_equal(data.train.inputs[:], TRAIN.inputs[:30])
    np.testing.assert_array_equal(data.test.label, TEST.label[:9])
    assert data.own.names == tuple("0123456789")
    (home / (f"t10k-labels{mark}1-ubyte" + end)).unlink()
    with pytest.raises(DataError, match=r"no t10k-labels-idx1-ubyte\[.gz\] beside its partner"):
        own_data(tmp_path)


def test_arrays_of_any_size_with_texts_for_labels(tmp_path):
    rng = np.random.default_rng(0)
    image, label = rng.random((40, 12, 9)), np.array(["owl", "bat"] * 20)
    np.savez_compressed(tmp_path / "a.npz", image=image, label=label)
    data = own_data(tmp_path / "a.npz")
    assert data.own[:2] == ((12, 9), ("bat", "owl"))
    assert data.train.inputs[:].dtype == np.uint8
    assert (len(data.train), len(data.test)) == (32, 8)
    folder = tmp_path / "both"
    folder.mkdir()
    np.savez(folder / "train.npz", image=image, label=label)
    np.savez(folder / "test.npz", image=image[:4], label=label[:4])
    np.testing.assert_array_equal(
        own_data(folder).test.inputs[:], np.rint(255 * image[:4]).astype(np.uint8)
    )
    np.savez(folder / "test.npz", image=image[:4], label=np.array(["cat"] * 4))
    with pytest.raises(DataError, match="class 'cat' of the test data is not in training"):
        own_data(folder)


GOOD = dict(image=TRAIN.inputs[:30], label=TRAIN.label[:30])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(image=GOOD["image"].astype(float)), r"image must .* got float64 0.0 to 255.0"),
        (dict(image=np.full((30, 4, 4), np.nan)), "image must .* got float64 nan to nan"),
        (dict(image=GOOD["image"][..., None]), r"image must be \[N, H, W\], got \[30, 28"),
        (dict(label=GOOD["label"][:5]), r"label must be 30 whole numbers or .* \[5"),
        (dict(label=GOOD["label"] - 5), "label must be >= 0, got -5 to 4"),
        (dict(label=GOOD["label"] * 0), "only one class, '0'; two or more are needed"),
        (dict(image=GOOD["image"][:9], label=GOOD["label"][:9]), r"9 ex.* '\d' only \d; 12"),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_are_one_line(tmp_path, changes, message):
    np.savez(tmp_path / "a.npz", **GOOD | changes)
    with pytest.raises(DataError, match=message) as caught:
        own_data(tmp_path / "a.npz")
    assert str(caught.value).startswith(f"{tmp_path / 'a.npz'}: ")
    assert "\n" not in str(caught.value)


def test_files_that_do_not_fit_are_one_line(tmp_path):
    def refused(message, place=tmp_path):
        with pytest.raises(DataError, match=message) as caught:
            own_data(place)
        assert "\n" not in str(caught.value)

    refused("no such folder; pass one with a subfolder per class", tmp_path / "absent")
    refused("no data in it; .* needs a subfolder of pictures per class")
    np.savez(tmp_path / "b.npz", x=GOOD["image"])
    refused("no array 'image', it has x; write it by np.savez", tmp_path / "b.npz")
    np.savez(tmp_path / "b.npz", image=np.array([None]), label=GOOD["label"])
    refused(r"not a whole .npz of arrays \(ValueError\)", tmp_path / "b.npz")
    place = pictures(tmp_path / "trees", on_paper)
    (place / "empty").mkdir()
    refused("empty: no picture in it; add .png", place)
    (place / "empty" / "cut.png").write_bytes(b"\x89PNG")
    Image.new("L", (40, 40), 255).save(place / "empty" / "white.png")
    refused(
        "2 of 32 pictures cannot be read: mend or remove them; the first is .*cut.png", place
    )


def test_facts_of_arrays():
    assert facts_of(TRAIN).names == tuple("0123456789")
    assert facts_of(TRAIN[:9], list("abcdefghij")).names == tuple("abcdefghij")
    with pytest.raises(ValueError, match="names must be 10 different names, got 2"):
        facts_of(TRAIN, ["a", "b"])
