"""Spiking layers: encoders, surrogate slopes, neurons of every convention, readouts."""

from jaxdigits.spikes.adaptive import alif, alif_neuron
from jaxdigits.spikes.convention import Convention, euler_decay, exact_decay
from jaxdigits.spikes.delays import delays
from jaxdigits.spikes.encoders import at_each_step, bernoulli, direct, latency, rate
from jaxdigits.spikes.event_lif import event_dense, event_lif
from jaxdigits.spikes.event_neuron import EventNeuron
from jaxdigits.spikes.event_readout import first_spike, mean_potential
from jaxdigits.spikes.event_search import Events, events
from jaxdigits.spikes.frames import frames_to_steps, steps_first
from jaxdigits.spikes.level_crossing import level_crossing
from jaxdigits.spikes.lif import lif, lif_neuron
from jaxdigits.spikes.penalty import Penalty, penalties, rate_penalty
from jaxdigits.spikes.presets import (
    PRESETS,
    LifOptions,
    nir_lif,
    norse_lif_box,
    sinabs_lif,
    snntorch_leaky,
    spikingjelly_lif,
    spyx_lif,
)
from jaxdigits.spikes.readout import leaky_readout, spike_count
from jaxdigits.spikes.recurrent import recurrent
from jaxdigits.spikes.saccades import saccades
from jaxdigits.spikes.storage import Storage, spikes_stored
from jaxdigits.spikes.surrogates import (
    Surrogate,
    arctan,
    exponential,
    fast_sigmoid,
    scaled,
    sigmoid,
    soft_twin,
    triangle,
    with_slope,
)
from jaxdigits.spikes.synapse import cuba_lif, cuba_lif_neuron, current_based
from jaxdigits.spikes.traces import Traces, firing_rates, traces
from jaxdigits.spikes.unroll import Neuron, over_time

__all__ = [
    "PRESETS",
    "Convention",
    "EventNeuron",
    "Events",
    "LifOptions",
    "Neuron",
    "Penalty",
    "Storage",
    "Surrogate",
    "Traces",
    "alif",
    "alif_neuron",
    "arctan",
    "at_each_step",
    "bernoulli",
    "cuba_lif",
    "cuba_lif_neuron",
    "current_based",
    "delays",
    "direct",
    "euler_decay",
    "event_dense",
    "event_lif",
    "events",
    "exact_decay",
    "exponential",
    "fast_sigmoid",
    "firing_rates",
    "first_spike",
    "frames_to_steps",
    "latency",
    "leaky_readout",
    "level_crossing",
    "lif",
    "lif_neuron",
    "mean_potential",
    "nir_lif",
    "norse_lif_box",
    "over_time",
    "penalties",
    "rate",
    "rate_penalty",
    "recurrent",
    "saccades",
    "scaled",
    "sigmoid",
    "sinabs_lif",
    "snntorch_leaky",
    "soft_twin",
    "spike_count",
    "spikes_stored",
    "spikingjelly_lif",
    "spyx_lif",
    "steps_first",
    "traces",
    "triangle",
    "with_slope",
]
