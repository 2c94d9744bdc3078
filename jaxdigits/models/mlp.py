"""A multilayer perceptron: standardised pixels, dense layers, logits."""

from collections.abc import Callable, Sequence

from jaxdigits.layer import Layer, serial
from jaxdigits.layers import dense, dropout, flatten, relu, standardise
from jaxdigits.layers.norm import Statistics
from jaxdigits.models.parts import MNIST_MEAN, MNIST_STD, normaliser


def mlp(
    *,
    hidden: Sequence[int] = (800, 800),
    activation: Callable[[], Layer] = relu,
    norm: str | None = None,
    dropout_rate: float = 0.4,
    classes: int = 10,
    training: bool = True,
    statistics: Sequence[Statistics] = (),
) -> Layer:
    """Images [B, H, W] uint8 or float in [0, 1] -> logits [B, classes].

    Args:
      hidden: neurons of each hidden layer.
      activation: constructor of the layer after each of them.
      norm: None, "batch", "layer" or "group" (8 groups), before each activation.
      dropout_rate: share of hidden neurons absent in training.
      training: with dropout and batch statistics, or without and with `statistics`.
      statistics: what each batch norm remembers, in order, for `training=False`.

    Raises:
      ValueError: for an unknown norm, or batch norm in evaluation without its statistics.
    """
    make_norm = normaliser(norm, 1, training, statistics)
    absent = dropout(dropout_rate if training else 0.0)
    layers = [standardise(MNIST_MEAN, MNIST_STD), flatten()]
    for n in hidden:
        layers += [dense(n, bias=norm is None), *make_norm(), activation(), absent]
    return serial(*layers, dense(classes, gain=1.0))
