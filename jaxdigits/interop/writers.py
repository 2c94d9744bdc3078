"""A graph that grows layer by layer, from the layers of a network.

τ and r are written such that a reader by Euler's method with the same dt gets the network's own
numbers: τ = dt / (1 − β), r = g / (1 − β), w_in = 1 / (1 − α).  Images are channels first in
the format, so a `flatten` there has another order than here: the weights behind it, and the
constants of neurons, are put into that order.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from jaxdigits import layers as ly
from jaxdigits import spikes as sp
from jaxdigits.about import About
from jaxdigits.fold import AROUND, WEIGHTS
from jaxdigits.interop import discretise as di
from jaxdigits.interop import weights as wt
from jaxdigits.interop.graph import Graph, Node, complete
from jaxdigits.layer import Shape
from jaxdigits.spikes.lif import lif_neuron
from jaxdigits.spikes.unroll import Neuron

ENTRIES = (sp.rate, sp.direct, sp.latency, sp.bernoulli, sp.steps_first, ly.standardise,
           ly.image_norm, ly.add_channel)  # fmt: skip
SILENT = (sp.rate_penalty, sp.direct)  # nothing happens, with one input for all steps
REMARKS = {
    "reset": ("subtract", "resets by subtraction"),
    "reset_step": ("next", "resets in the next step"),
    "fires": ("at", "fires at the threshold"),
    "spikes": ("several", "fires several spikes in a step"),
    "spike_from": ("old", "fires from the old potential"),
}


def start_of(shape: Shape, d: di.Discretisation) -> dict[str, Any]:
    """Return the state of an export: it grows layer by layer."""
    return dict(
        d=d, shape=shape, order=None, nodes={}, edges=[], last=None, notes=[], end=False
    )


def write_layer(w: dict[str, Any], place: int, about: About, params: Any) -> None:
    """Add the nodes of a layer behind the last one, by its constructor.

    Raises:
      ValueError: for a layer or a convention that a graph cannot say.
    """
    a, make = about.arguments, about.constructor
    name = f"{place}_{(about.find(*WEIGHTS) or about).name}"
    if make in AROUND:
        write_layer(w, place, a["layer"].about, params)
    elif make in ENTRIES and w["last"] is None:
        if make is ly.add_channel:
            w["shape"] = (*w["shape"], 1)
        else:
            w["shape"] = w["shape"][1:] if make is sp.steps_first else w["shape"]
            w["notes"].append(f"the graph starts behind {about.name}: feed it that output")
    elif make is ly.dropout:
        if a["rate"]:
            raise ValueError("drops neurons; build the network with training=False")
    elif make in (sp.leaky_readout, sp.spike_count):
        _readout(w, name, about)
    elif make not in SILENT:
        for constructor, write in WRITERS.items():
            if (inner := about.find(constructor)) is not None:
                return write(w, name, inner.arguments, params)
        raise ValueError("NIR has no such node; export to stablehlo, or train snn")
    return None


def finished(w: dict[str, Any]) -> Graph:
    """Return the whole graph, with its output and its notes.

    Raises:
      ValueError: for a network without layers that a graph can say.
    """
    if w["last"] is None:
        raise ValueError("the network has no layer that NIR can say")
    _add(w, "output", "Output", shape=np.array(_first(w["shape"])))
    notes = (*w["notes"], *remarks_of(w["d"]))
    return complete(Graph(w["nodes"], tuple(w["edges"]), di.to_metadata(w["d"]), notes))


def remarks_of(d: di.Discretisation) -> Iterator[str]:
    """Yield a line for each rule in which readers without the metadata differ."""
    for field, (value, text) in REMARKS.items():
        if getattr(d.convention, field) == value:
            reset = "reset to v_reset" if field == "reset" else "follow the format"
            yield f"the network {text}: readers that skip the metadata will {reset}"


def _add(w: dict[str, Any], name: str, kind: str, **values: Any) -> None:
    """Add a node behind the last one."""
    if w["end"] and kind != "Output":
        raise ValueError("it comes behind a readout, where a graph ends")
    if w["last"] is None:
        w["nodes"]["input"] = Node("Input", {"shape": np.array(_first(w["shape"]))})
        w["last"] = "input"
    arrays = {k: v if isinstance(v, str) else np.asarray(v) for k, v in values.items()}
    w["nodes"][name] = Node(kind, arrays)
    w["edges"].append((w["last"], name))
    w["last"] = name


def _first(shape: Shape) -> Shape:
    """Return (C, H, W) for (H, W, C); other shapes stay."""
    return (shape[2], shape[0], shape[1]) if len(shape) == 3 else tuple(shape)


def _dense(w: dict[str, Any], name: str, a: Any, params: Any) -> None:
    _require_full(a)
    weight = wt.to_nir(params["weight"])
    weight = weight if w["order"] is None else weight[:, w["order"]]
    bias = {"bias": params["bias"]} if a["bias"] else {}
    _add(w, name, "Affine" if bias else "Linear", weight=weight, **bias)
    w["shape"], w["order"] = (a["n"],), None


def _conv(w: dict[str, Any], name: str, a: Any, params: Any) -> None:
    _require_full(a)
    weight = wt.to_nir(params["weight"])
    sizes, stride = w["shape"][:2], a["stride"]
    same, sides = a["padding"] == "SAME", list(zip(sizes, weight.shape[2:], strict=True))
    out = [-(-n // stride) if same else (n - k) // stride + 1 for n, k in sides]
    total = [max(0, (o - 1) * stride + k - n) for o, (n, k) in zip(out, sides, strict=True)]
    padding: Any = "same" if same else np.array([0, 0])
    if same and stride != 1:
        if any(t % 2 for t in total):
            raise ValueError(f"pads {total} zeros, more behind than before, by stride {stride}")
        padding = np.array(total) // 2
    bias = np.asarray(params["bias"]) if a["bias"] else np.zeros(len(weight), weight.dtype)
    _add(
        w, name, "Conv2d", input_shape=np.array(sizes), weight=weight,
        stride=np.array([stride] * 2), padding=padding, dilation=np.array([1, 1]),
        groups=np.array(1), bias=bias,
    )  # fmt: skip
    w["shape"] = (*out, len(weight))


def _pool(w: dict[str, Any], name: str, a: Any, params: Any) -> None:
    k, (h, v, c) = a["window"], w["shape"]
    window = np.array([k, k])
    _add(w, name, "AvgPool2d", kernel_size=window, stride=window, padding=np.array([0, 0]))
    w["shape"] = (h // k, v // k, c)


def _flatten(w: dict[str, Any], name: str, a: Any, params: Any) -> None:
    shape = w["shape"]
    _add(w, name, "Flatten", start_dim=0, end_dim=-1, input_type=np.array(_first(shape)))
    if len(shape) == 3:
        w["order"] = np.arange(np.prod(shape)).reshape(shape).transpose(2, 0, 1).ravel()
    w["shape"] = (int(np.prod(shape)),)


def _neurons(w: dict[str, Any], name: str, a: Any, params: Any) -> None:
    if a["emit"] != "spikes":
        raise ValueError("emits potentials, which a neuron of NIR does not")
    _add(w, name, **_neuron_node(w, a["neuron"], params))
    if "weight" in params:
        if len(w["shape"]) != 1:
            raise ValueError("joins the channels of each pixel: a graph joins all neurons")
        weight, last = wt.to_nir(params["weight"]), w["last"]
        weight = weight if w["order"] is None else weight[w["order"]][:, w["order"]]
        _add(w, f"{name}_rec", "Linear", weight=weight)
        w["edges"].append((w["last"], last))
        w["last"] = last


def _neuron_node(w: dict[str, Any], neuron: Neuron, params: Any) -> dict[str, Any]:
    """Return the kind and the values of a LIF neuron's node.

    Raises:
      ValueError: for another neuron, or another convention than the graph's.
    """
    about = neuron.about and neuron.about.find(lif_neuron, sp.cuba_lif_neuron)
    if about is None:
        raise ValueError(f"NIR has no neuron {neuron.about.name if neuron.about else neuron!r}")
    d, own = w["d"], about.arguments["convention"]
    k = {key: np.asarray(v, float) for key, v in neuron.constants(params, float).items()}
    cuba = "synapse_decay" in k
    graphs = without_numbers((cuba and d.cuba_convention) or d.convention)
    for field in (*REMARKS, "differentiate_reset"):
        ours, theirs = getattr(without_numbers(own), field), getattr(graphs, field)
        if ours != theirs:
            raise ValueError(f"{field} is {ours!r}, and the discretisation has {theirs!r}")
    beta, theta = _spread(w, k["decay"]), _spread(w, k["threshold"])
    gain = _spread(w, own.gain) * (1 - beta if own.normalise else 1)
    reset = 0.0 if own.reset == "subtract" else own.reset
    if own.reset != "subtract" and not d.v_reset and np.any(reset != d.convention.reset):
        raise ValueError(f"reset is {reset}, and the discretisation has no v_reset")
    alpha = _spread(w, k["synapse_decay"]) if cuba else None
    kind, node = _leaky(d, beta, gain, alpha)
    return dict(kind=f"{kind}F", **node, v_threshold=theta, v_reset=_spread(w, reset))


def without_numbers(convention: sp.Convention) -> sp.Convention:
    """Return a convention without the numbers that a graph has in its nodes."""
    reset = "subtract" if convention.reset == "subtract" else 0.0
    return replace(convention, reset=reset, gain=1.0, normalise=False)


def _leaky(
    d: di.Discretisation, beta: np.ndarray, gain: np.ndarray, alpha: np.ndarray | None = None
) -> tuple[str, dict[str, Any]]:
    """Return the kind and the values of a membrane, with or without a leak and a synapse."""
    if (beta == 1).all() and alpha is None:
        return "I", dict(r=di.value_of(d.integrator_gain, gain, beta, d.dt))
    formula = d.input_gain if alpha is None else d.cuba_gain or d.input_gain
    node = dict(r=di.value_of(formula, gain, beta, d.dt), v_leak=np.zeros_like(beta))
    if alpha is None:
        return "LI", node | dict(tau=_tau(beta, d))
    w_in = di.value_of(d.synapse_gain, np.ones_like(alpha), alpha, d.dt)
    return "CubaLI", node | dict(tau_mem=_tau(beta, d), tau_syn=_tau(alpha, d), w_in=w_in)


def _tau(beta: np.ndarray, d: di.Discretisation) -> np.ndarray:
    if (beta == 1).any():
        raise ValueError("a decay of 1 has no time constant")
    if d.decay == "exact" and (beta == 0).any():
        raise ValueError("a decay of 0 has no time constant, exactly")
    return di.tau_of(beta, d)


def _spread(w: dict[str, Any], values: Any) -> np.ndarray:
    """Return constants, one or one per neuron (or channel), in the shape of the graph."""
    values, shape = np.asarray(values, float), w["shape"]
    full = np.broadcast_to(values, shape)
    if len(shape) == 3:
        return np.ascontiguousarray(full.transpose(2, 0, 1))
    return np.array(full if w["order"] is None else full[w["order"]])


def _readout(w: dict[str, Any], name: str, about: About) -> None:
    if about.constructor is sp.spike_count:
        w["notes"].append("the graph ends with spikes: count them over all steps")
    else:
        beta = np.full(_first(w["shape"]), about.arguments["decay"])
        kind, values = _leaky(w["d"], beta, np.ones_like(beta))
        _add(w, name, kind, **values)
        reduce = about.arguments["reduce"]
        w["notes"].append(f"the graph ends with potentials: take their {reduce} over all steps")
    w["end"] = True


def _require_full(a: Any) -> None:
    if a["precision"] != "full":
        raise ValueError(f"computes in {a['precision']} precision: a graph has one precision")


WRITERS = {
    ly.dense: _dense, ly.conv2d: _conv, ly.average_pool: _pool, ly.flatten: _flatten,
    sp.over_time: _neurons, sp.recurrent: _neurons,
}  # fmt: skip
