"""Neurons and readouts as loops of ONNX operators: the steps of `jaxdigits.spikes`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxdigits import spikes as sp
from jaxdigits.interop.onnx_graph import Graph, at_every_step, scan
from jaxdigits.spikes.convention import Convention
from jaxdigits.spikes.counting import COUNTING
from jaxdigits.spikes.lif import lif_neuron


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

    z = scan(graph, x, step)
    return _one_late(graph, z, place.steps) if neuron.late else z


def _integrate_and_fire(graph, x, options, params, place) -> str:
    """Add neurons that count: the step of `jaxdigits.spikes.integrate_and_fire`."""
    if options["steps"]:
        x = at_every_step(graph, x, place)
    one = np.ones((), np.float32)

    def step(body, c, current):
        v = body.add("Add", c, current)
        z = _fire(body, v, one, COUNTING)
        return _leave(body, v, z, dict(decay=one, threshold=one), COUNTING), z

    return scan(graph, x, step, options["start"])


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

    u = scan(graph, x, step)
    if options["reduce"] == "last":
        return graph.add("Gather", u, graph.constant(place.steps - 1, np.int64), axis=0)
    kind = {"mean": "ReduceMean", "max": "ReduceMax"}[options["reduce"]]
    return graph.add(kind, u, graph.whole(0), keepdims=0)


def _spike_count(graph, x, options, params, place) -> str:
    kind = "ReduceMean" if options["mean"] else "ReduceSum"
    return graph.add(kind, x, graph.whole(0), keepdims=0)


FIRING: dict[Any, Callable[..., str]] = {
    sp.lif: _neurons, sp.integrate_and_fire: _integrate_and_fire
}  # fmt: skip
"""operators of neurons, whose outputs are spikes of the model"""
READING: dict[Any, Callable[..., str]] = {
    sp.leaky_readout: _leaky_readout, sp.spike_count: _spike_count
}  # fmt: skip
"""operators that end with one array for all steps"""
