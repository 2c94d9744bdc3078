"""The layers of a network as ONNX operators.

JAX's images have their channels last and ONNX convolves with channels first, so a transposition
stands on both sides of each convolution and pooling.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jaxdigits import layers as ly
from jaxdigits import spikes as sp
from jaxdigits.interop.onnx_graph import Graph, at_every_step
from jaxdigits.interop.onnx_neurons import FIRING, READING
from jaxdigits.layer import Layer

FIRST, LAST = (0, 3, 1, 2), (0, 2, 3, 1)  # channels first, from channels last; and back


def operator(layer: Layer) -> tuple[Callable[..., str], Mapping[str, Any]]:
    """Return how a layer becomes operators, and its arguments.

    Raises:
      ValueError: for a layer of another kind, or of mixed precision.
    """
    about = layer.about
    if about and about.constructor is sp.spikes_stored:
        return operator(about.arguments["layer"])
    make = about and OPERATORS.get(about.constructor)
    if about is None or make is None:
        name = about.name if about else "a layer without `about`"
        raise ValueError(f"{name} has no ONNX model here: export the run to stablehlo")
    if about.arguments.get("precision") == "mixed":
        raise ValueError("ONNX models have full precision here: train with --precision full")
    return make, about.arguments


def _same(graph, x, options, params, place) -> str:
    return x


def _standardise(graph, x, options, params, place) -> str:
    unit = _unit(graph, x)
    centred = graph.add("Sub", unit, graph.constant(options["mean"]))
    return graph.add("Div", centred, graph.constant(options["std"]))


def _unit(graph: Graph, x: str) -> str:
    """Return pixels as floats in [0, 1]; what is computed already is a float."""
    if x != "pixels":
        return x
    number = graph.add("Cast", x, to=graph.onnx.TensorProto.FLOAT)
    return graph.add("Div", number, graph.constant(255))


def _direct(graph, x, options, params, place) -> str:
    return at_every_step(graph, _unit(graph, x), place)


def _at_each_step(graph, x, options, params, place) -> str:
    make, inner = operator(options["layer"])
    once = make(graph, _unit(graph, x), inner, params, place._replace(steps=0))
    return at_every_step(graph, once, place._replace(shape=place.after))


def _reshape(graph, x, options, params, place) -> str:
    return graph.add("Reshape", x, graph.whole(*place.lead, *place.after))


def _dense(graph, x, options, params, place) -> str:
    y = graph.add("MatMul", x, graph.weight(params["weight"]))
    return graph.add("Add", y, graph.constant(params["bias"])) if options["bias"] else y


def _conv2d(graph, x, options, params, place) -> str:
    inputs = [graph.weight(params["weight"], (3, 2, 0, 1))]
    inputs += [graph.constant(params["bias"])] if options["bias"] else []
    padding = {"SAME": "SAME_UPPER"}.get(options["padding"], "VALID")
    return _of_images(graph, x, place, "Conv", *inputs, auto_pad=padding,
                      strides=[options["stride"]] * 2)  # fmt: skip


def _pool(kind: str):
    def pool(graph, x, options, params, place) -> str:
        window = [options["window"]] * 2
        return _of_images(graph, x, place, kind, kernel_shape=window, strides=window)

    return pool


def _of_images(graph, x, place, kind, *inputs, **attributes) -> str:
    """Add an operator of images [N, C, H, W]; x is [..., H, W, C], and so is the result."""
    images = graph.add("Reshape", x, graph.whole(-1, *place.shape))
    y = graph.add(kind, graph.add("Transpose", images, perm=FIRST), *inputs, **attributes)
    y = graph.add("Transpose", y, perm=LAST)
    return graph.add("Reshape", y, graph.whole(*place.lead, *place.after))


def _batch_norm(graph, x, options, params, place) -> str:
    if options["statistics"] is None:
        raise ValueError("batch_norm has no statistics: build the network with training=False")
    mean, variance = (np.asarray(a) for a in options["statistics"])
    sigma = np.sqrt(variance + np.float32(options["epsilon"]))
    y = graph.add("Div", graph.add("Sub", x, graph.constant(mean)), graph.constant(sigma))
    y = graph.add("Mul", y, graph.constant(params["scale"]))
    return graph.add("Add", y, graph.constant(params["shift"]))


def _leaky_relu(graph, x, options, params, place) -> str:
    return graph.add("LeakyRelu", x, alpha=float(options["slope"]))


def _gelu(graph, x, options, params, place) -> str:
    error = graph.add("Erf", graph.add("Div", x, graph.constant(2**0.5)))
    share = graph.add("Mul", graph.add("Add", error, graph.constant(1)), graph.constant(0.5))
    return graph.add("Mul", x, share)


def _columns_to_frames(graph, x, options, params, place) -> str:
    axes = len(place.lead) + np.array([1, 0, 2])
    turned = graph.add("Transpose", x, perm=[*range(len(place.lead)), *map(int, axes)])
    return graph.add("Reshape", turned, graph.whole(*place.lead, *place.after))


def _of_mean(graph, x, options, params, place) -> str:
    make, inner = operator(options["layer"])
    mean = graph.add("ReduceMean", x, graph.whole(0), keepdims=0)
    return make(graph, mean, inner, params, place._replace(steps=0))


OPERATORS: dict[Any, Callable[..., str]] = {
    **FIRING, **READING,
    ly.standardise: _standardise, ly.add_channel: _reshape, ly.add_row: _reshape,
    ly.flatten: _reshape, ly.columns_to_frames: _columns_to_frames,
    ly.dense: _dense, ly.conv2d: _conv2d, ly.max_pool: _pool("MaxPool"),
    ly.average_pool: _pool("AveragePool"), ly.batch_norm: _batch_norm, ly.dropout: _same,
    ly.relu: lambda graph, x, *rest: graph.add("Relu", x), ly.leaky_relu: _leaky_relu,
    ly.tanh: lambda graph, x, *rest: graph.add("Tanh", x), ly.gelu: _gelu,
    sp.rate: _same, sp.rate_penalty: _same, sp.direct: _direct,
    sp.at_each_step: _at_each_step, sp.of_mean: _of_mean,
}  # fmt: skip
