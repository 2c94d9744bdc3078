"""A spiking network for pictures of signatures: a membrane of each output holds the point."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from jaxdigits import layers as ly
from jaxdigits import spikes as sp
from jaxdigits.about import constructor
from jaxdigits.case import STEPS, Case
from jaxdigits.layer import Layer
from jaxdigits.layers.norm import Statistics
from jaxdigits.layers.precision import Precision
from jaxdigits.models import choices as ch
from jaxdigits.models.embedding import convolutions, of_pictures
from jaxdigits.options import choose


@constructor
def spiking_embedding(
    *,
    channels: ch.Widths = (32, 64, 128),
    patch: int = 8,
    size: int = 128,
    steps: ch.Steps = 4,
    neuron: ch.AnyNeuron = "lif",
    surrogate: ch.AnySurrogate = "arctan",
    readout: ch.AnyReadout = "mean",
    norm: ch.Norm | None = "group",
    dropout_rate: ch.Rate = 0.3,
    precision: Precision = "full",
    storage: sp.Storage = "full",
    training: bool = True,
    statistics: Sequence[Statistics] = (),
    **neuron_options: Any,
) -> Layer:
    """Pictures [B, ..., H, W] uint8 or float in [0, 1] -> points [B, ..., size] of length one.

    `embedding` with neurons for activations.  The ink is a current, the same at every step.

    Args:
      channels, patch, size, precision, training, statistics: as for `embedding`.
      steps, neuron, surrogate, readout, norm, storage: as for `conv_snn`.
      dropout_rate: share of the last neurons dropped in training.
      neuron_options: of the neurons, as `threshold=0.5`: as for `snn`.

    Names may be values, as for `snn`.

    Raises:
      ValueError: as `embedding`, and for an unknown name or option.
    """
    ch.require_storage(storage, neuron_options)
    fire = ch.neuron_of(neuron, surrogate, neuron_options)
    stored = partial(sp.spikes_stored, storage=storage)
    (first, *rest) = convolutions(channels, patch, norm, precision, training, statistics)
    layers = [*first, sp.direct(steps), fire()]
    layers += [layer for conv, *behind in rest for layer in (stored(conv), *behind, fire())]
    last = stored(ly.dense(size, gain=1.0, bias=False, precision=precision))
    return of_pictures(layers, [last, choose("readout", ch.READOUTS, readout)()],
                       dropout_rate if training else 0.0, time=True)  # fmt: skip


NETWORKS = {"spiking_embedding": spiking_embedding}
CASES = {
    "spiking_embedding": Case(
        lambda: spiking_embedding(channels=(3, 4), patch=4, size=5, norm="layer", steps=STEPS),
        (2, 2, 12, 16), "pixels",
    )
}  # fmt: skip
