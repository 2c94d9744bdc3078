"""A run as a file for other programs, compared with the run on its test set."""

from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits.data import Dataset
from jaxdigits.data.catalogue import blank
from jaxdigits.interop import from_graph, node_spikes, read_graph, to_graph, write_graph
from jaxdigits.interop.artefact import write_artefact
from jaxdigits.interop.exporting import ENTRIES
from jaxdigits.interop.graph import Graph, Node
from jaxdigits.interop.onnx import layers_in_a_row, run_onnx, to_onnx
from jaxdigits.interop.stablehlo import run_stablehlo, to_stablehlo
from jaxdigits.layer import Layer, Params, serial
from jaxdigits.runs.folder import Run
from jaxdigits.runs.job import members_of
from jaxdigits.runs.rounding import without_rounding
from jaxdigits.spikes import rate, spike_count, traces
from jaxdigits.spikes.encoders import ENCODERS
from jaxdigits.train.state import evaluation_keys

Kind = Literal["onnx", "stablehlo", "nir"]
BATCH = 500  # examples at once
FIRING = ("IF", "LIF", "CubaLIF")  # nodes of a graph with spikes


class Comparison(NamedTuple):
    """How a file answers, beside the run that it is from."""

    examples: int
    answers_differ: int
    """examples, or frames of them, with another answer than the run's"""
    logits_differ: float
    """the largest difference of a logit"""
    spikes_differ: int | None
    """spikes of hidden neurons that are not the run's; None where the file shows none"""
    notes: tuple[str, ...] = ()
    """remarks on the file for other readers"""


class Member(NamedTuple):
    """One of a run's networks, in evaluation."""

    seed: int
    network: Layer
    params: Params
    key: Array
    plain: Layer
    """the same network without rounding, which other programs do not know"""
    weights: Params
    """of `plain`: rounded, where the run has few bits"""


def member_of(run: Run, seed: int | None = None) -> Member:
    """Return one of a run's networks; seed None: the first.

    Raises:
      ValueError: for a seed that the run does not have.
    """
    config = run.config
    seed = config.seed if seed is None else seed
    if not 0 <= seed - config.seed < config.seeds:
        last = config.seed + config.seeds - 1
        raise ValueError(f"--seed must be from {config.seed} to {last}, got {seed}")
    params, statistics, key = members_of(run)[seed - config.seed]
    bare = without_rounding(run)
    build = lambda each: each.config.build()(training=False, statistics=statistics)
    weights = members_of(bare)[seed - config.seed][0]
    return Member(seed, build(run), params, key, build(bare), weights)


def export_run(
    run: Run,
    kind: Kind,
    path: Path,
    test: Dataset,
    *,
    seed: int | None = None,
    dt: float = 1e-4,
) -> Comparison:
    """Write one of a run's networks as a file with a manifest, and compare their answers.

    Args:
      test: the examples that the file and the run both answer.
      seed: of the network; None: the first.
      dt: of a step of a NIR graph, in seconds.

    Raises:
      ImportError: without the libraries of this kind of file.
      ValueError: for a seed that the run does not have, or a network that this kind of file
        cannot express.
    """
    config, example = run.config, blank(run.config.features, 1)
    seed, network, params, key, plain, weights = member_of(run, seed)
    notes: tuple[str, ...] = ()
    if kind == "onnx":
        data = to_onnx(plain, weights, config.features)
        program = _onnx_program(plain, data)
    elif kind == "stablehlo":
        data = to_stablehlo(network, params, example)
        program = _stablehlo_program(data)
    else:
        graph = to_graph(plain, weights, config.features, dt=dt)
        notes = graph.notes
        write_graph(path, graph)
        data, program = path.read_bytes(), _nir_program(plain, read_graph(path))
    compared = compare(network, params, program, test, key)._replace(notes=notes)
    write_artefact(
        path, data, example, kind=kind, seed=seed, network=config.network,
        options=dict(config.options), data=config.data, classes=list(config.names),
        temperature=run.temperature, compared=compared._asdict(),
    )  # fmt: skip
    return compared


Program = Callable[[Any, Array], Sequence[np.ndarray]]
"""(inputs, keys) -> logits, and the spikes [T, B, ...] of each layer of neurons if shown"""


def _stablehlo_program(data: bytes) -> Program:
    call = run_stablehlo(data)
    return lambda inputs, keys: [call(inputs, jax.random.key_data(keys))]


def _onnx_program(network: Layer, data: bytes) -> Program:
    """Return a model as a function of pixels: a rate code is drawn before it."""
    call = run_onnx(data)
    first = layers_in_a_row(network)[0]
    if first.about is None or first.about.constructor is not rate:
        return lambda inputs, keys: call(inputs)
    encode = jax.jit(serial(first).forward)
    return lambda inputs, keys: call(encode(((),), inputs, keys)[0])


def _nir_program(network: Layer, graph: Graph) -> Program:
    """Return a graph as a function of pixels: an encoder before it, a sum over time behind."""
    layers = layers_in_a_row(network)
    entries = [*takewhile(lambda layer: _constructor(layer) in ENTRIES, layers)]
    encodes = any(_constructor(layer) in ENCODERS.values() for layer in entries)
    steps = next(layer.about.arguments["steps"] for layer in layers
                 if layer.about and "steps" in layer.about.arguments)  # fmt: skip
    entry, reduce = serial(*entries), _reduction(layers[-1])
    spiking = [n for n, v in graph.nodes.items() if isinstance(v, Node) and v.kind in FIRING]
    layer, params = from_graph(graph)

    @jax.jit
    def call(inputs, keys):
        x, _ = entry.forward(((),) * len(entries), inputs, keys)
        x = x if encodes else jnp.broadcast_to(x, (steps, *x.shape))
        x = jnp.moveaxis(x, -1, 2) if x.ndim == 5 else x
        y, residual = layer.forward(params, x, None)
        spikes = node_spikes(residual)
        return [reduce(y), *(spikes[name] for name in spiking)]

    return lambda inputs, keys: jax.device_get(call(inputs, keys))


def _constructor(layer: Layer) -> Any:
    return layer.about and layer.about.constructor


def _reduction(readout: Layer) -> Callable[[Array], Array]:
    """Return how a readout makes logits of what a graph ends with [T, ...]."""
    options = readout.about.arguments if readout.about else {}
    if _constructor(readout) is spike_count:
        return lambda y: y.mean(0) if options["mean"] else y.sum(0)
    last = lambda y: y[-1]
    return {"mean": lambda y: y.mean(0), "max": lambda y: y.max(0)}.get(options["reduce"], last)


def compare(
    network: Layer, params: Params, program: Program, test: Dataset, key: Array
) -> Comparison:
    """Compare a program with a network on all examples of a test set."""

    @jax.jit
    def by_run(inputs, keys):
        logits, residual = network.forward(params, inputs, keys)
        return logits, [t.spikes for t in traces(residual)]

    answers = logits_differ = spikes_differ = 0
    shown = False
    for start in range(0, len(test), BATCH):
        rows = jnp.arange(start, min(start + BATCH, len(test)))
        keys = evaluation_keys(key, rows)
        inputs = test.inputs.take(rows, keys)
        logits, spikes = jax.device_get(by_run(inputs, keys))
        own_logits, *own_spikes = program(inputs, keys)
        answers += int((own_logits.argmax(-1) != logits.argmax(-1)).sum())
        logits_differ = max(logits_differ, float(np.abs(own_logits - logits).max()))
        shown = shown or bool(own_spikes)
        if own_spikes:
            pairs = zip(own_spikes, spikes, strict=True)
            spikes_differ += sum(int((a != _shaped(b, a)).sum()) for a, b in pairs)
    return Comparison(len(test), answers, logits_differ, spikes_differ if shown else None)


def _shaped(spikes: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Return spikes [T, B, H, W, C] as a graph has them, [T, B, C·H·W]; others as they are."""
    if spikes.shape == like.shape:
        return spikes
    return np.moveaxis(spikes, -1, 2).reshape(like.shape)
