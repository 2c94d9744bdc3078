"""Spiking layers: encoders, surrogate slopes, LIF neurons, readouts."""

from jaxdigits.spikes.encoders import direct, latency, rate
from jaxdigits.spikes.lif import Traces, firing_rates, lif, traces
from jaxdigits.spikes.readout import leaky_readout, spike_count
from jaxdigits.spikes.surrogates import (
    Surrogate,
    arctan,
    fast_sigmoid,
    sigmoid,
    soft_twin,
    triangle,
    with_slope,
)

__all__ = [
    "Surrogate",
    "Traces",
    "arctan",
    "direct",
    "fast_sigmoid",
    "firing_rates",
    "latency",
    "leaky_readout",
    "lif",
    "rate",
    "sigmoid",
    "soft_twin",
    "spike_count",
    "traces",
    "triangle",
    "with_slope",
]
