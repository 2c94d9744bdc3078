"""A training that goes on from another run begins with its params, and reads the same later."""

import json
from dataclasses import replace

import jax
import numpy as np
import pytest

from jaxdigits.data import Dataset
from jaxdigits.runs import (
    Checkpointing,
    RunError,
    Stopped,
    config_from,
    load_run,
    predict,
    run_job,
)
from jaxdigits.runs.config import Config
from jaxdigits.runs.config_json import from_json, to_json
from jaxdigits.runs.folder import load_config

STILL = dict(epochs=1, batch=10, learning_rate=1e-30)  # no weight changes in float32
OPTIONS = dict(hidden=[8], norm="batch", dropout_rate=0.2)


@pytest.fixture(scope="module")
def data(small):
    return small[0][:120], small[1][:30]


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """(folder, outcome) of a run of one network."""
    folder = tmp_path_factory.mktemp("start") / "one"
    config = Config("mlp", "digits", epochs=2, batch=10, learning_rate=0.02, options=OPTIONS)
    return folder, run_job(config, *data, folder)


@pytest.fixture(scope="module")
def pair(data, tmp_path_factory):
    """(folder, outcome) of a run of two networks."""
    folder = tmp_path_factory.mktemp("start") / "two"
    config = Config("mlp", "digits", seeds=2, epochs=1, batch=10, options=OPTIONS)
    return folder, run_job(config, *data, folder)


def same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_without_a_step_it_answers_as_the_run_does(run, data, tmp_path):
    config = config_from(run[0], **STILL)
    assert config.options == load_config(run[0]).options
    outcome = run_job(config, *data, tmp_path / "run")
    np.testing.assert_array_equal(outcome.logits, run[1].logits)
    same(load_run(tmp_path / "run").params, load_run(run[0]).params)
    elsewhere = run_job(replace(config, start=None), *data, tmp_path / "drawn")
    assert np.abs(elsewhere.logits - run[1].logits).max() > 1


def test_a_step_leads_on_from_there(run, data, tmp_path):
    outcome = run_job(config_from(run[0], epochs=1, batch=10), *data, tmp_path / "run")
    first = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[0])
    before = json.loads((run[0] / "metrics.jsonl").read_text().splitlines()[0])
    assert first["loss"] < before["loss"]
    assert not np.array_equal(outcome.logits, run[1].logits)


def test_several_networks_start_from_one_or_each_from_its_own(run, pair, data, tmp_path):
    from_one = run_job(config_from(run[0], seeds=2, **STILL), *data, tmp_path / "a")
    start, ends = load_run(run[0]).params, load_run(tmp_path / "a").params
    jax.tree.map(lambda s, e: np.testing.assert_array_equal(e, np.stack([s, s])), start, ends)
    assert from_one.logits.shape == (2, 30, 10)
    run_job(config_from(pair[0], seeds=2, **STILL), *data, tmp_path / "b")
    same(load_run(tmp_path / "b").params, load_run(pair[0]).params)
    with pytest.raises(RunError, match="has 2 networks: pass seeds=2"):
        config_from(pair[0], **STILL)


def test_options_of_the_run_are_usual_and_changes_win(run):
    changed = config_from(run[0], options={"dropout_rate": 0.0})
    assert changed.options == load_config(run[0]).options | {"dropout_rate": 0.0}
    assert from_json(json.loads(json.dumps(to_json(changed)))) == changed
    assert "start" not in to_json(load_config(run[0]))
    for bad in ("runs/one", {"folder": 3, "digest": ""}, {"folder": "runs/one"}):
        with pytest.raises(ValueError, match=r"must be a Start|wrong type"):
            from_json(to_json(changed) | {"start": bad})


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"hidden": (9,)}, r"'2/weight' has .* it has hidden=\(8,\): leave out hidden"),
     ({"norm": None}, "lack '2/bias', which.*; it has norm=batch: leave out norm"),
     ({"classes": 11}, r"it has 10 classes, not 11: start from a run of 11")],
)  # fmt: skip
def test_other_params_are_one_line_with_the_leaf_and_the_remedy(run, options, reason):
    with pytest.raises(RunError, match=reason) as caught:
        config_from(run[0], options=options)
    assert str(caught.value).startswith(f"{run[0]} ")
    assert "\n" not in str(caught.value)


def test_another_network_or_another_size_of_images_is_refused(run, data, tmp_path):
    config = Config("cnn", "digits", epochs=1, start=config_from(run[0]).start)
    with pytest.raises(RunError, match="it is of mlp: choose that network"):
        run_job(config, *data, tmp_path / "run")
    from jaxdigits.data import facts_of

    small = Dataset(np.zeros((20, 9, 9), np.uint8), np.arange(20) % 10)
    with pytest.raises(RunError, match=r"it reads inputs of \(28, 28\): choose such data"):
        config_from(run[0], "mine", own=facts_of(small))
    assert not (tmp_path / "run").exists()


def test_a_stopped_one_resumes_to_the_same_bits(run, data, tmp_path):
    config = config_from(run[0], epochs=2, batch=10)
    run_job(config, *data, tmp_path / "whole")
    with pytest.raises(Stopped):
        run_job(config, *data, tmp_path / "run", checkpointing=Checkpointing(stop=lambda: True))
    for checkpoints in (True, False):  # killed after an epoch, and before the first ended
        if not checkpoints:
            for path in (tmp_path / "run" / "checkpoints").iterdir():
                path.unlink()
        stored = load_config(tmp_path / "run")
        assert stored == config
        run_job(stored, *data, tmp_path / "run", checkpointing=Checkpointing(resume=True))
        same(load_run(tmp_path / "run").params, load_run(tmp_path / "whole").params)


def test_a_start_that_is_gone_or_changed_is_refused_by_name(run, pair, data, tmp_path):
    config = config_from(run[0], **STILL)
    gone = replace(config, start=config.start._replace(folder=str(tmp_path / "gone")))
    with pytest.raises(RunError, match="gone: the start of this run is not there; bring it"):
        run_job(gone, *data, tmp_path / "run")
    other = replace(config, start=config.start._replace(digest="another"))
    with pytest.raises(RunError, match="one has changed since the training began: bring its"):
        run_job(other, *data, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert predict(load_run(run[0]), data[1].inputs).shape == (1, 30, 10)
