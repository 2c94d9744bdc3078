"""What the builders share: the input's scale, and the choice of norms and pools."""

from collections.abc import Callable, Sequence

from jaxdigits.layer import Layer
from jaxdigits.layers import (
    average_pool,
    batch_norm,
    group_norm,
    image_norm,
    layer_norm,
    max_pool,
    standardise,
)
from jaxdigits.layers.norm import Statistics
from jaxdigits.spikes import rate_penalty

# Of MNIST's 60,000 training images, in [0, 1].  A constant of the network, not a fit to
# the data: other digits in the same geometry have nearly the same.
MNIST_MEAN, MNIST_STD = 0.1307, 0.3081

NORMS = ("batch", "layer", "group")
SCALES = ("data", "image")
POOLS = {"max": max_pool, "average": average_pool}


def normaliser(
    norm: str | None, axes: int, training: bool, statistics: Sequence[Statistics]
) -> Callable[[], list[Layer]]:
    """A function that gives the next norm layer, as a list that is empty for None.

    Args:
      axes: feature axes: 1 behind a dense layer, 3 behind a convolution.
      statistics: consumed one per batch norm, when not training.
    """
    if norm is not None and norm not in NORMS:
        raise ValueError(f"norm must be None or one of {NORMS}, got {norm!r}")
    remembered = iter(statistics)

    def make() -> list[Layer]:
        if norm == "batch" and not training:
            if (of_layer := next(remembered, None)) is None:
                raise ValueError(
                    "evaluation with batch norm needs `statistics`, one per norm: "
                    "jaxdigits.train.gather_statistics collects them"
                )
            return [batch_norm(of_layer)]
        layers = dict(batch=batch_norm, layer=lambda: layer_norm(axes),
                      group=lambda: group_norm(8, axes))  # fmt: skip
        return [layers[norm]()] if norm else []

    return make


def scaled_input(scale: str, mean: float = 0.0, std: float = 1.0) -> Layer:
    """What brings pixels to the scale that weights are made for.

    Args:
      scale: "data": by a mean and a deviation of all images; "image": by each image's own.
    """
    if scale not in SCALES:
        raise ValueError(f"scale must be one of {SCALES}, got {scale!r}")
    return image_norm() if scale == "image" else standardise(mean, std)


def priced(weight: float, target: float, training: bool) -> list[Layer]:
    """The price on spikes, as a list that is empty for none.

    In evaluation it is 0, and the layer is still there: both networks share their params.

    Raises:
      ValueError: for a weight or a target below 0, or a target without a weight.
    """
    if target and not weight:
        raise ValueError(f"rate_target is for a rate_penalty, and there is none: got {target}")
    layer = rate_penalty(weight, target)
    return [layer if training else rate_penalty(0.0)] if weight else []


def pooling(pool: str) -> Layer:
    """2 × 2 pooling by name."""
    if pool not in POOLS:
        raise ValueError(f"pool must be one of {tuple(POOLS)}, got {pool!r}")
    return POOLS[pool](2)
