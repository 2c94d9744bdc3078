"""`jaxdigits import`: a graph is a run as any other, with the spikes of the network it was."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.data import digits
from jaxdigits.interop import Graph, Node, read_graph, write_graph
from jaxdigits.runs import load_run, predict
from jaxdigits.spikes import traces


@pytest.fixture(scope="module")
def origin(cli, tmp_path_factory):
    """(folder, graph's file) of a small spiking network, trained for an epoch and exported."""
    folder = tmp_path_factory.mktemp("origin") / "run"
    args = ("--hidden", 8, "--steps", 4, "--epochs", 1, "--learning-rate", 0.01)
    assert cli("train", "snn", *args, "--dropout-rate", 0, "--out", folder).code == 0
    assert cli("export", folder, "--to", "nir").code == 0
    return folder, folder / "network.nir"


@pytest.fixture(scope="module")
def imported(cli, origin, tmp_path_factory):
    """(answer, folder) of that graph."""
    folder = tmp_path_factory.mktemp("imported") / "run"
    answer = cli("import", origin[1], "--steps", 4, "--out", folder, "--json")
    assert answer.code == 0, answer.err
    return answer, folder


def spikes_of(folder, images):
    run = load_run(folder)
    network = run.config.build()(training=False)
    return traces(network.forward(run.params, images, jax.random.key(3))[1])[0].spikes


def test_the_run_has_the_accuracy_and_the_spikes_of_the_network(cli, origin, imported):
    result = json.loads((origin[0] / "result.json").read_text())
    assert imported[0].json()["test_accuracy"] == result["test_accuracy"]
    again = cli("evaluate", imported[1], "--json").json()
    assert again["test_accuracy"] == result["test_accuracy"]
    images = jnp.asarray(digits()[1].inputs.array[:50])
    ours, theirs = (spikes_of(folder, images) for folder in (imported[1], origin[0]))
    assert theirs.any()
    np.testing.assert_array_equal(ours, theirs)


def test_its_folder_may_move_and_predicts(cli, imported, tmp_path):
    imported[1].rename(tmp_path / "moved")
    try:
        run = load_run(tmp_path / "moved")
        assert run.config.graph.path == str(tmp_path / "moved" / "graph.nir")
        assert predict(run, digits()[1].inputs[:3]).shape == (1, 3, 10)
    finally:
        (tmp_path / "moved").rename(imported[1])
    stored = json.loads((imported[1] / "config.json").read_text())["config"]
    assert (stored["network"], stored["graph"]["path"]) == ("graph", "graph.nir")
    with open(imported[1] / "graph.nir", "ab") as file:
        size = file.tell()
        file.write(b"\0")
    assert "graph.nir has changed" in cli("evaluate", imported[1]).err
    with open(imported[1] / "graph.nir", "ab") as file:
        file.truncate(size)


def test_it_is_trained_on_and_leaves_again_with_its_new_weights(cli, imported, tmp_path):
    tuned = tmp_path / "tuned"
    args = ("--epochs", 1, "--learning-rate", 0.01, "--out", tuned, "--json")
    answer = cli("train", "--start", imported[1], *args)
    assert answer.code == 0, answer.err
    assert answer.json()["test_accuracy"] > imported[0].json()["test_accuracy"]
    row = cli("export", tuned, "--to", "nir", "--json").json()
    assert (row["answers_differ"], row["spikes_differ"]) == (0, 0)
    run, graph = load_run(tuned), read_graph(tuned / "network.nir")
    name, node = next((n, v) for n, v in graph.nodes.items() if v.kind in ("Affine", "Linear"))
    weights = next(p for p in run.params if p)
    np.testing.assert_array_equal(node.values["weight"], weights[name]["weight"].T)
    assert cli("import", tuned / "network.nir", "--steps", 4, "--out", tmp_path / "b").code == 0


def test_its_operations_are_those_of_the_network(cli, origin, imported):
    answers = [cli("evaluate", run, "--energy", "--json") for run in (origin[0], imported[1])]
    assert [answer.code for answer in answers] == [0, 0]
    ours, theirs = (answer.json()["operations"] for answer in answers)
    assert ours["network"]["acs"] > 0
    assert theirs["network"] == ours["network"]
    assert "artificial" in ours
    assert "artificial" not in theirs
    assert "beside it" not in answers[1].err


def test_a_discretisation_that_counts_instead_of_the_files_is_noted(cli, origin, tmp_path):
    args = ("--discretisation", "snntorch", "--steps", 4, "--out", tmp_path / "run")
    answer = cli("import", origin[1], *args)
    assert answer.code == 0, answer.err
    assert "snntorch counts, and not the discretisation in the file" in answer.err
    line = cli("export", tmp_path / "run", "--to", "nir", "--dt", 1e-3).err
    assert "its own discretisation and dt = 0.0001: leave it out" in line


def test_it_is_plotted(cli, imported, tmp_path):
    answer = cli("plot", imported[1], "--out", tmp_path, "--json")
    assert answer.code == 0, answer.err
    assert {"raster", "weights", "saliency", "agreement"} <= set(answer.json()["figures"])


def test_one_line_says_what_is_wrong(one_line, origin, imported, tmp_path):
    graph = read_graph(origin[1])
    silent, wide = tmp_path / "silent.nir", tmp_path / "wide.nir"
    write_graph(silent, graph._replace(metadata={}))
    shape = {"shape": np.array([2, 34, 34])}
    nodes = {"in": Node("Input", shape), "out": Node("Output", shape)}
    write_graph(wide, Graph(nodes, (("in", "out"),)))
    for args, text in {
        (silent,): f"{silent}: the graph does not say how long a step is",
        (wide, "--dt", 1): f"{wide}: the graph's output is [2, 34, 34], not 10 classes",
        (origin[1], "--data", "mnisst"): "data must be one of digits, mnist, ./DIR",
        (origin[1], "--discretisation", "nengo"): "discretisation must be one of snntorch",
        (origin[1], "--out", imported[1]): "is not empty",
        (origin[1], "--dt", -1): "dt must be > 0, got -1.0",
        (tmp_path / "absent.nir",): "absent.nir: no such file",
    }.items():
        assert text in one_line("import", *args)[1]
    assert "spiking form" in one_line("convert", imported[1], "--out", tmp_path / "c")[1]
    assert "network must be one of" in one_line("train", "graph")[1]
