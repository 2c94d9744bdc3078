"""A run's folder: read back to the bit, and whole even where the disk was not."""

import errno
import json
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.measure.calibration import Doubt, Step
from jaxdigits.runs import Config, RunError, load_run
from jaxdigits.runs.config_json import from_json, to_json
from jaxdigits.runs.folder import _read_doubt, append_metrics, save_params
from jaxdigits.runs.plain_files import write_json
from jaxdigits.runs.usual import config_for


def same(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    jax.tree.map(np.testing.assert_array_equal, a, b)


def no_constant(name):
    raise AssertionError(f"{name} is not JSON")


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_run_is_read_as_it_was_written(tmp_path, make_run, seeds):
    run = make_run(tmp_path / "run", seeds)
    again = load_run(tmp_path / "run")
    assert to_json(again.config) == to_json(run.config)
    same((again.params, again.statistics), (run.params, run.statistics))
    assert len(again.statistics) == 1
    leading = (2,) if seeds == 2 else ()
    assert again.statistics[0].mean.shape == (*leading, 4)


def test_a_configuration_survives_json():
    config = Config(
        "snn", "mnist", epochs=3, batch=7, learning_rate=0.5, weight_decay=0.0, smoothing=0.0,
        ema=None, patience=2, gradient="by_autodiff", seed=5,
        options={"hidden": [8], "steps": 4, "encoder": "latency", "learn": ["decay"]},
    )  # fmt: skip
    assert from_json(json.loads(json.dumps(to_json(config)))) == config


@pytest.mark.parametrize(
    "options",
    [
        dict(reset="zero", differentiate_reset=True),
        dict(neuron="alif", adaptation=0.5, reset=0.25, reset_step="same", fires="at"),
        dict(neuron="cuba_lif", learn=["synapse_decay"], spikes="several", gain=2.0),
    ],
)
def test_a_configuration_from_json_makes_the_same_neurons(options):
    options = dict(hidden=[3], steps=4, encoder="direct", threshold=0.5) | options
    config = config_for("snn", "digits", options=options)
    again = from_json(json.loads(json.dumps(to_json(config))))
    image, key = jnp.linspace(0, 1, 2 * 28 * 28).reshape(2, 28, 28), jax.random.key(0)
    logits = []
    for built in (config, again, config_for("snn", "digits", options=options | dict(gain=0.5))):
        network = built.build()(training=False)
        logits.append(network.forward(network.init(key, (28, 28))[0], image, key)[0])
    np.testing.assert_array_equal(logits[0], logits[1])
    assert not np.array_equal(logits[0], logits[2])


def test_anybody_may_read_what_the_umask_leaves_open(tmp_path, make_run):
    make_run(tmp_path / "run")
    plain = tmp_path / "plain"
    plain.touch()
    for file in (tmp_path / "run").iterdir():
        assert file.stat().st_mode == plain.stat().st_mode, file.name


def test_a_folder_with_anything_in_it_is_refused_and_left_alone(tmp_path, make_run):
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(RunError, match=f"{tmp_path} is not empty: choose another folder"):
        make_run(tmp_path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("mine", "keep")]


def test_a_file_in_the_folders_place_is_named(tmp_path, make_run):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(RunError, match=f"cannot write {folder}: ") as caught:
            make_run(folder)
        assert "\n" not in str(caught.value)


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("culprit", ["os.replace", "os.fsync", "np.savez"])
def test_a_full_disk_leaves_the_earlier_params_and_no_debris(
    tmp_path, make_run, monkeypatch, culprit
):
    run = make_run(tmp_path / "run")
    before = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()}
    monkeypatch.setattr(f"jaxdigits.runs.folder.{culprit}", full)
    zeros = jax.tree.map(np.zeros_like, run.params)
    with pytest.raises(RunError, match=r"cannot write .*run: No space left on device$"):
        save_params(tmp_path / "run", zeros, run.statistics)
    assert {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()} == before


def test_a_full_disk_stops_a_new_run_in_one_line(tmp_path, monkeypatch, make_run):
    monkeypatch.setattr("jaxdigits.runs.folder.os.replace", full)
    with pytest.raises(RunError, match=r"cannot write .*: No space left on device$"):
        make_run(tmp_path / "run")
    assert not list((tmp_path / "run").iterdir())


def test_metrics_on_a_full_disk_are_one_line(tmp_path):
    with pytest.raises(RunError, match=r"cannot write .*: No such file or directory$"):
        append_metrics(tmp_path / "absent", {"epoch": 1})


def test_what_is_not_finite_is_null_in_json(tmp_path):
    values = {"loss": float("nan"), "rates": [1.0, float("-inf")], "of": {"x": (float("inf"),)}}
    append_metrics(tmp_path, values)
    append_metrics(tmp_path, {"loss": 0.5})
    write_json(tmp_path / "result.json", values)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    wanted = {"loss": None, "rates": [1.0, None], "of": {"x": [None]}}
    for text in (lines[0], (tmp_path / "result.json").read_text()):
        assert json.loads(text, parse_constant=no_constant) == wanted
    assert json.loads(lines[1]) == {"loss": 0.5}


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 1e300}, {"temperature": "1.0"}, {"temperature": float("nan")},
        {"steps": []}, {"steps": [{"threshold": 2.0, "answers": 5, "errors": 0}]},
        {"steps": [{"threshold": 0.5, "answers": 5, "errors": 6}]},
        {"steps": [{"threshold": 0.5, "answers": 5.5, "errors": 0}]}, {"steps": 3},
    ],
)  # fmt: skip
def test_a_damaged_doubt_is_refused_by_name(change, tmp_path):
    doubt = {"temperature": 1.5, "steps": [{"threshold": 0.5, "answers": 5, "errors": 0}]}
    path = tmp_path / "doubt.json"
    path.write_text(json.dumps(doubt))
    assert _read_doubt(path) == Doubt(1.5, (Step(0.5, 5, 0),))
    path.write_text(json.dumps(doubt | change))
    with pytest.raises(RunError, match=r"doubt\.json cannot be used: ") as error:
        _read_doubt(path)
    assert "\n" not in str(error.value)


def test_a_run_without_a_doubt_has_none(tmp_path):
    assert _read_doubt(tmp_path / "doubt.json") is None
