"""Layers that the builders share, by name or value: input scale, norms, pools, neurons."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import fields
from inspect import signature
from typing import Annotated, Any, Literal, get_args

import numpy as np

from jaxdigits import checks
from jaxdigits import layers as ly
from jaxdigits import spikes as sp
from jaxdigits.layer import Layer
from jaxdigits.layers.activation import ACTIVATIONS
from jaxdigits.layers.norm import Statistics
from jaxdigits.options import Bounds, choose, nearest, require_name
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
AnyNeuron = Annotated[Callable[..., Layer] | str, tuple(sp.NEURONS)]
"""a constructor from the surrogate, or its name"""
AnyReadout = Annotated[Callable[[], Layer] | Literal["mean", "max", "last"], tuple(READOUTS)]
"""a constructor, or how a leaky readout reduces its potentials"""
Widths = Annotated[int | Sequence[int], Bounds(1, 1 << 20)]
Rate = Annotated[float, Bounds(0, 1, below=True)]
Classes = Annotated[int, Bounds(1, 1 << 20)]
Steps = Annotated[int, Bounds(1, 10_000)]
CONVENTION = tuple(field.name for field in fields(sp.Convention))

# For MNIST's 60,000 training images, in [0, 1].  Constants of the network, not a fit to the
# data: other digits in the same geometry have nearly the same.
MNIST_MEAN, MNIST_STD = 0.1307, 0.3081

Norm = Literal["batch", "layer", "group"]
SCALES = ("data", "image")
POOLS = {"max": ly.max_pool, "average": ly.average_pool}


def normaliser(
    norm: str | None, axes: int, training: bool, statistics: Sequence[Statistics]
) -> Callable[[], list[Layer]]:
    """Return a function that makes the next norm layer, as a list that is empty for None.

    Args:
      axes: feature axes: 1 behind a dense layer, 3 behind a convolution.
      statistics: one per batch norm, for `training=False`.
    """
    require_name("norm", (None, *get_args(Norm)), norm)
    statistics_of_layers = iter(statistics)

    def make() -> list[Layer]:
        if norm == "batch" and not training:
            if (statistics_of_layer := next(statistics_of_layers, None)) is None:
                text = "evaluation with batch norm needs `statistics`, one per norm"
                raise ValueError(f"{text}: jaxdigits.train.gather_statistics collects them")
            return [ly.batch_norm(statistics_of_layer)]
        layers = dict(batch=ly.batch_norm, layer=lambda: ly.layer_norm(axes),
                      group=lambda: ly.group_norm(8, axes))  # fmt: skip
        return [layers[norm]()] if norm else []

    return make


def scaled_input(scale: str, mean: float = 0.0, std: float = 1.0) -> Layer:
    """Scale pixels for weights: by the "data"'s mean and deviation, or each "image"'s own."""
    require_name("scale", SCALES, scale)
    return ly.image_norm() if scale == "image" else ly.standardise(mean, std)


def priced(weight: float, target: float, training: bool) -> list[Layer]:
    """Return the price on spikes, as a list that is empty without a price.

    A traced weight is a price.  In evaluation it is 0, and the layer is still there: both
    networks share their params.

    Raises:
      ValueError: for a weight or a target below 0, or a target without a weight.
    """
    if checks.present(target) and not checks.present(weight):
        raise ValueError(f"rate_target is for a rate_penalty, and there is none: got {target}")
    layer = sp.rate_penalty(weight, target)
    return [layer if training else sp.rate_penalty(0.0)] if checks.present(weight) else []


def widths(value: Any) -> tuple[Any, ...]:
    """Return the sizes of several layers, from one number, numbers in order, or an array.

    Anything else is one size, which its layer refuses.
    """
    if hasattr(value, "__array__"):
        return tuple(np.atleast_1d(np.asarray(value)).tolist())
    text_or_set = str | bytes | bytearray | memoryview | Set | Mapping
    several = isinstance(value, Iterable) and not isinstance(value, text_or_set)
    return tuple(value) if several else (value,)


def neuron_of(
    neuron: AnyNeuron, surrogate: AnySurrogate, options: Mapping[str, Any]
) -> Callable[[], Layer]:
    """Return a function that makes the next layer of neurons.

    Args:
      options: constants of the neurons, `learn`, and the fields of their `Convention`.

    Raises:
      ValueError: for an unknown neuron, or an option that it does not have.
    """
    make = choose("neuron", sp.NEURONS, neuron)
    if isinstance(neuron, str):
        require_options(f"a network with {neuron} neurons", options, neuron_options(make))
    choices: dict[str, Any] = {k: _static(v) for k, v in options.items() if k in CONVENTION}
    constants = {k: v for k, v in options.items() if k not in CONVENTION}
    if choices:
        constants["convention"] = sp.Convention(**choices)
    slope = surrogate_of(surrogate)

    def neurons() -> Layer:
        layer: Any = make(slope, **constants)
        return sp.over_time(layer) if isinstance(layer, sp.Neuron) else layer

    return neurons


def require_storage(storage: str, neuron_options: Mapping[str, Any]) -> None:
    """Check that a bit can hold the neurons' spikes, or raise a ValueError."""
    if storage == "bit" and neuron_options.get("spikes") == "several":
        raise ValueError("storage bit holds one spike a step: take byte for spikes several")


def neuron_options(make: Callable[..., Layer]) -> list[str]:
    """Return the names of the options of neurons: of their constructor and a `Convention`."""
    names = list(signature(make).parameters)
    own = [name for name in names if name not in ("surrogate", "convention")]
    return [*own, *(CONVENTION if "convention" in names else ())]


def require_options(owner: str, options: Mapping[str, Any], names: Sequence[str]) -> None:
    """Check that all options are among the names, or raise a ValueError."""
    for name in options:
        if name not in names:
            hint = nearest(name, names) or f"; it has {', '.join(names)}"
            raise ValueError(f"{owner} has no option {name!r}{hint}")


def of_images(network: Layer) -> Layer:
    """Return `network` with a check that its input is a batch of grey images [N, H, W].

    Raises:
      ValueError: in `init` and `forward`, for another shape.
    """

    def init(key, shape):
        if not isinstance(shape, tuple) or len(shape) != 2:
            raise ValueError(f"images are grey: their feature shape is (H, W), got {shape}")
        return network.init(key, shape)

    def forward(params, x, key=None):
        shape = getattr(x, "shape", type(x).__name__)
        if not isinstance(shape, tuple) or len(shape) != 3:
            axes = len(shape) if isinstance(shape, tuple) else 0
            hints = {2: "; one image is image[None]", 4: "; take one channel, as image[..., 0]"}
            raise ValueError(f"images are [N, H, W], grey; got {shape}{hints.get(axes, '')}")
        return network.forward(params, x, key)

    return network._replace(init=init, forward=forward)


def _static(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # a file has lists
