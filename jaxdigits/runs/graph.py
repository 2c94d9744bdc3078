"""The graph of a run whose network was imported: a NIR file, known by its digest."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from jaxdigits.data.files import read_file
from jaxdigits.errors import DataError
from jaxdigits.interop.files import MAX_FILE, read_graph
from jaxdigits.interop.graph import Graph

GRAPH = "graph.nir"  # in the folder of a run


class GraphFile(NamedTuple):
    """A NIR graph on disk, with its discretisation."""

    path: str
    digest: str
    """of its bytes"""


def graph_file(path: Path) -> GraphFile:
    """Return the file of a graph.

    Raises:
      DataError: if it cannot be read.
    """
    return GraphFile(str(path.absolute()), _digest(path))


def graph_of(file: GraphFile) -> Graph:
    """Read the graph of a file.

    Raises:
      DataError: if the file cannot be read, or has changed.
    """
    path = Path(file.path)
    if _digest(path) != file.digest:
        raise DataError(f"{path} has changed: bring the file back")
    return _read(file)


@lru_cache(maxsize=8)
def _read(file: GraphFile) -> Graph:
    return read_graph(file.path)


def _digest(path: Path) -> str:
    return hashlib.sha256(read_file(path, MAX_FILE)).hexdigest()[:16]
