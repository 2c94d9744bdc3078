"""The options of `jaxdigits train` for the network whose spikes are times."""

from dataclasses import dataclass
from typing import Annotated

from jaxdigits.cli.options import default


@dataclass(frozen=True)
class Events:
    """event_snn: when pixels and neurons fire; times are in ms."""

    window: Annotated[float | None, default("5", "FLOAT")] = None
    """From the first step of the latency code to when one more would come."""
    duration: Annotated[float | None, default("10", "FLOAT")] = None
    """How long neurons are followed."""
    tau_m: Annotated[float | None, default("20", "FLOAT")] = None
    """Time constant of membranes."""
    tau_s: Annotated[float | None, default("10", "FLOAT")] = None
    """Time constant of synaptic currents."""
    most: Annotated[int | None, default("4", "INT")] = None
    """Spikes that a hidden neuron is followed for, silent after them."""
    output: Annotated[str | None, default("potential", "NAME")] = None
    """potential or first_spike: what the output neurons say."""
