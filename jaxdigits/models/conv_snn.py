"""A convolutional spiking network: currents or spikes, blocks of LIF neurons, a readout."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

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
def conv_snn(
    *,
    channels: ch.Widths = (12, 64),
    kernel: int = 5,
    steps: ch.Steps = 8,
    encoder: ch.AnyEncoder = "direct",
    neuron: ch.AnyNeuron = "lif",
    surrogate: ch.AnySurrogate = "arctan",
    readout: ch.AnyReadout = "mean",
    norm: ch.Norm | None = "batch",
    pool: Literal["max", "average"] = "max",
    scale: Literal["data", "image"] = "data",
    dropout_rate: ch.Rate = 0.2,
    classes: ch.Classes = 10,
    precision: Precision = "full",
    storage: sp.Storage = "full",
    rate_penalty: float = 0.0,
    rate_target: float = 0.0,
    training: bool = True,
    statistics: Sequence[Statistics] = (),
    **neuron_options: Any,
) -> Layer:
    """Images [B, H, W] uint8 or float in [0, 1] -> logits [B, classes].

    Args:
      channels: of each block: a VALID convolution, 2 × 2 pooling, norm, neurons.
      kernel: size of the kernels.
      steps: time steps.
      encoder: how pixels become spikes or currents.
      neuron: the neurons.
      surrogate: firing slope.
      readout: logits from a leaky membrane's potential.
      norm: normalisation of the currents.
      pool: pooling of the currents.
      scale: of a direct input: pixels in [0, 1], or each image by its own deviation.
      dropout_rate: share of the last block's neurons dropped in training.
      classes: how many there are.
      precision: operands of products; mixed is bfloat16.
      storage: storage of spikes for `backward`.
      rate_penalty: price of the hidden neurons' squared firing rates, in the loss.
      rate_target: firing rate that is free, in spikes per step.
      training: with dropout and batch statistics, or without and with `statistics`.
      statistics: mean and variance of each batch norm, in order, for `training=False`.
      neuron_options: of the neurons, as `threshold=0.5`: as for `snn`.

    Names may be values, as for `snn`.

    Raises:
      ValueError: without channels, for an unknown name or option, or batch norm in evaluation
        without its statistics; in `init`, if the image is too small for that many blocks; in
        `init` and `forward`, for an input that is not [B, H, W].
    """
    channels = ch.widths(channels)
    if not channels:
        raise ValueError("channels must name at least one block, got none")
    make_norm = ch.normaliser(norm, 3, training, statistics)
    price = ch.priced(rate_penalty, rate_target, training)
    encode = choose("encoder", ch.ENCODERS, encoder)
    ch.require_storage(storage, neuron_options)
    neurons = ch.neuron_of(neuron, surrogate, neuron_options)
    fire = lambda: [neurons(), *price]
    conv = partial(ly.conv2d, padding="VALID", bias=norm is None, precision=precision)
    stored = partial(sp.spikes_stored, storage=storage)
    behind = lambda weights: [weights, choose("pool", ch.POOLS, pool)(2), *make_norm()]
    # A direct input is the same at every step, and so is the first block's current: it is
    # computed once, and then repeated.
    once = encode is sp.direct
    if scale != "data" and not once:
        raise ValueError("only a direct input has a scale: spikes come from pixels in [0, 1]")
    first = conv(channels[0], kernel)
    if once:
        entry = [ch.scaled_input(scale), ly.add_channel()]
        layers = [*entry, *behind(first), sp.direct(steps), *fire()]
    else:
        layers = [ly.add_channel(), encode(steps), *behind(stored(first)), *fire()]
    for c in channels[1:]:
        layers += [*behind(stored(conv(c, kernel))), *fire()]
    absent = ly.dropout(dropout_rate if training else 0.0, time=True)
    last = stored(ly.dense(classes, gain=1 / 3, precision=precision))
    layers += [ly.flatten(3), absent, last, choose("readout", ch.READOUTS, readout)()]
    return ch.of_images(serial(*layers))


NETWORKS = {"conv_snn": conv_snn}
_small = partial(conv_snn, channels=(3, 4), kernel=3, steps=STEPS)
CASES = {
    "conv_snn": Case(_small, (14, 14), "pixels"),
    "conv_snn, rate": Case(lambda: _small(encoder="rate"), (14, 14), "pixels"),
}
