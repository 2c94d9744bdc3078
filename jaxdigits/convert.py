"""A network of rectifiers as a spiking network: the same weights, in other units.

A rectifier's activation a = max(h, 0) becomes the share of T steps in which an integrate-and-
fire neuron fires, in units of the largest activation λ that the neuron is to show, one for each
channel c:

    h / λ_c  in a threshold of 1:    W'[i, o] = W[i, o] λ_i / λ_o,    b'[o] = b[o] / λ_o

The first layer of neurons takes the current of the image, the same at every step.  The last
weights, which no neuron follows, have λ_o = 1 and take the mean of the spikes.  Batch norms are
folded into the weights before them first (`jaxdigits.fold`).

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
from jaxdigits.fold import WEIGHTS, fold, folded, is_made_by, layers_in_a_row
from jaxdigits.layer import Layer, Params, serial

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
    layers = _checked(layers_in_a_row(network))
    first = next(i for i, layer in enumerate(layers) if is_made_by(layer, ly.relu))
    last = max(i for i, layer in enumerate(layers) if is_made_by(layer, *WEIGHTS))

    def form(i, layer):
        if is_made_by(layer, ly.relu):
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
    _checked([x for x in layers_in_a_row(network) if not is_made_by(x, ly.batch_norm)])
    layers = layers_in_a_row(folded(network))
    params = fold(network, params)
    before, scaled, last = np.ones(1, np.float32), list(params), 0
    for i, (layer, activation) in enumerate(_activations(layers, params, image)):
        if is_made_by(layer, *WEIGHTS):
            last = i
        if not is_made_by(layer, ly.relu):
            continue
        unit = _units(activation, percentile)
        scaled[last] = _in_units(params[last], before, unit)
        before = unit
    scaled[last] = _in_units(params[last], before, np.ones(1, np.float32))
    return tuple(scaled)


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
    rows = np.tile(before, rows // len(before))  # behind flatten, channels are innermost
    scaled = {"weight": jnp.asarray(p["weight"] * rows[:, None] / unit)}
    return scaled | ({"bias": jnp.asarray(p["bias"] / unit)} if "bias" in p else {})


def _checked(layers: list[Layer]) -> list[Layer]:
    """Return the layers of a network, if it has a spiking form."""
    for layer in layers:
        if not is_made_by(layer, ly.relu, *WEIGHTS, *LINEAR):
            name = layer.about.name if layer.about else "a layer without `about`"
            hint = REMEDIES.get(name, ": convert a network of rectifiers, as mlp or cnn")
            raise ValueError(f"{name} has no spiking form{hint}")
    shaping = [layer for layer in layers if is_made_by(layer, ly.relu, *WEIGHTS)]
    kinds = [is_made_by(layer, ly.relu) for layer in shaping]
    if kinds != [False, *[True, False] * (len(kinds) // 2)] or len(kinds) < 3:
        raise ValueError("a network to convert has weights, and a rectifier between each two")
    return layers


REMEDIES = {
    "max_pool": ": train with --pool average",
    "layer_norm": ": train with --norm batch",
    "group_norm": ": train with --norm batch",
}
