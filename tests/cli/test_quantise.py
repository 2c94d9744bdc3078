"""`jaxdigits quantise`: a run of few bits is a run as any other."""

import json

import numpy as np

from jaxdigits.quantise import quantise
from jaxdigits.runs import load_run
from jaxdigits.tree import named_leaves


def test_it_writes_a_run_that_evaluates_as_it_printed(cli, trained, tmp_path):
    out = tmp_path / "run4"
    answer = cli("quantise", trained[1], "--bits", 4, "--out", out, "--json")
    assert answer.code == 0
    result = answer.json()
    assert result["accuracy_before"] == trained[0].json()["test_accuracy"]
    assert (result["bits"], result["run"]) == (4, str(out))
    assert json.loads((out / "result.json").read_text()) == result
    again = cli("evaluate", out, "--json")
    assert (again.code, again.json()["test_accuracy"]) == (0, result["test_accuracy"])
    old, new = load_run(trained[1]), load_run(out)
    assert (old.config.bits, new.config.bits, new.doubt is None) == (None, 4, False)
    floats, few = named_leaves(old.params), named_leaves(new.params)
    for name, leaf in few.items():
        expected = quantise(floats[name], 4).value if "weight" in name else floats[name]
        np.testing.assert_allclose(leaf, expected, rtol=1e-6)
    assert answer.err.startswith("test accuracy ")


def test_each_of_several_networks_has_its_own_scales(cli, two, tmp_path):
    out = tmp_path / "run3"
    assert cli("quantise", two[1], "--bits", 3, "--out", out).code == 0
    old, new = (named_leaves(load_run(folder).params) for folder in (two[1], out))
    name = next(name for name in new if "weight" in name)
    for i in range(2):
        expected = quantise(old[name][i], 3).value
        np.testing.assert_allclose(new[name][i], expected, rtol=1e-6)


def test_errors_are_one_line(cli, one_line, trained, tmp_path):
    for bits in (0, 33):
        code, line = one_line("quantise", trained[1], "--bits", bits)
        assert (code, line) == (2, f"bits must be in [1, 8], got {bits}")
    out = tmp_path / "run8"
    assert cli("quantise", trained[1], "--out", out).code == 0
    code, line = one_line("quantise", out, "--bits", 2, "--out", tmp_path / "run2")
    assert (code, line.split(":")[0]) == (1, "the run has weights of 8 bits already")
    code, line = one_line("quantise", trained[1], "--out", out)
    assert (code, "is not empty" in line) == (1, True)
    assert "no such folder" in one_line("quantise", tmp_path / "absent")[1]


def test_training_with_few_bits_is_in_the_configuration(cli, tmp_path):
    small = ("--hidden", 8, "--epochs", 1, "--batch", 64)
    answer = cli("train", "mlp", *small, "--bits", 2, "--out", tmp_path / "run", "--json")
    assert answer.code == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["config"]["bits"] == 2
    again = cli("evaluate", tmp_path / "run", "--json").json()
    assert again["test_accuracy"] == answer.json()["test_accuracy"]
