"""The options of `jaxdigits train` for the network whose spikes are times."""

from dataclasses import dataclass, fields
from typing import Annotated, Any

from tyro.conf import arg


def _default(text: str, metavar: str) -> Any:
    return arg(metavar=metavar, help_behavior_hint=f"(default: {text})")


@dataclass(frozen=True)
class Events:
    """event_snn: when pixels and neurons fire; times are in ms."""

    window: Annotated[float | None, _default("5", "FLOAT")] = None
    """From the first step of the latency code to when one more would come."""
    duration: Annotated[float | None, _default("10", "FLOAT")] = None
    """How long neurons are followed."""
    tau_m: Annotated[float | None, _default("20", "FLOAT")] = None
    """Time constant of membranes."""
    tau_s: Annotated[float | None, _default("10", "FLOAT")] = None
    """Time constant of synaptic currents."""
    most: Annotated[int | None, _default("4", "INT")] = None
    """Spikes that a hidden neuron is followed for, silent after them."""
    output: Annotated[str | None, _default("potential", "NAME")] = None
    """potential or first_spike: what the output neurons say."""

    def given(self) -> dict[str, Any]:
        """The options that are not left to the network, by name."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if value is not None}
