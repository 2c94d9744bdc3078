"""A multilayer perceptron: standardised pixels, dense layers, logits."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from jaxdigits.chain import Chain, Parts, chained, in_series
from jaxdigits.layer import Layer
from jaxdigits.layers import dense, dropout, flatten, gaussian_noise, relu
from jaxdigits.layers.norm import Statistics
from jaxdigits.layers.precision import Precision
from jaxdigits.models.parts import MNIST_MEAN, MNIST_STD, normaliser, scaled_input


def mlp(
    *,
    hidden: Sequence[int] = (800, 800),
    activation: Callable[[], Layer] = relu,
    norm: str | None = None,
    scale: Literal["data", "image"] = "data",
    dropout_rate: float = 0.4,
    input_dropout: float = 0.0,
    input_noise: float = 0.0,
    hidden_noise: float = 0.0,
    classes: int = 10,
    precision: Precision = "full",
    chain: Chain = in_series,
    training: bool = True,
    statistics: Sequence[Statistics] = (),
) -> Layer:
    """Images [B, H, W] uint8 or float in [0, 1] -> logits [B, classes].

    Args:
      hidden: neurons of each hidden layer.
      activation: constructor of the layer after each of them.
      norm: None, "batch", "layer" or "group" (8 groups), before each activation.
      scale: of the pixels: "data", by MNIST's mean and deviation, or "image", by each image's
        own.
      dropout_rate: share of hidden neurons absent in training.
      input_dropout: share of pixels that are grey, of MNIST's mean, in training.
      input_noise: deviation of the Gaussian noise of the pixels, standardised, in training.
      hidden_noise: the same of what goes into each activation.
      chain: what makes one layer of the parts: `in_series`, or a learning rule.
      precision: "mixed" rounds what goes into products to bfloat16.
      training: with dropout and batch statistics, or without and with `statistics`.
      statistics: what each batch norm remembers, in order, for `training=False`.

    Raises:
      ValueError: for an unknown norm or scale, batch norm in evaluation without its
        statistics, or a chain that is none or cannot take the network.
    """
    linear = partial(dense, precision=precision)
    make_norm = normaliser(norm, 1, training, statistics)
    share = lambda rate: rate if training else 0.0
    absent = dropout(share(dropout_rate))
    noise = lambda deviation: [gaussian_noise(share(deviation))] if deviation else []
    block = lambda n: (
        *(linear(n, bias=norm is None), *make_norm()),
        *(*noise(hidden_noise), activation(), absent),
    )
    hidden_blocks = tuple(block(n) for n in hidden)
    grey = [dropout(share(input_dropout))] if input_dropout else []
    entry = (scaled_input(scale, MNIST_MEAN, MNIST_STD), flatten(), *grey, *noise(input_noise))
    return chained(Parts(entry, hidden_blocks, (linear(classes, gain=1.0),)), chain)
