"""A spiking network that sees a digit and hears it spoken."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import Annotated, Any, Literal

import numpy as np

from jaxdigits import checks
from jaxdigits import layers as ly
from jaxdigits import spikes as sp
from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.layer import Layer, parallel, serial
from jaxdigits.layers.norm import Statistics
from jaxdigits.layers.precision import Precision
from jaxdigits.models import choices as ch
from jaxdigits.options import Bounds, choose, require_name

SENSES = ("image", "sound")
FUSIONS = ("early", "middle", "late")
VISIONS = ("rate", "saccades", "events")
HEARINGS = ("direct", "rate", "crossings")
FRAME = 400  # samples, 50 ms at 8 kHz
QUIET = 80.0  # energy of a band that counts as silence, 15 dB below a word's mean at power 1
FAINT = 1e-10  # mean power, below which a sound is not made louder
CONTRAST = 0.5  # of light, as a logarithm: the step that an event camera answers
LOUDER = 0.5  # deviations of a sound's log-energies: the step that a delta code answers


@constructor
def multimodal(
    *,
    fusion: Literal["early", "middle", "late"] = "middle",
    senses: Sequence[str] = SENSES,
    vision: Literal["rate", "saccades", "events"] = "rate",
    hearing: Literal["direct", "rate", "crossings"] = "direct",
    steps: ch.Steps = 10,
    image_hidden: ch.Widths = (800,),
    sound_channels: ch.Widths = (16,),
    sound_hidden: ch.Widths = (256,),
    hidden: ch.Widths | None = None,
    taps: Annotated[int, Bounds(1, 1000)] = 5,
    bands: Annotated[int, Bounds(1, 10_000)] = 40,
    absent: float | Sequence[float] = 0.45,
    neuron: ch.AnyNeuron = "lif",
    surrogate: ch.AnySurrogate = "arctan",
    readout: ch.AnyReadout = "mean",
    dropout_rate: ch.Rate = 0.1,
    classes: ch.Classes = 10,
    precision: Precision = "full",
    rate_penalty: float = 0.0,
    rate_target: float = 0.0,
    training: bool = True,
    statistics: Sequence[Statistics] = (),
    **neuron_options: Any,
) -> Layer:
    """{"image": [B, H, W], "sound": [B, N]} -> logits [B, classes].

    Images are uint8 or floats in [0, 1], sounds floats at 8 kHz.  A sense whose input is zero
    throughout is absent, and the network answers by the other.  With `vision="events"` the
    image is [B, steps, H, W, 2] spikes already.

    Args:
      fusion: join inputs, spikes, or logits.
      senses: senses of the network; it ignores the other's input.
      vision: spikes of an image or an event camera.
      hearing: spikes or currents of a spectrogram.
      steps: time steps, spread over the spoken part of the sound.
      image_hidden: neurons of each layer that sees; with early fusion, of each layer.
      sound_channels: channels of each convolution over bands; not with early fusion.
      sound_hidden: neurons of each layer behind them; not with early fusion.
      hidden: neurons of each layer behind a middle fusion; none is 256.
      taps: steps of a sound that weights see at once.
      bands: bands of the spectrogram.
      absent: share of training examples without image, and without sound.
      neuron: the neurons.
      surrogate: firing slope.
      readout: logits from a leaky membrane's potential.
      dropout_rate: share of hidden neurons dropped, through all steps, in training.
      classes: how many there are.
      precision: operands of products; mixed is bfloat16.
      rate_penalty: price of the hidden neurons' squared firing rates, in the loss.
      rate_target: firing rate that is free, in spikes per step.
      training: with both dropouts, or without.
      statistics: none: there are no batch norms.
      neuron_options: of the neurons, as `threshold=0.5`: as for `snn`.

    Early fusion joins pixels and spectrogram in front of all neurons, middle fusion the spikes
    of each sense's own neurons; late fusion adds up the logits of a network for each sense.
    `absent` is one number for both senses, or two.  Names may be values, as for `snn`.

    Raises:
      ValueError: for an unknown name, shares that are not one or two, or of a sum above 1, or
        `hidden` with another fusion than the middle one; in `init` and `forward`, for an input
        that lacks a sense.
    """
    _require_choices(fusion, vision, hearing, senses, hidden)
    checks.at_least(1, steps=steps)
    rates = _rates(absent)
    senses = [name for name in SENSES if name in senses]
    linear = partial(ly.dense, precision=precision)
    some = ly.dropout(dropout_rate if training else 0.0, time=True)
    neurons = ch.neuron_of(neuron, surrogate, neuron_options)
    fire = lambda: [neurons(), *ch.priced(rate_penalty, rate_target, training)]

    def layers(sizes: Sequence[int], make: Callable[[int], list[Layer]]) -> list[Layer]:
        return [layer for n in sizes for layer in (*make(n), *fire(), some)]

    weights = lambda n: [linear(n, gain=FEW)]
    weights_over_time = lambda n: [sp.delays(taps), linear(n, gain=1.0)]
    conv = partial(ly.conv2d, size=(1, 5), stride=2, gain=1.0, precision=precision)
    convolved = [(sp.delays(taps), conv(c), *fire()) for c in ch.widths(sound_channels)]

    eye, ear = _eye(vision, steps), _ear(hearing, steps, bands)
    out = [linear(classes, gain=FEW), choose("readout", ch.READOUTS, readout)()]
    if fusion == "early":
        branches = {"image": eye, "sound": [*ear, ly.flatten(2), sp.delays(taps)]}
        behind = [*layers(ch.widths(image_hidden), weights), *out]
    else:
        branches = {
            "image": [*eye, *layers(ch.widths(image_hidden), weights)],
            "sound": [*ear, ly.add_row(), *chain.from_iterable(convolved), ly.flatten(3),
                      *layers(ch.widths(sound_hidden), weights_over_time)],
        }  # fmt: skip
        behind = [*layers((256,) if hidden is None else ch.widths(hidden), weights), *out]
    if fusion == "late":
        branches, behind = {name: [*own, *out] for name, own in branches.items()}, []
    both = parallel({name: serial(*branches[name]) for name in senses},
                    fuse="sum" if fusion == "late" else "concatenate")  # fmt: skip
    drop = ly.modality_dropout(rates if training and len(senses) > 1 else {})
    return serial(ly.pick(senses), drop, both, *behind)


def _require_choices(
    fusion: str, vision: str, hearing: str, senses: Sequence[str], hidden: Any
) -> None:
    require_name("fusion", FUSIONS, fusion)
    require_name("vision", VISIONS, vision)
    require_name("hearing", HEARINGS, hearing)
    if not senses or not set(senses) <= set(SENSES):
        raise ValueError(f"senses must be of {SENSES}, got {tuple(senses or ())}")
    if hidden is not None and fusion != "middle":
        raise ValueError(f"hidden is behind a middle fusion, and this one is {fusion}")


def _rates(absent: Any) -> dict[str, Any]:
    """Return the share of examples without each sense; one number is for both."""
    one = isinstance(absent, int | float | np.number) or not checks.known(absent)
    shares: list[Any] = [absent] if one else list(absent)  # pyright: ignore[reportArgumentType]
    if len(shares) not in (1, len(SENSES)):
        raise ValueError(f"absent is one share, or one for each of {SENSES}, got {absent}")
    return dict(zip(SENSES, shares * len(SENSES), strict=False))


FEW = 1 / 3  # gain of weights on spikes, which add up over 1/(1 − β) steps


def _eye(vision: str, steps: int) -> list[Layer]:
    """Return the layers from images to spikes [T, B, n]."""
    camera = [sp.saccades(steps), sp.level_crossing(CONTRAST, spikes="several")]
    codes = {"rate": [sp.rate(steps)], "saccades": camera, "events": [sp.steps_first(steps)]}
    return [*codes[vision], ly.flatten(2 if vision == "rate" else 3)]


def _ear(hearing: str, steps: int, bands: int) -> list[Layer]:
    """Return the layers from sounds to currents or spikes [T, B, bands, channels]."""
    logs = [ly.image_norm(1, epsilon=FAINT), ly.spoken_frames(steps, length=FRAME),
            ly.log_bands(length=FRAME, bands=bands, epsilon=QUIET),
            ly.subtract_mean(), ly.image_norm()]  # fmt: skip
    if hearing == "rate":  # tanh is in (−1, 1), a probability in (0, 1)
        logs += [ly.tanh(), ly.standardise(mean=-1.0, std=2.0)]
    codes = {"direct": [ly.add_channel()], "rate": [sp.bernoulli(), ly.add_channel()],
             "crossings": [sp.level_crossing(LOUDER, spikes="several")]}  # fmt: skip
    return [ly.if_present(serial(*logs)), sp.steps_first(steps), *codes[hearing]]


NETWORKS = {"multimodal": multimodal}
_small = partial(
    multimodal, steps=6, image_hidden=(10,), sound_channels=(2,), sound_hidden=(8,), taps=2,
    bands=12, absent=0.25, threshold=0.25,
)  # fmt: skip
_SHAPE = {"image": (12, 12), "sound": (900,)}
CASES = {
    "multimodal": Case(_small, _SHAPE, "senses"),
    "multimodal, early": Case(lambda: _small(fusion="early", hearing="rate"), _SHAPE, "senses"),
    "multimodal, late": Case(
        lambda: _small(fusion="late", vision="saccades", hearing="crossings"), _SHAPE, "senses"
    ),
    "multimodal, sound alone": Case(lambda: _small(senses=("sound",)), _SHAPE, "senses"),
}
