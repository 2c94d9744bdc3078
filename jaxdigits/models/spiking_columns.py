"""A spiking network for a row of digits: neurons fire, a membrane reads them."""

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
from jaxdigits.options import choose


@constructor
def spiking_columns(
    *,
    channels: ch.Widths = (16, 32, 64),
    kernel: int = 3,
    context: ch.Widths = (96,),
    reach: int = 5,
    steps: ch.Steps = 4,
    encoder: ch.AnyEncoder = "direct",
    neuron: ch.AnyNeuron = "lif",
    surrogate: ch.AnySurrogate = "arctan",
    readout: ch.AnyReadout = "mean",
    norm: ch.Norm | None = "batch",
    dropout_rate: ch.Rate = 0.2,
    classes: ch.Classes = 11,
    precision: Precision = "full",
    storage: sp.Storage = "full",
    training: bool = True,
    statistics: Sequence[Statistics] = (),
    **neuron_options: Any,
) -> Layer:
    """Fields [B, H, W] uint8 or float in [0, 1] -> logits [B, T, classes], T = ⌊W / 4⌋ frames.

    `columns` with neurons for activations: for a number of time steps each neuron of each
    column fires or does not, and the mean potential of a leaky membrane is a frame's logit.

    Args:
      channels: of each block: a SAME convolution, 2 × 2 pooling, norm, neurons; from the third
        block on without pooling.
      kernel, context, reach, classes, precision, training, statistics: as for `columns`.
      steps, encoder, neuron, surrogate, readout, norm, storage: as for `conv_snn`.
      dropout_rate: share of the last neurons dropped in training.
      neuron_options: of the neurons, as `threshold=0.5`: as for `snn`.

    Names may be values, as for `snn`.

    Raises:
      ValueError: without channels, for an unknown name or option, or batch norm in evaluation
        without its statistics; in `init`, if the picture is too small for its poolings.
    """
    channels, context = ch.widths(channels), ch.widths(context)
    if not channels:
        raise ValueError("channels must name at least one block, got none")
    make_norm = ch.normaliser(norm, 3, training, statistics)
    encode = choose("encoder", ch.ENCODERS, encoder)
    ch.require_storage(storage, neuron_options)
    fire = ch.neuron_of(neuron, surrogate, neuron_options)
    conv = partial(ly.conv2d, bias=norm is None, precision=precision)
    stored = partial(sp.spikes_stored, storage=storage)
    pool = lambda i: [ly.max_pool(2)] if i < 2 else []
    # A direct input is the same at every step: the first block's current is computed once.
    once = encode is sp.direct
    first = conv(channels[0], kernel)
    scaled = [ly.standardise(ch.MNIST_MEAN, ch.MNIST_STD)] if once else []
    layers = [*scaled, ly.add_channel(), *([] if once else [encode(steps)])]
    layers += [first if once else stored(first), *pool(0), *make_norm()]
    layers += [*([sp.direct(steps)] if once else []), fire()]
    for i, c in enumerate(channels[1:], 1):
        layers += [stored(conv(c, kernel)), *pool(i), *make_norm(), fire()]
    layers += [ly.columns_to_frames(), ly.add_row()]
    for c in context:
        layers += [stored(conv(c, (1, reach))), *make_norm(), fire()]
    layers += [ly.dropout(dropout_rate if training else 0.0, time=True)]
    layers += [stored(ly.conv2d(classes, 1, gain=1 / 3, precision=precision))]
    layers += [ly.columns_to_frames(), choose("readout", ch.READOUTS, readout)()]
    return ch.of_images(serial(*layers))


NETWORKS = {"spiking_columns": spiking_columns}
_small = partial(
    spiking_columns, channels=(3, 4, 4), context=(6,), reach=3, norm="layer", steps=STEPS
)
CASES = {
    "spiking_columns": Case(_small, (12, 20), "pixels"),
    "spiking_columns, rate": Case(lambda: _small(encoder="rate"), (12, 20), "pixels"),
}
