"""Each node of a graph, ready to run: a layer or a neuron, its shapes and its weights."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxdigits import layers as ly
from jaxdigits.interop import weights as wt
from jaxdigits.interop.discretise import Discretisation
from jaxdigits.interop.graph import Node
from jaxdigits.interop.network import Unit, unit_of
from jaxdigits.interop.neuron import STATEFUL, constants_of, delay_line, nir_neuron
from jaxdigits.interop.wiring import Wiring, is_cycle
from jaxdigits.layer import Params, Shape, without_params
from jaxdigits.spikes.convention import firing
from jaxdigits.spikes.surrogates import Surrogate

MAX_NEURONS = 1 << 26


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
        for a, b in [(s, name) for s in wiring.sources[name]] + [*wiring.late]:
            if a in units and b in units:  # both ends of a late edge are there only later
                _require_equal(units[a].after, units[b].before, f"{a} -> {b}")
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
    emit = "spikes" if k.theta is not None else "potential"
    return unit_of(nir_neuron(k, convention, surrogate), own, emit), {}


def _end(node: Node, shape: Shape, d: Any, surrogate: Any) -> Made:
    own = sizes_of(node, "shape")
    return Unit(own, own, wt.reshaped(len(own), own)), {}


def _linear(node: Node, shape: Shape, d: Any, surrogate: Any) -> Made:
    weight = _array(node, "weight")
    if weight.ndim != 2 or not weight.size:
        raise ValueError(f"weight must be [outputs, inputs], got {list(weight.shape)}")
    n, m = weight.shape
    params = {"weight": wt.from_nir(weight)} | _bias(node, n)
    return Unit((m,), (n,), ly.dense(n, bias="bias" in params)), params


def _scale(node: Node, shape: Shape, d: Any, surrogate: Any) -> Made:
    own = _equal_shapes(node)
    return Unit(own, own, wt.scale()), {"scale": _array(node, "scale")}


def _conv(node: Node, shape: Shape, d: Any, surrogate: Any) -> Made:
    n = int(node.kind[4])
    weight, groups = _array(node, "weight"), int(sizes_of(node, "groups", 1)[0])
    if weight.ndim != n + 2 or not weight.size:
        raise ValueError(f"weight must have {n + 2} axes, got {list(weight.shape)}")
    out, inner, *kernel = weight.shape
    if out % groups:
        raise ValueError(f"{out} channels are not {groups} groups")
    stride, dilation = sizes_of(node, "stride", n), sizes_of(node, "dilation", n)
    padding = _padding(node, kernel, stride, dilation)
    sizes = sizes_of(node, "input_shape", n) if "input_shape" in node.values else shape[1:]
    if len(sizes) != n:
        raise ValueError(f"needs features with {n + 1} axes, got {list(shape)}")
    after = wt.output_sizes(sizes, kernel, stride, padding, dilation)
    params = {"weight": wt.from_nir(weight)} | _bias(node, out)
    layer = wt.conv(n, stride, padding, dilation, groups)
    return Unit((inner * groups, *sizes), (out, *after), layer), params


def _pool(node: Node, shape: Shape, d: Any, surrogate: Any) -> Made:
    if len(shape) != 3:
        raise ValueError(f"needs features with 3 axes, got {list(shape)}")
    kernel, stride = sizes_of(node, "kernel_size", 2), sizes_of(node, "stride", 2)
    around = [(p, p) for p in sizes_of(node, "padding", 2, least=0)]
    after = wt.output_sizes(shape[1:], kernel, stride, around, (1, 1))
    layer = wt.pool(kernel, stride, around, node.kind == "AvgPool2d")
    return Unit(shape, (shape[0], *after), layer), {}


def _flatten(node: Node, shape: Shape, d: Any, surrogate: Any) -> Made:
    before = sizes_of(node, "input_type") if "input_type" in node.values else shape
    start, end = (int(sizes_of(node, key, 1, least=-8)[0]) for key in ("start_dim", "end_dim"))
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
    unit = unit_of(delay_line(np.ravel(steps).astype(int)), own, "potential")
    return unit._replace(by_step=True), {}


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


def sizes_of(node: Node, key: str, n: int | None = None, least: int = 1) -> Shape:
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
        return [(p, p) for p in sizes_of(node, "padding", len(kernel), least=0)]
    if padding == "valid":
        return [(0, 0)] * len(kernel)
    if any(s != 1 for s in stride):
        raise ValueError(f"padding 'same' needs stride 1, got {list(stride)}")
    spans = [a * (k - 1) for k, a in zip(kernel, dilation, strict=True)]
    return [(span // 2, span - span // 2) for span in spans]
