"""An imported graph as a network of images: an encoder before it, and logits from all steps.

    pixels [B, H, W] -> the graph's inputs [T, B, ...] -> its outputs [T, B, K] -> logits [B, K]

A graph says neither of the two, nor how many steps an image is shown.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Literal

import jax

from jaxdigits import layers as ly
from jaxdigits import spikes as sp
from jaxdigits.about import constructor
from jaxdigits.interop.discretise import from_metadata
from jaxdigits.interop.graph import Graph
from jaxdigits.interop.importing import fits, input_shape, nir_network
from jaxdigits.layer import Layer, Shape, serial
from jaxdigits.models import choices as ch
from jaxdigits.options import choose

# A leaky readout whose potential is the input itself takes the maximum or the last of it.
READOUTS: Mapping[str, Callable[[], Layer]] = {
    "mean": partial(sp.spike_count, mean=True),
    "sum": sp.spike_count,
    "max": partial(sp.leaky_readout, 0.0, reduce="max"),
    "last": partial(sp.leaky_readout, 0.0, reduce="last"),
}


@constructor
def image_graph(
    graph: Graph,
    *,
    steps: ch.Steps = 25,
    encoder: ch.AnyEncoder = "rate",
    readout: Annotated[Literal["mean", "sum", "max", "last"], tuple(READOUTS)] = "mean",
    surrogate: ch.AnySurrogate = "fast_sigmoid",
    classes: ch.Classes = 10,
    training: bool = True,
    statistics: Sequence[ly.Statistics] = (),
) -> Layer:
    """Images [B, H, W] uint8 or float in [0, 1] -> logits [B, classes], by an imported graph.

    Params are ((), [()], those of `nir_network`, ()); `init` returns the graph's own.

    Args:
      graph: of `read_graph`, with a discretisation in its metadata.
      steps: time steps.
      encoder: how pixels become spikes or currents.
      readout: logits from the graph's outputs over all steps.
      surrogate: firing slope, which the format has none of.
      classes: how many there are.
      training: no difference here: a graph has no dropout.
      statistics: none: a graph has no batch norm.

    Raises:
      ValueError: for a graph without a discretisation, one whose output is not [classes], or
        as `nir_network`; in `init`, for images that the graph cannot take.
    """
    if (discretisation := from_metadata(graph.metadata)) is None:
        raise ValueError(
            "the graph does not say how long a step is: name a discretisation; "
            f"those that fit: {fits(graph)}"
        )
    layer = nir_network(graph, discretisation, surrogate=surrogate)
    before = input_shape(graph)
    after = layer.init(jax.random.key(0), before)[1]
    if after != (classes,):
        raise ValueError(f"the graph's output is {list(after)}, not {classes} classes")
    network = serial(
        choose("encoder", ch.ENCODERS, encoder)(steps), *_reshaped(before), layer,
        choose("readout", READOUTS, readout)(),
    )  # fmt: skip

    def init(key, shape):
        if before not in ((math.prod(shape),), tuple(shape), (1, *shape)):
            raise ValueError(
                f"the graph's input is {list(before)}, and the images are {list(shape)}: "
                "choose data of its size"
            )
        return network.init(key, shape)

    return ch.of_images(network._replace(init=init))


def _reshaped(before: Shape) -> list[Layer]:
    """Return the layer from images to the graph's input, as a list that may be empty."""
    return {1: [ly.flatten()], 3: [ly.add_row()]}.get(len(before), [])
