"""The comparison with other libraries: its plain parts; peers themselves are not run here."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxdigits.bench import WORKLOADS

HERE = Path(__file__).parents[2] / "experiments" / "benchmark"


@pytest.fixture(scope="module")
def module():
    """A function that imports a file of experiments/benchmark by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        patch.syspath_prepend(str(HERE / "peers"))
        yield importlib.import_module


def test_specs_are_workloads_of_the_same_size(module):
    for name, spec in module("specs").SPECS.items():
        assert spec["batch"] == WORKLOADS[name].samples
        assert spec["mode"] in WORKLOADS[name].title or spec["mode"] in ("train", "infer")
        forward = [p for p in WORKLOADS[name].products(1) if p.name.startswith("forward")]
        shapes = module("specs").weight_shapes(spec)
        assert [p.shapes[1] for p in forward] == ([] if spec["mode"] == "backward" else shapes)


def test_check_arrays_are_exact_in_float32_and_large_enough_to_fire(module):
    specs = module("specs")
    spec = specs.check_spec(specs.SPECS["W1-T25"])
    plain, shrinks = (specs.check_arrays(spec, shrinks=s) for s in (False, True))
    assert plain["x"].shape == (25, specs.CHECKED, 784)
    assert set(np.unique(plain["x"])) == {0, 1}
    weight = plain["weight0"]
    assert weight.shape == (784, 512)
    assert (weight * 256 == np.rint(weight * 256)).all()
    np.testing.assert_array_equal(shrinks["weight0"], 2 * weight)
    assert np.std(0.13**0.5 * weight * 784**0.5) > 0.5  # of the current, in thresholds


@pytest.mark.parametrize("name", ["snn", "conv_snn", "cnn", "mlp"])
def test_ours_answers_a_check_with_the_shared_weights(module, name):
    specs, ours = module("specs"), module("peer_ours")
    spec = dict(kind=name, steps=4, decay=0.5, sizes=[784, 5, 3])
    arrays = specs.check_arrays(spec)
    y = np.asarray(ours.forward("plain", spec, arrays))
    assert y.shape == (specs.CHECKED, 3 if name in ("snn", "mlp") else 10)
    other = np.asarray(ours.forward("plain", spec, arrays | {"x": 0 * arrays["x"]}))
    assert (y != other).any()
    if name == "mlp":
        x = arrays["x"].reshape(len(y), -1)
        hidden = np.maximum(0, x @ arrays["weight0"] + arrays["bias0"])
        wanted = hidden @ arrays["weight1"] + arrays["bias1"]
        np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-4)


def test_ours_takes_the_neuron_of_each_peer(module):
    specs, ours = module("specs"), module("peer_ours")
    spec = dict(kind="snn", steps=6, decay=0.5, sizes=[20, 8])
    arrays = specs.check_arrays(spec)
    outputs = {
        name: np.asarray(ours.forward("plain", spec, arrays, neuron=[name, {}])).sum()
        for name in ours.DECAYS
    }
    assert all(total > 0 for name, total in outputs.items() if name != "norse_lif_box")
    assert len(set(outputs.values())) >= 3


def test_each_participant_has_an_adapter_and_its_requirements(module):
    peers = set(module("setup").peers())
    kinds = module("participants").PARTICIPANTS
    assert {kind.environment for kind in kinds.values()} - {None} == peers
    for kind in kinds.values():
        assert (HERE / "peers" / f"peer_{kind.adapter}.py").is_file()
    for path in (HERE / "peers" / "requirements").iterdir():
        assert all("==" in line for line in path.read_text().split()), path


def test_an_unknown_peer_is_refused(module):
    with pytest.raises(ValueError, match="unknown peer 'tensorflow': choose from equinox"):
        module("setup").install("tensorflow")


def test_a_participant_answers_in_json_and_survives_a_mistake(tmp_path):
    (tmp_path / "peer_toy.py").write_text(
        "def describe(variant):\n"
        "    print('a library talks')\n"
        "    return {'variant': variant}\n"
        "def prepare(variant, spec, image, label):\n"
        "    return lambda: spec['seconds'] * len(image)\n"
    )
    np.savez(tmp_path / "images.npz", image=np.zeros(2), label=np.zeros(2))
    requests = [
        {"do": "describe"},
        {"do": "nonsense"},
        {"do": "prepare", "spec": {"seconds": 3}, "images": str(tmp_path / "images.npz")},
        {"do": "run", "steps": 2},
        {"do": "quit"},
    ]
    code = "import serve; serve.main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "toy", "fast"],
        input="".join(json.dumps(r) + "\n" for r in requests), text=True, capture_output=True,
        env={"PYTHONPATH": f"{HERE / 'peers'}:{tmp_path}"}, check=True,
    )  # fmt: skip
    about, mistake, ready, run = map(json.loads, done.stdout.splitlines())
    assert about["variant"] == "fast"
    assert about["import_rss_bytes"] > 1e6
    assert mistake["error"].startswith("AttributeError")
    assert ready["first_step_seconds"] == 6
    assert run["seconds"] == [6, 6]
    assert run["peak_rss_bytes"] > 1e6
    assert "a library talks" in done.stderr


def test_the_tables_have_a_place_for_every_figure(module):
    table = module("table")
    quartiles = {"low": 0.001, "median": 0.002, "high": 0.004}
    step = dict(
        step_seconds=quartiles, floor_seconds=quartiles,
        ratio={"low": 1.125, "median": 1.25, "high": 1.5},
        samples_per_second=64_000.0, flops_per_second=2e11, program_bytes=3_000_000,
        compile_seconds=1.5,
    )  # fmt: skip
    cold = dict(
        cold_seconds={
            "total": 9.0, "import": 1.0, "data": 1.0, "compile": 3.0, "training": 4.0
        },
        valid_accuracies=[0.5, 0.99], goal=0.98, reached=True, peak_rss_bytes=7_000_000,
    )  # fmt: skip
    machine = dict(processor="P", usable_cores=2, platform="cpu", device="cpu", jax="1",
                   python="3")  # fmt: skip
    bench = dict(machine=machine, rows={"W1": step, "W9": cold})
    row = dict(step_seconds=quartiles, ratio_to_ours={"median": 3.0}, peak_rss_bytes=5_000_000)
    peers = dict(
        machine=machine,
        rows={"W1": {"ours": row, "other": row}, "W2": {"other": {"error": "x"}}},
        participants={
            "other": dict(
                versions={"lib": "1.0"}, configuration="eager", import_rss_bytes=4_000_000
            )
        },
        checks={"W1": {"other": {"max_difference": 0.0}}},
    )  # fmt: skip
    lines = table.tables(bench, peers).splitlines()
    assert "P, 2 cores, cpu (cpu), jax 1, Python 3" in lines
    times, rest = "2.0 | 1.0 to 4.0 | 2.0", "64,000 | 200 | 3 | 1.5"
    assert f"| W1 | {times} | 1.25 [1.12, 1.50] | {rest} |" in lines
    assert "| W9 | 98 % | 99.00 % | 2 | 9.0 | 1.0 | 1.0 | 3.0 | 4.0 | 7 |" in lines
    assert "| other | 2.0 (3.00) | failed |" in lines
    assert "| other | 5 |  |" in lines
    assert "| other | lib 1.0 | eager | 4 | 0 |" in lines
    widths = {}
    for line in lines:
        if line.startswith("|"):
            widths.setdefault(line.count("|"), []).append(line)
    assert all(any("---" in line for line in group) for group in widths.values())
