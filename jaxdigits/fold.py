"""Batch norms folded into the weights before them: the same function, in fewer layers.

With the norm's scale γ and shift β, and the statistics μ and σ² of evaluation,

    W'[i, o] = W[i, o] γ_o / σ_o,    b'[o] = (b[o] − μ_o) γ_o / σ_o + β_o
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxdigits import layers as ly
from jaxdigits import spikes as sp
from jaxdigits.about import children_of, rebuild
from jaxdigits.layer import Layer, Params, serial

WEIGHTS = (ly.dense, ly.conv2d)
REASON = (
    "batch_norm folds into the weights before it by its statistics: build the network with "
    "training=False, and each norm behind weights or their average pool"
)
AROUND = (sp.spikes_stored, sp.at_each_step)  # layers whose params are those of weights inside


def folded(network: Layer) -> Layer:
    """Return a network of layers in a row without its batch norms.

    Raises:
      ValueError: for layers that are not in a row, or a norm without weights before it.
    """
    layers = layers_in_a_row(network)
    weights = _weights_of_norms(layers)
    return serial(*(_with_bias(layer) if i in weights.values() else layer
                    for i, layer in enumerate(layers) if i not in weights))  # fmt: skip


def fold(network: Layer, params: Params) -> Params:
    """Return the params of `folded(network)`: the same function, without batch norms.

    Raises:
      ValueError: as `folded`, and for a norm without statistics.
    """
    layers, made = layers_in_a_row(network), list(params)
    weights = _weights_of_norms(layers)
    for at, i in weights.items():
        made[i] = _joined(made[i], layers[at], made[at])
    return tuple(p for i, p in enumerate(made) if i not in weights)


def without_norms(network: Layer, params: Params) -> tuple[Layer, Params]:
    """Return a network and its params with norms folded, or as they are where there are none.

    Raises:
      ValueError: as `fold`.
    """
    layers = [layer for _, layer in children_of(network.about)] if network.about else []
    if not any(is_made_by(layer, ly.batch_norm) for layer in layers):
        return network, params
    return folded(network), fold(network, params)


def layers_in_a_row(network: Layer) -> list[Layer]:
    """Return the layers in a row of a network.

    Raises:
      ValueError: for a layer that does not remember any.
    """
    layers = [layer for _, layer in children_of(network.about)] if network.about else []
    if not layers:
        raise ValueError(
            "this needs a network that remembers its layers: a serial(...), or recompute=False"
        )
    return layers


def is_made_by(layer: Layer, *constructors: Any) -> bool:
    """Whether a layer remembers one of these constructors."""
    return layer.about is not None and layer.about.constructor in constructors


def _weights_of_norms(layers: Sequence[Layer]) -> dict[int, int]:
    """Return the place of the weights before each norm, by the norm's place.

    A mean of pixels may stand between: it is the same before a norm and behind it.
    """
    places = {}
    for at, layer in enumerate(layers):
        if is_made_by(layer, ly.batch_norm):
            before = (i for i in range(at)[::-1] if not is_made_by(layers[i], ly.average_pool))
            places[at] = next(before, at)
    return places


def _joined(p: Any, norm: Layer, own: Any) -> dict[str, Any]:
    """Return weights with a norm in them."""
    options: Any = norm.about and norm.about.arguments
    if options["statistics"] is None or not isinstance(p, Mapping) or "weight" not in p:
        raise ValueError(REASON)
    mean, variance = map(np.asarray, options["statistics"])
    factor = own["scale"] / np.sqrt(variance + options["epsilon"])
    bias = p.get("bias", np.zeros_like(mean))
    return {"weight": p["weight"] * factor, "bias": (bias - mean) * factor + own["shift"]}


def _with_bias(layer: Layer) -> Layer:
    """Return weights with a bias, also inside of a layer around them."""
    about: Any = layer.about
    if is_made_by(layer, *AROUND):
        inner = _with_bias(about.arguments["layer"])
        return rebuild(about.constructor, {**about.arguments, "layer": inner})
    if not is_made_by(layer, *WEIGHTS):
        raise ValueError(REASON)
    return rebuild(about.constructor, {**about.arguments, "bias": True})
