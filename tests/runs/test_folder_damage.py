"""Whatever is wrong with a run's files: one line that names the file, and nothing executed."""

import json
import pickle
import shutil
import struct
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.runs import RunError, config_for, load_run
from jaxdigits.tree import named_leaves


@pytest.fixture(scope="session")
def good(tmp_path_factory, make_run):
    folder = tmp_path_factory.mktemp("good") / "run"
    make_run(folder)
    return folder


@pytest.fixture
def folder(good, tmp_path):
    return Path(shutil.copytree(good, tmp_path / "run"))


def refused(folder, file, what=""):
    with pytest.raises(RunError, match=what) as caught:
        load_run(folder)
    message = str(caught.value)
    assert str(folder / file) in message
    assert "\n" not in message
    assert message.rstrip(": ") != str(folder / file), "no reason given"


def edited(folder, edit):
    path = folder / "config.json"
    head = json.loads(path.read_text())
    edit(head)
    path.write_text(json.dumps(head))


def arrays(folder):
    with np.load(folder / "params.npz") as file:
        return dict(file)


def test_no_run_says_how_to_make_one(tmp_path):
    refused(
        tmp_path,
        "",
        r"is not a run folder \(no config.json\); create one with `jaxdigits train`",
    )
    refused(tmp_path / "absent", "", "no such folder; create one with `jaxdigits train`")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", '{"format": 1}', '{"format": 1, "config": [1]}', "\0", "é",
     "[" * 100_000, '{"format": 1e999}'],
)  # fmt: skip
def test_what_is_no_configuration_is_refused(folder, text):
    (folder / "config.json").write_text(text, encoding="latin-1")
    refused(
        folder, "config.json", "cannot be used: .*; bring the file back as training wrote it"
    )


def test_a_configuration_of_over_a_megabyte_is_not_read(folder):
    with open(folder / "config.json", "a") as file:
        file.write(" " * (1 << 20))
    refused(folder, "config.json", "it is too large")


EDITS = [
    (lambda c: c.update(format=2), "this version reads run format 1 only"),
    (lambda c: c["config"].pop("ema"), "lacks 'ema'"),
    (lambda c: c["config"].update(colour="red"), "has an unknown 'colour'"),
    (lambda c: c["config"].update(network="rnn"), "network must be one of"),
    (lambda c: c["config"].update(network=["mlp"]), "network must be one of"),
    (lambda c: c["config"].update(network="snn"), "snn of lif has no option 'activation'"),
    (lambda c: c["config"].update(data=5), "data must be one of .* got 5"),
    (lambda c: c["config"].update(data=[]), "data must be one of"),
    (lambda c: c["config"].update(epochs="3"), "epochs must be a whole number, got '3'"),
    (lambda c: c["config"].update(epochs=None), "epochs must be a whole number"),
    (lambda c: c["config"].update(seed=1.5), "seed must be a whole number"),
    (lambda c: c["config"].update(seeds=2.0), "seeds must be a whole number"),
    (lambda c: c["config"].update(learning_rate="fast"), "learning_rate must be a number"),
    (lambda c: c["config"].update(learning_rate=float("nan")), "learning_rate must be finite"),
    (lambda c: c["config"].update(options=None), "options must be names and values"),
    (lambda c: c["config"].update(options=[]), "options must be names and values"),
    (lambda c: c["config"].update(options={"steps": 4}), "mlp has no option 'steps'"),
    (lambda c: c["config"]["options"].update(hidden="8"), "hidden must be a whole number"),
    (lambda c: c["config"]["options"].update(hidden=[4.5]), "cannot be used"),
    (lambda c: c["config"]["options"].update(dropout_rate=float("inf")), "cannot be used"),
    (lambda c: c["config"]["options"].update(norm="spectral"), "norm must be"),
    (lambda c: c["config"]["options"].update(activation={"a": 1}), "activation must be one of"),
]


@pytest.mark.parametrize(("edit", "what"), EDITS)
def test_a_wrong_entry_of_the_configuration_is_named(folder, edit, what):
    edited(folder, edit)
    refused(folder, "config.json", what)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"hidden": [5], "norm": "batch"}, r"has shape \(784, 4\), not \(784, 5\)"),
        ({"hidden": [4, 4], "norm": "batch"}, "params lack|has shape"),
        ({"hidden": [4], "norm": "layer"}, "unexpected 'statistics/0/mean'"),
        ({"norm": None}, "params lack|unexpected"),
        ({"hidden": [10**5], "norm": "batch"}, "has shape"),
    ],
)
def test_params_of_another_network_are_refused(folder, options, what):
    edited(folder, lambda head: head["config"]["options"].update(options))
    refused(folder, "params.npz", what)


def in_8_bits(folder, name, **changes):
    whole = np.random.default_rng(0).integers(-127, 128, (784, 4)).astype(np.int8)
    own = {name: whole, name + ".scale": np.float32([0.5, 1, 2, 0.25])} | changes
    np.savez(folder / "params.npz", **arrays(folder) | own)
    return whole


def test_weights_in_8_bits_are_read_with_their_scales(folder):
    name = next(n for n, a in arrays(folder).items() if a.shape == (784, 4))
    whole = in_8_bits(folder, name)
    weight = named_leaves({"params": load_run(folder).params})[name]
    assert weight.dtype == jnp.float32
    np.testing.assert_array_equal(weight, whole * np.float32([0.5, 1, 2, 0.25]))
    in_8_bits(folder, name, **{name + ".scale": np.float32([1])})
    refused(folder, "params.npz", r"its scale float32 of shape \(1,\)")
    in_8_bits(folder, name, **{name: np.zeros((784, 4), np.int16)})
    refused(folder, "params.npz", "is int16 of shape")
    in_8_bits(folder, name, **{name + ".scale": np.float32([3e38] * 4)})
    refused(folder, "params.npz", "is not finite")


def test_params_of_so_many_seeds_are_not_those_of_one(folder):
    edited(folder, lambda head: head["config"].update(seeds=2))
    refused(folder, "params.npz", "has shape")


@pytest.mark.parametrize(
    ("network", "options", "what"),
    [
        ("mlp", {"hidden": [4] * 101}, "hidden has 101 entries, more than 100"),
        (
            "snn",
            {"hidden": [4], "steps": 10**9},
            r"steps must be in \[1, 10000\], got 1000000000",
        ),
        (
            "snn",
            {"hidden": [4], "steps": 1e9},
            "steps must be a whole number, got 1000000000.0",
        ),
        (
            "event_snn",
            {"hidden": [4], "most": 10_000},
            r"most must be in \[1, 100\], got 10000",
        ),
        ("multimodal", {"taps": 10**7}, r"taps must be in \[1, 1000\], got 10000000"),
        ("multimodal", {"bands": 10**7}, r"bands must be in \[1, 10000\], got 10000000"),
    ],
)
def test_a_network_that_would_be_built_for_minutes_is_refused(folder, network, options, what):
    edited(folder, lambda head: head["config"].update(network=network, options=options))
    refused(folder, "config.json", what)


def test_what_could_not_be_read_again_is_not_begun(tmp_path):
    with pytest.raises(ValueError, match=r"most must be in \[1, 100\], got 101"):
        config_for("event_snn", "digits", options={"hidden": (4,), "most": 101})
    assert not (tmp_path / "run").exists()


def test_so_many_examples_at_a_time_are_not_tried(folder):
    edited(folder, lambda head: head["config"].update(batch=10**9, microbatch=10**8))
    refused(folder, "config.json", r"microbatch must be in \[1, 16384\], got 100000000")


def test_compressed_params_are_not_unfolded(folder):
    np.savez_compressed(folder / "params.npz", **arrays(folder))
    refused(folder, "params.npz", "too large|it is compressed")


def test_missing_params_are_said_to_be_missing(folder):
    (folder / "params.npz").unlink()
    refused(
        folder,
        "params.npz",
        "is missing: the run stopped before its first epoch ended, or the file was removed",
    )


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.7, 0.95, 0.999])
def test_truncated_params_are_refused(folder, share):
    content = (folder / "params.npz").read_bytes()
    (folder / "params.npz").write_bytes(content[: int(share * len(content))])
    refused(
        folder, "params.npz", "cannot be used: .*; bring the file back as training wrote it"
    )


def test_a_flipped_bit_is_refused_or_changes_nothing(folder):
    wanted, path = arrays(folder), folder / "params.npz"
    content = path.read_bytes()
    rng, refusals = np.random.default_rng(0), 0
    everywhere = rng.integers(len(content), size=50)
    directory = len(content) - 1 - np.arange(0, 400, 20)
    for position in [*everywhere, *directory]:
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        if message := complaint(folder):
            assert str(path) in message
            assert "\n" not in message
            refusals += 1
        else:
            got = arrays(folder)
            assert all(got[name].tobytes() == wanted[name].tobytes() for name in wanted)
    assert refusals > 40


def complaint(folder):
    try:
        load_run(folder)
    except RunError as error:
        return str(error)
    return None


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_not_finite_is_refused(folder, value):
    changed = arrays(folder)
    changed["params/2/weight"][5, 1] = value
    np.savez(folder / "params.npz", **changed)
    refused(folder, "params.npz", "'params/2/weight' is not finite")


def test_params_of_another_dtype_are_refused(folder):
    changed = {name: array.astype(np.float64) for name, array in arrays(folder).items()}
    np.savez(folder / "params.npz", **changed)
    refused(folder, "params.npz", "is float64, not float32")


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def test_a_pickled_object_is_refused_and_never_unpickled(folder, tmp_path):
    crater = tmp_path / "crater"
    pickle.loads(pickle.dumps(Bomb(crater)))
    crater.unlink()  # so it would have gone off
    changed = arrays(folder) | {"params/2/weight": np.array([Bomb(crater)], dtype=object)}
    np.savez(folder / "params.npz", **changed)
    refused(folder, "params.npz", "cannot be used")
    (folder / "params.npz").write_bytes(pickle.dumps(Bomb(crater)))
    refused(folder, "params.npz", "cannot be used")
    assert not crater.exists()


def test_a_huge_declared_size_is_refused_before_anything_is_read(folder, monkeypatch):
    path = folder / "params.npz"
    content = bytearray(path.read_bytes())
    at = content.find(b"PK\1\2")
    while at >= 0:  # each entry of the directory now declares 4 GiB
        content[at + 24 : at + 28] = struct.pack("<I", 2**32 - 2)
        at = content.find(b"PK\1\2", at + 1)
    path.write_bytes(content)
    monkeypatch.setattr(np, "load", None)
    refused(folder, "params.npz", "too large")


def test_an_array_that_declares_more_than_the_machine_has_is_refused(folder):
    changed = arrays(folder)
    np.savez(folder / "params.npz", **changed)
    huge = b"'shape': (784000000000, 4), }"
    content = (
        (folder / "params.npz").read_bytes().replace(b"'shape': (784, 4), }         ", huge)
    )
    assert huge in content
    (folder / "params.npz").write_bytes(content)
    refused(folder, "params.npz", "cannot be used")
    assert jax.tree.leaves(changed)
