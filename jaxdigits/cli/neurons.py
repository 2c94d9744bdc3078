"""The options of `jaxdigits train` that say which neurons a spiking network is made of."""

from dataclasses import dataclass
from typing import Annotated, Literal

from tyro.conf import arg

from jaxdigits.cli.options import default


@dataclass(frozen=True)
class Neurons:
    """snn, conv_snn, multimodal: which neurons; docs/conventions.md says what choices do."""

    neuron: Annotated[str | None, default("lif", "NAME")] = None
    """lif; cuba_lif, with synaptic currents; or alif, with an adaptive threshold."""
    decay: Annotated[float | None, default("0.95; multimodal: 0.8", "FLOAT")] = None
    """What remains of a membrane potential after a step."""
    threshold: Annotated[float | None, default("1", "FLOAT")] = None
    """The potential at which a neuron fires."""
    synapse_decay: Annotated[float | None, default("0.8", "FLOAT")] = None
    """cuba_lif: what remains of a synaptic current after a step."""
    adaptation: Annotated[float | None, default("1.8", "FLOAT")] = None
    """alif: by how much constant firing raises the threshold."""
    adaptation_decay: Annotated[float | None, default("0.995", "FLOAT")] = None
    """alif: what remains of an adaptation after a step."""
    learn: Annotated[
        tuple[
            Literal["decay", "threshold", "synapse_decay", "adaptation", "adaptation_decay"],
            ...,
        ],
        arg(help_behavior_hint="(default: none)"),
    ] = ()
    """Constants of the neuron that are trained too."""
    reset: Annotated[
        Literal["subtract", "zero"] | float | None,
        default("subtract", "subtract|zero|FLOAT"),
    ] = None
    """A spike subtracts the threshold, or the potential starts again from zero or a number."""
    reset_step: Annotated[str | None, default("next", "NAME")] = None
    """next or same: the step in which the reset takes effect."""
    fires: Annotated[str | None, default("above", "NAME")] = None
    """above or at: whether a potential exactly at the threshold stays silent or fires."""
    spikes: Annotated[str | None, default("one", "NAME")] = None
    """one or several: how many in a step."""
    spike_from: Annotated[str | None, default("new", "NAME")] = None
    """new or old: the potential that a step made, or the one that it found."""
    differentiate_reset: bool = False
    """Let the gradient flow through the reset."""
    gain: Annotated[float | None, default("1", "FLOAT")] = None
    """What the input current is multiplied by."""
    normalise: bool = False
    """Multiply it by 1 - decay, too."""
