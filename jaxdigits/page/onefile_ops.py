"""A network as a row of operations that a page interprets (`onefile_network.js`).

An operation is a dict of JSON: its name under "op", the shape behind it under "after", its
options, and its arrays as base64, in row-major order:

    {"bits": 32, "data": ...}               float32, low byte first
    {"bits": 8 to 24, "data": ..., "step"}  q + 2^(bits − 1), bit behind bit, the high bit first

Weights of dense layers and convolutions take the precision that a page has room for.  A weight
is the whole number q times the step of its neuron, in float32; for a neuron's weights w the
step is max |w| / (2^(bits − 1) − 1).
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from jaxdigits import layers as ly
from jaxdigits import spikes as sp
from jaxdigits.about import About
from jaxdigits.interop.onnx import layers_in_a_row
from jaxdigits.keys import fold_in
from jaxdigits.layer import Layer, Params
from jaxdigits.spikes.adaptive import alif_neuron
from jaxdigits.spikes.convention import Convention
from jaxdigits.spikes.counting import COUNTING
from jaxdigits.spikes.lif import lif_neuron
from jaxdigits.spikes.synapse import cuba_lif_neuron

FLOAT = 32  # bits of a float32
Operation = dict[str, Any]


class Place(NamedTuple):
    """The surroundings of a layer."""

    shape: tuple[int, ...]
    """of the features before it"""
    key: Array
    """of its random numbers"""
    bits: int
    """of a weight"""


def operations(
    network: Layer, params: Params, features: Sequence[int], key: Array, *, bits: int = FLOAT
) -> list[Operation]:
    """Return a network in evaluation as a row of operations.

    Args:
      features: the shape (H, W) of an image.
      key: of the one example whose random numbers every image draws.
      bits: of a weight: 32 for float32, or 8 to 24 for whole numbers.

    Raises:
      ValueError: for a layer that a page cannot compute, with its name.
    """
    row, shape = [], tuple(features)
    for i, (layer, p) in enumerate(zip(layers_in_a_row(network), params, strict=True)):
        place = Place(shape, fold_in(key, i), bits)
        shape = layer.init(jax.random.key(0), shape)[1]
        row += [{"after": shape, **op} for op in _of_layer(layer, p, place)]
    return row


def rounded_weights(params: Params, bits: int) -> Params:
    """Return params whose weights are those of a page with that many bits each."""
    if bits == FLOAT:
        return params

    def of_leaf(path, leaf):
        if getattr(path[-1], "key", None) != "weight":
            return leaf
        whole, step = _whole(np.asarray(leaf, np.float32), bits)
        return (whole * step).astype(np.float32)

    return jax.tree_util.tree_map_with_path(of_leaf, params)


def _whole(weight: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return whole numbers [..., n] and the step float64 [n] of each column."""
    most = 2 ** (bits - 1) - 1
    largest = np.abs(weight).max(tuple(range(weight.ndim - 1)))
    step = np.where(largest > 0, largest / most, 1).astype(np.float32).astype(float)
    return np.clip(np.rint(weight / step), -most, most).astype(np.int64), step


def _numbers(value: Any) -> dict[str, Any]:
    raw = np.asarray(value, "<f4").tobytes()
    return {"bits": FLOAT, "data": base64.b64encode(raw).decode()}


def _weight(value: Any, bits: int) -> dict[str, Any]:
    if bits == FLOAT:
        return _numbers(value)
    whole, step = _whole(np.asarray(value, np.float32), bits)
    places = np.arange(bits)[::-1]
    ones = ((whole.reshape(-1, 1) + 2 ** (bits - 1)) >> places & 1).astype(np.uint8)
    data = base64.b64encode(np.packbits(ones).tobytes()).decode()
    return {"bits": bits, "data": data, "step": _numbers(step)}


def _of_layer(layer: Layer, params: Params, place: Place) -> list[Operation]:
    about: About | None = layer.about and layer.about.find(*LAYERS)
    if about is None:
        name = layer.about.name if layer.about else "a layer without `about`"
        raise ValueError(f"{name} has no page here: export the run to stablehlo")
    if about.arguments.get("precision") == "mixed":
        raise ValueError("a page has full precision: train with --precision full")
    return LAYERS[about.constructor](about.arguments, params, place)


def _same(options, params, place) -> list[Operation]:
    return [dict(op="reshape")]


def _plain(name: str, *fields: str) -> Callable[..., list[Operation]]:
    """Return the operation of a layer without arrays, with these of its options."""
    return lambda options, params, place: [dict(op=name, **{f: options[f] for f in fields})]


def _sums(params: Mapping[str, Any], place: Place) -> Operation:
    bias = {"bias": _numbers(params["bias"])} if "bias" in params else {}
    return {"weight": _weight(params["weight"], place.bits), **bias}


def _dense(options, params, place) -> list[Operation]:
    return [dict(op="dense", **_sums(params, place))]


def _conv2d(options, params, place) -> list[Operation]:
    kernel, stride = np.shape(params["weight"])[:2], options["stride"]
    around = lambda n, k: max(0, (-(-n // stride) - 1) * stride + k - n) // 2
    same = options["padding"] == "SAME"
    before = [around(n, k) * same for n, k in zip(place.shape, kernel, strict=False)]
    own = dict(kernel=kernel, stride=stride, before=before)
    return [dict(op="conv2d", **own, **_sums(params, place))]


def _scaled(params: Mapping[str, Any]) -> Operation:
    return {name: _numbers(params[name]) for name in ("scale", "shift")}


def _batch_norm(options, params, place) -> list[Operation]:
    mean, variance = options["statistics"]
    sigma = np.sqrt(np.asarray(variance, np.float32) + np.float32(options["epsilon"]))
    own = dict(mean=_numbers(mean), sigma=_numbers(sigma))
    return [dict(op="batch_norm", **own, **_scaled(params))]


def _group_norm(options, params, place) -> list[Operation]:
    if options["axes"] != len(place.shape):
        raise ValueError(f"a norm over {options['axes']} axes has no page here: stablehlo")
    own = dict(groups=options.get("groups", 1), epsilon=options["epsilon"])
    return [dict(op="group_norm", **own, **_scaled(params))]


def _image_norm(options, params, place) -> list[Operation]:
    return [dict(op="image_norm", epsilon=options["epsilon"])]


def _rate(options, params, place) -> list[Operation]:
    words = np.asarray(jax.random.key_data(place.key)).ravel().tolist()
    if len(words) != 2:
        raise ValueError("a page draws by threefry2x32: set JAX's default PRNG to it")
    return [dict(op="rate", steps=options["steps"], key=words)]


_repeat = _plain("repeat", "steps")


def _direct(options, params, place) -> list[Operation]:
    return [dict(op="standardise", mean=0.0, std=1.0), *_repeat(options, params, place)]


def _at_each_step(options, params, place) -> list[Operation]:
    return [*_of_layer(options["layer"], params, place), *_repeat(options, params, place)]


def _neurons(make: Callable[..., Any]) -> Callable[..., list[Operation]]:
    def of_layer(options, params, place):
        neuron = make(**options)
        constants = neuron.constants(params, np.float32)
        return [_lif(constants, options["convention"], late=neuron.late)]

    return of_layer


def _lif(constants: Mapping[str, Any], rules: Convention, **own: Any) -> Operation:
    facts: dict[str, Any] = dict(
        fires=rules.fires, spikes=rules.spikes, reset_step=rules.reset_step,
        normalise=rules.normalise, gain=_numbers(rules.gain),
        reset=rules.reset if rules.reset == "subtract" else _numbers(rules.reset),
    )  # fmt: skip
    numbers = {name: _numbers(value) for name, value in constants.items()}
    return dict(op="lif", constants=numbers, rules=facts, **own)


def _integrate_and_fire(options, params, place) -> list[Operation]:
    entry = _repeat(options, params, place) if options["steps"] else []
    return [*entry, _lif(dict(decay=1, threshold=1), COUNTING, start=options["start"])]


def _of_mean(options, params, place) -> list[Operation]:
    layer = options["layer"]
    after = layer.init(jax.random.key(0), place.shape)[1]
    (inner,) = _of_layer(layer, params, place)
    return [dict(op="of_mean", layer={"after": after, **inner})]


def _stored(options, params, place) -> list[Operation]:
    return _of_layer(options["layer"], params, place)


LAYERS: dict[Any, Callable[..., list[Operation]]] = {
    ly.standardise: _plain("standardise", "mean", "std"), ly.image_norm: _image_norm,
    ly.add_channel: _same, ly.flatten: _same, ly.dropout: _same, ly.gaussian_noise: _same,
    sp.rate_penalty: _same, ly.dense: _dense, ly.conv2d: _conv2d,
    ly.max_pool: _plain("max_pool", "window"),
    ly.average_pool: _plain("average_pool", "window"),
    ly.batch_norm: _batch_norm, ly.layer_norm: _group_norm, ly.group_norm: _group_norm,
    ly.relu: _plain("relu"), ly.leaky_relu: _plain("leaky_relu", "slope"),
    ly.gelu: _plain("gelu"), ly.tanh: _plain("tanh"),
    sp.rate: _rate, sp.latency: _plain("latency", "steps"), sp.direct: _direct,
    sp.at_each_step: _at_each_step, sp.spikes_stored: _stored, sp.of_mean: _of_mean,
    sp.lif: _neurons(lif_neuron), sp.alif: _neurons(alif_neuron),
    sp.cuba_lif: _neurons(cuba_lif_neuron), sp.integrate_and_fire: _integrate_and_fire,
    sp.leaky_readout: _plain("leaky_readout", "decay", "reduce"),
    sp.spike_count: _plain("spike_count", "mean"),
}  # fmt: skip
