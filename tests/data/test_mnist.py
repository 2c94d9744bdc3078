"""MNIST found, downloaded and verified; the network is a small server on this machine."""

import gzip
import hashlib
import os
import struct
import sys
from importlib import import_module

import numpy as np
import pytest

from jaxdigits.data import DataError, mnist
from jaxdigits.data.geometry import centred

module = import_module("jaxdigits.data.mnist")  # the function has the same name


def idx(array):
    head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return head + array.astype(np.uint8).tobytes()


def small_mnist():
    """Content by file name: 6 images to learn from and 4 to test on."""
    rng = np.random.default_rng(0)
    content = {}
    for name in module.FILES:
        n = 6 if name.startswith("train") else 4
        shape = (n, 28, 28) if "images" in name else (n,)
        content[name] = idx(rng.integers(0, 10, shape))
    return content


CONTENT = small_mnist()
ZIPPED = {name: gzip.compress(content, mtime=0) for name, content in CONTENT.items()}
CORRUPT = {name: gzip.compress(c[:-1] + bytes([c[-1] ^ 1])) for name, c in CONTENT.items()}
FILES = {
    name: module.File(
        (6 if name.startswith("train") else 4, *([28, 28] if "images" in name else [])),
        hashlib.sha256(content).hexdigest(),
        hashlib.sha256(ZIPPED[name]).hexdigest(),
    )
    for name, content in CONTENT.items()
}


def answer(path):
    """Each first part of the path is a mirror with its own way to be good or bad."""
    mirror, name = path.strip("/").split("/")
    name = name.removesuffix(".gz")
    return {
        "good": ZIPPED[name],
        "corrupt": CORRUPT[name],
        "short": ZIPPED[name][:-20],
        "hangs-up": (ZIPPED[name][:-20], 20),
        "page": b"<html>please sign in</html>",
        "empty": b"",
        "other": ZIPPED["t10k-images-idx3-ubyte"] + b"\0",
    }.get(mirror)


BAD_MIRRORS = ["absent", "corrupt", "short", "hangs-up", "page", "empty", "other"]


@pytest.fixture
def small(monkeypatch, tmp_path, server):
    """`mnist` with small files, an empty cache, no JAXDIGITS_DATA and one good mirror."""
    import pooch

    monkeypatch.setattr(module, "FILES", FILES)
    monkeypatch.setattr(module, "MIRRORS", (f"{server.url}/good",))
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.delenv("JAXDIGITS_DATA", raising=False)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    server.answer = answer
    server.asked.clear()
    return tmp_path / "cache" / "jaxdigits" / "mnist"


def put(folder, content, suffix=".gz"):
    folder.mkdir(parents=True, exist_ok=True)
    for name, body in content.items():
        (folder / f"{name}{suffix}").write_bytes(body)
    return folder


def same_as_content(data):
    (image, label), (test_image, test_label) = ((d.inputs.array, d.label) for d in data)
    assert (image.dtype, label.dtype) == (np.uint8, np.int32)
    assert (image.shape, test_image.shape) == ((6, 28, 28), (4, 28, 28))
    arrays = (image, label, test_image, test_label)
    return all(idx(a) == c for a, c in zip(arrays, CONTENT.values(), strict=True))


def test_the_network_is_asked_once_and_in_silence(small, server, capfd, caplog, monkeypatch):
    import pooch

    monkeypatch.setattr(pooch.get_logger(), "handlers", [caplog.handler])
    assert same_as_content(mnist())
    assert len(server.asked) == 4
    assert sorted(p.name for p in small.iterdir()) == sorted(f"{n}.gz" for n in FILES)
    assert same_as_content(mnist())
    assert len(server.asked) == 4
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_only_what_is_missing_is_downloaded(small, server):
    put(small, {name: ZIPPED[name] for name in list(FILES)[:3]})
    assert same_as_content(mnist())
    assert server.asked == ["/good/t10k-labels-idx1-ubyte.gz"]


@pytest.mark.parametrize("bad", [*BAD_MIRRORS, "dead"])
def test_after_a_bad_mirror_comes_the_next(small, server, monkeypatch, bad):
    first = "http://127.0.0.1:9/mnist" if bad == "dead" else f"{server.url}/{bad}"
    monkeypatch.setattr(module, "MIRRORS", (first, f"{server.url}/good"))
    assert same_as_content(mnist())
    assert sorted(p.name for p in small.iterdir()) == sorted(f"{n}.gz" for n in FILES)


@pytest.mark.parametrize("bad", [*BAD_MIRRORS, "dead"])
def test_without_a_good_mirror_one_line_names_the_ways_out(small, server, monkeypatch, bad):
    mirror = "http://127.0.0.1:9/mnist" if bad == "dead" else f"{server.url}/{bad}"
    monkeypatch.setattr(module, "MIRRORS", (mirror,))
    with pytest.raises(DataError, match=mirror) as caught:
        mnist()
    message = str(caught.value)
    assert "JAXDIGITS_DATA" in message
    assert "run once with a network" in message
    assert "\n" not in message
    assert list(small.iterdir()) == [], "part of a file was left behind"


def test_a_cache_that_cannot_be_written_is_named(small):
    small.parent.mkdir(parents=True)
    small.write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"cannot write MNIST to .*JAXDIGITS_DATA"):
        mnist()


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_folder_may_be_named(small, server, tmp_path, suffix):
    folder = put(tmp_path / "mine", ZIPPED if suffix else CONTENT, suffix)
    assert same_as_content(mnist(folder))
    assert same_as_content(mnist(str(folder)))
    assert not server.asked


@pytest.mark.parametrize("sub", ["", "mnist"])
def test_the_environment_names_the_folder_or_the_one_above(
    small, server, tmp_path, monkeypatch, sub
):
    put(tmp_path / "env" / sub, ZIPPED)
    monkeypatch.setenv("JAXDIGITS_DATA", str(tmp_path / "env"))
    assert same_as_content(mnist())
    assert not server.asked


@pytest.mark.parametrize("there", [0, 3])
def test_an_environment_without_all_files_is_passed_over(
    small, server, tmp_path, monkeypatch, there
):
    put(tmp_path / "env", {name: ZIPPED[name] for name in list(FILES)[:there]})
    monkeypatch.setenv("JAXDIGITS_DATA", str(tmp_path / "env"))
    assert same_as_content(mnist())
    assert len(server.asked) == 4


def test_a_named_folder_without_all_files_is_refused(small, server, tmp_path):
    folder = put(tmp_path / "mine", {name: ZIPPED[name] for name in list(FILES)[:3]})
    with pytest.raises(DataError, match="mine: no t10k-labels-idx1-ubyte"):
        mnist(folder)
    with pytest.raises(DataError, match="nowhere: no train-images-idx3-ubyte"):
        mnist(tmp_path / "nowhere")
    assert not server.asked


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", ["folder", "environment", "cache"])
def test_a_changed_file_is_refused_wherever_it_lies(small, tmp_path, monkeypatch, name, place):
    folder = put(
        small if place == "cache" else tmp_path / "mine", ZIPPED | {name: CORRUPT[name]}
    )
    if place == "environment":
        monkeypatch.setenv("JAXDIGITS_DATA", str(folder))
    with pytest.raises(DataError, match=f"{name}.gz: wrong content"):
        mnist(folder if place == "folder" else None)


def test_pooch_is_needed_only_for_the_cache(small, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    assert same_as_content(mnist(put(tmp_path / "mine", ZIPPED)))
    with pytest.raises(ImportError, match="pip install pooch"):
        mnist()


@pytest.mark.skipif("JAXDIGITS_DATA" not in os.environ, reason="needs MNIST")
def test_the_real_files_are_the_official_ones_and_we_know_their_geometry():
    train, test = mnist()
    assert (train.inputs.array.shape, test.inputs.array.shape) == (
        (60_000, 28, 28),
        (10_000, 28, 28),
    )
    for data in (train, test):
        assert data.inputs.shape == (28, 28)
        assert (data.inputs.array.dtype, data.label.dtype) == (np.uint8, np.int32)
    np.testing.assert_array_equal(train.label[:5], [5, 0, 4, 1, 9])
    np.testing.assert_array_equal(test.label[:5], [7, 2, 1, 0, 4])
    for image in test.inputs[:500]:
        rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
        box = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert max(box.shape) in (19, 20)
        np.testing.assert_array_equal(centred(box[None])[0], image)


def test_other_libraries_names_are_accepted(small, tmp_path):
    raw = put(tmp_path / "MNIST" / "raw", CONTENT, "")
    assert same_as_content(mnist(tmp_path))
    for path in list(raw.iterdir()):
        path.rename(raw / path.name.replace("-idx", ".idx"))
    assert same_as_content(mnist(raw))


def test_fashion_in_the_place_of_mnist_is_named(tmp_path):
    content = CONTENT | {"train-labels-idx1-ubyte": idx(np.array(module.FASHION))}
    put(tmp_path, content, "")
    with pytest.raises(
        DataError, match=rf"has Fashion-MNIST, .* with --data {tmp_path}, or get"
    ):
        mnist(tmp_path)
