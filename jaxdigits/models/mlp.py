"""A multilayer perceptron: standardised pixels, dense layers, logits."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

from jaxdigits import checks
from jaxdigits import layers as ly
from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.chain import Chain, Parts, in_series, join
from jaxdigits.layer import Layer
from jaxdigits.layers.norm import Statistics
from jaxdigits.layers.precision import Precision
from jaxdigits.models import choices as ch
from jaxdigits.options import choose


@constructor
def mlp(
    *,
    hidden: ch.Widths = (800, 800),
    activation: ch.AnyActivation = "relu",
    norm: ch.Norm | None = None,
    scale: Literal["data", "image"] = "data",
    dropout_rate: ch.Rate = 0.4,
    input_dropout: ch.Rate = 0.0,
    input_noise: float = 0.0,
    hidden_noise: float = 0.0,
    classes: ch.Classes = 10,
    precision: Precision = "full",
    chain: Chain = in_series,
    training: bool = True,
    statistics: Sequence[Statistics] = (),
) -> Layer:
    """Images [B, H, W] uint8 or float in [0, 1] -> logits [B, classes].

    Args:
      hidden: neurons of each hidden layer.
      activation: after each hidden layer, a name or a constructor.
      norm: normalisation before each activation; group has 8 groups.
      scale: pixels by MNIST's mean and deviation, or each image by its own.
      dropout_rate: share of hidden neurons dropped in training.
      input_dropout: share of pixels set to MNIST's mean in training.
      input_noise: deviation of the noise on standardised pixels in training.
      hidden_noise: deviation of the noise before each activation in training.
      classes: how many there are.
      precision: operands of products; mixed is bfloat16.
      chain: combines the parts into one layer: `in_series`, or a learning rule.
      training: with dropout and batch statistics, or without and with `statistics`.
      statistics: mean and variance of each batch norm, in order, for `training=False`.

    Raises:
      ValueError: for an unknown norm or scale, batch norm in evaluation without its
        statistics, or a chain that is none or cannot take the network.
    """
    activate = choose("activation", ch.ACTIVATIONS, activation)
    linear = partial(ly.dense, precision=precision)
    make_norm = ch.normaliser(norm, 1, training, statistics)
    share = lambda rate: rate if training else 0.0
    absent = ly.dropout(share(dropout_rate))
    noise = lambda size: [ly.gaussian_noise(share(size))] if checks.present(size) else []
    behind = lambda: (*make_norm(), *noise(hidden_noise), activate(), absent)
    blocks = tuple((linear(n, bias=norm is None), *behind()) for n in ch.widths(hidden))
    grey = [ly.dropout(share(input_dropout))] if checks.present(input_dropout) else []
    scaled = ch.scaled_input(scale, ch.MNIST_MEAN, ch.MNIST_STD)
    entry = scaled, ly.flatten(), *grey, *noise(input_noise)
    return ch.of_images(join(Parts(entry, blocks, (linear(classes, gain=1.0),)), chain))


NETWORKS = {"mlp": mlp}
CASES = {
    "mlp": Case(lambda: mlp(hidden=(12, 12)), (28, 28), "pixels"),
    "mlp, gelu, batch norm": Case(
        lambda: mlp(hidden=(12,), activation="gelu", norm="batch"), (28, 28), "pixels"
    ),
}
