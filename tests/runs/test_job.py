"""The main job: its protocol, the files it leaves, and how it fails."""

import json
from importlib import import_module

import jax
import numpy as np
import pytest

from jaxdigits.data import Dataset
from jaxdigits.runs import Config, RunError, load_run, predict, run_job
from jaxdigits.train import Diverged
from jaxdigits.tree import parameter_count

job = import_module("jaxdigits.runs.job")
N = 120


def config(**changes):
    options = dict(hidden=[8], norm="batch", dropout_rate=0.0)
    base = dict(epochs=2, batch=10, learning_rate=0.02, ema=0.5, options=options)
    return Config("mlp", "digits", **(base | changes))


@pytest.fixture(scope="module")
def data(small):
    """120 digits to learn from, each known by its number in its last pixel, and 30 others."""
    images = small[0].inputs[:N].copy()
    images[:, -1, -1] = np.arange(N)
    return Dataset(images, small[0].label[:N]), small[1][:30]


@pytest.fixture(scope="module")
def done(data, tmp_path_factory):
    """(outcome, folder, rows, the data sets of `fit`) of one run."""
    folder, rows, sets = tmp_path_factory.mktemp("job") / "run", [], []
    with pytest.MonkeyPatch.context() as patch:
        fit = job.fit
        spy = lambda recipe, *rest, **more: (sets.extend(rest[:2]), fit(recipe, *rest, **more))[
            1
        ]
        patch.setattr(job, "fit", spy)
        outcome = run_job(config(), *data, folder, rows.append)
    return outcome, folder, rows, sets


def numbers(part):
    return np.asarray(part.inputs[:, -1, -1]).tolist()


def strict(text):
    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_validation_is_a_twelfth_of_the_training_set_and_disjoint_from_the_rest(done, data):
    train, valid = done[3]
    assert len(valid.label) == N // 12
    assert sorted(numbers(train) + numbers(valid)) == [*range(N)]
    for part in (train, valid):
        np.testing.assert_array_equal(part.label, data[0].label[numbers(part)])


def test_the_folder_holds_the_run(done):
    outcome, folder, rows, _ = done
    names = {"config.json", "metrics.jsonl", "params.npz", "doubt.json", "checkpoints"}
    assert {p.name for p in folder.iterdir()} == names
    lines = [strict(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert lines == rows
    assert [line["epoch"] for line in lines] == [1, 2]
    best = lines[outcome.best_epoch[0] - 1]["valid_accuracy"]
    assert outcome.valid_accuracy == [best] == [max(r["valid_accuracy"] for r in lines)]
    assert outcome.seconds > 0


def test_what_was_saved_gives_the_logits_that_were_reported(done, data):
    outcome, folder, _, _ = done
    run = load_run(folder)
    assert outcome.logits.shape == (1, 30, 10)
    np.testing.assert_array_equal(predict(run, data[1].inputs), outcome.logits)
    assert outcome.parameters == parameter_count(run.params) == 784 * 8 + 16 + 8 * 10 + 10


def test_the_test_set_changes_nothing_that_is_learnt(done, data, tmp_path):
    train, test = data
    other = Dataset(255 - test.inputs[:7], (test.label[:7] + 1) % 10)
    run_job(config(), train, other, tmp_path / "run")
    wanted, got = load_run(done[1]), load_run(tmp_path / "run")
    jax.tree.map(np.testing.assert_array_equal, got[1:], wanted[1:])


def test_several_seeds_are_the_runs_of_each(done, data, tmp_path):
    many = run_job(config(seeds=2), *data, tmp_path / "run")
    run = load_run(tmp_path / "run")
    assert many.logits.shape == (2, 30, 10)
    np.testing.assert_array_equal(predict(run, data[1].inputs), many.logits)
    np.testing.assert_allclose(many.logits[0], done[0].logits[0], atol=0.05)
    assert np.abs(many.logits[1] - many.logits[0]).max() > 1
    assert many.parameters == done[0].parameters
    assert many.valid_accuracy[0] == pytest.approx(done[0].valid_accuracy[0])


@pytest.mark.parametrize("seeds", [1, 2])
def test_divergence_keeps_the_last_good_params_and_says_so(data, tmp_path, seeds):
    with pytest.raises((Diverged, RunError)) as caught:
        run_job(config(learning_rate=1e30, seeds=seeds), *data, tmp_path / "run")
    message = str(caught.value)
    assert "lower the learning rate" in message
    assert "\n" not in message
    assert seeds == 1 or "seeds [0, 1]" in message
    load_run(tmp_path / "run")  # which refuses what is not finite
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert strict(lines[0])["loss"] in (None, [None, None])


def test_a_seed_that_diverges_is_named_and_does_not_take_the_others_along(
    data, tmp_path, monkeypatch
):
    job = import_module("jaxdigits.runs.job")
    train = job._train
    monkeypatch.setattr(job, "_train", lambda *args: (*train(*args)[:-1], [1]))
    outcome = run_job(config(seeds=2), *data, tmp_path / "run")
    assert outcome.diverged == (1,)
    assert outcome.logits.shape == (2, 30, 10)


def test_nothing_is_written_for_a_job_that_cannot_be_run(data, tmp_path):
    train, test = data
    few = train[:1]
    for settings, part, what in (({"batch": 111}, train, "batch is 111, but there are 110"),
                                 ({}, few, "sizes")):  # fmt: skip
        with pytest.raises(ValueError, match=what):
            run_job(config(**settings), part, test, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_in_use_is_refused_before_training(data, tmp_path, monkeypatch):
    monkeypatch.setattr(job, "fit", None)
    (tmp_path / "mine").touch()
    with pytest.raises(RunError, match="is not empty"):
        run_job(config(), *data, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]
