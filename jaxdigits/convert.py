"""A network of rectifiers as a spiking network: the same weights, in other units.

A rectifier's activation a = max(h, 0) becomes the share of T steps in which an integrate-and-
fire neuron fires, in units of the largest activation λ that the neuron is to show, one for each
channel c:

    h / λ_c  in a threshold of 1:    W'[i, o] = W[i, o] λ_i / λ_o,    b'[o] = b[o] / λ_o

The first layer of neurons takes the current of the image, the same at every step.  The last
weights, which no neuron follows, have λ_o = 1 and take the mean of the spikes.  A batch norm is
folded into the weights before it first: with scale γ and shift β,

    W'[i, o] = W[i, o] γ_o / σ_o,    b'[o] = (b[o] − μ_o) γ_o / σ_o + β_o

[1] Rueckauer et al., Front. Neurosci. 11:682, 2017 (percentiles of activations as thresholds).
[2] Bu et al., ICLR 2022, arXiv:2303.04347 (a start at half the threshold).
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits import checks
from jaxdigits import layers as ly
from jaxdigits import spikes as sp
from jaxdigits.about import children_of
from jaxdigits.layer import Layer, Params, serial

WEIGHTS = (ly.dense, ly.conv2d)
LINEAR = (ly.flatten, ly.average_pool, ly.add_channel, ly.dropout, ly.columns_to_frames,
          ly.add_row, ly.standardise, ly.image_norm)  # fmt: skip
BATCH = 500  # images at once


def spiking(network: Layer, *, steps: int, start: float = 0.5) -> Layer:
    """Return a network of rectifiers with neurons in their place, over the same params.

    Args:
      network: layers in a row that remember their constructors, norms folded.
      steps: time steps.
      start: the neurons' potential before the first, in thresholds.

    Raises:
      ValueError: for a layer that has no spiking form, with its name.
    """
    checks.at_least(1, steps=steps)
    layers = _checked(network)
    first = next(i for i, layer in enumerate(layers) if _is(layer, ly.relu))
    last = max(i for i, layer in enumerate(layers) if _is(layer, *WEIGHTS))

    def form(i, layer):
        if _is(layer, ly.relu):
            return sp.integrate_and_fire(start, steps=steps if i == first else None)
        if layer.about and layer.about.constructor is ly.dropout and i > first:
            return ly.dropout(layer.about.arguments["rate"], time=True)
        return sp.of_mean(layer) if i == last else layer

    return serial(*(form(i, layer) for i, layer in enumerate(layers)))


def convert(network: Layer, params: Params, image: Any, *, percentile: float = 99.0) -> Params:
    """Return the params of `spiking(folded(network))`, in units of each channel's activation.

    Args:
      network: in evaluation; its norms are batch norms that remember their statistics.
      image: inputs [N, ...] of the training set, whose activations give the units.
      percentile: of a channel's positive activations, its unit λ.

    Raises:
      ValueError: for a layer that has no spiking form, with its name, for another percentile,
        or without images.
    """
    if not 0 < percentile <= 100:
        raise ValueError(f"percentile must be in (0, 100], got {percentile}")
    if not len(image):
        raise ValueError(
            "image must have at least one example, whose activations are the units"
        )
    layers = _checked(folded(network))
    params = fold(network, params)
    before, scaled, last = np.ones(1, np.float32), list(params), 0
    for i, (layer, activation) in enumerate(_activations(layers, params, image)):
        if _is(layer, *WEIGHTS):
            last = i
        if not _is(layer, ly.relu):
            continue
        unit = _units(activation, percentile)
        scaled[last] = _in_units(params[last], before, unit)
        before = unit
    scaled[last] = _in_units(params[last], before, np.ones(1, np.float32))
    return tuple(scaled)


def folded(network: Layer) -> Layer:
    """Return a network without its batch norms; its weights have biases."""
    made = []
    for layer in _layers_of(network):
        if _is(layer, ly.batch_norm):
            continue
        about = layer.about
        if about and about.constructor in WEIGHTS:
            layer = about.constructor(**{**about.arguments, "bias": True})
        made.append(layer)
    return serial(*made)


def fold(network: Layer, params: Params) -> Params:
    """Return the params of `folded(network)`: the same function, without batch norms.

    Raises:
      ValueError: for a batch norm without statistics, or with no weights before it.
    """
    made: list[Any] = []
    for layer, p in zip(_layers_of(network), params, strict=True):
        about = layer.about
        if about and about.constructor is ly.batch_norm:
            statistics = about.arguments["statistics"]
            last = next((i for i in reversed(range(len(made))) if made[i]), None)
            if statistics is None or last is None:
                raise ValueError("a batch norm folds into weights before it, by its statistics")
            mean, variance = map(np.asarray, statistics)
            factor = p["scale"] / np.sqrt(variance + about.arguments["epsilon"])
            weight, bias = made[last]["weight"], made[last]["bias"]
            made[last] = {"weight": weight * factor,
                          "bias": (bias - mean) * factor + p["shift"]}  # fmt: skip
            continue
        if _is(layer, *WEIGHTS) and "bias" not in p:
            p = p | {"bias": jnp.zeros(p["weight"].shape[-1])}
        made.append(p)
    return tuple(made)


def _activations(layers: Sequence[Layer], params: Params, image: Any):
    """Yield (layer, its outputs [N, ..., C]) one layer after the other, in batches."""
    x = image
    for layer, p in zip(layers, params, strict=True):
        of_batch = jax.jit(lambda p, x, layer=layer: layer.forward(p, x, None)[0])
        parts = [of_batch(p, x[i : i + BATCH]) for i in range(0, len(x), BATCH)]
        x = np.concatenate([np.asarray(part) for part in parts])
        yield layer, x


def _units(activation: np.ndarray, percentile: float) -> np.ndarray:
    """Return λ [C]: the percentile of each channel's positive activations, 1 if it has none."""
    columns = activation.reshape(-1, activation.shape[-1]).T
    positive = [column[column > 0] for column in columns]
    units = [np.percentile(p, percentile) if len(p) else 1.0 for p in positive]
    return np.array(units, np.float32)


def _in_units(p: Params, before: np.ndarray, unit: np.ndarray) -> Params:
    """Return weights and bias for inputs in units `before` and outputs in units `unit`."""
    rows = p["weight"].shape[-2]
    rows = np.tile(before, rows // len(before))[
        :, None
    ]  # behind flatten, channels are innermost
    return {
        "weight": jnp.asarray(p["weight"] * rows / unit),
        "bias": jnp.asarray(p["bias"] / unit),
    }


def _layers_of(network: Layer) -> list[Layer]:
    layers = [layer for _, layer in children_of(network.about)] if network.about else []
    if not layers:
        raise ValueError("converting needs a network that remembers its layers: a serial(...)")
    return layers


def _checked(network: Layer) -> list[Layer]:
    """Return the layers of a network that has a spiking form."""
    layers = _layers_of(network)
    for layer in layers:
        if not _is(layer, ly.relu, *WEIGHTS, *LINEAR):
            name = layer.about.name if layer.about else "a layer without `about`"
            hint = REMEDIES.get(name, "")
            raise ValueError(f"{name} has no spiking form{hint}")
    kinds = [_is(layer, ly.relu) for layer in layers if _is(layer, ly.relu, *WEIGHTS)]
    if kinds != [False, *[True, False] * (len(kinds) // 2)] or len(kinds) < 3:
        raise ValueError("a network to convert has weights, and a rectifier between each two")
    return layers


def _is(layer: Layer, *constructors: Any) -> bool:
    return layer.about is not None and layer.about.constructor in constructors


REMEDIES = {
    "max_pool": ": train with --pool average",
    "layer_norm": ": train with --norm batch",
    "group_norm": ": train with --norm batch",
}
