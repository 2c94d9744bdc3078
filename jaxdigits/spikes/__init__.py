"""Spiking layers: encoders, surrogate slopes, neurons of every convention, readouts."""

from collections.abc import Callable as _Callable

from jaxdigits import about as _about
from jaxdigits.layer import Layer as _Layer
from jaxdigits.spikes.adaptive import alif as alif
from jaxdigits.spikes.adaptive import alif_neuron as alif_neuron
from jaxdigits.spikes.convention import Convention as Convention
from jaxdigits.spikes.convention import euler_decay as euler_decay
from jaxdigits.spikes.convention import exact_decay as exact_decay
from jaxdigits.spikes.counting import integrate_and_fire as integrate_and_fire
from jaxdigits.spikes.counting import of_mean as of_mean
from jaxdigits.spikes.encoders import at_each_step as at_each_step
from jaxdigits.spikes.encoders import bernoulli as bernoulli
from jaxdigits.spikes.encoders import direct as direct
from jaxdigits.spikes.encoders import latency as latency
from jaxdigits.spikes.encoders import rate as rate
from jaxdigits.spikes.event_lif import event_dense as event_dense
from jaxdigits.spikes.event_lif import event_lif as event_lif
from jaxdigits.spikes.event_neuron import EventNeuron as EventNeuron
from jaxdigits.spikes.event_neuron import Events as Events
from jaxdigits.spikes.event_neuron import events as events
from jaxdigits.spikes.event_readout import first_spike as first_spike
from jaxdigits.spikes.event_readout import mean_potential as mean_potential
from jaxdigits.spikes.lif import lif as lif
from jaxdigits.spikes.lif import lif_neuron as lif_neuron
from jaxdigits.spikes.penalty import Penalty as Penalty
from jaxdigits.spikes.penalty import penalties as penalties
from jaxdigits.spikes.penalty import rate_penalty as rate_penalty
from jaxdigits.spikes.presets import PRESETS as PRESETS
from jaxdigits.spikes.presets import LifOptions as LifOptions
from jaxdigits.spikes.presets import nir_lif as nir_lif
from jaxdigits.spikes.presets import norse_lif_box as norse_lif_box
from jaxdigits.spikes.presets import sinabs_lif as sinabs_lif
from jaxdigits.spikes.presets import snntorch_leaky as snntorch_leaky
from jaxdigits.spikes.presets import spikingjelly_lif as spikingjelly_lif
from jaxdigits.spikes.presets import spyx_lif as spyx_lif
from jaxdigits.spikes.readout import leaky_readout as leaky_readout
from jaxdigits.spikes.readout import spike_count as spike_count
from jaxdigits.spikes.recurrent import recurrent as recurrent
from jaxdigits.spikes.sensors import level_crossing as level_crossing
from jaxdigits.spikes.sensors import saccades as saccades
from jaxdigits.spikes.storage import Storage as Storage
from jaxdigits.spikes.storage import spikes_stored as spikes_stored
from jaxdigits.spikes.surrogates import Surrogate as Surrogate
from jaxdigits.spikes.surrogates import arctan as arctan
from jaxdigits.spikes.surrogates import exponential as exponential
from jaxdigits.spikes.surrogates import fast_sigmoid as fast_sigmoid
from jaxdigits.spikes.surrogates import scaled as scaled
from jaxdigits.spikes.surrogates import sigmoid as sigmoid
from jaxdigits.spikes.surrogates import soft_twin as soft_twin
from jaxdigits.spikes.surrogates import triangle as triangle
from jaxdigits.spikes.surrogates import with_slope as with_slope
from jaxdigits.spikes.synapse import cuba_lif as cuba_lif
from jaxdigits.spikes.synapse import cuba_lif_neuron as cuba_lif_neuron
from jaxdigits.spikes.synapse import current_based as current_based
from jaxdigits.spikes.time_axis import delays as delays
from jaxdigits.spikes.time_axis import steps_first as steps_first
from jaxdigits.spikes.unroll import Neuron as Neuron
from jaxdigits.spikes.unroll import Traces as Traces
from jaxdigits.spikes.unroll import firing_rates as firing_rates
from jaxdigits.spikes.unroll import over_time as over_time
from jaxdigits.spikes.unroll import traces as traces

NEURONS: dict[str, _Callable[..., _Layer]] = _about.gather_tables(globals(), "NEURONS")
"""constructors of neurons by name; each file has its own"""
