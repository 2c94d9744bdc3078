"""Read and write NIR graphs as HDF5 files, which may come from a stranger."""

import io
from collections.abc import Mapping
from math import prod
from os import PathLike
from pathlib import Path
from struct import unpack_from
from types import ModuleType
from typing import Any

import numpy as np

from jaxdigits.data.files import Source, name_of, read_file, replace_file
from jaxdigits.errors import DataError, import_extra
from jaxdigits.interop import graph as gr

MAX_FILE = 1 << 28  # bytes
MAX_BYTES = 1 << 28  # of all values together, unpacked
MAX_CHUNK = 1 << 26  # bytes of the part of a value that is unpacked at once
MAX_TEXT = 1 << 12  # bytes of a name
MAX_ITEMS = 200_000  # datasets and groups
OWN = ("node ", "edge ", "the graph", "a node")  # how errors of this package begin
SIGNATURE, HEAP = b"\x89HDF\r\n\x1a\n", b"GCOL\x01"
FILTERS = {1, 2, 3}  # HDF5's numbers of gzip, shuffle and a checksum


def read_graph(path: Source) -> gr.Graph:
    """Read a NIR file; `Graph.notes` names the values that an old file leaves out.

    Needs the extra `nir`: pip install "jaxdigits[nir]".

    Raises:
      DataError: for a file that is not NIR, is damaged, has links or too much of anything, and
        as `complete`; each with the file's name.
      ImportError: without h5py.
    """
    h5py = import_extra("h5py", "nir", "NIR needs")
    content = read_file(path, MAX_FILE)
    try:
        _require_sound_heaps(content)
        with h5py.File(io.BytesIO(content), "r") as file:
            graph = _Reader(h5py, content).graph(_group(h5py, file, "node"), "", 0)
        return gr.complete(graph)
    except Exception as error:  # for a damaged file h5py raises a dozen kinds of exception
        own = isinstance(error, ValueError) and str(error).startswith(OWN)
        damage = f"not a whole NIR file ({type(error).__name__}); export it again"
        raise DataError(f"{name_of(path)}: {error if own else damage}") from error


def write_graph(path: str | PathLike[str], graph: gr.Graph) -> None:
    """Write a graph as a NIR file, atomically; equal graphs give equal bytes.

    Raises:
      ValueError: as `complete`.
      OSError: if it cannot be written; an earlier file is then still there.
      ImportError: without h5py.
    """
    content = graph_bytes(graph)
    replace_file(Path(path), lambda file: file.write(content))


def graph_bytes(graph: gr.Graph) -> bytes:
    """Return the bytes of a NIR file.

    Raises:
      ValueError: as `complete`.
      ImportError: without h5py.
    """
    h5py = import_extra("h5py", "nir", "NIR needs")
    graph, content = gr.complete(graph), io.BytesIO()
    with h5py.File(content, "w") as file:
        file.create_dataset("version", data=gr.VERSION, dtype=h5py.string_dtype())
        _write(h5py, file.create_group("node"), graph)
    return content.getvalue()


class _Reader:
    """The reading of one file: its limits hold for all graphs inside it."""

    def __init__(self, h5py: ModuleType, content: bytes):
        self.h5py, self.content = h5py, content
        self.items = self.bytes = self.nodes = 0

    def graph(self, group: Any, name: str, depth: int) -> gr.Graph:
        if depth > gr.MAX_DEPTH:
            raise ValueError(f"node {name}: over {gr.MAX_DEPTH} graphs inside each other")
        if self.value(group, "type", name) != "NIRGraph":
            raise ValueError(f"node {name or 'of the file'} is not a NIRGraph")
        nodes, inside = {}, _group(self.h5py, group, "nodes")
        for key in self.keys(inside):
            nodes[key] = self.node(_group(self.h5py, inside, key), f"{name}{key}", depth)
        edges = self.value(group, "edges", name)
        pairs = [] if np.size(edges) == 0 else [tuple(map(_text, pair)) for pair in edges]
        if any(len(pair) != 2 for pair in pairs):
            raise ValueError("the graph's edges are not pairs of names")
        return gr.Graph(nodes, tuple((a, b) for a, b in pairs), self.metadata(group, name))

    def node(self, group: Any, name: str, depth: int) -> gr.Node | gr.Graph:
        self.nodes += 1
        if self.nodes > gr.MAX_NODES:
            raise ValueError(f"the graph has over {gr.MAX_NODES:,} nodes")
        kind = self.value(group, "type", name)
        if kind == "NIRGraph":
            return self.graph(group, f"{name}.", depth + 1)
        keys = [key for key in self.keys(group) if key not in ("type", "metadata")]
        values = {key: self.value(group, key, name) for key in keys}
        return gr.Node(str(kind), values, self.metadata(group, name))

    def metadata(self, group: Any, name: str) -> dict[str, Any]:
        if "metadata" not in group:
            return {}
        inside = _group(self.h5py, group, "metadata")
        return {key: self.value(inside, key, f"{name} metadata") for key in self.keys(inside)}

    def keys(self, group: Any) -> list[str]:
        self.items += len(group)
        if self.items > MAX_ITEMS:
            raise ValueError(f"the graph has over {MAX_ITEMS:,} values")
        return sorted(group)

    def value(self, group: Any, key: str, name: str) -> Any:
        """Return a dataset as text, or as an array of numbers or of names."""
        where = f"node {name or 'of the file'}: {key}"
        link = group.get(key, getlink=True)
        if link is None:
            raise ValueError(f"{where} is missing")
        if not isinstance(link, self.h5py.HardLink):
            raise ValueError(f"{where} is a link to another place")
        data = group[key]
        if not isinstance(data, self.h5py.Dataset) or data.shape is None:
            raise ValueError(f"{where} is not an array")
        if data.external or data.is_virtual:
            raise ValueError(f"{where} lies in another file")
        text = self.h5py.check_string_dtype(data.dtype)
        if text and text.length is None and self.longest(data) > MAX_TEXT:
            raise ValueError(f"{where} has a text of over {MAX_TEXT:,} bytes")
        if not text and data.dtype.kind not in "fiub":
            raise ValueError(
                f"{where} has the type {str(data.dtype)[:40]}, not numbers or text"
            )
        self.bytes += prod(data.shape) * max(data.dtype.itemsize, 64 if text else 1)
        plan = data.id.get_create_plist()
        filters = [plan.get_filter(i)[0] for i in range(plan.get_nfilters())]
        packed_once = set(filters) <= FILTERS and len(set(filters)) == len(filters)
        chunk = prod(data.chunks or (0,)) * data.dtype.itemsize
        if self.bytes > MAX_BYTES or chunk > MAX_CHUNK or not packed_once:
            raise ValueError(f"{where}: too large, or packed in a way that NIR does not need")
        value = data[()]
        return _text(value) if isinstance(value, bytes | str) else np.asarray(value)

    def longest(self, data: Any) -> int:
        """Return the length of the longest text, for which HDF5's library would make room."""
        count, place = prod(data.shape), data.id.get_offset()
        if place is None or place + 16 * count > len(self.content):
            return 0 if count == 0 else MAX_TEXT + 1  # packed, or not there
        heads = np.frombuffer(self.content, "<u4", 4 * count, place)  # length, address, index
        return int(heads[::4].max(initial=0))


def _write(h5py: ModuleType, group: Any, node: gr.Node | gr.Graph) -> None:
    write = lambda key, value: _write_value(h5py, group, key, value)
    if isinstance(node, gr.Graph):
        write("type", "NIRGraph")
        pairs = np.array(node.edges, object).reshape(-1, 2)
        group.create_dataset("edges", data=pairs, dtype=h5py.string_dtype())
        inside = group.create_group("nodes")
        for key, inner in sorted(node.nodes.items()):
            _write(h5py, inside.create_group(key), inner)
    else:
        write("type", node.kind)
        for key, value in node.values.items():
            write(key, value)
    if node.metadata:
        inside = group.create_group("metadata")
        for key, value in sorted(node.metadata.items()):
            _write_value(h5py, inside, key, value)


def _write_value(h5py: ModuleType, group: Any, key: str, value: Any) -> None:
    if isinstance(value, str):
        group.create_dataset(key, data=value, dtype=h5py.string_dtype())
    elif isinstance(value, Mapping):
        raise ValueError(f"the graph's metadata {key!r} must be a number, an array or text")
    else:
        packed = {"compression": "gzip"} if np.ndim(value) and np.size(value) else {}
        group.create_dataset(key, data=np.asarray(value), **packed)


def _require_sound_heaps(content: bytes) -> None:
    """Check the places of names, in which HDF5's library can look for ever if they are damaged.

    A heap is "GCOL", a version, its size, and objects (index, count, size, bytes); an object of
    index 0 is the free rest.  If that falls short of the end, the library never gets there.
    """
    sizes = content[13:15] if content[8:9] in (b"\0", b"\1") else content[9:11]
    if not content.startswith(SIGNATURE) or sizes != b"\x08\x08":
        raise ValueError("not HDF5 with addresses and sizes of 8 bytes")
    start = content.find(HEAP)
    while start >= 0:
        end, place = (
            start + int.from_bytes(content[start + 8 : start + 16], "little"),
            start + 16,
        )
        while place + 16 <= end <= len(content):
            index, _, _, size = unpack_from("<HHIQ", content, place)
            place += size if index == 0 else 16 + (size + 7) // 8 * 8
            if index == 0 and place != end:
                raise ValueError("a heap whose rest does not end with it")
        if not place <= end <= len(content):
            raise ValueError("a heap with objects beyond its end")
        start = content.find(HEAP, start + 1)


def _group(h5py: ModuleType, group: Any, key: str) -> Any:
    link = group.get(key, getlink=True)
    if link is None:
        raise ValueError(f"the graph has no group {key!r}")
    if not isinstance(link, h5py.HardLink):
        raise ValueError(f"node {key}: a link to another place")
    if not isinstance(group[key], h5py.Group):
        raise ValueError(f"node {key}: not a group")
    return group[key]


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
