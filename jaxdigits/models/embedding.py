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

INK_MEAN, INK_STD = 0.2, 0.4  # of the pictures of `data.prepare_signature`


@constructor
def embedding(
    *,
    channels: ch.Widths = (32, 64, 128),
    patch: int = 8,
    size: int = 128,
    activation: ch.AnyActivation = "relu",
    norm: ch.Norm | None = None,
    dropout_rate: ch.Rate = 0.3,
    precision: Precision = "full",
    training: bool = True,
    statistics: Sequence[Statistics] = (),
) -> Layer:
    """Pictures [B, ..., H, W] uint8 or float in [0, 1] -> points [B, ..., size] of length one.

    For `losses.contrastive`.  The cosine of two points tells how alike two hands are.

    Args:
      channels: of the first convolution, of patches that overlap by half, and of each SAME
        3 × 3 convolution with 2 × 2 pooling behind it.
      patch: pixels of a patch's side, even.
      size: numbers of a point.
      activation: after each convolution.
      norm: normalisation before each activation; group has 8 groups.
      dropout_rate: share of the last layer's inputs dropped in training.
      precision: operands of products; mixed is bfloat16.
      training: with dropout and batch statistics, or without and with `statistics`.
      statistics: mean and variance of each batch norm, in order, for `training=False`.

    Raises:
      ValueError: without channels, for an odd patch, an unknown norm, or batch norm in
        evaluation without its statistics; in `init`, if the picture is too small.
    """
    activate = choose("activation", ch.ACTIVATIONS, activation)
    blocks = convolutions(channels, patch, norm, precision, training, statistics)
    layers = [layer for block in blocks for layer in (*block, activate())]
    return of_pictures(layers, [ly.dense(size, gain=1.0, bias=False, precision=precision)],
                       dropout_rate if training else 0.0)  # fmt: skip


def convolutions(
    channels: ch.Widths,
    patch: int,
    norm: ch.Norm | None,
    precision: Precision,
    training: bool,
    statistics: Sequence[Statistics],
) -> list[list[Layer]]:
    """Return the layers before each activation, for both kinds of networks.

    Raises:
      ValueError: as `embedding`.
    """
    first, *rest = ch.widths(channels) or (0,)
    if not first or patch < 2 or patch % 2:
        raise ValueError(
            f"channels must name a block and patch be even, got {channels} and {patch}"
        )
    conv = partial(ly.conv2d, bias=norm is None, precision=precision)
    make_norm = ch.normaliser(norm, 3, training, statistics)
    blocks = [[conv(first, patch, stride=patch // 2), *make_norm()]]
    return blocks + [[conv(c, 3), ly.max_pool(2), *make_norm()] for c in rest]


def of_pictures(
    layers: list[Layer], last: list[Layer], dropout_rate: float, *, time: bool = False
) -> Layer:
    """Return the network of blocks and last layers: pictures -> points of length one."""
    entry = [ly.standardise(INK_MEAN, INK_STD), ly.add_channel()]
    behind = [ly.flatten(3), ly.dropout(dropout_rate, time=time), *last, ly.unit_length()]
    return ly.each_view(serial(*entry, *layers, *behind))


NETWORKS = {"embedding": embedding}
CASES = {
    "embedding": Case(
        lambda: embedding(channels=(3, 4), patch=4, size=5), (2, 2, 12, 16), "pixels"
    )
}
