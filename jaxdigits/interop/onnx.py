"""Networks as ONNX models [1] of opset 18, for any runtime that reads them.

    pixels [B, ...] uint8        ->  logits [B, K], or [B, T, K] for the T frames of a field,
    spikes [T, B, ...] float32       and the spikes [T, B, ...] of each layer of neurons

Random numbers stay outside: a rate-coded network takes its spikes as input.  A layer of neurons
and a leaky readout are a `Scan` each, whose body is one time step.

[1] https://onnx.ai/onnx/operators/
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxdigits import spikes as sp
from jaxdigits.errors import import_extra
from jaxdigits.fold import is_made_by, layers_in_a_row
from jaxdigits.interop.onnx_graph import Graph, Place
from jaxdigits.interop.onnx_neurons import FIRING, READING
from jaxdigits.interop.onnx_operators import OPERATORS, operator
from jaxdigits.layer import Layer, Params

OPSET, IR = 18, 8  # both of 2022: runtimes since then read them
ENDS = (*READING.values(), OPERATORS[sp.of_mean])  # their outputs have no time steps


def to_onnx(
    network: Layer, params: Params, features: Sequence[int], *, bits: int | None = None
) -> bytes:
    """Return a network in evaluation as an ONNX model, its params inside.

    Args:
      features: the shape of one image.
      bits: of each weight, 1 to 8: rounded per neuron, and stored as int8; None: floats.

    Raises:
      ImportError: without onnx.
      ValueError: for a layer that has no ONNX model here, with its name, and for other bits.
    """
    graph = Graph(import_extra("onnx", "onnx", "ONNX models need"), bits=bits)
    layers = layers_in_a_row(network)
    rate = _steps_of_rate(layers)
    name, shape, steps = "spikes" if rate else "pixels", tuple(features), rate
    outputs = {}
    for layer, p in zip(layers, params, strict=True):
        make, options = operator(layer)
        after = layer.init(jax.random.key(0), shape)[1]
        steps = options.get("steps") or steps
        name = make(graph, name, options, p, Place(shape, after, steps))
        if make in FIRING.values():
            outputs[name] = f"spikes_{len(outputs) + 1}", (steps, "B", *after)
        steps = 0 if make in ENDS else steps
        shape = after
    return _model(graph, (tuple(features), rate), (name, shape), outputs)


def run_onnx(data: bytes) -> Callable[[Any], list[np.ndarray]]:
    """Return a model as a function of its only input: the outputs in their order.

    Raises:
      ImportError: without onnxruntime.
    """
    onnxruntime: Any = import_extra("onnxruntime", "onnx", "running ONNX models needs")
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    (name,) = (each.name for each in session.get_inputs())
    return lambda x: [np.asarray(y) for y in session.run(None, {name: np.asarray(x)})]


def _steps_of_rate(layers: Sequence[Layer]) -> int:
    """Return the time steps of a rate encoder, whose spikes are the model's input; else 0."""
    about = layers[0].about
    return about.arguments["steps"] if about and is_made_by(layers[0], sp.rate) else 0


def _model(graph: Graph, source, result, spikes: Mapping[str, tuple[str, tuple]]) -> bytes:
    """Return the bytes of a checked model, by the arrays that it takes and gives."""
    onnx = graph.onnx
    (features, rate), (name, shape) = source, result
    kind = onnx.TensorProto
    info = onnx.helper.make_tensor_value_info
    takes = info("spikes", kind.FLOAT, [rate, "B", *features])
    takes = takes if rate else info("pixels", kind.UINT8, ["B", *features])
    outputs = {name: ("logits", ("B", *shape)), **spikes}
    for old, (new, _) in outputs.items():
        graph.nodes.append(onnx.helper.make_node("Identity", [old], [new]))
    gives = [info(new, kind.FLOAT, axes) for new, axes in outputs.values()]
    made = onnx.helper.make_graph(graph.nodes, "network", [takes], gives, graph.constants)
    opset = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(made, producer_name="jaxdigits", opset_imports=opset)
    model.ir_version = IR
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)
