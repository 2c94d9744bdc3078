"""A run as a file for other programs, compared with the run on its test set."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits.data import Dataset
from jaxdigits.data.catalogue import blank
from jaxdigits.data.files import in_memory
from jaxdigits.errors import RunError
from jaxdigits.fold import is_made_by, layers_in_a_row
from jaxdigits.interop import (
    from_graph,
    nir_network,
    node_spikes,
    read_graph,
    to_graph,
)
from jaxdigits.interop.artefact import write_artefact
from jaxdigits.interop.files import graph_bytes
from jaxdigits.interop.graph import Graph, Node
from jaxdigits.interop.onnx import run_onnx, to_onnx
from jaxdigits.interop.stablehlo import run_stablehlo, to_stablehlo
from jaxdigits.interop.writers import ENTRIES
from jaxdigits.layer import Layer, Params, serial
from jaxdigits.quantise import rounded
from jaxdigits.runs.answer import members_of
from jaxdigits.runs.config import Config
from jaxdigits.runs.folder import Run
from jaxdigits.spikes import rate, spike_count, traces
from jaxdigits.spikes.encoders import ENCODERS
from jaxdigits.train.state import evaluation_keys

Kind = Literal["onnx", "stablehlo", "nir"]
BATCH = 500  # examples at once
FIRING = ("IF", "LIF", "CubaLIF")  # nodes of a graph with spikes


class Comparison(NamedTuple):
    """How a file answers, beside the network that it is made of: the run's, or that rounded."""

    examples: int
    answers_differ: int
    """examples, or frames of them, with another answer than the network's"""
    logits_differ: float
    """the largest difference of a logit"""
    spikes_differ: int | None
    """spikes of hidden neurons that are not the network's; None where the file shows none"""
    rounding_differ: int
    """examples, or frames, with another answer than the run's: by the rounding, too"""
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


def member_of(run: Run, seed: int | None = None, bits: int | None = None) -> Member:
    """Return one of a run's networks; seed None: the first.

    Args:
      bits: of each of `weights`, rounded per neuron; None: those of the run.

    Raises:
      RunError: for `bits` of a run whose weights have other bits already.
      ValueError: for a seed that the run does not have.
    """
    config = run.config
    seed = config.seed if seed is None else seed
    if not 0 <= seed - config.seed < config.seeds:
        last = config.seed + config.seeds - 1
        raise ValueError(f"--seed must be from {config.seed} to {last}, got {seed}")
    if bits is not None and config.bits not in (None, bits):
        raise RunError(f"the run has weights of {config.bits} bits already: leave out --bits")
    bits = config.bits or bits
    params, statistics, key = members_of(run)[seed - config.seed]
    build = lambda each: each.build()(training=False, statistics=statistics)
    weights = params if bits is None else rounded(params, bits)
    plain = build(replace(plain_config(config), bits=None))
    return Member(seed, build(config), params, key, plain, weights)


def plain_config(config: Config) -> Config:
    """Return a configuration of the same function, without options that only save memory."""
    plain = {"recompute": False, "storage": "full"}
    options = {name: plain.get(name, value) for name, value in config.options.items()}
    return replace(config, options=options)


def export_run(
    run: Run,
    kind: Kind,
    path: Path,
    test: Dataset,
    *,
    seed: int | None = None,
    dt: float | None = None,
    bits: int | None = None,
) -> Comparison:
    """Write one of a run's networks as a file with a manifest, and compare their answers.

    Args:
      test: the examples that the file and the run both answer.
      seed: of the network; None: the first.
      dt: of a step of a NIR graph, in seconds; None as in `to_graph`.
      bits: of each weight of the file, rounded per neuron; None: those of the run.

    Raises:
      ImportError: without the libraries of this kind of file.
      RunError: for `bits` of a run whose weights have other bits already.
      ValueError: for a seed that the run does not have, or a network that this kind of file
        cannot express.
    """
    seed, network, params, key, plain, weights = member_of(run, seed, bits)
    config, example, bits = run.config, blank(run.config.features, 1), run.config.bits or bits
    notes: tuple[str, ...] = ()
    if kind == "onnx":
        data = to_onnx(plain, params, config.features, bits=bits)
        program = _onnx_program(plain, data)
    elif kind == "stablehlo":
        data = to_stablehlo(plain, weights, example)
        program = _stablehlo_program(data)
    else:
        graph = to_graph(plain, weights, config.features, dt=dt)
        notes, data = graph.notes, graph_bytes(graph)
        program = _nir_program(plain, read_graph(in_memory(data, str(path))))
    networks = (plain, weights), (network, params)
    compared = compare(networks, program, test, key)._replace(notes=notes)
    stored = "int8 levels and a scale" if kind == "onnx" else "rounded, as float32"
    write_artefact(
        path, data, example, kind=kind, seed=seed, network=config.network,
        options=dict(config.options), data=config.data, classes=list(config.names),
        temperature=run.temperature, compared=compared._asdict(),
        weights=dict(bits=bits, stored=stored) if bits else dict(bits=32, stored="float32"),
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
    if not is_made_by(first, rate):
        return lambda inputs, keys: call(inputs)
    encode = jax.jit(serial(first).forward)
    return lambda inputs, keys: call(encode(((),), inputs, keys)[0])


def _nir_program(network: Layer, graph: Graph) -> Program:
    """Return a graph as a function of pixels: an encoder before it, a sum over time behind."""
    layers = layers_in_a_row(network)
    imported = any(is_made_by(layer, nir_network) for layer in layers)
    before = lambda x: not is_made_by(x, nir_network) if imported else is_made_by(x, *ENTRIES)
    entries = [*takewhile(before, layers)]
    encodes = any(is_made_by(layer, *ENCODERS.values()) for layer in entries)
    steps = next(layer.about.arguments["steps"] for layer in layers
                 if layer.about and "steps" in layer.about.arguments)  # fmt: skip
    entry, reduce = serial(*entries), _reduction(layers[-1])
    spiking = [n for n, v in graph.nodes.items() if isinstance(v, Node) and v.kind in FIRING]
    spiking = sorted(spiking) if imported else spiking  # as JAX orders names in a residual
    layer, params = from_graph(graph)

    @jax.jit
    def call(inputs, keys):
        x, _ = entry.forward(((),) * len(entries), inputs, keys)
        x = x if encodes else jnp.broadcast_to(x, (steps, *x.shape))
        x = jnp.moveaxis(x, -1, 2) if x.ndim == 5 and not imported else x
        y, residual = layer.forward(params, x, None)
        spikes = node_spikes(residual)
        return [reduce(y), *(spikes[name] for name in spiking)]

    return lambda inputs, keys: jax.device_get(call(inputs, keys))


def _reduction(readout: Layer) -> Callable[[Array], Array]:
    """Return how a readout makes logits of what a graph ends with [T, ...]."""
    options = readout.about.arguments if readout.about else {}
    if is_made_by(readout, spike_count):
        return lambda y: y.mean(0) if options["mean"] else y.sum(0)
    last = lambda y: y[-1]
    return {"mean": lambda y: y.mean(0), "max": lambda y: y.max(0)}.get(options["reduce"], last)


def compare(
    networks: tuple[tuple[Layer, Params], tuple[Layer, Params]],
    program: Program,
    test: Dataset,
    key: Array,
) -> Comparison:
    """Compare a program with its network, and with the run's, on all examples of a test set.

    Args:
      networks: the program's network with its params, and the run's.
    """
    (network, params), (origin, own) = networks

    @jax.jit
    def by_run(inputs, keys):
        of_run, _ = origin.forward(own, inputs, keys)
        logits, residual = network.forward(params, inputs, keys)
        return logits, [t.spikes for t in traces(residual)], of_run

    answers = rounding = logits_differ = spikes_differ = 0
    shown = False
    for start in range(0, len(test), BATCH):
        rows = jnp.arange(start, min(start + BATCH, len(test)))
        keys = evaluation_keys(key, rows)
        inputs = test.inputs.take(rows, keys)
        logits, spikes, of_run = jax.device_get(by_run(inputs, keys))
        of_file, *own_spikes = program(inputs, keys)
        answers += int((of_file.argmax(-1) != logits.argmax(-1)).sum())
        rounding += int((of_file.argmax(-1) != of_run.argmax(-1)).sum())
        logits_differ = max(logits_differ, float(np.abs(of_file - logits).max()))
        shown = shown or bool(own_spikes)
        if own_spikes:
            pairs = zip(own_spikes, spikes, strict=True)
            spikes_differ += sum(int((a != _shaped(b, a)).sum()) for a, b in pairs)
    shown_spikes = spikes_differ if shown else None
    return Comparison(len(test), answers, logits_differ, shown_spikes, rounding)


def _shaped(spikes: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Return spikes [T, B, H, W, C] as a graph has them, [T, B, C·H·W]; others as they are."""
    if spikes.shape == like.shape:
        return spikes
    return np.moveaxis(spikes, -1, 2).reshape(like.shape)
