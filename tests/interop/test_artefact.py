"""StableHLO programs take any number of images, and files are what their manifests say."""

import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import load_exported
from jaxdigits.data.catalogue import blank
from jaxdigits.errors import DataError
from jaxdigits.interop import to_stablehlo
from jaxdigits.interop.artefact import manifest_of, write_artefact
from jaxdigits.models import multimodal, snn
from jaxdigits.train import logits_of

FEATURES = (6, 6)


@pytest.fixture(scope="module")
def network():
    """A rate-coded network and its params."""
    made = snn(hidden=8, steps=5, threshold=0.25, training=False)
    return made, made.init(jax.random.key(0), FEATURES)[0]


@pytest.fixture
def exported(network, tmp_path):
    """The file of a program of that network, of seed 4."""
    path, example = tmp_path / "a.stablehlo", blank(FEATURES, 1)
    write_artefact(path, to_stablehlo(*network, example), example, seed=4)
    return path


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (7, *FEATURES)).astype(np.uint8)


def test_a_program_draws_the_spikes_of_its_run_for_any_number_of_images(
    network, exported, image
):
    call = load_exported(exported)
    want, rates = logits_of(*network, jnp.asarray(image), jax.random.key(4))
    assert rates[0] > 0
    np.testing.assert_allclose(call(image), want, atol=1e-6)
    np.testing.assert_allclose(call(image[:1]), want[:1], atol=1e-6)
    other, _ = logits_of(*network, jnp.asarray(image), jax.random.key(5))
    assert np.abs(other - want).max() > 1e-3
    np.testing.assert_allclose(call(image, jax.random.key(5)), other, atol=1e-6)


def test_more_images_than_a_batch_have_their_own_keys(exported, image, monkeypatch):
    whole = load_exported(exported)(image)
    monkeypatch.setattr("jaxdigits.interop.artefact.BATCH", 3)
    np.testing.assert_allclose(load_exported(exported)(image), whole, atol=1e-6)


def test_a_program_of_two_senses_takes_a_dict(tmp_path):
    features = {"image": (8, 8), "sound": (2000,)}
    made = multimodal(
        image_hidden=4,
        sound_channels=3,
        sound_hidden=4,
        hidden=4,
        bands=6,
        steps=3,
        training=False,
    )
    params = jax.jit(lambda key: made.init(key, features)[0])(jax.random.key(0))
    rng = np.random.default_rng(0)
    inputs = dict(
        image=rng.integers(0, 256, (2, 8, 8)).astype(np.uint8),
        sound=rng.normal(size=(2, 2000)).astype(np.float32),
    )
    write_artefact(tmp_path / "a", to_stablehlo(made, params, inputs), inputs)
    call = load_exported(tmp_path / "a")
    want, _ = jax.jit(partial(logits_of, made))(params, inputs, jax.random.key(0))
    np.testing.assert_allclose(call(inputs), want, rtol=1e-4, atol=1e-5)
    with pytest.raises(DataError, match="takes a dict of image, sound, got image"):
        call({"image": inputs["image"]})


def test_inputs_of_another_kind_are_refused(exported, image):
    call = load_exported(exported)
    for wrong in (image / 255, image[:, :5], image[:0], image[0]):
        with pytest.raises(DataError, match=r"takes pixels as uint8 \[N, 6, 6\], got"):
            call(wrong)


def test_files_that_do_not_belong_together_are_refused(exported):
    data, manifest = exported.read_bytes(), manifest_of(exported)
    text = manifest.read_text()
    wrong, write = "is no manifest of this version", manifest.write_text
    broken = (
        ("is not the file of its manifest", lambda: exported.write_bytes(data[:-1] + b"x")),
        (wrong, lambda: write("[1]")),
        (wrong, lambda: write("[" * 100_000)),
        (wrong, lambda: write(text.replace('"dtype"', '"d"'))),
        (wrong, lambda: write(text.replace('"seed": 4', '"seed": "4"'))),
        ("is onnx: export", lambda: write(text.replace("stablehlo", "onnx"))),
        ("is missing: keep it beside", manifest.unlink),
        ("no such file", exported.unlink),
    )
    for message, breaks in broken:
        exported.write_bytes(data)
        manifest.write_text(text)
        breaks()
        with pytest.raises(DataError, match=message):
            load_exported(exported)


def test_bytes_that_are_no_program_are_refused(tmp_path):
    path = tmp_path / "a"
    for data in (b"", b"\0" * 64, np.random.default_rng(0).bytes(500)):
        write_artefact(path, data, blank(FEATURES, 1))
        with pytest.raises(DataError, match=r"is no program of jax\.export"):
            load_exported(path)


def test_the_manifest_is_json_with_a_checksum(exported):
    facts = json.loads(manifest_of(exported).read_text())
    assert facts["bytes"] == exported.stat().st_size
    assert facts["inputs"] == {"pixels": {"dtype": "uint8", "shape": [6, 6]}}
    assert len(facts["sha256"]) == 64


def test_an_export_replaces_an_earlier_one_and_no_other_file(exported, tmp_path):
    example, before = blank(FEATURES, 1), exported.read_bytes()
    write_artefact(exported, b"later", example)
    assert exported.read_bytes() == b"later" != before
    for name in ("params.npz", "notes.stablehlo"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "notes.stablehlo.json").write_text("{}")
    (tmp_path / "a.json").write_text("[]")
    for name in ("params.npz", "notes.stablehlo", "a"):  # the last has a stranger's manifest
        with pytest.raises(DataError, match="is there and is no export: choose another file"):
            write_artefact(tmp_path / name, b"", example)
    assert (tmp_path / "params.npz").read_text() == "mine"
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="is no export"):
        write_artefact(tmp_path / "folder", b"", example)
    with pytest.raises(DataError, match="no: no such folder; make it"):
        write_artefact(tmp_path / "no" / "file", b"", example)


def test_a_full_disk_leaves_the_earlier_export(exported, monkeypatch):
    before = exported.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=r"No space left on device.*a\.stablehlo"):
        write_artefact(exported, b"later", blank(FEATURES, 1))
    monkeypatch.undo()
    assert exported.read_bytes() == before
    load_exported(exported)
