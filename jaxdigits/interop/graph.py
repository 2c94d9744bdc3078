"""Graphs of the Neuromorphic Intermediate Representation (NIR) [1], as plain data.

A graph is nodes by name and edges between names.  A node is a kind, as "LIF", and its values
by name, as "tau": arrays of numbers, or text.  In a file, which is HDF5, a node is a group:

    version                  text
    node/type                "NIRGraph"
    node/edges               pairs of names [n, 2]
    node/nodes/NAME/type     a kind, or "NIRGraph" for a graph inside the graph
    node/nodes/NAME/VALUE    a dataset
    node/metadata/KEY        numbers or text, on which the format forbids to rely

Files are data: nothing in them is executed, links and datasets in other places are rejected,
and the numbers of nodes, bytes and levels have limits.

[1] Pedersen et al., Nat. Commun. 15, 8122, 2024, arXiv:2311.14641.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Union

import numpy as np

VERSION = "1.0.8"  # of the format's reference implementation, whose layout this is
MAX_NODES = 10_000
MAX_DEPTH = 8  # levels of graphs inside graphs
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Node(NamedTuple):
    """One node of a graph."""

    kind: str
    """a name in `FIELDS`"""
    values: Mapping[str, np.ndarray | str]
    """by the format's names"""
    metadata: Mapping[str, Any] = NOTHING

    def __repr__(self) -> str:
        return f"{self.kind}({', '.join(_shown(k, v) for k, v in self.values.items())})"


class Graph(NamedTuple):
    """Nodes and the edges between them."""

    nodes: Mapping[str, Union[Node, "Graph"]]
    """by name; a graph inside a graph is a node too"""
    edges: tuple[tuple[str, str], ...]
    """(source, destination), each pair once"""
    metadata: Mapping[str, Any] = NOTHING
    """numbers and text by key"""
    notes: tuple[str, ...] = ()
    """remarks of a reader or an exporter; they are not written to files"""

    def __repr__(self) -> str:
        return f"Graph({len(self.nodes)} nodes, {len(self.edges)} edges)"


def _shown(key: str, value: Any) -> str:
    """Return a few whole numbers or a text as they are, and other values by their shape."""
    array = np.asarray(value)
    few = array.dtype.kind in PADDING and array.size <= 8
    return f"{key}={array.tolist()!r}" if few else f"{key} {list(array.shape)}"


REAL, WHOLE, PADDING = "fiu", "iu", "iuU"
"""letters of NumPy's kinds of dtypes; U stands for text"""
_CONV = {"weight": REAL, "bias": REAL, "stride": WHOLE, "padding": PADDING, "dilation": WHOLE,
         "groups": WHOLE}  # fmt: skip
_POOL = {"kernel_size": WHOLE, "stride": WHOLE, "padding": WHOLE}
FIELDS: dict[str, dict[str, str]] = {
    "Input": {"shape": WHOLE},
    "Output": {"shape": WHOLE},
    "Affine": {"weight": REAL, "bias": REAL},
    "Linear": {"weight": REAL},
    "Scale": {"scale": REAL},
    "Conv1d": {"input_shape": WHOLE, **_CONV},
    "Conv2d": {"input_shape": WHOLE, **_CONV},
    "SumPool2d": _POOL,
    "AvgPool2d": _POOL,
    "Flatten": {"start_dim": WHOLE, "end_dim": WHOLE, "input_type": WHOLE},
    "Delay": {"delay": REAL},
    "Threshold": {"threshold": REAL},
    "I": dict.fromkeys(("r",), REAL),
    "LI": dict.fromkeys(("tau", "r", "v_leak"), REAL),
    "IF": dict.fromkeys(("r", "v_threshold", "v_reset"), REAL),
    "LIF": dict.fromkeys(("tau", "r", "v_leak", "v_threshold", "v_reset"), REAL),
    "CubaLI": dict.fromkeys(("tau_syn", "tau_mem", "r", "v_leak", "w_in"), REAL),
    "CubaLIF": dict.fromkeys(
        ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "v_reset", "w_in"), REAL
    ),
}
"""the values of each kind of node, and the kinds of their numbers"""
ABSENT = ("input_shape", "input_type")  # which other values determine
DEFAULTS = {"v_reset": ("v_threshold", 0.0), "w_in": ("v_leak", 1.0)}
"""values that old files leave out: (the value whose shape they have, their number)"""


def complete(graph: Graph, name: str = "") -> Graph:
    """Check a graph and fill in the values that old files leave out, each with a note.

    Args:
      name: of the graph, if it is a node itself.

    Raises:
      ValueError: for an unknown kind of node, a missing or unknown value, a value of the wrong
        type or one that is not finite, and for an edge that is twice there or whose node is
        missing; by the name of the node or edge.
    """
    notes, nodes = list(graph.notes), {}
    for key, node in graph.nodes.items():
        require_key(key)
        if isinstance(node, Graph):
            inner = complete(node, f"{name}{key}.")
            notes += inner.notes
            nodes[key] = inner._replace(notes=())
        else:
            values, defaults = _values(node, f"{name}{key}")
            notes += defaults
            nodes[key] = node._replace(values=values)
    for edge in graph.edges:
        if missing := [end for end in edge if end not in nodes]:
            raise ValueError(f"edge {name}{edge[0]} -> {edge[1]}: no node {missing[0]!r}")
    if len(set(graph.edges)) < len(graph.edges):
        twice = next(edge for edge in graph.edges if graph.edges.count(edge) > 1)
        raise ValueError(f"edge {name}{twice[0]} -> {twice[1]} is there twice")
    return Graph(nodes, tuple(graph.edges), graph.metadata, tuple(dict.fromkeys(notes)))


def require_key(key: str) -> None:
    """Check that a node's name can be a name in a file.

    Raises:
      ValueError: for an empty name, one of dots, or one with a slash or a zero byte.
    """
    if not key.strip(".") or "/" in key or "\0" in key:
        raise ValueError(f"a node cannot be called {key!r}: use letters and digits")


def _values(node: Node, name: str) -> tuple[dict[str, Any], list[str]]:
    if node.kind not in FIELDS:
        raise ValueError(f"node {name}: unknown kind {node.kind!r}; known: {', '.join(FIELDS)}")
    fields, values, notes = FIELDS[node.kind], dict(node.values), []
    if unknown := [key for key in values if key not in fields]:
        raise ValueError(f"node {name}: {node.kind} has no value {unknown[0]!r}")
    for key in fields:
        if key in DEFAULTS and key not in values and DEFAULTS[key][0] in values:
            like, number = DEFAULTS[key]
            values[key] = np.full(np.shape(values[like]), number)
            notes.append(f"node {name}: no {key} in the file, so it is {number:g}")
        if key in values:
            values[key] = _number(values[key], fields[key], f"node {name}: {key}")
        elif key not in ABSENT:
            raise ValueError(f"node {name}: {node.kind} needs {key}")
    return {key: values[key] for key in fields if key in values}, notes


def _number(value: Any, kinds: str, name: str) -> np.ndarray | str:
    if isinstance(value, str):
        if "U" not in kinds or value not in ("same", "valid"):
            raise ValueError(f"{name} must be numbers, got the text {value[:40]!r}")
        return value
    array = np.asarray(value)
    if array.dtype.kind not in kinds.replace("U", ""):
        got = str(array) if array.ndim == 0 else f"an array of {array.dtype}"
        raise ValueError(f"{name} must be {'whole ' if 'f' not in kinds else ''}numbers, "
                         f"got {got[:40]}")  # fmt: skip
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has numbers that are not finite")
    return array
