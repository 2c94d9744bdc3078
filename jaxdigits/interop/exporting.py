"""A trained network as a NIR graph, with the meaning of its step, or a reason why not."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxdigits import layers as ly
from jaxdigits import spikes as sp
from jaxdigits.about import About
from jaxdigits.fold import without_norms
from jaxdigits.interop import discretise as di
from jaxdigits.interop import weights as wt
from jaxdigits.interop.graph import Graph, complete
from jaxdigits.interop.importing import nir_network
from jaxdigits.interop.wiring import wire
from jaxdigits.interop.writers import (
    ENTRIES,
    finished,
    remarks_of,
    start_of,
    without_numbers,
    write_layer,
)
from jaxdigits.layer import Layer, Params, Shape, serial
from jaxdigits.spikes.lif import lif_neuron

AROUND = (*ENTRIES, ly.flatten, ly.add_row, sp.spike_count, sp.leaky_readout)
"""layers around an imported graph, which stay behind"""


def to_graph(
    network: Layer,
    params: Params,
    shape: Shape,
    discretisation: di.Discretisation | None = None,
    *,
    dt: float | None = None,
) -> Graph:
    """Return the graph of a network; `Graph.notes` says where other readers will differ.

    The graph starts behind the encoder and ends before the sum over time, which NIR has no
    nodes for.  Batch norms are folded into the weights before them.  An imported graph comes
    back with its trained weights.

    Args:
      network: of a builder in evaluation (`training=False`), a `serial` of layers, or an
        imported graph.
      params: of the network.
      shape: feature shape of the network's input, as (28, 28).
      discretisation: how the numbers are written; None is Euler's method with the convention of
        the network's neurons.
      dt: step in seconds, without a discretisation; None is 1e-4, as of snnTorch's importer.

    Raises:
      ValueError: for a layer or a convention that a graph cannot say, by the layer's name;
        for dt beside a discretisation, or of an imported graph.
    """
    if dt is not None and discretisation is not None:
        raise ValueError("a discretisation has its own dt: leave out one of the two")
    network, params = without_norms(network, params)
    parts = list(_parts(network.about, params, "network"))
    inner = [part for part in parts if part[1].find(nir_network)]
    if inner:
        return _trained(parts, inner[0], discretisation, dt)
    own = discretisation or _own(parts, 1e-4 if dt is None else dt)
    writer = start_of(tuple(shape), di.require_discretisation(own))
    for i, (name, about, p) in enumerate(parts):
        try:
            write_layer(writer, i, about, p)
        except ValueError as error:
            raise ValueError(f"{name}, {about.name}: {error}") from error
    return finished(writer)


def _parts(about: About | None, params: Any, name: str) -> Iterator[tuple[str, About, Any]]:
    """Yield (name, about, params) of the layers in a row."""
    if about is None:
        raise ValueError(f"{name} does not say what it is: make it of this library's layers")
    if about.arguments.get("recompute"):
        raise ValueError(f"{name}, {about.name}: build it with recompute=False for its layers")
    if (row := about.find(serial)) is None or about.find(nir_network):
        yield name, about, params
        return
    for i, (layer, p) in enumerate(zip(row.arguments["layers"], params, strict=True)):
        yield from _parts(layer.about, p, f"layer {i}")


def _trained(parts, part, discretisation, dt) -> Graph:
    """Return an imported graph with its params."""
    for name, about, _ in parts:
        if about is not part[1] and about.constructor not in AROUND:
            raise ValueError(f"{name}, {about.name}: export the imported graph alone")
    arguments, params = part[1].find(nir_network).arguments, part[2]
    own, graph = arguments["discretisation"], arguments["graph"]
    if discretisation not in (None, own) or dt not in (None, own.dt):
        raise ValueError(
            f"an imported graph is written with its own discretisation and dt = {own.dt:g}: "
            "leave it out"
        )
    wiring = wire(complete(graph))
    nodes = dict(wiring.nodes)
    for name, weights in params.items():
        to_nir = {"weight": wt.to_nir}
        arrays = {key: to_nir.get(key, np.asarray)(value) for key, value in weights.items()}
        nodes[name] = nodes[name]._replace(values={**nodes[name].values, **arrays})
    edges = tuple((a, b) for b, sources in wiring.sources.items() for a in sources)
    metadata = {**graph.metadata, **di.to_metadata(own)}
    return complete(Graph(nodes, edges, metadata, tuple(remarks_of(own))))


def _own(parts, dt: float) -> di.Discretisation:
    """Return the discretisation with the convention of the first neurons."""
    for _, about, _ in parts:
        if (layer := about.find(sp.over_time, sp.recurrent)) is not None:
            neuron = layer.arguments["neuron"].about.find(lif_neuron, sp.cuba_lif_neuron)
            if neuron is not None:
                convention = without_numbers(neuron.arguments["convention"])
                return di.Discretisation(dt, convention=convention)
    return di.Discretisation(dt)
