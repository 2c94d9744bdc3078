"""`jaxdigits export`: a file, its manifest, and how it answers beside the run."""

import json

import jax
import numpy as np
import pytest

from jaxdigits import load_exported
from jaxdigits.data import digits
from jaxdigits.interop import read_graph
from jaxdigits.runs import config_for, load_run, predict
from jaxdigits.runs.folder import create_run, save_params


@pytest.mark.parametrize("kind", ["onnx", "stablehlo", "nir"])
def test_a_file_answers_as_the_run(cli, two, tmp_path, kind):
    path = tmp_path / "network"
    answer = cli("export", two[1], "--to", kind, "--out", path, "--seed", 4, "--json")
    assert answer.code == 0
    row = answer.json()
    test = digits()[1]
    assert (row["file"], row["examples"]) == (str(path), len(test))
    assert row["answers_differ"] == 0
    assert row["logits_differ"] < 1e-2  # a spike at the threshold may fall to either side
    assert (row["spikes_differ"] is None) == (kind == "stablehlo")
    facts = json.loads((tmp_path / "network.json").read_text())
    assert (facts["kind"], facts["network"], facts["seed"]) == (kind, "snn", 4)
    assert facts["compared"]["answers_differ"] == 0
    if kind == "stablehlo":
        images = np.asarray(test.inputs.array)
        want = predict(load_run(two[1]), test.inputs)[1]
        np.testing.assert_allclose(load_exported(path)(images), want, atol=1e-2)


@pytest.mark.parametrize("kind", ["onnx", "stablehlo", "nir"])
def test_a_run_of_few_bits_leaves_with_its_rounded_weights(cli, few_bits, tmp_path, kind):
    row = cli("export", few_bits, "--to", kind, "--out", tmp_path / "network", "--json").json()
    assert (row["answers_differ"], row["examples"]) == (0, len(digits()[1]))
    assert row["logits_differ"] < 1e-2  # float weights differ by ten times as much


@pytest.mark.parametrize("kind", ["onnx", "stablehlo", "nir"])
def test_weights_are_rounded_on_the_way_out(cli, trained, two, tmp_path, kind):
    folder = two[1] if kind == "nir" else trained[1]
    path, args = tmp_path / "few", ("--to", kind, "--bits", 3)
    answer = cli("export", folder, *args, "--out", path, "--json")
    assert answer.code == 0, answer.err
    row = answer.json()
    assert (row["answers_differ"], row["rounding_differ"] > 0) == (0, True)
    stored = json.loads((tmp_path / "few.json").read_text())["weights"]
    assert stored == dict(bits=3, stored="int8 levels and a scale" if kind == "onnx"
                          else "rounded, as float32")  # fmt: skip
    if kind == "onnx":
        onnx = pytest.importorskip("onnx")
        model = onnx.load(str(path))
        onnx.checker.check_model(model, full_check=True)
        types = [c.data_type for c in model.graph.initializer if len(c.dims) > 1]
        assert set(types) == {onnx.TensorProto.INT8}


@pytest.fixture(scope="module")
def few_bits(cli, tmp_path_factory):
    """The folder of a small spiking network that was trained with weights of 2 bits."""
    folder = tmp_path_factory.mktemp("few") / "run"
    args = ("--hidden", 8, "--steps", 4, "--bits", 2, "--epochs", 1, "--out", folder)
    assert cli("train", "snn", *args).code == 0
    return folder


def test_the_lines_for_people_name_the_file_and_the_seed(cli, two, tmp_path):
    answer = cli("export", two[1], "--to", "onnx", "--out", tmp_path / "a.onnx")
    assert answer.code == 0
    assert "the run has 2 networks: this is the one of seed 3" in answer.err
    first, second, third = answer.out.splitlines()
    assert first.startswith(f"{tmp_path / 'a.onnx'}: ")
    assert "0 answers differ from the run's" in second
    assert third.endswith("spikes of hidden neurons differ")


def test_a_page_answers_as_the_run_and_says_its_bits(cli, two, tmp_path):
    answer = cli("export", two[1], "--to", "html", "--out", tmp_path / "a.html")
    assert answer.code == 0
    assert "its weights have 32 bits" in answer.err
    size, compared = answer.out.splitlines()
    assert size.startswith(f"{tmp_path / 'a.html'}: ")
    assert "0 answers differ from the run's, logits by up to 0.0e+00" in compared


def test_one_line_says_what_is_wrong(one_line, trained, tmp_path):
    for args, text in {
        (): "export needs --to onnx, --to stablehlo, --to nir or --to html",
        ("--to", "nir2"): "onnx, stablehlo, nir, html",
        ("--to", "onnx", "--seed", "9"): "--seed must be from 0 to 0, got 9",
        ("--to", "onnx", "--out", tmp_path / "no" / "a"): "no: no such folder; make it",
        (
            "--to",
            "onnx",
            "--out",
            trained[1] / "params.npz",
        ): "npz is there and is no export",
        ("--to", "nir", "--out", tmp_path): "is no export: choose another file",
        ("--to", "onnx", "--dt", 1e-3): "--dt is the step of a graph: leave it out",
        ("--to", "nir"): "relu: NIR has no such node; export to stablehlo, or train snn",
        ("--to", "onnx", "--bits", 33): "bits must be in [1, 8], got 33",
    }.items():
        assert text in one_line("export", trained[1], *args)[1]


@pytest.mark.parametrize("kind", ["onnx", "nir"])
def test_options_that_save_memory_change_nothing(cli, tmp_path, kind):
    options = dict(hidden=(8,), steps=4, recompute=True, storage="bit", rate_penalty=1.0)
    config = config_for("snn", options=options)
    params, _ = config.build()(training=False).init(jax.random.key(0), (28, 28))
    create_run(tmp_path / "run", config)
    save_params(tmp_path / "run", params, ())
    answer = cli("export", tmp_path / "run", "--to", kind, "--json")
    assert answer.code == 0, answer.err
    assert answer.json()["answers_differ"] == 0


def test_an_export_is_written_again(cli, two, tmp_path):
    for dt in (1e-3, 1e-4):
        answer = cli("export", two[1], "--to", "nir", "--dt", dt, "--out", tmp_path / "a.nir")
        assert answer.code == 0, answer.err
    assert read_graph(tmp_path / "a.nir").metadata["jaxdigits.dt"] == 1e-4


def test_a_run_of_few_bits_is_not_rounded_to_others(one_line, few_bits):
    code, line = one_line("export", few_bits, "--to", "onnx", "--bits", 4)
    assert (code, line) == (1, "the run has weights of 2 bits already: leave out --bits")
