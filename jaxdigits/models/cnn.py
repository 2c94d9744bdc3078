"""A convolutional network: blocks of convolution and pooling, one hidden layer, logits."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from jaxdigits.layer import Layer, serial
from jaxdigits.layers import add_channel, conv2d, dense, dropout, flatten, relu
from jaxdigits.layers.norm import Statistics
from jaxdigits.layers.precision import Precision
from jaxdigits.models.parts import MNIST_MEAN, MNIST_STD, normaliser, pooling, scaled_input


def cnn(
    *,
    channels: Sequence[int] = (32, 64, 128),
    kernel: int = 3,
    hidden: Sequence[int] = (256,),
    activation: Callable[[], Layer] = relu,
    norm: str | None = "batch",
    pool: Literal["max", "average"] = "max",
    scale: Literal["data", "image"] = "data",
    dropout_rate: float = 0.4,
    classes: int = 10,
    precision: Precision = "full",
    training: bool = True,
    statistics: Sequence[Statistics] = (),
) -> Layer:
    """Images [B, H, W] uint8 or float in [0, 1] -> logits [B, classes].

    Args:
      channels: of each block: a SAME convolution, 2 × 2 pooling, norm, activation.  (Pooling
        before the rest is a quarter of the work; for the maximum, a monotone activation and no
        norm, it is also the same function.)
      kernel: size of the kernels.
      hidden: neurons of each dense layer behind the blocks.
      activation: constructor of the layer after each of them.
      norm: None, "batch", "layer" or "group" (8 groups), before each activation.
      pool: "max" or "average".
      scale: of the pixels: "data", by MNIST's mean and deviation, or "image", by each image's
        own.
      dropout_rate: share of the dense layers' inputs absent in training.
      precision: "mixed" rounds what goes into products to bfloat16.
      training: with dropout and batch statistics, or without and with `statistics`.
      statistics: what each batch norm remembers, in order, for `training=False`.

    Raises:
      ValueError: for an unknown norm, pool or scale, or batch norm in evaluation without its
        statistics; in `init`, if the image is too small for so many poolings.
    """
    conv, linear = (partial(f, precision=precision) for f in (conv2d, dense))
    after_conv = normaliser(norm, 3, training, statistics)
    after_dense = normaliser(norm, 1, training, statistics[len(channels) :])
    layers = [scaled_input(scale, MNIST_MEAN, MNIST_STD), add_channel()]
    for c in channels:
        layers += [
            conv(c, kernel, bias=norm is None),
            pooling(pool),
            *after_conv(),
            activation(),
        ]
    layers += [flatten(3)]
    absent = dropout(dropout_rate if training else 0.0)
    for n in hidden:
        layers += [absent, linear(n, bias=norm is None), *after_dense(), activation()]
    return serial(*layers, absent, linear(classes, gain=1.0))
