"""A network for a row of digits: columns of the picture become frames, each with its logits."""

from collections.abc import Sequence
from functools import partial

from jaxdigits import layers as ly
from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.layer import Layer, serial
from jaxdigits.layers.norm import Statistics
from jaxdigits.layers.precision import Precision
from jaxdigits.models import choices as ch
from jaxdigits.options import choose


@constructor
def columns(
    *,
    channels: ch.Widths = (16, 32, 64, 64),
    kernel: int = 3,
    context: ch.Widths = (88,),
    reach: int = 5,
    activation: ch.AnyActivation = "relu",
    norm: ch.Norm | None = "batch",
    dropout_rate: ch.Rate = 0.2,
    classes: ch.Classes = 11,
    precision: Precision = "full",
    training: bool = True,
    statistics: Sequence[Statistics] = (),
) -> Layer:
    """Fields [B, H, W] uint8 or float in [0, 1] -> logits [B, T, classes], T = ⌊W / 4⌋ frames.

    For `losses.ctc`, with blank as the last class.  The width is free: a network that was
    trained on one width reads any other.

    Args:
      channels: of each block: a SAME convolution, 2 × 2 pooling, norm, activation; from the
        third block on without pooling.
      kernel: size of the kernels.
      context: channels of each convolution along the frames.
      reach: frames that such a convolution sees.
      activation: after each block and each convolution along the frames.
      norm: normalisation before each activation; group has 8 groups.
      dropout_rate: share of the last layer's inputs dropped in training.
      classes: digits and blank.
      precision: operands of products; mixed is bfloat16.
      training: with dropout and batch statistics, or without and with `statistics`.
      statistics: mean and variance of each batch norm, in order, for `training=False`.

    Raises:
      ValueError: without channels, for an unknown norm, or batch norm in evaluation without its
        statistics; in `init`, if the picture is too small for its poolings.
    """
    channels, context = ch.widths(channels), ch.widths(context)
    if not channels:
        raise ValueError("channels must name at least one block, got none")
    activate = choose("activation", ch.ACTIVATIONS, activation)
    conv = partial(ly.conv2d, bias=norm is None, precision=precision)
    make_norm = ch.normaliser(norm, 3, training, statistics)
    layers = [ly.standardise(ch.MNIST_MEAN, ch.MNIST_STD), ly.add_channel()]
    for i, c in enumerate(channels):
        layers += [conv(c, kernel), *([ly.max_pool(2)] if i < 2 else [])]
        layers += [*make_norm(), activate()]
    layers += [ly.columns_to_frames(), ly.add_row()]
    for c in context:
        layers += [conv(c, (1, reach)), *make_norm(), activate()]
    layers += [ly.dropout(dropout_rate if training else 0.0)]
    layers += [ly.conv2d(classes, 1, gain=1.0, precision=precision), ly.columns_to_frames()]
    return ch.of_images(serial(*layers))


NETWORKS = {"columns": columns}
_small = partial(columns, channels=(3, 4, 4), context=(6,), reach=3, norm="layer")
CASES = {"columns": Case(_small, (12, 20), "pixels")}
