"""A growing ONNX graph: constants, operators, and loops over time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxdigits.quantise import quantise


class Place(NamedTuple):
    """The arrays around a layer: features before and behind it, and the time steps."""

    shape: tuple[int, ...]
    after: tuple[int, ...]
    steps: int
    """0: the arrays are [B, ...], else [T, B, ...]"""

    @property
    def lead(self) -> list[int]:
        """The leading axes of a reshaped array, with −1 for the batch."""
        return [self.steps, -1] if self.steps else [-1]


@dataclass(frozen=True)
class Graph:
    """Nodes and constants of a model, in the order in which they are added."""

    onnx: Any
    prefix: str = "v"
    bits: int | None = None
    """of weights, which are stored as int8; None: as float32"""
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        """Add a constant, and return its name."""
        name = f"{self.prefix}_constant_{len(self.constants)}"
        array = np.asarray(value, dtype)
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def weight(self, value: Any, order: tuple[int, ...] | None = None) -> str:
        """Add weights [..., n], with their axes in another order, and return their name.

        Of few bits, the levels and one scale for each neuron are stored: W = scale · level.
        """
        order = tuple(range(np.ndim(value))) if order is None else order
        if self.bits is None:
            return self.constant(np.transpose(value, order))
        few = quantise(jnp.asarray(value), self.bits)
        levels = self.constant(np.transpose(few.levels, order), np.int8)
        axis = order.index(len(order) - 1)
        return self.add("DequantizeLinear", levels, self.constant(few.scale), axis=axis)

    def whole(self, *values: int) -> str:
        """Add a constant [n] of whole numbers, and return its name."""
        return self.constant(values, np.int64)

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator, and return the name of its output."""
        name = f"{self.prefix}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [name], **attributes))
        return name


def at_every_step(graph: Graph, x: str, place: Place) -> str:
    """Add x [B, ...] once for each time step [T, B, ...]."""
    once = graph.add("Unsqueeze", x, graph.whole(0))
    times = graph.whole(place.steps, *[1] * (1 + len(place.shape)))
    return graph.add("Tile", once, times)


def scan(
    graph: Graph,
    x: str,
    step: Callable[[Graph, str, str], tuple[str, str]],
    start: float = 0.0,
) -> str:
    """Add a loop over x [T, B, ...] from a constant state; return its outputs [T, B, ...].

    Args:
      step: (body, state, x of one step) -> (state, output), names in the body.
    """
    onnx, name = graph.onnx, f"{graph.prefix}_{len(graph.nodes)}"
    body = Graph(onnx, f"{name}_step")
    inputs = [f"{name}_state", f"{name}_x"]
    outputs = step(body, *inputs)
    info = lambda n: onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None)
    loop = onnx.helper.make_graph(body.nodes, name, [*map(info, inputs)],
                                  [*map(info, outputs)], body.constants)  # fmt: skip
    first = graph.add("Gather", x, graph.constant(0, np.int64), axis=0)
    state = graph.add("Add", graph.add("Sub", first, first), graph.constant(start))
    result = [f"{name}_last", f"{name}_all"]
    graph.nodes.append(onnx.helper.make_node("Scan", [state, x], result, body=loop,
                                             num_scan_inputs=1))  # fmt: skip
    return result[1]
