"""A convolutional network: blocks of convolution and pooling, one hidden layer, logits."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

from jaxdigits import layers as ly
from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.layer import Layer, serial
from jaxdigits.layers.norm import Statistics
from jaxdigits.layers.precision import Precision
from jaxdigits.models import choices as ch
from jaxdigits.options import choose


@constructor
def cnn(
    *,
    channels: ch.Widths = (32, 64, 128),
    kernel: int = 3,
    hidden: ch.Widths = (256,),
    activation: ch.AnyActivation = "relu",
    norm: ch.Norm | None = "batch",
    pool: Literal["max", "average"] = "max",
    scale: Literal["data", "image"] = "data",
    dropout_rate: ch.Rate = 0.4,
    classes: ch.Classes = 10,
    precision: Precision = "full",
    training: bool = True,
    statistics: Sequence[Statistics] = (),
) -> Layer:
    """Images [B, H, W] uint8 or float in [0, 1] -> logits [B, classes].

    Pooling before norm and activation is a quarter of the work; for the maximum, a monotone
    activation and no norm, it is also the same function.

    Args:
      channels: of each block: a SAME convolution, 2 × 2 pooling, norm, activation.
      kernel: size of the kernels.
      hidden: neurons of each dense layer behind the blocks.
      activation: after each hidden layer, a name or a constructor.
      norm: normalisation before each activation; group has 8 groups.
      pool: pooling of each block.
      scale: pixels by MNIST's mean and deviation, or each image by its own.
      dropout_rate: share of the dense layers' inputs dropped in training.
      classes: how many there are.
      precision: operands of products; mixed is bfloat16.
      training: with dropout and batch statistics, or without and with `statistics`.
      statistics: mean and variance of each batch norm, in order, for `training=False`.

    Raises:
      ValueError: for an unknown norm, pool or scale, or batch norm in evaluation without its
        statistics; in `init`, if the image is too small for that many poolings.
    """
    channels, hidden = ch.widths(channels), ch.widths(hidden)
    activate = choose("activation", ch.ACTIVATIONS, activation)
    conv, linear = (partial(f, precision=precision) for f in (ly.conv2d, ly.dense))
    after_conv = ch.normaliser(norm, 3, training, statistics)
    after_dense = ch.normaliser(norm, 1, training, statistics[len(channels) :])
    layers = [ch.scaled_input(scale, ch.MNIST_MEAN, ch.MNIST_STD), ly.add_channel()]
    for c in channels:
        weights = conv(c, kernel, bias=norm is None)
        layers += [weights, choose("pool", ch.POOLS, pool)(2), *after_conv(), activate()]
    layers += [ly.flatten(3)]
    absent = ly.dropout(dropout_rate if training else 0.0)
    for n in hidden:
        layers += [absent, linear(n, bias=norm is None), *after_dense(), activate()]
    return ch.of_images(serial(*layers, absent, linear(classes, gain=1.0)))


NETWORKS = {"cnn": cnn}
CASES = {
    "cnn": Case(lambda: cnn(channels=(3, 4), hidden=(8,)), (12, 12), "pixels"),
    "cnn, each image to its own scale": Case(
        lambda: cnn(channels=(3,), hidden=(8,), scale="image"), (12, 12), "grey"
    ),
    "cnn, group norm, average pool": Case(
        lambda: cnn(channels=(8,), hidden=(16,), norm="group", pool="average"), (12, 12), "grey"
    ),
}
