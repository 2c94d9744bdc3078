"""A NIR graph as a layer, with its weights as params.

Arrays keep the graph's own shape, channels first: a graph with the input [C, H, W] is a layer
[T, B, C, H, W] -> [T, B, ...].  Weights are stored as in `dense` and `conv2d`.
"""

import warnings
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits import checks
from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.interop import cases
from jaxdigits.interop.discretise import (
    PEERS,
    Discretisation,
    from_metadata,
    require_discretisation,
)
from jaxdigits.interop.graph import Graph, complete
from jaxdigits.interop.network import Unit, run, run_back, with_traces
from jaxdigits.interop.nodes import sizes_of, units_of
from jaxdigits.interop.wiring import wire
from jaxdigits.layer import Layer, Params, Residual, Shape
from jaxdigits.spikes.surrogates import AnySurrogate, surrogate_of
from jaxdigits.spikes.unroll import Traces, trace_of


def from_graph(
    graph: Graph,
    discretisation: Discretisation | None = None,
    *,
    surrogate: AnySurrogate = "fast_sigmoid",
) -> tuple[Layer, Params]:
    """Make a layer of a graph: (layer, params), with inputs [T, B, ...] -> [T, B, ...].

    Args:
      graph: of `read_graph`, or your own.
      discretisation: the meaning of a step; None reads it in the graph's metadata.  Where both
        are there and differ, this one counts, with a warning.
      surrogate: firing slope for `backward`; the format has none.

    Raises:
      ValueError: without a discretisation; and as `nir_network`.
    """
    own = from_metadata(graph.metadata)
    if own is not None and discretisation not in (None, own):
        text = "the graph's metadata name another discretisation than this one, which counts"
        warnings.warn(text, stacklevel=2)
    if (discretisation := discretisation or own) is None:
        raise ValueError(
            "the graph does not say how long a step is, or what a reset does: pass a "
            f'discretisation, as PEERS["norse"]; those that fit: {fits(graph)}'
        )
    layer = nir_network(graph, discretisation, surrogate=surrogate)
    params, _ = layer.init(jax.random.key(0), input_shape(graph))
    return layer, params


@constructor
def nir_network(
    graph: Graph, discretisation: Discretisation, *, surrogate: AnySurrogate = "fast_sigmoid"
) -> Layer:
    """A NIR graph as a layer: inputs [T, B, ...] -> [T, B, ...], channels first.

    Params are by node: {"fc": {"weight": [m, n], "bias": [n]}}; `init` returns the graph's own,
    whatever the key.  The residual is by node too; `node_spikes` and `node_potentials` read it.
    Nodes of a graph inside the graph are called "outer.inner".

    Raises:
      ValueError: as `complete` and `wire`; for an edge between nodes of different shapes (but
        for sizes of 1), time constants that are not positive, dt above them by Euler's method,
        and other values that a node cannot have; by the name of the node or edge.  In `init`
        and `forward`, for another input.
    """
    wiring = wire(complete(graph))
    d = require_discretisation(discretisation)
    units, start = units_of(wiring, d, surrogate_of(surrogate))
    before, after = units[wiring.input].before, units[wiring.output].after

    def init(key, shape):
        if tuple(shape) != before:
            raise ValueError(f"the graph's input is {before}, got {tuple(shape)}")
        return jax.tree.map(lambda a: jnp.asarray(a, float), start), after

    def forward(params, x, key=None):
        checks.floats(x, "a NIR graph", "convert spikes to floats")
        if x.shape[2:] != before or x.ndim < 2:
            sizes = ", ".join(map(str, before))
            raise ValueError(f"the graph takes [T, B, {sizes}], got {x.shape}")
        return run(wiring, units, params, x)

    def backward(params, residual, y_bar):
        return run_back(wiring, units, params, residual, y_bar)

    return Layer(init, forward, backward)


def fitting(graph: Graph) -> list[str]:
    """Return the names of the `PEERS` that can take a graph; none for one that is refused."""
    return [name for name in PEERS if name not in misfits(graph)]


def misfits(graph: Graph) -> dict[str, str]:
    """Return the reason why a graph is refused, for each of the `PEERS` that cannot take it."""
    reasons = {}
    for name, d in PEERS.items():
        try:
            nir_network(graph, d)
        except ValueError as error:
            reasons[name] = str(error)
    return reasons


def fits(graph: Graph) -> str:
    """Return the names of the `PEERS` that can take a graph, or why none can, as text."""
    reasons = misfits(graph)
    names = [name for name in PEERS if name not in reasons]
    return ", ".join(names) or f"none ({next(iter(reasons.values()))})"


def input_shape(graph: Graph) -> Shape:
    """Return the feature shape of a graph's input.

    Raises:
      ValueError: unless the graph has one Input.
    """
    wiring = wire(complete(graph))
    return sizes_of(wiring.nodes[wiring.input], "shape")


def node_spikes(residual: Residual) -> dict[str, Array]:
    """Return the spikes [T, B, n] of every neuron that fires, by node, from the residual."""
    inner = {k: v if isinstance(v, Traces) else v[0] for k, v in residual.items() if _traced(v)}
    return {name: trace.spikes for name, trace in inner.items()}


def node_potentials(network: Layer, residual: Residual) -> dict[str, Array]:
    """Return the potentials [T, B, n] that end each step, by node, from the residual.

    Raises:
      ValueError: for a layer that is no imported graph.
    """
    units, residual = units_of_layer(network), with_traces(residual)
    neurons: Any = {k: units[k].neuron for k, r in residual.items() if _traced(r)}
    return {
        name: neuron.potential(neuron.constants({}, trace["v"].dtype), trace)
        for name, neuron in neurons.items()
        if (trace := trace_of(residual[name]))
    }


def _traced(residual: Any) -> bool:
    return isinstance(residual, Traces) or (
        isinstance(residual, tuple) and bool(residual) and isinstance(residual[0], Traces)
    )


def units_of_layer(network: Layer) -> dict[str, Unit]:
    """Return the nodes of an imported graph, ready to run, by name.

    Raises:
      ValueError: for a layer that is no imported graph.
    """
    if (about := network.about and network.about.find(nir_network)) is None:
        raise ValueError(f"{network!r} is no imported graph: make one with from_graph")
    a = about.arguments
    wiring = wire(complete(a["graph"]))
    return units_of(wiring, a["discretisation"], surrogate_of(a["surrogate"]))[0]


CASES = {
    "nir_network, cycle": Case(
        lambda: nir_network(cases.feedback(), Discretisation(1.0)), (3,), "current"
    ),
    "nir_network, images": Case(
        lambda: nir_network(cases.images(), Discretisation(1.0)), (2, 6, 7), "current"
    ),
    "nir_network, signals": Case(
        lambda: nir_network(cases.signals(), Discretisation(1.0)), (2, 9), "current"
    ),
}
