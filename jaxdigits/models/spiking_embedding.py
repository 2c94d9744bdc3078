"""A spiking network for pictures of signatures: a membrane of each output holds the point."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from jaxdigits import layers as ly
from jaxdigits import spikes as sp
from jaxdigits.about import constructor
from jaxdigits.case import STEPS, Case
from jaxdigits.layer import Layer, serial
from jaxdigits.layers.norm import Statistics
from jaxdigits.layers.precision import Precision
from jaxdigits.models import choices as ch
from jaxdigits.models.embedding import INK_MEAN, INK_STD
from jaxdigits.options import choose


@constructor
def spiking_embedding(
    *,
    channels: ch.Widths = (16, 32, 64, 96),
    kernel: int = 3,
    size: int = 64,
    steps: ch.Steps = 4,
    neuron: ch.AnyNeuron = "lif",
    surrogate: ch.AnySurrogate = "arctan",
    readout: ch.AnyReadout = "mean",
    norm: ch.Norm | None = "group",
    dropout_rate: ch.Rate = 0.3,
    precision: Precision = "full",
    storage: sp.Storage = "full",
    training: bool = True,
    statistics: Sequence[Statistics] = (),
    **neuron_options: Any,
) -> Layer:
    """Pictures [B, ..., H, W] uint8 or float in [0, 1] -> points [B, ..., size] of length one.

    `embedding` with neurons for activations.  The ink is a current, the same at every step.

    Args:
      channels: of each block: a SAME convolution, 2 × 2 pooling, norm, neurons.
      kernel, size, precision, training, statistics: as for `embedding`.
      steps, neuron, surrogate, readout, norm, storage: as for `conv_snn`.
      dropout_rate: share of the last neurons dropped in training.
      neuron_options: of the neurons, as `threshold=0.5`: as for `snn`.

    Names may be values, as for `snn`.

    Raises:
      ValueError: without channels, for an unknown name or option, or batch norm in evaluation
        without its statistics; in `init`, if the picture is too small for its poolings.
    """
    channels = ch.widths(channels)
    if not channels:
        raise ValueError("channels must name at least one block, got none")
    make_norm = ch.normaliser(norm, 3, training, statistics)
    ch.require_storage(storage, neuron_options)
    fire = ch.neuron_of(neuron, surrogate, neuron_options)
    conv = partial(ly.conv2d, bias=norm is None, precision=precision)
    stored = partial(sp.spikes_stored, storage=storage)
    layers = [ly.standardise(INK_MEAN, INK_STD), ly.add_channel()]
    layers += [
        conv(channels[0], kernel),
        ly.max_pool(2),
        *make_norm(),
        sp.direct(steps),
        fire(),
    ]
    for c in channels[1:]:
        layers += [stored(conv(c, kernel)), ly.max_pool(2), *make_norm(), fire()]
    layers += [ly.flatten(3), ly.dropout(dropout_rate if training else 0.0, time=True)]
    layers += [stored(ly.dense(size, gain=1.0, bias=False, precision=precision))]
    layers += [choose("readout", ch.READOUTS, readout)(), ly.unit_length()]
    return ly.each_view(serial(*layers))


NETWORKS = {"spiking_embedding": spiking_embedding}
CASES = {
    "spiking_embedding": Case(
        lambda: spiking_embedding(channels=(3, 4), size=5, norm="layer", steps=STEPS),
        (2, 2, 12, 16), "pixels",
    )
}  # fmt: skip
