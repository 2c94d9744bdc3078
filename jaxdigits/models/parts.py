"""What the builders share: the input's scale, and the choice of norms and pools."""

from collections.abc import Callable, Sequence

from jaxdigits.layer import Layer
from jaxdigits.layers import average_pool, batch_norm, group_norm, layer_norm, max_pool
from jaxdigits.layers.norm import Statistics

# Of MNIST's 60,000 training images, in [0, 1].  A constant of the network, not a fit to
# the data: other digits in the same geometry have nearly the same.
MNIST_MEAN, MNIST_STD = 0.1307, 0.3081

NORMS = ("batch", "layer", "group")
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


def pooling(pool: str) -> Layer:
    """2 × 2 pooling by name."""
    if pool not in POOLS:
        raise ValueError(f"pool must be one of {tuple(POOLS)}, got {pool!r}")
    return POOLS[pool](2)
