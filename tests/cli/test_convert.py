"""`jaxdigits convert`: a run of spikes is a run as any other."""

import json

import numpy as np
import pytest

from jaxdigits.data import digits
from jaxdigits.runs import load_run, predict


@pytest.fixture(scope="module")
def several(cli, tmp_path_factory):
    """The folder of two small networks of rectifiers with batch norm and dropout."""
    folder = tmp_path_factory.mktemp("several") / "run"
    args = ("--hidden", 16, "--norm", "batch", "--dropout-rate", 0.2, "--learning-rate", 0.01)
    assert cli("train", "mlp", *args, "--epochs", 4, "--seeds", 2, "--out", folder).code == 0
    return folder


def test_it_writes_a_run_that_evaluates_as_it_printed(cli, several, tmp_path):
    out = tmp_path / "spikes"
    answer = cli("convert", several, "--steps", 8, "--out", out, "--json")
    assert answer.code == 0
    result = answer.json()
    assert (result["steps"], result["run"]) == (8, str(out))
    assert json.loads((out / "result.json").read_text()) == result
    assert result["test_accuracy"] > result["accuracy_before"] - 0.05 > 0.5
    again = cli("evaluate", out, "--json")
    assert (again.code, again.json()["test_accuracy"]) == (0, result["test_accuracy"])
    new = load_run(out)
    assert (new.config.spiking_steps, new.config.options["norm"]) == (8, None)
    assert new.doubt is not None
    assert answer.err.startswith("test accuracy ")


def test_more_steps_come_nearer_to_the_rectifiers(cli, several, tmp_path):
    test = digits()[1].inputs
    want, errors = predict(load_run(several), test), []
    for steps in (2, 32):
        out = tmp_path / str(steps)
        assert cli("convert", several, "--steps", steps, "--out", out).code == 0
        errors.append(np.abs(predict(load_run(out), test) - want).mean())
    assert errors[0] > 4 * errors[1] > 0


def test_a_run_of_few_bits_converts_with_its_rounded_weights(cli, tmp_path):
    few, out = tmp_path / "few", tmp_path / "spikes"
    args = ("--hidden", 16, "--dropout-rate", 0, "--bits", 2, "--epochs", 2)
    assert cli("train", "mlp", *args, "--out", few).code == 0
    assert cli("convert", few, "--steps", 256, "--out", out).code == 0
    test = digits()[1].inputs
    want, got = (predict(load_run(folder), test) for folder in (few, out))
    assert load_run(out).config.bits is None
    assert np.abs(got - want).mean() < 0.05 * want.std()


def test_one_line_says_what_is_wrong(one_line, cli, several, two, tmp_path):
    out = tmp_path / "spikes"
    assert "steps must be" in one_line("convert", several, "--steps", 0)[1]
    assert "rate has no spiking form" in one_line("convert", two[1], "--out", out)[1]
    assert cli("convert", several, "--steps", 2, "--out", out).code == 0
    assert "is not empty" in one_line("convert", several, "--out", out)[1]
    again = one_line("convert", out, "--out", tmp_path / "again")[1]
    assert "the run has spikes already, 2 steps of them" in again
