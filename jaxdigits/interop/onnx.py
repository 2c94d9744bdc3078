"""Networks as ONNX models [1] of opset 18, for any runtime that reads them.

    pixels [B, ...] uint8        ->  logits [B, K], or [B, T, K] for the T frames of a field,
    spikes [T, B, ...] float32       and the spikes [T, B, ...] of each layer of neurons

Random numbers stay outside: a rate-coded network takes its spikes as input.  A layer of neurons
and a leaky readout are a `Scan` each, whose body is one time step.  JAX's images have their
channels last and ONNX convolves with channels first, so a transposition stands on both sides of
each convolution and pooling.

[1] https://onnx.ai/onnx/operators/
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxdigits import layers as ly
from jaxdigits import spikes as sp
from jaxdigits.about import children_of
from jaxdigits.layer import Layer, Params
from jaxdigits.spikes.convention import Convention
from jaxdigits.spikes.counting import COUNTING
from jaxdigits.spikes.lif import lif_neuron

OPSET, IR = 18, 8  # both of 2022: runtimes since then read them
FIRST, LAST = (0, 3, 1, 2), (0, 2, 3, 1)  # channels first, from channels last; and back


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
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        """Add a constant, and return its name."""
        name = f"{self.prefix}_constant_{len(self.constants)}"
        array = np.asarray(value, dtype)
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def whole(self, *values: int) -> str:
        """Add a constant [n] of whole numbers, and return its name."""
        return self.constant(values, np.int64)

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator, and return the name of its output."""
        name = f"{self.prefix}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [name], **attributes))
        return name


def to_onnx(network: Layer, params: Params, features: Sequence[int]) -> bytes:
    """Return a network in evaluation as an ONNX model, its params inside.

    Args:
      features: the shape of one image.

    Raises:
      ImportError: without onnx.
      ValueError: for a layer that has no ONNX model here, with its name.
    """
    graph = Graph(_import_onnx())
    layers = layers_in_a_row(network)
    rate = _steps_of_rate(layers)
    name, shape, steps = "spikes" if rate else "pixels", tuple(features), rate
    outputs = {}
    for layer, p in zip(layers, params, strict=True):
        make, options = _operator(layer)
        after = layer.init(jax.random.key(0), shape)[1]
        steps = options.get("steps") or steps
        name = make(graph, name, options, p, Place(shape, after, steps))
        if make in (_neurons, _integrate_and_fire):
            outputs[name] = f"spikes_{len(outputs) + 1}", (steps, "B", *after)
        steps = 0 if make in (_leaky_readout, _spike_count, _of_mean) else steps
        shape = after
    return _model(graph, (tuple(features), rate), (name, shape), outputs)


def run_onnx(data: bytes) -> Callable[[Any], list[np.ndarray]]:
    """Return a model as a function of its only input: the outputs in their order.

    Raises:
      ImportError: without onnxruntime.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            'running ONNX models needs onnxruntime: pip install "jaxdigits[onnx]"'
        ) from error
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    (name,) = (each.name for each in session.get_inputs())
    return lambda x: [np.asarray(y) for y in session.run(None, {name: np.asarray(x)})]


def layers_in_a_row(network: Layer) -> list[Layer]:
    """Return the layers in a row of a network.

    Raises:
      ValueError: for a layer that does not remember any.
    """
    layers = [layer for _, layer in children_of(network.about)] if network.about else []
    if not layers:
        raise ValueError("ONNX needs a network that remembers its layers: a serial(...)")
    return layers


def _steps_of_rate(layers: Sequence[Layer]) -> int:
    """Return the time steps of a rate encoder, whose spikes are the model's input; else 0."""
    about = layers[0].about
    return about.arguments["steps"] if about and about.constructor is sp.rate else 0


def _operator(layer: Layer) -> tuple[Callable[..., str], Mapping[str, Any]]:
    """Return how a layer becomes operators, and its arguments.

    Raises:
      ValueError: for a layer of another kind, or of mixed precision.
    """
    about = layer.about
    if about and about.constructor is sp.spikes_stored:
        return _operator(about.arguments["layer"])
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
    return _at_every_step(graph, _unit(graph, x), place)


def _at_each_step(graph, x, options, params, place) -> str:
    make, inner = _operator(options["layer"])
    once = make(graph, _unit(graph, x), inner, params, place._replace(steps=0))
    return _at_every_step(graph, once, place._replace(shape=place.after))


def _at_every_step(graph: Graph, x: str, place: Place) -> str:
    once = graph.add("Unsqueeze", x, graph.whole(0))
    times = graph.whole(place.steps, *[1] * (1 + len(place.shape)))
    return graph.add("Tile", once, times)


def _reshape(graph, x, options, params, place) -> str:
    return graph.add("Reshape", x, graph.whole(*place.lead, *place.after))


def _dense(graph, x, options, params, place) -> str:
    y = graph.add("MatMul", x, graph.constant(params["weight"]))
    return graph.add("Add", y, graph.constant(params["bias"])) if options["bias"] else y


def _conv2d(graph, x, options, params, place) -> str:
    inputs = [graph.constant(np.transpose(params["weight"], (3, 2, 0, 1)))]
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


def _neurons(graph, x, options, params, place) -> str:
    """Add LIF neurons over time: the step of `jaxdigits.spikes.lif`."""
    neuron = lif_neuron(**options)
    k = {name: np.asarray(a) for name, a in neuron.constants(params, np.float32).items()}
    rules = options["convention"]

    def step(body, c, current):
        v = body.add("Add", c, _gained(body, current, k["decay"], rules))
        fire = lambda rules: _fire(body, v, k["threshold"], rules)
        z = fire(rules)
        return _leave(body, v, z, k, rules), z

    z = _scan(graph, x, step)
    return _one_late(graph, z, place.steps) if neuron.late else z


def _integrate_and_fire(graph, x, options, params, place) -> str:
    """Add neurons that count: the step of `jaxdigits.spikes.integrate_and_fire`."""
    if options["steps"]:
        x = _at_every_step(graph, x, place)
    one = np.ones((), np.float32)

    def step(body, c, current):
        v = body.add("Add", c, current)
        z = _fire(body, v, one, COUNTING)
        return _leave(body, v, z, dict(decay=one, threshold=one), COUNTING), z

    return _scan(graph, x, step, options["start"])


def _of_mean(graph, x, options, params, place) -> str:
    make, inner = _operator(options["layer"])
    mean = graph.add("ReduceMean", x, graph.whole(0), keepdims=0)
    return make(graph, mean, inner, params, place._replace(steps=0))


def _gained(body: Graph, current: str, decay: np.ndarray, rules: Convention) -> str:
    if rules.normalise:
        current = body.add("Mul", body.constant(1 - decay), current)
    if rules.gain == 1:
        return current
    return body.add("Mul", body.constant(rules.gain), current)


def _fire(body: Graph, v: str, threshold: np.ndarray, rules: Convention) -> str:
    """Add the number of spikes of potentials."""
    theta, zero = body.constant(threshold), body.constant(0)
    at = rules.fires == "at"
    if rules.spikes == "several":
        n = body.add("Floor" if at else "Ceil", body.add("Div", v, theta))
        n = n if at else body.add("Sub", n, body.constant(1))
        return body.add("Max", n, zero)
    above = body.add("GreaterOrEqual" if at else "Greater", body.add("Sub", v, theta), zero)
    return body.add("Cast", above, to=body.onnx.TensorProto.FLOAT)


def _leave(body: Graph, v: str, z: str, k: dict[str, np.ndarray], rules: Convention) -> str:
    """Add the potential for the next step: a leak and a reset, in the order of the rules."""
    leak = lambda x: body.add("Mul", body.constant(k["decay"]), x)

    def reset(x):
        if rules.reset == "subtract":
            return body.add("Sub", x, body.add("Mul", body.constant(k["threshold"]), z))
        fired = body.add("Greater", z, body.constant(0))
        return body.add("Where", fired, body.constant(rules.reset), x)

    return leak(reset(v)) if rules.reset_step == "same" else reset(leak(v))


def _one_late(graph: Graph, z: str, steps: int) -> str:
    """Add spikes one step later, the last not at all."""
    first, end = graph.whole(0), graph.whole(steps - 1)
    before = graph.add("Slice", z, first, end, first)
    nothing = graph.add("Slice", z, first, graph.whole(1), first)
    return graph.add("Concat", graph.add("Sub", nothing, nothing), before, axis=0)


def _leaky_readout(graph, x, options, params, place) -> str:
    def step(body, u, current):
        after = body.add("Add", body.add("Mul", body.constant(options["decay"]), u), current)
        return after, body.add("Identity", after)

    u = _scan(graph, x, step)
    if options["reduce"] == "last":
        return graph.add("Gather", u, graph.constant(place.steps - 1, np.int64), axis=0)
    kind = {"mean": "ReduceMean", "max": "ReduceMax"}[options["reduce"]]
    return graph.add(kind, u, graph.whole(0), keepdims=0)


def _spike_count(graph, x, options, params, place) -> str:
    kind = "ReduceMean" if options["mean"] else "ReduceSum"
    return graph.add(kind, x, graph.whole(0), keepdims=0)


def _scan(
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


def _import_onnx() -> Any:
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise ImportError('ONNX models need onnx: pip install "jaxdigits[onnx]"') from error
    return onnx


OPERATORS: dict[Any, Callable[..., str]] = {
    ly.standardise: _standardise, ly.add_channel: _reshape, ly.add_row: _reshape,
    ly.flatten: _reshape, ly.columns_to_frames: _columns_to_frames,
    ly.dense: _dense, ly.conv2d: _conv2d, ly.max_pool: _pool("MaxPool"),
    ly.average_pool: _pool("AveragePool"), ly.batch_norm: _batch_norm, ly.dropout: _same,
    ly.relu: lambda graph, x, *rest: graph.add("Relu", x), ly.leaky_relu: _leaky_relu,
    ly.tanh: lambda graph, x, *rest: graph.add("Tanh", x), ly.gelu: _gelu,
    sp.rate: _same, sp.direct: _direct, sp.at_each_step: _at_each_step, sp.lif: _neurons,
    sp.integrate_and_fire: _integrate_and_fire, sp.of_mean: _of_mean,
    sp.leaky_readout: _leaky_readout, sp.spike_count: _spike_count,
}  # fmt: skip
