"""MNIST's geometry, and the bundled digits in it."""

import gzip
import hashlib
import subprocess
import sys
from importlib import import_module

import jax
import numpy as np
import pytest

from jaxdigits.data import DATASETS, DataError, digits
from jaxdigits.data.geometry import centred, resampling

module = import_module("jaxdigits.data.digits")  # the function has the same name


def centre_of_mass(image):
    mass = image.sum((1, 2), dtype=float)
    i = np.arange(image.shape[1])
    return np.stack([image.sum(2) @ i, image.sum(1) @ i], -1) / mass[:, None]


@pytest.mark.parametrize("n_out", [1, 2, 5, 8, 13, 20])
@pytest.mark.parametrize("n_in", [1, 3, 8, 20, 31])
def test_resampling_keeps_even_lines_even(n_in, n_out):
    w = resampling(n_in, n_out)
    assert w.shape == (n_out, n_in)
    assert (w >= 0).all()
    np.testing.assert_allclose(w.sum(1), 1, rtol=1e-12)


def test_resampling_shrinks_by_area_and_leaves_its_size_alone():
    np.testing.assert_array_equal(resampling(5, 5), np.eye(5))
    np.testing.assert_array_equal(resampling(4, 2) @ [1, 3, 5, 9], [2, 7])
    # 3 pixels into 2: each covers one and a half
    np.testing.assert_allclose(resampling(3, 2) @ [3, 6, 9], [4, 8], rtol=1e-12)


def test_resampling_enlarges_along_straight_lines():
    line = np.random.default_rng(0).random(8)
    x = (np.arange(20) + 0.5) * 8 / 20 - 0.5
    expected = np.interp(x, np.arange(8), line)
    np.testing.assert_allclose(resampling(8, 20) @ line, expected, rtol=1e-12)


def test_centred_moves_ink_to_the_middle_and_loses_none():
    ink = np.random.default_rng(0).integers(0, 256, (50, 20, 14)).astype(np.uint8)
    ink[:, :10] //= 8
    moved = centred(ink)
    assert moved.dtype == np.uint8
    assert np.abs(centre_of_mass(moved) - 14).max() <= 0.5
    for before, after in zip(ink, moved, strict=True):
        top, left = np.argwhere(after)[:, 0].min(), np.argwhere(after)[:, 1].min()
        np.testing.assert_array_equal(after[top : top + 20, left : left + 14], before)
        assert after.sum(dtype=int) == before.sum(dtype=int)


def test_centred_keeps_ink_inside_whose_mass_is_at_an_edge():
    ink = np.zeros((2, 20, 20), np.uint8)
    ink[:, 0, 0] = 255
    ink[0, 19, 19] = ink[1, 19, 0] = 1
    moved = centred(ink)
    assert moved[0, 8, 8] == 255
    assert moved[0, 27, 27] == 1
    np.testing.assert_array_equal(centred(np.zeros((1, 28, 28), np.uint8)), 0)


@pytest.fixture(scope="module")
def data():
    return digits()


def test_digits_are_what_they_say(data):
    assert [len(part.label) for part in data] == [1437, 360]
    for part in data:
        assert part.inputs.array.shape == (len(part), 28, 28)
        assert (part.inputs.array.dtype, part.label.dtype) == (np.uint8, np.int32)
        share = np.array([178, 182, 177, 183, 181, 182, 181, 179, 174, 180]) / 1797
        assert np.abs(np.bincount(part.label) - share * len(part.label)).max() <= 1


def test_digits_have_the_geometry_of_mnist(data):
    for image in (part.inputs.array for part in data):
        assert np.abs(centre_of_mass(image) - 14).max() <= 0.5
        rows, columns = image.any(2).sum(1), image.any(1).sum(1)
        assert max(rows.max(), columns.max()) == 20
        assert image.max() == 255


def test_digits_are_the_small_pictures_interpolated():
    small, _ = module._read(module._bundled())
    large = module._enlarged(small[:20])
    x = (np.arange(20) + 0.5) * 8 / 20 - 0.5
    for s, y in zip(small[:20], large, strict=True):
        rows = np.stack([np.interp(x, np.arange(8), line) for line in s])
        both = np.stack([np.interp(x, np.arange(8), line) for line in rows.T]).T
        assert np.abs(y - both * 255 / 16).max() <= 0.5 + 1e-9


def test_train_and_test_share_no_example_and_lose_none(data):
    small, label = module._read(module._bundled())
    whole = centred(module._enlarged(small))
    rows = lambda image, label: sorted(
        (d, i.tobytes()) for i, d in zip(image, label, strict=True)
    )
    together = rows(*map(np.concatenate, zip(*map(jax.tree.leaves, data), strict=True)))
    assert together == rows(whole, label)


def test_digits_are_the_same_bytes_on_every_machine(data):
    digest = hashlib.sha256(b"".join(a.tobytes() for a in jax.tree.leaves(data)))
    expected = "ef361e5704fa0d79c2b96ae50c7584370bfad16cc05a7153bdb07b21d910aa17"
    assert digest.hexdigest() == expected


def test_nothing_heavy_is_imported():
    code = (
        "import sys; from jaxdigits.data import digits; digits();"
        "print([m for m in ('sklearn', 'pooch', 'PIL', 'scipy.ndimage') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("[]\n", "")


def test_a_missing_scikit_learn_is_named(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        digits()


def csv(*, rows=1797, columns=65, value=0):
    line = ",".join([str(value)] * (columns - 1) + ["0"])
    return gzip.compress("\n".join([line] * rows).encode())


@pytest.mark.parametrize(
    "content",
    [b"", b"text", csv()[:-20], gzip.compress(b"a,b\n"), csv(rows=9), csv(columns=64),
     csv(value=17), csv(value=-1), csv(value=0.5), gzip.compress(b"9" * 25),
     gzip.compress(b"9" * 5000), gzip.compress(b"," * 2_000_000), b"x" * 2_000_000],
    ids=["empty", "text", "cut", "words", "rows", "columns", "above", "below", "fraction",
         "beyond 64 bits", "beyond Python", "swells", "large"],
)  # fmt: skip
def test_a_bad_file_is_refused_by_name(monkeypatch, tmp_path, content):
    path = tmp_path / "digits.csv.gz"
    path.write_bytes(content)
    monkeypatch.setattr(module, "_bundled", lambda: path)
    with pytest.raises(DataError, match=r"digits\.csv\.gz: .*pip install") as caught:
        digits()
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused_by_name(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_bundled", lambda: tmp_path / "digits.csv.gz")
    with pytest.raises(DataError, match=r"digits\.csv\.gz"):
        digits()


def test_the_catalogue_names_the_functions():
    assert DATASETS["digits"] is digits
