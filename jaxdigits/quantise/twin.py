"""The integer twin of a spiking network: its weights and neurons as whole numbers.

A chip places each layer of weights with the neurons behind it (`jaxdigits.quantise.chips`).
Everything else stays where it is, so both networks draw the same input spikes from one key, and
their spikes can be compared one by one.

Sums of weights are made by the layer's own product, in floats: whole numbers below 2²⁴ are
exact there, on every device.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits import layers as ly
from jaxdigits import spikes as sp
from jaxdigits.about import About, children_of
from jaxdigits.fold import without_norms
from jaxdigits.keys import example_keys
from jaxdigits.layer import Layer, Params, nodes_of, serial
from jaxdigits.quantise.weights import quantised, rounded

FEW, NEARLY_ALL = 4, 0.99  # levels, and the share of weights that must be on more of them
BATCH = 500  # images at once
PASSED = (sp.rate, sp.latency, sp.bernoulli, sp.steps_first, sp.rate_penalty, sp.spike_count,
          ly.flatten, ly.add_channel, ly.dropout)  # fmt: skip


class Floats(NamedTuple):
    """A layer of weights, and the neurons or the readout behind it."""

    weight: np.ndarray
    """[..., n]"""
    bias: np.ndarray
    """[n], zeros for a layer without"""
    constants: dict[str, np.ndarray]
    """of the neurons, by name; of a readout its "decay" alone"""
    convention: sp.Convention | None
    """None for a readout"""


class Placed(NamedTuple):
    """The same in whole numbers."""

    weight: np.ndarray
    """[..., n]"""
    bias: np.ndarray
    """[n] added to the sums: the weight of an input that is always on"""
    scale: float
    """value of a weight of 1"""
    run: Callable[[Any, Array], tuple[Array, dict[str, Array]]]
    """(params, sums [T, ..., n]) -> (spikes, states), with "v" for a readout"""
    params: Any
    clipped: int = 0
    """weights and biases that were out of range"""
    sums: bool = True
    """False if `run` takes spikes, and has the weights among its params"""


class LayerReport(NamedTuple):
    """The weights and spikes of one layer of a twin."""

    layer: str
    scale: float
    """value of a weight of 1"""
    levels: int
    """different weights"""
    clipped: int
    """weights and biases that were out of range"""
    saturated: int | None = None
    """times that a state was at its bound; None without images"""
    spikes: int | None = None
    """of the twin, on all images"""
    changed: int | None = None
    """entries [T, B, n] in which the twin's number of spikes is another"""


class Twin(NamedTuple):
    """The integer twin of a network, and its report."""

    network: Layer
    """for the same inputs and keys; it has no gradient"""
    params: Params
    layers: tuple[LayerReport, ...]
    accuracy: tuple[float, float] | None = None
    """before and after; None without labels"""


class Fixed(NamedTuple):
    """The residual of integer neurons."""

    spikes: Array
    """[T, ..., n] float, whole numbers"""
    saturated: Array
    """[T, ..., n]"""


Place = Callable[[Floats], Placed]


def make_twin(
    network: Layer,
    params: Params,
    chip: str,
    place: Place,
    *,
    bits: int,
    images: Any = None,
    label: Any = None,
    key: Array | None = None,
) -> Twin:
    """Place the layers of a network on a chip, and compare both on images [N, ...].

    Batch norms are folded into the weights before them.

    Args:
      chip: its name, for errors.
      place: the layers of floats -> of whole numbers; it raises a ValueError for neurons that
        the chip does not have.
      images: as for the network; None compares nothing.
      label: [N], for accuracies.
      key: one key, of the spikes of images.

    Raises:
      ValueError: for a network whose layers are not in a row, for a layer or a convention that
        the chip does not have, and for weights of which nearly all are on fewer than four
        levels, though more bits were asked for.
    """
    about = network.about
    if about is not None and (few := about.find(quantised)):
        params = rounded(params, few.arguments["bits"], per=few.arguments["per"])
    plain, own = without_norms(network, params)
    parts = [layer for _, layer in children_of(plain.about)] if plain.about else []
    if not isinstance(own, tuple) or len(parts) != len(own):
        raise ValueError(f"{chip} takes a network of layers in a row: serial(...), or an snn "
                         "with the usual chain and without recompute")  # fmt: skip
    twins, weights, reports, waiting, name = [], [], [], None, ""
    for layer, p in zip(parts, own, strict=True):
        kind: Any = layer.about or About(type(layer), {})
        if kind.constructor is sp.spikes_stored:  # which is for training
            layer, kind = kind.arguments["layer"], kind.arguments["layer"].about
        if kind.find(ly.dense, ly.conv2d) and not kind.find(sp.at_each_step, sp.recurrent):
            if waiting is not None:
                raise ValueError(
                    f"{chip} has no weights without neurons: join {name} to others"
                )
            waiting = (len(twins), layer, p)
            name = f"{len(twins)} {kind.find(ly.dense, ly.conv2d).name}"
        elif kind.find(sp.over_time, sp.leaky_readout):
            if waiting is None:
                raise ValueError(f"{chip} places neurons behind weights: {kind.name} has none")
            (at, inner, weight), waiting = waiting, None
            floats = _floats(weight, kind, p)
            placed = place(floats)
            reports.append(_report(name, placed, floats, bits))
            if placed.sums:
                twins[at], weights[at] = _sums(inner, placed)
            else:
                twins[at], weights[at] = ly.dropout(0.0), ()
            layer, p = _membrane(kind, placed), placed.params
        elif kind.constructor not in PASSED or kind.arguments.get("rate"):
            spikes = "" if reports else "; its input is spikes, as of encoder='rate'"
            raise ValueError(
                f"{chip} has no {kind.name}: take it out, or fold it into weights{spikes}"
            )
        twins.append(layer)
        weights.append(p)
    if waiting is not None:
        raise ValueError(f"{chip} has no weights without neurons: put some behind {name}")
    twin = Twin(serial(*twins), tuple(weights), tuple(reports))
    return twin if images is None else _compare(network, params, twin, images, label, key)


def _floats(own: Any, kind: Any, p: Any) -> Floats:
    weight = np.asarray(own["weight"], float)
    bias = np.asarray(own.get("bias", np.zeros(weight.shape[-1])), float)
    over = kind.find(sp.over_time)
    if over is None:
        return Floats(
            weight, bias, {"decay": kind.find(sp.leaky_readout).arguments["decay"]}, None
        )
    neuron = over.arguments["neuron"]
    known = neuron.about and neuron.about.find(sp.lif_neuron, sp.cuba_lif_neuron)
    if known is None or over.arguments["emit"] != "spikes":
        raise ValueError(f"{kind.name} has no integer twin: take lif or cuba_lif")
    constants = jax.tree.map(lambda a: np.asarray(a, float), neuron.constants(p, float))
    return Floats(weight, bias, constants, known.arguments["convention"])


def _sums(layer: Layer, placed: Placed) -> tuple[Layer, Any]:
    """Return the layer of whole weights, spikes -> sums, and its params."""
    integers = {"weight": placed.weight, "bias": placed.bias}
    whole = {name: jnp.asarray(a, jnp.int32) for name, a in integers.items()}

    def forward(params, x, key=None):
        return layer.forward(jax.tree.map(lambda a: a.astype(x.dtype), params), x, key)

    return Layer(layer.init, forward, _no_gradient), whole


def _membrane(kind: Any, placed: Placed) -> Layer:
    readout = kind.find(sp.leaky_readout)

    def forward(params, x, key=None):
        spikes, states = placed.run(params, x.astype(jnp.int32))
        fixed = Fixed(spikes.astype(x.dtype), states["saturated"])
        if readout is None:
            return fixed.spikes, fixed
        u, reduce = placed.scale * states["v"].astype(x.dtype), readout.arguments["reduce"]
        return {"mean": u.mean(0), "max": u.max(0), "last": u[-1]}[reduce], fixed

    return Layer(lambda key, shape: (placed.params, shape), forward, _no_gradient)


def _no_gradient(*_: Any):
    raise ValueError("integer neurons have no gradient: train floats, through quantised()")


def _report(name: str, placed: Placed, floats: Floats, bits: int) -> LayerReport:
    levels = Counter(placed.weight[floats.weight != 0].ravel().tolist())
    most = sum(count for _, count in levels.most_common(FEW - 1))
    if bits >= FEW - 1 and most >= NEARLY_ALL * levels.total() > 0:
        share = most / levels.total()
        raise ValueError(
            f"layer {name}: {share:.1%} of its weights are on fewer than {FEW} levels of "
            f"{bits} bits: train with quantised(), or choose a higher floor"
        )
    return LayerReport(name, float(placed.scale), len(levels), placed.clipped)


def _compare(network: Layer, params: Params, twin: Twin, images, label, key) -> Twin:
    key = jax.random.key(0) if key is None else key

    @jax.jit
    def both(images, keys):
        before, inner = network.forward(params, images, keys)
        after, own = twin.network.forward(twin.params, images, keys)
        fixed = nodes_of(own, lambda node: isinstance(node, Fixed))
        theirs = sp.traces(inner)
        changed = [(f.spikes != t.spikes).sum() for f, t in zip(fixed, theirs, strict=False)]
        changed += [0] * (len(fixed) - len(theirs))  # a readout does not fire
        rows = [
            (f.saturated.sum(), f.spikes.sum(), c) for f, c in zip(fixed, changed, strict=True)
        ]
        return jnp.stack([before.argmax(-1), after.argmax(-1)]), rows

    answers, total = [], np.zeros((len(twin.layers), 3))
    for start in range(0, len(images), BATCH):
        index = np.arange(start, min(start + BATCH, len(images)))
        answer, rows = both(images[index], example_keys(key, jnp.asarray(index)))
        answers.append(answer)
        total += np.asarray(rows, float)
    counts = [map(int, row) for row in total]
    reports = [
        report._replace(saturated=saturated, spikes=spikes, changed=changed)
        for report, (saturated, spikes, changed) in zip(twin.layers, counts, strict=True)
    ]
    accuracy = None
    if label is not None:
        right = np.concatenate(answers, 1) == np.asarray(label)
        accuracy = (float(right[0].mean()), float(right[1].mean()))
    return twin._replace(layers=tuple(reports), accuracy=accuracy)
