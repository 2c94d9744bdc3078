"""A run of an imported NIR graph, which `evaluate`, `predict`, `plot` and `train` read."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jax

from jaxdigits.interop import PEERS, Discretisation, Graph, write_graph
from jaxdigits.interop.discretise import from_metadata, require_discretisation, to_metadata
from jaxdigits.interop.importing import fits
from jaxdigits.runs.folder import Run, create_run, load_run, save_params
from jaxdigits.runs.graph import GRAPH, graph_file
from jaxdigits.runs.network_options import IMPORTED
from jaxdigits.runs.usual import config_for


def with_discretisation(graph: Graph, peer: str | None, dt: float | None) -> Graph:
    """Return a graph with the meaning of its step in its metadata.

    A note says so where the graph had another.

    Args:
      peer: a name in `PEERS`; None is the graph's own meaning, or without one the format's
        equations by Euler's method.
      dt: step in seconds; None is the one of the peer, or the graph's own.

    Raises:
      ValueError: for a graph that has no meaning of its own, without peer and dt, or dt <= 0.
    """
    own = from_metadata(graph.metadata)
    if (meaning := PEERS[peer] if peer else own) is None and dt is None:
        raise ValueError(
            "the graph does not say how long a step is, or what a reset does: pass "
            f"--discretisation, --dt or both; discretisations that fit: {fits(graph)}"
        )
    if meaning is None:
        meaning = Discretisation(dt or 1.0)
    meaning = require_discretisation(meaning if dt is None else meaning._replace(dt=dt))
    if own not in (None, meaning):
        note = f"{peer or 'this dt'} counts, and not the discretisation in the file"
        graph = graph._replace(notes=(*graph.notes, note))
    others = {k: v for k, v in graph.metadata.items() if not k.startswith("jaxdigits.")}
    return graph._replace(metadata=others | to_metadata(meaning))


def import_run(graph: Graph, data: str | None, folder: Path, **settings: Any) -> Run:
    """Write the run of a graph to a folder, with the graph's weights, and return it.

    Args:
      graph: with a discretisation in its metadata.
      data, settings: as for `config_for`; `options` are those of `image_graph`.

    Raises:
      ValueError: for images or classes that the graph does not have, and as `config_for`.
      RunError: if the folder is not empty or cannot be written.
    """
    with TemporaryDirectory() as place:
        path = Path(place, GRAPH)
        write_graph(path, graph)
        config = config_for(IMPORTED, data, graph=graph_file(path), **settings)
        network = config.build()(training=False)
        params, _ = network.init(jax.random.key(config.seed), config.features)
        create_run(folder, config)
    save_params(folder, params, ())
    return load_run(folder)
