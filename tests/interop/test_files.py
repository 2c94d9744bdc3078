"""NIR files: what is written comes back, and a bad file ends in one line."""

import io
import zlib

import h5py
import nir
import numpy as np
import pytest

from jaxdigits.errors import DataError
from jaxdigits.interop import PEERS, Graph, Node, from_graph, read_graph, write_graph

GRAPHS = ("recurrent", "conv", "conv1d")


def leaves(graph):
    """Every value of a graph, by path."""
    found = {"edges": sorted(graph.edges)} | dict(graph.metadata)
    for name, node in graph.nodes.items():
        inner = leaves(node) if isinstance(node, Graph) else {**node.values, "type": node.kind}
        found |= {f"{name}/{key}": value for key, value in inner.items()}
    return found


def assert_equal(one, other):
    one, other = leaves(one), leaves(other)
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_array_equal(one[key], other[key])
        assert getattr(one[key], "dtype", None) == getattr(other[key], "dtype", None)


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_is_written_and_read(name, graphs, tmp_path):
    graph = graphs[name]._replace(metadata={"key": np.array(0.5), "text": "words"})
    one, two = tmp_path / "one.nir", tmp_path / "two.nir"
    write_graph(one, graph)
    write_graph(two, read_graph(one))
    assert_equal(graph, read_graph(one))
    assert one.read_bytes() == two.read_bytes()
    theirs = nir.read(one, type_check=name != "conv")  # its types leave groups out
    assert set(theirs.nodes) == set(graph.nodes)
    np.testing.assert_array_equal(theirs.metadata["key"], 0.5)


def test_nested_graphs_are_written_and_read(graphs, make, tmp_path):
    inside = make.chain(a=make.end("Input", 4), l=make.lif(4), b=make.end("Output", 4))
    graph = make.chain(i=make.end("Input", 4), inner=inside, o=make.end("Output", 4))
    write_graph(tmp_path / "g.nir", graph)
    assert_equal(graph, read_graph(tmp_path / "g.nir"))
    layer, _ = from_graph(read_graph(tmp_path / "g.nir"), PEERS["sinabs"])
    assert layer.about.arguments["graph"].nodes["inner"].nodes["l"].kind == "LIF"


@pytest.mark.parametrize("name", ["lif_norse", "cnn_sinabs", "spyx_braille_bias_zero_subgraph"])
def test_graphs_of_others_come_back(name, shared, tmp_path):
    graph = read_graph(shared / f"{name}.nir")
    write_graph(tmp_path / "g.nir", graph)
    assert_equal(graph, read_graph(tmp_path / "g.nir"))
    assert any("no v_reset in the file, so it is 0" in note for note in graph.notes)


def rewritten(path, change):
    """A file after a change of its HDF5."""
    with h5py.File(path, "r+") as file:
        change(file)


def test_files_with_links_and_surprises_are_refused(tmp_path):
    path, other = tmp_path / "g.nir", str(tmp_path / "other.bin")
    tau, nodes = "node/nodes/l/tau", "node/nodes"

    def put(key, value):
        def change(file):
            del file[key]
            file[key] = value

        return change

    def made(key, **options):
        def change(file):
            del file[key]
            file.create_dataset(key, **options)

        return change

    cases = {
        r"node l: tau is a link": put(tau, h5py.ExternalLink("other.h5", "/x")),
        "node l: a link": put(f"{nodes}/l", h5py.SoftLink("/node/nodes/input")),
        "lies in another file": made(tau, shape=(3,), dtype=float, external=[(other, 0, 24)]),
        "too large, or packed": made(tau, shape=(1 << 40,), dtype="f4", chunks=(1 << 10,)),
        "node l: tau has the type": made(tau, data=np.zeros(3, [("a", float)])),
        "needs tau": lambda file: file.pop(tau),
        "no group 'nodes'": lambda file: file.pop(nodes),
        "tau is not an array": lambda file: (file.pop(tau), file.create_group(tau)),
        r"node nodes: unknown kind|edge": put("node/edges", np.array([["input", "x"]], "S")),
    }
    for match, change in cases.items():
        write_graph(path, _small())
        rewritten(path, change)
        with pytest.raises(DataError, match=match) as error:
            read_graph(path)
        assert str(error.value).startswith(str(path))
        assert "\n" not in str(error.value)


def _small():
    lif = {k: np.ones(3) for k in ("tau", "r", "v_leak", "v_threshold", "v_reset")}
    ends = {k: Node(k.capitalize(), {"shape": np.array([3])}) for k in ("input", "output")}
    nodes = {"input": ends["input"], "l": Node("LIF", lif), "output": ends["output"]}
    return Graph(nodes, (("input", "l"), ("l", "output")))


def test_a_graph_that_holds_itself_is_refused(tmp_path):
    path = tmp_path / "g.nir"
    write_graph(path, _small())

    def change(file):
        file["node/nodes/self"] = file["node"]

    rewritten(path, change)
    with pytest.raises(DataError, match="graphs inside each other"):
        read_graph(path)


def test_other_files_and_lost_ends_are_refused(tmp_path):
    path = tmp_path / "g.nir"
    write_graph(path, _small())
    whole = path.read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2], zlib.compress(whole)):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"g\.nir: not a whole NIR file"):
            read_graph(path)
    with pytest.raises(DataError, match="no such file"):
        read_graph(tmp_path / "none.nir")


def test_a_heap_that_would_be_read_for_ever_is_refused(tmp_path):
    """The free rest of a heap of names, one kind of object, ends before the heap does."""
    path = tmp_path / "g.nir"
    write_graph(path, _small())
    content = bytearray(path.read_bytes())
    place = content.index(b"GCOL") + 16
    while index := int.from_bytes(content[place : place + 2], "little"):
        size = int.from_bytes(content[place + 8 : place + 16], "little")
        assert 0 < index < 100
        place += 16 + (size + 7) // 8 * 8
    rest = int.from_bytes(content[place + 8 : place + 16], "little")
    content[place + 8 : place + 16] = (rest - 256).to_bytes(8, "little")
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match="not a whole NIR file"):
        read_graph(path)


def test_a_text_that_claims_gigabytes_is_refused(tmp_path):
    path = tmp_path / "g.nir"
    write_graph(path, _small())
    with h5py.File(path) as file:
        place = file["node/edges"].id.get_offset()
    content = bytearray(path.read_bytes())
    content[place : place + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(bytes(content))
    with pytest.raises(
        DataError, match="node of the file: edges has a text of over 4,096 bytes"
    ):
        read_graph(path)


def refusal(path):
    try:
        read_graph(path)
    except DataError as error:
        return str(error)
    return ""


def test_damaged_files_end_in_one_line(tmp_path):
    """Bytes changed, cut out and cut off: a graph, or an error with the file's name."""
    path = tmp_path / "g.nir"
    write_graph(path, _small())
    whole, rng, refused = path.read_bytes(), np.random.default_rng(0), 0
    for i in range(300):
        content = bytearray(whole)
        if i % 3 == 0:
            del content[rng.integers(len(content)) :]
        for place in rng.integers(0, len(content), rng.integers(1, 20)) if content else ():
            content[place] = rng.integers(256)
        path.write_bytes(bytes(content))
        if message := refusal(path):
            refused += 1
            assert str(path) in message
            assert "\n" not in message
    assert refused > 100


def test_names_that_no_file_can_hold_are_refused():
    nodes = _small().nodes
    for name in ("a/b", "", "..", "a\0"):
        with pytest.raises(ValueError, match="a node cannot be called"):
            write_graph(io.BytesIO(), Graph({**nodes, name: nodes["l"]}, ()))
