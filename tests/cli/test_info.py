"""`jaxdigits info` tells what is here, and `--help` what there is to do."""

import re
import subprocess
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest

from jaxdigits.cli import COMMANDS, info
from jaxdigits.data.mnist import FILES
from jaxdigits.interop import Graph, Node, write_graph


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder for data, and a cache that is empty."""
    monkeypatch.setenv("JAXDIGITS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("JAXDIGITS_CACHE", raising=False)
    return tmp_path


def test_it_tells_versions_and_devices(cli, home):
    found = cli("info", "--json").json()
    assert re.match(r"\d+\.\d+", found["versions"]["jax"])
    assert found["devices"]["jax uses"].startswith(("cpu: ", "gpu: ", "tpu: "))
    assert found["data"]["digits"] == "bundled"
    assert found["caches"]["programs"].startswith("off; JAXDIGITS_CACHE=DIR")


def test_data_are_found_where_training_would_read_them(cli, home):
    assert cli("info", "--json").json()["data"]["mnist"].startswith("not here; ")
    folder = home / "data" / "mnist"
    folder.mkdir(parents=True)
    for name in list(FILES)[:3]:
        (folder / f"{name}.gz").touch()
    assert cli("info", "--json").json()["data"]["mnist"].startswith("not here; ")
    (folder / list(FILES)[3]).touch()
    assert cli("info", "--json").json()["data"]["mnist"] == str(folder)
    spoken = home / "data" / "fsdd"
    spoken.mkdir()
    for n in range(3000):
        (spoken / f"0_a_{n}.wav").touch()
    assert cli("info", "--json").json()["data"]["fsdd"] == str(spoken)


def test_an_extra_that_is_missing_has_the_line_that_installs_it(cli, home, monkeypatch):
    version = info.version

    def without_matplotlib(name):
        if name == "matplotlib":
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(info, "version", without_matplotlib)
    answer = cli("info")
    assert answer.code == 0
    advice = 'not installed; for figures and reports: pip install "jaxdigits[plots]"'
    assert re.search(rf"plots +{re.escape(advice)}", answer.out)
    assert re.search(r"audio +soundfile \d", answer.out)


def test_the_cache_of_programs_is_where_they_would_be_kept(cli, home, monkeypatch):
    monkeypatch.setenv("JAXDIGITS_CACHE", str(home / "programs"))
    programs = cli("info", "--json").json()["caches"]["programs"]
    assert programs == str(home / "programs")


def test_the_list_of_commands_has_a_line_each(cli):
    out = cli("--help").out
    assert re.search(r"jaxdigits train +Train a network, choose its epoch", out)
    assert all(re.search(rf"jaxdigits {name} +[A-Z].*\.$", out, re.M) for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_commands_help_has_examples(cli, command):
    out = cli(command, "--help").out
    assert re.search(rf"^ +\$ jaxdigits {command}\b", out, re.MULTILINE)


def test_completion_is_a_script_that_bash_reads(cli, tmp_path):
    script = tmp_path / "jaxdigits"
    script.write_text(cli("completion", "bash").out)
    subprocess.run(["bash", "-n", str(script)], check=True, timeout=60)
    assert {"evaluate", "--threshold", "--fusion"} <= set(
        re.findall(r"[\w-]+", script.read_text())
    )


def test_a_graph_is_described_by_its_nodes_and_meanings(cli, tmp_path):
    shape = {"shape": np.array([3])}
    values = dict(r=np.ones(3), v_threshold=np.ones(3))
    nodes = {"in": Node("Input", shape), "l": Node("IF", values), "out": Node("Output", shape)}
    path = tmp_path / "g.nir"
    write_graph(path, Graph(nodes, (("in", "l"), ("l", "out"))))
    told = cli("info", str(path), "--json").json()
    assert told[f"{path}: nodes"]["l"].startswith("IF(r [3], v_threshold [3]")
    assert told[f"{path}: nodes"]["in"] == "Input(shape=[3])"
    assert told[f"{path}: edges"].keys() == {"in -> l", "l -> out"}
    assert "sinabs" in told[f"{path}: discretisations"]["that fit"]
    path.write_bytes(b"text")
    assert cli("info", str(path)).code == 1


def test_a_graph_is_in_order_with_the_reasons_why_it_does_not_fit(cli, tmp_path):
    shape = {"shape": np.array([1])}
    one = lambda kind, **values: Node(kind, {k: np.full(1, v) for k, v in values.items()})
    lif = dict(tau=5e-4, r=1.0, v_leak=0.0, v_threshold=1.0, v_reset=0.0)
    inner = {
        "b": Node("Input", shape),
        "a\x1b[31m": one("LIF", **lif),
        "c": Node("Output", shape),
    }
    edges = (("b", "a\x1b[31m"), ("a\x1b[31m", "c"))
    nodes = {"z": Node("Input", shape), "g": Graph(inner, edges), "o": Node("Output", shape)}
    path = tmp_path / "g.nir"
    write_graph(path, Graph(nodes, (("g", "o"), ("z", "g"))))
    told = cli("info", path, "--json").json()
    assert list(told[f"{path}: nodes"]) == ["z", "g.a\x1b[31m", "o"]
    meanings = told[f"{path}: discretisations"]
    assert "norse" not in meanings["that fit"]
    assert meanings["not norse"].endswith(
        'is below dt = 0.001: take a smaller dt, or decay="exact"'
    )
    assert "\x1b" not in cli("info", path).out
    cycle = Graph({**nodes, "g": one("Scale", scale=1.0)}, (("z", "g"), ("g", "g"), ("g", "o")))
    write_graph(path, cycle)
    meanings = cli("info", path, "--json").json()[f"{path}: discretisations"]
    assert meanings["that fit"] == "none (node g: a cycle without a neuron (g))"


def test_metadata_that_are_wrong_are_named_with_the_file(one_line, tmp_path):
    shape, path = {"shape": np.array([1])}, tmp_path / "g.nir"
    nodes = {"i": Node("Input", shape), "o": Node("Output", shape)}
    write_graph(path, Graph(nodes, (("i", "o"),), {"jaxdigits.dt": "soon"}))
    assert one_line("info", path) == (1, f"{path}: dt must be a number, got 'soon'")
