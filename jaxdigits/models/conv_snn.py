"""A convolutional spiking network: currents or spikes, blocks of LIF neurons, a readout."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from jaxdigits.layer import Layer, serial
from jaxdigits.layers import add_channel, conv2d, dense, dropout, flatten
from jaxdigits.layers.norm import Statistics
from jaxdigits.layers.precision import Precision
from jaxdigits.models.parts import normaliser, pooling, priced, scaled_input
from jaxdigits.spikes import (
    Storage,
    Surrogate,
    arctan,
    direct,
    leaky_readout,
    lif,
    spikes_stored,
)


def conv_snn(
    *,
    channels: Sequence[int] = (12, 64),
    kernel: int = 5,
    steps: int = 8,
    encoder: Callable[[int], Layer] = direct,
    neuron: Callable[[Surrogate], Layer] = lif,
    surrogate: Surrogate | None = None,
    readout: Callable[[], Layer] = leaky_readout,
    norm: str | None = "batch",
    pool: Literal["max", "average"] = "max",
    scale: Literal["data", "image"] = "data",
    dropout_rate: float = 0.2,
    classes: int = 10,
    precision: Precision = "full",
    storage: Storage = "full",
    rate_penalty: float = 0.0,
    rate_target: float = 0.0,
    training: bool = True,
    statistics: Sequence[Statistics] = (),
) -> Layer:
    """Images [B, H, W] uint8 or float in [0, 1] -> logits [B, classes].

    Args:
      channels: of each block: a VALID convolution, 2 × 2 pooling of its currents, norm,
        LIF neurons.
      kernel: size of the kernels.
      steps: time steps.
      encoder: constructor from the number of steps: `rate`, `direct` or `latency`.
      neuron: constructor from the surrogate, as `functools.partial(lif, decay=0.9)`.
      surrogate: slope of the firing function; None is `arctan(2)`, as for `snn`.
      readout: constructor of the layer from output currents [T, B, classes] to logits.
      norm: None, "batch" (through time), "layer" or "group", on the neurons' currents.
      pool: "max" or "average".
      scale: of a direct input: "data", pixels in [0, 1], or "image", by each image's own mean
        and deviation.
      dropout_rate: share of the last block's neurons absent, through all steps, in training.
      precision: "mixed" rounds what goes into products to bfloat16.
      storage: how spikes are kept for `backward`: "full", in a "byte" or in a "bit" each.  A
        bit is for neurons that fire once in a step at most; else the gradient is NaN.
      rate_penalty: λ of what the hidden neurons' firing rates cost, in units of the loss
        (`jaxdigits.spikes.rate_penalty`); for training.
      rate_target: ρ, the rate in spikes per step that is free.
      training: with dropout and batch statistics, or without and with `statistics`.
      statistics: what each batch norm remembers, in order, for `training=False`.

    Raises:
      ValueError: without channels, for an unknown norm, pool, scale, precision or storage, or
        batch norm in evaluation without its statistics; in `init`, if the image is too small
        for so many blocks.
    """
    if not channels:
        raise ValueError("channels must name at least one block, got none")
    make_norm = normaliser(norm, 3, training, statistics)
    price = priced(rate_penalty, rate_target, training)
    fire = lambda: [neuron(surrogate or arctan()), *price]
    conv = partial(conv2d, padding="VALID", bias=norm is None, precision=precision)
    stored = partial(spikes_stored, storage=storage)
    behind = lambda weights: [weights, pooling(pool), *make_norm()]
    # A direct input is the same at every step, and so is the first block's current: it is
    # computed once, and repeated after.
    once = encoder is direct
    if scale != "data" and not once:
        raise ValueError(
            "only a direct input has a scale: spikes are drawn of pixels in [0, 1]"
        )
    first = conv(channels[0], kernel)
    if once:
        layers = [scaled_input(scale), add_channel(), *behind(first), direct(steps), *fire()]
    else:
        layers = [add_channel(), encoder(steps), *behind(stored(first)), *fire()]
    for c in channels[1:]:
        layers += [*behind(stored(conv(c, kernel))), *fire()]
    absent = dropout(dropout_rate if training else 0.0, time=True)
    last = stored(dense(classes, gain=1 / 3, precision=precision))
    return serial(*layers, flatten(3), absent, last, readout())
