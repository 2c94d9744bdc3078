"""A spiking network that sees a digit and hears it spoken."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from jaxdigits.layer import Layer, parallel, serial
from jaxdigits.layers import (
    add_channel,
    add_row,
    conv2d,
    dense,
    dropout,
    flatten,
    if_present,
    image_norm,
    log_bands,
    modality_dropout,
    pick,
    spoken_frames,
    standardise,
    subtract_mean,
    tanh,
)
from jaxdigits.layers.norm import Statistics
from jaxdigits.layers.precision import Precision
from jaxdigits.models.parts import priced
from jaxdigits.spikes import (
    Surrogate,
    arctan,
    bernoulli,
    delays,
    leaky_readout,
    level_crossing,
    lif,
    rate,
    saccades,
    steps_first,
)

SENSES = ("image", "sound")
FUSIONS = ("early", "middle", "late")
VISIONS = ("rate", "saccades", "events")
HEARINGS = ("direct", "rate", "crossings")
FRAME = 400  # samples, 50 ms at 8 kHz
QUIET = 80.0  # energy of a band that counts as silence, 15 dB below a word's mean at power 1
FAINT = 1e-10  # mean power of a sound, below which it is no louder for the ear
CONTRAST = 0.5  # of light, as a logarithm: the step that an event camera answers
LOUDER = 0.5  # deviations of a sound's log-energies: the step that a delta code answers


def multimodal(
    *,
    fusion: Literal["early", "middle", "late"] = "middle",
    senses: Sequence[str] = SENSES,
    vision: Literal["rate", "saccades", "events"] = "rate",
    hearing: Literal["direct", "rate", "crossings"] = "direct",
    steps: int = 10,
    image_hidden: Sequence[int] = (800,),
    sound_channels: Sequence[int] = (16,),
    sound_hidden: Sequence[int] = (256,),
    hidden: Sequence[int] | None = None,
    taps: int = 5,
    bands: int = 40,
    absent: float | Sequence[float] = 0.45,
    neuron: Callable[[Surrogate], Layer] = lif,
    surrogate: Surrogate | None = None,
    readout: Callable[[], Layer] = leaky_readout,
    dropout_rate: float = 0.1,
    classes: int = 10,
    precision: Precision = "full",
    rate_penalty: float = 0.0,
    rate_target: float = 0.0,
    training: bool = True,
    statistics: Sequence[Statistics] = (),
) -> Layer:
    """{"image": [B, H, W], "sound": [B, N]} -> logits [B, classes].

    Images are uint8 or floats in [0, 1], sounds floats at 8 kHz.  A sense whose input is zero
    throughout is absent, and the network answers by the other.

    Args:
      fusion: "early" joins pixels and spectrogram in front of all neurons, "middle" joins what
        each sense's own neurons fire, "late" adds up the logits of a network for each sense.
      senses: which there are; with one of them the other's input is not looked at.
      vision: spikes of an image: "rate"; "saccades", the events of a simulated camera; or
        "events", where the image is [B, steps, H, W, 2] spikes already.
      hearing: what comes of a spectrogram's bands at each step: "direct", currents; "rate",
        random spikes; "crossings", a spike for each rise and each fall.
      steps: time steps, over which what is spoken is spread, from its begin to its end.
      image_hidden: neurons of each layer that sees; with early fusion, of each layer.
      sound_channels: of each layer of neurons that hears all bands alike, by a convolution
        over bands and delays that halves the bands.  Not with early fusion.
      sound_hidden: neurons of each layer behind those.  Not with early fusion.
      hidden: neurons of each layer behind a middle fusion; None is one layer of 256.
      taps: steps that weights on sound see at once, the present one and those before it.
      bands: of the spectrogram.
      absent: share of the examples that have no image in training, and of those that have no
        sound: modality dropout.  One number is for both.
      neuron: constructor from the surrogate, as `functools.partial(lif, decay=0.9)`.
      surrogate: slope of the firing function; None is `arctan(2)`.
      readout: constructor of the layer from output currents [T, B, classes] to logits.
      dropout_rate: share of hidden neurons absent, through all steps, in training.
      precision: "mixed" rounds what goes into products to bfloat16.
      rate_penalty, rate_target: λ and ρ of the hidden neurons' price, as for `snn`.
      training: with both dropouts, or without.
      statistics: none; for the sake of a common signature.

    Raises:
      ValueError: for an unknown name, shares that are not one or two, or of a sum above 1, or
        `hidden` with another fusion than the middle one; in `init` and `forward`, for an input
        that lacks a sense.
    """
    for name, value, known in (
        ("fusion", fusion, FUSIONS), ("vision", vision, VISIONS), ("hearing", hearing, HEARINGS)
    ):  # fmt: skip
        if value not in known:
            raise ValueError(f"{name} must be one of {known}, got {value!r}")
    if not senses or not set(senses) <= set(SENSES):
        raise ValueError(f"senses must be of {SENSES}, got {tuple(senses)}")
    if hidden is not None and fusion != "middle":
        raise ValueError(f"hidden is behind a middle fusion, and this one is {fusion}")
    shares = [absent] if isinstance(absent, int | float) else list(absent)
    if len(shares) not in (1, len(SENSES)):
        raise ValueError(f"absent is one share, or one for each of {SENSES}, got {absent}")
    senses = [name for name in SENSES if name in senses]
    linear = partial(dense, precision=precision)
    price = priced(rate_penalty, rate_target, training)
    missing = dropout(dropout_rate if training else 0.0, time=True)
    fire = lambda: [neuron(surrogate or arctan()), *price]

    def layers(widths: Sequence[int], weights: Callable[[int], list[Layer]]) -> list[Layer]:
        return [layer for n in widths for layer in (*weights(n), *fire(), missing)]

    def seen(n: int) -> list[Layer]:
        return [linear(n, gain=FEW)]

    def heard(n: int) -> list[Layer]:
        return [delays(taps), linear(n, gain=1.0)]

    def hearing_all_bands_alike() -> list[Layer]:
        conv = partial(conv2d, size=(1, 5), stride=2, gain=1.0, precision=precision)
        blocks = [(delays(taps), conv(c), *fire()) for c in sound_channels]
        return [add_row(), *(layer for block in blocks for layer in block)]

    eye = _eye(vision, steps)
    ear = _ear(hearing, steps, bands)
    out = [linear(classes, gain=FEW), readout()]
    if fusion == "early":
        branches = {"image": [*eye, flatten(_axes(vision))],
                    "sound": [*ear, flatten(2), delays(taps)]}  # fmt: skip
        behind = [*layers(image_hidden, seen), *out]
    else:
        branches = {
            "image": [*eye, flatten(_axes(vision)), *layers(image_hidden, seen)],
            "sound": [*ear, *hearing_all_bands_alike(), flatten(3),
                      *layers(sound_hidden, heard)],
        }  # fmt: skip
        behind = [*layers((256,) if hidden is None else hidden, seen), *out]
    if fusion == "late":
        branches, behind = {name: [*own, *out] for name, own in branches.items()}, []
    chosen = {name: serial(*branches[name]) for name in senses}
    lost: dict[str, float] = {}
    if training and len(senses) > 1:
        lost.update(zip(SENSES, 2 * shares, strict=False))  # one share is for both
    together = parallel(chosen, fuse="sum" if fusion == "late" else "concatenate")
    return serial(pick(senses), modality_dropout(lost), together, *behind)


FEW = 1 / 3  # gain of weights on spikes, which add up over 1/(1 − β) steps


def _eye(vision: str, steps: int) -> list[Layer]:
    """Images -> spikes [T, B, ...]."""
    camera = [saccades(steps), level_crossing(CONTRAST, spikes="several")]
    return {"rate": [rate(steps)], "saccades": camera, "events": [steps_first(steps)]}[vision]


def _axes(vision: str) -> int:
    return 2 if vision == "rate" else 3


def _ear(hearing: str, steps: int, bands: int) -> list[Layer]:
    """Sounds -> currents or spikes [T, B, bands, channels]."""
    heard = [image_norm(1, epsilon=FAINT), spoken_frames(steps, length=FRAME),
             log_bands(length=FRAME, bands=bands, epsilon=QUIET),
             subtract_mean(), image_norm()]  # fmt: skip
    if hearing == "rate":  # tanh is in (−1, 1), a probability in (0, 1)
        heard += [tanh(), standardise(mean=-1.0, std=2.0)]
    codes = {"direct": [add_channel()], "rate": [bernoulli(), add_channel()],
             "crossings": [level_crossing(LOUDER, spikes="several")]}  # fmt: skip
    return [if_present(serial(*heard)), steps_first(steps), *codes[hearing]]
