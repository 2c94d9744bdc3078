"""Parts that the builders share: options by name or value, input scale, norms, pools."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from inspect import signature
from typing import Annotated, Any, Literal, get_args

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
from jaxdigits.layers.activation import ACTIVATIONS
from jaxdigits.layers.norm import Statistics
from jaxdigits.options import Bounds, choose, nearest
from jaxdigits.spikes import NEURONS, Convention, Neuron, over_time, rate_penalty
from jaxdigits.spikes.encoders import ENCODERS
from jaxdigits.spikes.readout import READOUTS
from jaxdigits.spikes.surrogates import AnySurrogate, surrogate_of

AnyActivation = Annotated[
    Callable[[], Layer] | Literal["relu", "leaky_relu", "gelu", "tanh"], tuple(ACTIVATIONS)
]
AnyEncoder = Annotated[
    Callable[[int], Layer] | Literal["rate", "direct", "latency"], tuple(ENCODERS)
]
"""a constructor from the number of steps, or its name"""
AnyNeuron = Annotated[Callable[..., Layer] | str, tuple(NEURONS)]
"""a constructor from the surrogate, or its name"""
AnyReadout = Annotated[Callable[[], Layer] | Literal["mean", "max", "last"], tuple(READOUTS)]
"""a constructor, or how a leaky readout reduces its potentials"""
Widths = Annotated[int | Sequence[int], Bounds(1)]
Steps = Annotated[int, Bounds(1, 10_000)]
CONVENTION = tuple(field.name for field in fields(Convention))

# Of MNIST's 60,000 training images, in [0, 1].  A constant of the network, not a fit to
# the data: other digits in the same geometry have nearly the same.
MNIST_MEAN, MNIST_STD = 0.1307, 0.3081

Norm = Literal["batch", "layer", "group"]
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
    if norm is not None and norm not in get_args(Norm):
        raise ValueError(f"norm must be None or one of {get_args(Norm)}, got {norm!r}")
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


def widths(value: Widths) -> tuple[int, ...]:
    """The size of each of several layers, from one number or a sequence."""
    return (value,) if isinstance(value, int) else tuple(value)


def activation_of(activation: AnyActivation) -> Callable[[], Layer]:
    """The constructor of an activation."""
    return choose("activation", ACTIVATIONS, activation)


def encoder_of(encoder: AnyEncoder) -> Callable[[int], Layer]:
    """The constructor of an encoder, from the number of steps."""
    return choose("encoder", ENCODERS, encoder)


def readout_of(readout: AnyReadout) -> Callable[[], Layer]:
    """The constructor of a readout."""
    return choose("readout", READOUTS, readout)


def neuron_of(
    neuron: AnyNeuron, surrogate: AnySurrogate, options: Mapping[str, Any]
) -> Callable[[], Layer]:
    """A function that makes the next layer of neurons.

    Args:
      options: of the neurons: their constants, `learn`, and the fields of their `Convention`.

    Raises:
      ValueError: for an unknown neuron, or an option that it does not have.
    """
    make = choose("neuron", NEURONS, neuron)
    if isinstance(neuron, str):
        require_options(neuron, options, neuron_options(make))
    choices: dict[str, Any] = {k: _static(v) for k, v in options.items() if k in CONVENTION}
    constants = {k: v for k, v in options.items() if k not in CONVENTION}
    if choices:
        constants["convention"] = Convention(**choices)
    slope = surrogate_of(surrogate)

    def neurons() -> Layer:
        made: Any = make(slope, **constants)
        return over_time(made) if isinstance(made, Neuron) else made

    return neurons


def neuron_options(make: Callable[..., Layer]) -> list[str]:
    """The names of the options of neurons: of their constructor, and of a `Convention`."""
    names = list(signature(make).parameters)
    own = [name for name in names if name not in ("surrogate", "convention")]
    return [*own, *(CONVENTION if "convention" in names else ())]


def require_options(of: str, options: Mapping[str, Any], names: Sequence[str]) -> None:
    """Raise a ValueError for the first option that is not among the names."""
    for name in options:
        if name not in names:
            hint = nearest(name, names) or f"; it has {', '.join(names)}"
            raise ValueError(f"{of} has no option {name!r}{hint}")


def of_images(network: Layer) -> Layer:
    """`network`, which first checks that its input is a batch of grey images [N, H, W].

    Raises:
      ValueError: in `init` and `forward`, for another shape.
    """

    def init(key, shape):
        if not isinstance(shape, tuple) or len(shape) != 2:
            raise ValueError(f"images are [N, H, W], grey: their feature shape is (H, W), "
                             f"got {shape}")  # fmt: skip
        return network.init(key, shape)

    def forward(params, x, key=None):
        shape = getattr(x, "shape", type(x).__name__)
        if len(shape) != 3:
            hint = {
                2: "; one image is image[None]", 4: "; take one channel, as image[..., 0]"
            }.get(len(shape), "") if isinstance(shape, tuple) else ""  # fmt: skip
            raise ValueError(f"images are [N, H, W], grey; got {shape}{hint}")
        return network.forward(params, x, key)

    return network._replace(init=init, forward=forward)


def _static(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # a file has lists
