"""A network for pictures of signatures: each becomes a point, and the same hand's are near."""

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

INK_MEAN, INK_STD = 0.2, 0.35  # of the pictures of `verify.prepare`


@constructor
def embedding(
    *,
    channels: ch.Widths = (16, 32, 64, 96),
    kernel: int = 3,
    size: int = 64,
    activation: ch.AnyActivation = "relu",
    norm: ch.Norm | None = "group",
    dropout_rate: ch.Rate = 0.3,
    precision: Precision = "full",
    training: bool = True,
    statistics: Sequence[Statistics] = (),
) -> Layer:
    """Pictures [B, ..., H, W] uint8 or float in [0, 1] -> points [B, ..., size] of length one.

    For `losses.contrastive`.  The cosine of two points tells how alike two hands are.

    Args:
      channels: of each block: a SAME convolution, 2 × 2 pooling, norm, activation.
      kernel: size of the kernels.
      size: numbers of a point.
      activation: after each block.
      norm: normalisation before each activation; group has 8 groups.
      dropout_rate: share of the last layer's inputs dropped in training.
      precision: operands of products; mixed is bfloat16.
      training: with dropout and batch statistics, or without and with `statistics`.
      statistics: mean and variance of each batch norm, in order, for `training=False`.

    Raises:
      ValueError: without channels, for an unknown norm, or batch norm in evaluation without its
        statistics; in `init`, if the picture is too small for that many poolings.
    """
    channels = ch.widths(channels)
    if not channels:
        raise ValueError("channels must name at least one block, got none")
    activate = choose("activation", ch.ACTIVATIONS, activation)
    conv = partial(ly.conv2d, bias=norm is None, precision=precision)
    make_norm = ch.normaliser(norm, 3, training, statistics)
    layers = [ly.standardise(INK_MEAN, INK_STD), ly.add_channel()]
    for c in channels:
        layers += [conv(c, kernel), ly.max_pool(2), *make_norm(), activate()]
    layers += [ly.flatten(3), ly.dropout(dropout_rate if training else 0.0)]
    layers += [ly.dense(size, gain=1.0, bias=False, precision=precision), ly.unit_length()]
    return ly.each_view(serial(*layers))


NETWORKS = {"embedding": embedding}
CASES = {
    "embedding": Case(
        lambda: embedding(channels=(3, 4), size=5, norm="layer"), (2, 2, 12, 16), "pixels"
    )
}
