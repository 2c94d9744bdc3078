"""A wired graph as one layer, differentiated by hand.

A node's input is the sum of its sources: xₙ = Σ yₛ, so ȳₛ = Σ x̄ₙ over its targets.  Nodes
outside cycles run over all steps at once, in order, and in `backward` in the order reversed.
The nodes of a cycle run step by step.  A late edge hands yₛ of step t to step t + 1, with y = 0
before the first step; so for t = T..1, with x̄ = 0 beyond T:

    xₙ,ₜ = Σ yₛ,ₜ + Σ_late yₛ,ₜ₋₁              ȳₛ,ₜ = Σ x̄ₙ,ₜ + Σ_late x̄ₙ,ₜ₊₁

The slope of a node's weights comes from all steps at once, after the loop.  In a cycle, spikes
of neurons that fire from their old potential travel undelayed: they leave the cycle late.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits.interop.wiring import Wiring, is_cycle
from jaxdigits.layer import Layer, Residual, Shape
from jaxdigits.spikes import unroll
from jaxdigits.spikes.unroll import Neuron, Traces


class Unit(NamedTuple):
    """One node, ready to run."""

    before: Shape
    """feature shape of the input"""
    after: Shape
    """feature shape of the output"""
    layer: Layer
    """over all steps; without a neuron it takes any leading axes"""
    neuron: Neuron | None = None
    """one step of the layer, on features [..., n], where it has a state"""
    emit: str = "spikes"
    """"spikes" or "potential" """
    by_step: bool = False
    """whether it always runs step by step"""


class Integrated(NamedTuple):
    """The traces of a node that never fires: no layer of spikes, whose silence would matter."""

    v: Array
    spikes: Array


Units = Mapping[str, Unit]


def unit_of(neuron: Neuron, shape: Shape, emit: Any) -> Unit:
    """Return the unit of neurons with features of a shape."""
    layer = unroll.over_time(neuron, emit=emit)

    def forward(params, x, key=None):
        y, residual = layer.forward({}, _flat(x, shape), None)
        return _fit(y, None, shape), residual

    def backward(params, residual, y_bar):
        _, x_bar = layer.backward({}, residual, _flat(y_bar, shape))
        return {}, _fit(x_bar, None, shape)

    return Unit(shape, shape, Layer(layer.init, forward, backward), neuron, emit)


def run(wiring: Wiring, units: Units, params: Any, x: Array) -> tuple[Array, Residual]:
    """Return the output [T, B, ...] and the residuals by node, from the input [T, B, ...]."""
    y, residual = {wiring.input: x}, {}
    for group in wiring.groups[1:]:
        run_group = _run_cycle if _by_step(group, wiring, units) else _run_node
        ys, residuals = run_group(group, wiring, units, params, y)
        y |= ys
        residual |= residuals
    silent = {name for name in residual if units[name].emit == "potential"}
    return y[wiring.output], {
        name: _renamed(r, Traces, Integrated) if name in silent else r
        for name, r in residual.items()
    }


def run_back(
    wiring: Wiring, units: Units, params: Any, residual: Residual, y_bar: Array
) -> tuple[Any, Array]:
    """Return (∂L/∂params, ∂L/∂input [T, B, ...]) from ∂L/∂output [T, B, ...]."""
    bars, grads, residual = {wiring.output: y_bar}, {}, with_traces(residual)
    for group in reversed(wiring.groups[1:]):
        if bars.keys().isdisjoint(group):  # it leads nowhere
            continue
        back = _cycle_back if _by_step(group, wiring, units) else _node_back
        x_bars, own = back(group, wiring, units, params, residual, bars)
        grads |= own
        for name, x_bar in x_bars.items():
            for source in wiring.sources[name]:
                if source not in group:
                    _add(bars, source, _fit(x_bar, units[name].before, units[source].after))
    zeros = lambda name: jax.tree.map(jnp.zeros_like, params[name])
    grads = {name: grads[name] if name in grads else zeros(name) for name in params}
    return grads, bars[wiring.input]


def with_traces(residual: Residual) -> Residual:
    """Return a residual in which nodes that never fire have traces, too."""
    return _renamed(residual, Integrated, Traces)


def _renamed(residual: Residual, before: Any, after: Any) -> Residual:
    of_kind = lambda node: isinstance(node, before)
    return jax.tree.map(lambda r: after(*r) if of_kind(r) else r, residual, is_leaf=of_kind)


def _run_node(group, wiring, units, params, y):
    (name,) = group
    total = _sum_of_others(name, group, wiring, units, y)
    out, residual = units[name].layer.forward(params.get(name, {}), total, None)
    return {name: out}, {name: residual}


def _node_back(group, wiring, units, params, residual, bars):
    (name,) = group
    own = params.get(name, {}), residual[name], bars[name]
    p_bar, x_bar = units[name].layer.backward(*own)
    return {name: x_bar}, {name: p_bar} if name in params else {}


def _run_cycle(group, wiring, units, params, y):
    x = y[wiring.input]
    others = {name: _sum_of_others(name, group, wiring, units, y) for name in group}
    others = {name: total for name, total in others.items() if total is not None}
    neurons = [name for name in group if units[name].neuron is not None]
    k = {name: units[name].neuron.constants({}, x.dtype) for name in neurons}
    zeros = lambda shape: jnp.zeros((x.shape[1], *shape), x.dtype)

    def step(carry, x_t):
        states, last = carry
        now, residuals, after = {}, {}, {}
        for name in group:
            unit, total = units[name], x_t.get(name)
            for source, late in _inner(name, group, wiring):
                value = (last if late else now)[source]
                value = _fit(value, units[source].after, unit.before)
                total = value if total is None else total + value
            if unit.neuron is None:
                now[name], residuals[name] = unit.layer.forward(
                    params.get(name, {}), total, None
                )
                continue
            flat = _flat(total, unit.before)
            after[name], trace, z = unit.neuron.step(k[name], states[name], flat)
            residuals[name] = trace
            out = z if unit.emit == "spikes" else unit.neuron.potential(k[name], trace)
            now[name] = _fit(out, None, unit.after)
        plain = {name: now[name] for name in group if name not in neurons}
        return (after, {name: now[name] for name in last}), (plain, residuals)

    states = {n: units[n].neuron.rest(zeros((math.prod(units[n].before),))) for n in neurons}
    last = {a: zeros(units[a].after) for a, b in wiring.late if b in group}
    _, (ys, residuals) = jax.lax.scan(step, (states, last), others)
    for name in neurons:
        unit, trace = units[name], residuals[name]
        out, residuals[name] = unroll.output_of(unit.neuron, k[name], trace, unit.emit)
        ys[name] = _fit(out, None, unit.after)
    return ys, residuals


def _cycle_back(group, wiring, units, params, residual, bars):
    like = next(bars[name] for name in group if name in bars)
    neurons = [name for name in group if units[name].neuron is not None]
    k = {name: units[name].neuron.constants({}, like.dtype) for name in neurons}
    zeros = lambda shape: jnp.zeros((like.shape[1], *shape), like.dtype)
    outer = {name: bars[name] for name in group if name in bars}
    for name in outer.keys() & set(neurons):
        unit = units[name]
        outer[name] = unroll.shift_slopes(unit.neuron, outer[name], unit.emit)
    traces = {n: unroll.trace_of(residual[n]) if n in neurons else residual[n] for n in group}

    def step(carry, xs):
        (state_bars, last_bars), (outer_t, trace_t) = carry, xs
        y_bars, x_bars, before = dict(outer_t), {}, {}
        for name, bar in last_bars.items():
            _add(y_bars, name, bar)
        last_bars = {name: jnp.zeros_like(bar) for name, bar in last_bars.items()}
        for name in reversed(group):
            unit, y_bar = units[name], y_bars.setdefault(name, zeros(units[name].after))
            if unit.neuron is None:
                p = params.get(name, {})
                x_bar = unit.layer.backward(p, trace_t[name], y_bar)[1]
            else:
                slopes = unroll.slopes_of(_flat(y_bar, unit.after), unit.emit)
                before[name], x_bar, _ = unit.neuron.back(
                    k[name], trace_t[name], state_bars[name], *slopes
                )
                x_bar = _fit(x_bar, None, unit.before)
            x_bars[name] = x_bar
            for source, late in _inner(name, group, wiring):
                bar = _fit(x_bar, unit.before, units[source].after)
                _add(last_bars if late else y_bars, source, bar)
        return (before, last_bars), (x_bars, {n: y_bars[n] for n in group if n in params})

    states = {n: units[n].neuron.rest(zeros((math.prod(units[n].before),))) for n in neurons}
    last = {a: zeros(units[a].after) for a, b in wiring.late if b in group}
    xs = (outer, traces)
    _, (x_bars, y_bars) = jax.lax.scan(step, (states, last), xs, reverse=True)
    grads = {
        name: units[name].layer.backward(params[name], residual[name], y_bars[name])[0]
        for name in y_bars
    }
    return x_bars, grads


def _by_step(group, wiring: Wiring, units: Units) -> bool:
    return is_cycle(group, wiring) or units[group[0]].by_step


def _inner(name: str, group: Any, wiring: Wiring) -> Iterator[tuple[str, bool]]:
    """Yield (source, whether its edge is late) for a node's sources in its own cycle."""
    for source in wiring.sources[name]:
        if source in group:
            yield source, (source, name) in wiring.late


def _sum_of_others(name, group, wiring, units, y) -> Any:
    """Return the sum [T, B, ...] of a node's sources outside its group, None without any."""
    total = None
    for source in wiring.sources[name]:
        if source not in group:
            value = _fit(y[source], units[source].after, units[name].before)
            total = value if total is None else total + value
    return total


def _add(bars: dict[str, Any], name: str, bar: Array) -> None:
    bars[name] = bars[name] + bar if name in bars else bar


def _flat(x: Array, shape: Shape) -> Array:
    return x.reshape(*x.shape[: x.ndim - len(shape)], math.prod(shape))


def _fit(x: Array, before: Shape | None, after: Shape) -> Array:
    """Return x with features of one shape in another of equal size; None stands for [n]."""
    axes = 1 if before is None else len(before)
    return x.reshape(*x.shape[: x.ndim - axes], *after)
