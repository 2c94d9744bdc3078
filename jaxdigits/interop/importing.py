"""A NIR graph as a layer, with its weights as params.

Arrays keep the graph's own shape, channels first: a graph with the input [C, H, W] is a layer
[T, B, C, H, W] -> [T, B, ...].  Weights are stored as in `dense` and `conv2d`.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits import checks
from jaxdigits import layers as ly
from jaxdigits.about import About, constructor
from jaxdigits.interop import weights as wt
from jaxdigits.interop.discretise import (
    PEERS,
    Discretisation,
    from_metadata,
    require_discretisation,
)
from jaxdigits.interop.graph import Graph, Node, complete
from jaxdigits.interop.network import Unit, run, run_back
from jaxdigits.interop.neuron import STATEFUL, constants_of, delay_line, nir_neuron
from jaxdigits.interop.wiring import Wiring, is_cycle, wire
from jaxdigits.layer import Layer, Params, Residual, Shape, without_params
from jaxdigits.spikes.convention import firing
from jaxdigits.spikes.surrogates import AnySurrogate, Surrogate, surrogate_of
from jaxdigits.spikes.unroll import Traces, trace_of

MAX_NEURONS = 1 << 26


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
        are there, this one counts.
      surrogate: firing slope for `backward`; the format has none.

    Raises:
      ValueError: without a discretisation; and as `nir_network`.
    """
    if discretisation is None and (discretisation := from_metadata(graph.metadata)) is None:
        names = ", ".join(fitting(graph)) or "none of PEERS"
        raise ValueError(
            "the graph does not say how long a step is, or what a reset does: pass a "
            f'discretisation, as PEERS["norse"]; those that fit: {names}'
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
            raise ValueError(f"the graph takes [T, B, *{before}], got {x.shape}")
        return run(wiring, units, params, x)

    def backward(params, residual, y_bar):
        return run_back(wiring, units, params, residual, y_bar)

    return Layer(init, forward, backward)


def fitting(graph: Graph) -> list[str]:
    """Return the names of the `PEERS` that can take a graph; none for one that is refused."""

    def fits(d):
        try:
            nir_network(graph, d)
        except ValueError:
            return False
        return True

    return [name for name, d in PEERS.items() if fits(d)]


def input_shape(graph: Graph) -> Shape:
    """Return the feature shape of a graph's input.

    Raises:
      ValueError: unless the graph has one Input.
    """
    wiring = wire(complete(graph))
    return _sizes(wiring.nodes[wiring.input], "shape")


def node_spikes(residual: Residual) -> dict[str, Array]:
    """Return the spikes [T, B, n] of every neuron that fires, by node, from the residual."""
    inner = {k: v if isinstance(v, Traces) else v[0] for k, v in residual.items() if _traced(v)}
    return {name: trace.spikes for name, trace in inner.items()}


def node_potentials(network: Layer, residual: Residual) -> dict[str, Array]:
    """Return the potentials [T, B, n] that end each step, by node, from the residual.

    Raises:
      ValueError: for a layer that is no imported graph.
    """
    units = _units_of_layer(network)
    neurons = {name: units[name].neuron for name, r in residual.items() if _traced(r)}
    return {
        name: neuron.potential(neuron.constants({}, trace["v"].dtype), trace)
        for name, neuron in neurons.items()
        if (trace := trace_of(residual[name]))
    }


def _traced(residual: Any) -> bool:
    return isinstance(residual, Traces) or (
        isinstance(residual, tuple) and bool(residual) and isinstance(residual[0], Traces)
    )


def imported(network: Layer) -> About | None:
    """Return the `About` of the imported graph in a layer, or None."""
    return network.about.find(nir_network) if network.about else None


def _units_of_layer(network: Layer) -> dict[str, Unit]:
    if (about := imported(network)) is None:
        raise ValueError(f"{network!r} is no imported graph: make one with from_graph")
    a = about.arguments
    wiring = wire(complete(a["graph"]))
    return units_of(wiring, a["discretisation"], surrogate_of(a["surrogate"]))[0]


def units_of(
    wiring: Wiring, d: Discretisation, surrogate: Surrogate
) -> tuple[dict[str, Unit], Params]:
    """Make each node ready to run: units and weights by node.

    Raises:
      ValueError: by the name of the node or edge.
    """
    units: dict[str, Unit] = {}
    params: dict[str, Any] = {}
    for name, node in wiring.nodes.items():
        shapes = [units[s].after for s in wiring.sources[name] if s in units]
        try:
            make = _neuron if node.kind in STATEFUL else MAKERS[node.kind]
            units[name], weights = make(node, shapes[0] if shapes else (), d, surrogate)
        except ValueError as error:
            raise ValueError(f"node {name}: {error}") from error
        if weights:
            params[name] = weights
    for name, sources in wiring.sources.items():
        for source in sources:
            _require_equal(units[source].after, units[name].before, f"{source} -> {name}")
    for group in wiring.groups:
        neurons = [n for n in group if (u := units[n].neuron) and u.late]
        if len(neurons) > 1 and is_cycle(group, wiring):
            raise ValueError(f"node {neurons[1]}: two neurons with spike_from='old' in a cycle")
    return units, params


def _require_equal(after: Shape, before: Shape, edge: str) -> None:
    squeezed = [tuple(n for n in shape if n != 1) for shape in (after, before)]
    if squeezed[0] != squeezed[1]:
        raise ValueError(f"edge {edge}: {list(after)} into a node that takes {list(before)}")


Made = tuple[Unit, dict[str, np.ndarray]]


def _neuron(node: Node, shape: Shape, d: Discretisation, surrogate: Surrogate) -> Made:
    own = _equal_shapes(node)
    values = {key: np.ravel(np.asarray(value)) for key, value in node.values.items()}
    k, convention = constants_of(node.kind, values, d)
    neuron = nir_neuron(k, convention, surrogate)
    emit = "spikes" if k.theta is not None else "potential"
    return Unit(own, own, neuron=neuron, emit=emit), {}


def _end(node: Node, shape: Shape, d: Any, surrogate: Any) -> Made:
    own = _sizes(node, "shape")
    return Unit(own, own, _identity()), {}


def _identity() -> Layer:
    return without_params(lambda x, key: (x, ()), lambda _, y_bar: y_bar)


def _linear(node: Node, shape: Shape, d: Any, surrogate: Any) -> Made:
    weight = _array(node, "weight")
    if weight.ndim != 2 or not weight.size:
        raise ValueError(f"weight must be [outputs, inputs], got {list(weight.shape)}")
    n, m = weight.shape
    params = {"weight": weight.T} | _bias(node, n)
    return Unit((m,), (n,), ly.dense(n, bias="bias" in params)), params


def _scale(node: Node, shape: Shape, d: Any, surrogate: Any) -> Made:
    own = _equal_shapes(node)
    return Unit(own, own, wt.scale()), {"scale": _array(node, "scale")}


def _conv(node: Node, shape: Shape, d: Any, surrogate: Any) -> Made:
    n = int(node.kind[4])
    weight, groups = _array(node, "weight"), int(_sizes(node, "groups", 1)[0])
    if weight.ndim != n + 2 or not weight.size:
        raise ValueError(f"weight must have {n + 2} axes, got {list(weight.shape)}")
    out, inner, *kernel = weight.shape
    if out % groups:
        raise ValueError(f"{out} channels are not {groups} groups")
    stride, dilation = _sizes(node, "stride", n), _sizes(node, "dilation", n)
    padding = _padding(node, kernel, stride, dilation)
    sizes = _sizes(node, "input_shape", n) if "input_shape" in node.values else shape[1:]
    if len(sizes) != n:
        raise ValueError(f"needs features with {n + 1} axes, got {list(shape)}")
    after = wt.output_sizes(sizes, kernel, stride, padding, dilation)
    params = {"weight": np.moveaxis(weight, (0, 1), (-1, -2))} | _bias(node, out)
    layer = wt.conv(n, stride, padding, dilation, groups)
    return Unit((inner * groups, *sizes), (out, *after), layer), params


def _pool(node: Node, shape: Shape, d: Any, surrogate: Any) -> Made:
    if len(shape) != 3:
        raise ValueError(f"needs features with 3 axes, got {list(shape)}")
    kernel, stride = _sizes(node, "kernel_size", 2), _sizes(node, "stride", 2)
    around = [(p, p) for p in _sizes(node, "padding", 2, least=0)]
    after = wt.output_sizes(shape[1:], kernel, stride, around, (1, 1))
    layer = wt.pool(kernel, stride, around, node.kind == "AvgPool2d")
    return Unit(shape, (shape[0], *after), layer), {}


def _flatten(node: Node, shape: Shape, d: Any, surrogate: Any) -> Made:
    before = _sizes(node, "input_type") if "input_type" in node.values else shape
    start, end = (int(_sizes(node, key, 1, least=-8)[0]) for key in ("start_dim", "end_dim"))
    first, last = (i % len(before) if before else 0 for i in (start, end))
    if not before or max(start, end) >= len(before) or last < first:
        raise ValueError(f"axes {start} to {end} are none of {list(before)}")
    merged = math.prod(before[first : last + 1])
    after = (*before[:first], merged, *before[last + 1 :])
    return Unit(before, after, wt.reshaped(len(before), after)), {}


def _delay(node: Node, shape: Shape, d: Discretisation, surrogate: Any) -> Made:
    own, delay = _equal_shapes(node), _array(node, "delay").astype(float)
    steps = np.round(delay / d.dt)
    if not np.allclose(steps * d.dt, delay, rtol=1e-3) or steps.min() < 0:
        raise ValueError(f"delay must be whole steps of dt = {d.dt:g}, got {delay.flat[0]:g}")
    if steps.max() > 10_000:
        raise ValueError(f"delay is {steps.max():.0f} steps, over 10,000: take a larger dt")
    neuron = delay_line(np.ravel(steps).astype(int))
    return Unit(own, own, neuron=neuron, emit="potential", by_step=True), {}


def _threshold(node: Node, shape: Shape, d: Discretisation, surrogate: Surrogate) -> Made:
    own, theta = _equal_shapes(node), _array(node, "threshold")
    fire = firing(surrogate, replace(d.convention, spikes="one"))
    above = lambda x: jnp.asarray(theta, x.dtype)
    layer = without_params(
        lambda x, key: (fire(x, jnp.broadcast_to(above(x), x.shape)), x),
        lambda x, y_bar: surrogate.slope(x - above(x)) * y_bar,
    )
    return Unit(own, own, layer), {}


MAKERS: dict[str, Callable[..., Made]] = {
    "Input": _end, "Output": _end, "Affine": _linear, "Linear": _linear, "Scale": _scale,
    "Conv1d": _conv, "Conv2d": _conv, "SumPool2d": _pool, "AvgPool2d": _pool,
    "Flatten": _flatten, "Delay": _delay, "Threshold": _threshold,
}  # fmt: skip


def _array(node: Node, key: str) -> np.ndarray:
    return np.asarray(node.values[key])


def _equal_shapes(node: Node) -> Shape:
    """Return the one shape of all values of a node."""
    shapes = {key: np.shape(value) for key, value in node.values.items()}
    (first, own), *others = shapes.items()
    for key, shape in others:
        if shape != own:
            raise ValueError(f"{first} is {list(own)}, but {key} is {list(shape)}")
    if not math.prod(own):
        raise ValueError(f"{first} has no numbers")
    return own


def _sizes(node: Node, key: str, n: int | None = None, least: int = 1) -> Shape:
    """Return whole numbers, n of them from one number or n; each at least `least`."""
    value = np.asarray(node.values[key])
    if value.ndim > 1 or (n is not None and value.size not in (1, n)):
        raise ValueError(f"{key} must be {n or 'a list of'} numbers, got {list(value.shape)}")
    sizes = tuple(np.broadcast_to(value.ravel(), n or value.size).tolist())
    if any(size < least for size in sizes):
        raise ValueError(f"{key} must be >= {least}, got {list(sizes)}")
    if math.prod(sizes) > MAX_NEURONS:
        raise ValueError(f"{key} is {list(sizes)}, over {MAX_NEURONS:,} in all")
    return sizes


def _bias(node: Node, n: int) -> dict[str, np.ndarray]:
    if "bias" not in node.values:
        return {}
    bias = _array(node, "bias")
    if bias.shape != (n,):
        raise ValueError(f"bias must be {[n]}, got {list(bias.shape)}")
    return {"bias": bias}


def _padding(node: Node, kernel: list[int], stride: Shape, dilation: Shape) -> wt.Padding:
    padding = node.values["padding"]
    if isinstance(padding, np.ndarray):
        return [(p, p) for p in _sizes(node, "padding", len(kernel), least=0)]
    if padding == "valid":
        return [(0, 0)] * len(kernel)
    if any(s != 1 for s in stride):
        raise ValueError(f"padding 'same' needs stride 1, got {list(stride)}")
    spans = [a * (k - 1) for k, a in zip(kernel, dilation, strict=True)]
    return [(span // 2, span - span // 2) for span in spans]
