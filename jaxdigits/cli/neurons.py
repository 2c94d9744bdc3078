"""The options of `jaxdigits train` that say which neurons a spiking network is made of."""

from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from tyro.conf import arg


def _default(text: str, metavar: str) -> Any:
    return arg(metavar=metavar, help_behavior_hint=f"(default: {text})")


@dataclass(frozen=True)
class Neurons:
    """snn, conv_snn: which neurons; docs/conventions.md shows what the choices do."""

    neuron: Annotated[str | None, _default("lif", "NAME")] = None
    """lif; cuba_lif, with synaptic currents; or alif, with an adaptive threshold."""
    decay: Annotated[float | None, _default("0.95", "FLOAT")] = None
    """What remains of a membrane potential after a step."""
    threshold: Annotated[float | None, _default("1", "FLOAT")] = None
    """The potential at which a neuron fires."""
    synapse_decay: Annotated[float | None, _default("0.8", "FLOAT")] = None
    """cuba_lif: what remains of a synaptic current after a step."""
    adaptation: Annotated[float | None, _default("1.8", "FLOAT")] = None
    """alif: by how much constant firing raises the threshold."""
    adaptation_decay: Annotated[float | None, _default("0.995", "FLOAT")] = None
    """alif: what remains of an adaptation after a step."""
    learn: tuple[
        Literal["decay", "threshold", "synapse_decay", "adaptation", "adaptation_decay"], ...
    ] = ()
    """Constants of the neuron that are trained too."""
    reset: Annotated[
        Literal["subtract", "zero"] | float | None,
        _default("subtract", "subtract|zero|FLOAT"),
    ] = None
    """A spike subtracts the threshold, or the potential starts again from zero or a number."""
    reset_step: Annotated[str | None, _default("next", "NAME")] = None
    """next or same: the step in which the reset takes effect."""
    fires: Annotated[str | None, _default("above", "NAME")] = None
    """above or at: whether a potential exactly at the threshold stays silent or fires."""
    spikes: Annotated[str | None, _default("one", "NAME")] = None
    """one or several: how many in a step."""
    spike_from: Annotated[str | None, _default("new", "NAME")] = None
    """new or old: the potential that a step made, or the one that it found."""
    differentiate_reset: bool = False
    """Let the gradient flow through the reset."""
    gain: Annotated[float | None, _default("1", "FLOAT")] = None
    """What the input current is multiplied by."""
    normalise: bool = False
    """Multiply it by 1 - decay, too."""

    def given(self) -> dict[str, Any]:
        """The options that are not left to the neuron, by name."""
        values = {f.name: (getattr(self, f.name), f.default) for f in fields(self)}
        return {name: value for name, (value, default) in values.items() if value != default}
