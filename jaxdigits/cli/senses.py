"""The options of `jaxdigits train` for the network that sees and hears."""

from dataclasses import dataclass
from typing import Annotated, Literal

from tyro.conf import arg

from jaxdigits.cli.options import default


@dataclass(frozen=True)
class Senses:
    """multimodal: how image and sound become spikes, and where they meet."""

    fusion: Annotated[str | None, default("middle", "NAME")] = None
    """early, middle or late: whether inputs, spikes or logits are joined."""
    senses: Annotated[
        tuple[Literal["image", "sound"], ...], arg(help_behavior_hint="(default: both)")
    ] = ()
    """With one of them the network has that sense alone."""
    vision: Annotated[str | None, default("rate", "NAME")] = None
    """rate, or saccades: the events of a simulated camera."""
    hearing: Annotated[str | None, default("direct", "NAME")] = None
    """direct, rate or crossings: how the bands of a spectrogram become currents or spikes."""
    image_hidden: Annotated[tuple[int, ...] | None, default("800", "INT [INT ...]")] = None
    """Neurons of each layer that sees; with --fusion early, of each layer."""
    sound_channels: Annotated[tuple[int, ...] | None, default("16", "INT [INT ...]")] = None
    """Channels of each layer that hears all bands alike."""
    sound_hidden: Annotated[tuple[int, ...] | None, default("256", "INT [INT ...]")] = None
    """Neurons of each layer that hears, behind those."""
    taps: Annotated[int | None, default("5", "INT")] = None
    """Time steps that weights on sound see at once."""
    bands: Annotated[int | None, default("40", "INT")] = None
    """Bands of the spectrogram."""
    absent: Annotated[tuple[float, ...] | None, default("0.45", "FLOAT [FLOAT]")] = None
    """Share of the examples without image, and of those without sound, in training: one number
    for both, or two, of a sum of at most 1."""
