"""A spiking network whose spikes come at times between steps: latency code, EventProp."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from jaxdigits import checks
from jaxdigits import layers as ly
from jaxdigits import spikes as sp
from jaxdigits.about import constructor
from jaxdigits.case import STEPS, Case
from jaxdigits.chain import Chain, Parts, in_series, join
from jaxdigits.layer import Layer
from jaxdigits.layers.norm import Statistics
from jaxdigits.models import choices as ch
from jaxdigits.options import Bounds, require_name

OUTPUTS = ("potential", "first_spike")


@constructor
def event_snn(
    *,
    hidden: ch.Widths = (256,),
    steps: ch.Steps = 16,
    window: float = 5.0,
    duration: float = 10.0,
    tau_m: float = 20.0,
    tau_s: float = 10.0,
    most: Annotated[int, Bounds(1, 100)] = 4,
    output: Literal["potential", "first_spike"] = "potential",
    dropout_rate: ch.Rate = 0.0,
    classes: ch.Classes = 10,
    chain: Chain = in_series,
    training: bool = True,
    statistics: Sequence[Statistics] = (),
) -> Layer:
    """Images [B, H, W] uint8 or float in [0, 1] -> logits [B, classes].

    Each pixel fires once, the earlier the brighter, at one of `steps` times; the spikes of all
    neurons come at times between, exact to rounding.  `backward` is EventProp.

    The first layer has its input on the grid of pixel times, where its weights are one matrix
    product, with a bias at each time; the others have their input spike by spike, which is slow
    for many neurons.  Only ratios of times matter.  The best duration in our trials was τs:
    little is forgotten.  First spikes make logits in units of τs.

    Args:
      hidden: neurons of each spiking layer.
      steps: steps of the latency code.
      window: ms from the first step of the code to the end of the last.
      duration: ms that neurons are followed.
      tau_m: ms, time constant of the membranes; τm = 2 τs is fastest.
      tau_s: ms, time constant of the synaptic currents.
      most: spikes that a hidden neuron is followed for; it is silent after them.
      output: logits from mean potentials, or from first spikes.
      dropout_rate: share of hidden neurons dropped before potential logits.
      classes: how many there are.
      chain: combines the parts into one layer: `in_series`, or `rules.eventprop`, the same.
      training: with dropout or without.
      statistics: none: there are no batch norms.

    Raises:
      ValueError: without hidden layers, for another `output`, dropout with "first_spike", or
        constants that the layers refuse, as a window longer than the duration.
    """
    hidden = ch.widths(hidden)
    if not hidden:
        raise ValueError("event_snn needs at least one hidden layer")
    require_name("output", OUTPUTS, output)
    checks.static(window=window, duration=duration)
    if output == "first_spike" and checks.present(dropout_rate):
        raise ValueError("dropout_rate is for output='potential': a spike time has no share")
    if not 0 < window <= duration:
        raise ValueError(f"window must be in (0, duration = {duration:g}], got {window:g}")
    entry, neuron = (sp.latency(steps), ly.flatten()), sp.EventNeuron(tau_m, tau_s)
    limits: dict[str, Any] = dict(duration=duration, most=most)
    first, *others = hidden
    on_grid = ly.dense(first, gain=GAIN), sp.event_lif(neuron, dt=window / steps, **limits)
    by_spikes = [(sp.event_dense(n, neuron, gain=DEEP_GAIN, **limits),) for n in others]
    if output == "potential":
        mean = sp.mean_potential(neuron, duration=duration)
        absent = ly.dropout(dropout_rate if training else 0.0)
        exit = mean, absent, ly.dense(classes, gain=OUTPUT_GAIN)
    else:
        race = sp.event_dense(classes, neuron, duration=duration, most=1, gain=DEEP_GAIN)
        exit = race, sp.first_spike(tau_s)
    return ch.of_images(join(Parts(entry, (on_grid, *by_spikes), exit, events=True), chain))


# Some 150 of 784 pixels fire, so their currents add up to ±√(150 · 60 / 784) = ±3.4.  A current
# of 1 moves a potential by 1/4 at most (for τm = 2 τs): the threshold, 1, is met now and then.
GAIN = DEEP_GAIN = 60.0
OUTPUT_GAIN = 20.0  # as a spike's share in a mean potential is a tenth at most


NETWORKS = {"event_snn": event_snn}
CASES = {"event_snn": Case(lambda: event_snn(hidden=(12,), steps=STEPS), (14, 14), "pixels")}
