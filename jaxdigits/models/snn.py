"""A fully connected spiking network: rate-coded pixels, LIF neurons, a leaky readout."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from jaxdigits import checks
from jaxdigits import layers as ly
from jaxdigits import spikes as sp
from jaxdigits.about import constructor
from jaxdigits.case import STEPS, Case
from jaxdigits.chain import Chain, Parts, in_series, join, without_entry
from jaxdigits.layer import Layer
from jaxdigits.layers.norm import Statistics
from jaxdigits.layers.precision import Precision
from jaxdigits.models import choices as ch
from jaxdigits.options import choose


@constructor
def snn(
    *,
    hidden: ch.Widths = (800,),
    steps: ch.Steps = 25,
    encoder: ch.AnyEncoder = "rate",
    neuron: ch.AnyNeuron = "lif",
    surrogate: ch.AnySurrogate = "arctan",
    readout: ch.AnyReadout = "mean",
    norm: ch.Norm | None = None,
    dropout_rate: ch.Rate = 0.4,
    classes: ch.Classes = 10,
    precision: Precision = "full",
    storage: sp.Storage = "full",
    recompute: bool = False,
    rate_penalty: float = 0.0,
    rate_target: float = 0.0,
    chain: Chain = in_series,
    training: bool = True,
    statistics: Sequence[Statistics] = (),
    **neuron_options: Any,
) -> Layer:
    """Images [B, H, W] uint8 or float in [0, 1] -> logits [B, classes].

    Args:
      hidden: neurons of each spiking layer.
      steps: time steps.
      encoder: how pixels become spikes or currents.
      neuron: the neurons.
      surrogate: firing slope.
      readout: logits from a leaky membrane's potential.
      norm: normalisation of the currents.
      dropout_rate: share of hidden neurons dropped, through all steps, in training.
      classes: how many there are.
      precision: operands of products; mixed is bfloat16.
      storage: storage of spikes for `backward`.
      recompute: draw the encoder's spikes again in `backward`, to save memory.
      rate_penalty: price of the hidden neurons' squared firing rates, in the loss.
      rate_target: firing rate that is free, in spikes per step.
      chain: combines the parts into one layer: `in_series`, or a learning rule.
      training: with dropout and batch statistics, or without and with `statistics`.
      statistics: mean and variance of each batch norm, in order, for `training=False`.
      neuron_options: of the neurons, as `threshold=0.5`: the options of `lif` (or of the
        neuron named), and the fields of `Convention`.

    `encoder`, `neuron`, `surrogate` and `readout` take a name, or a value: a constructor from
    the number of steps, a constructor of neurons from the surrogate, a `Surrogate`, and a
    constructor of the layer from output currents [T, B, classes] to logits.  Storage in a bit
    is for neurons with one spike a step at most; else the gradient is NaN.

    Raises:
      ValueError: for an unknown name or option, batch norm in evaluation without its
        statistics, a penalty below 0, or a `chain` that is none or cannot take the network; in
        `init` and `forward`, for an input that is not [B, H, W].
    """
    if chain is not in_series and (recompute or storage != "full"):
        raise ValueError("recompute and storage are for backpropagation, not for a rule")
    if chain is not in_series and checks.present(rate_penalty):
        raise ValueError("rate_penalty is for backpropagation: a rule has no slope of it")
    encode = choose("encoder", ch.ENCODERS, encoder)
    make_norm = ch.normaliser(norm, 1, training, statistics)
    ch.require_storage(storage, neuron_options)
    neurons = ch.neuron_of(neuron, surrogate, neuron_options)
    hidden = ch.widths(hidden)
    absent = ly.dropout(dropout_rate if training else 0.0, time=True)
    linear = partial(ly.dense, gain=GAIN, precision=precision)
    stored = partial(sp.spikes_stored, storage=storage)
    # A direct input is the same at each step: so is its product with the first weights.
    once = encode is sp.direct and chain is in_series and len(hidden) > 0
    weights = [linear(n) if encode is sp.direct and i == 0 else stored(linear(n))
               for i, n in enumerate((*hidden, classes))]  # fmt: skip
    if once:
        weights[0] = sp.at_each_step(weights[0], steps)
    price = ch.priced(rate_penalty, rate_target, training)
    blocks = tuple((layer, *make_norm(), neurons(), *price, absent) for layer in weights[:-1])
    parts = Parts(
        (ly.standardise() if once else encode(steps), ly.flatten()),
        blocks, (weights[-1], choose("readout", ch.READOUTS, readout)()), steps,
    )  # fmt: skip
    return ch.of_images(join(parts, without_entry if recompute else chain))


GAIN = 1 / 3  # weights uniform in ±1/√m: rate-coded inputs add up over 1/(1 − β) steps


NETWORKS = {"snn": snn}
_small = partial(snn, hidden=(12,), steps=STEPS)
_LIVELY = 0.25  # a threshold that few inputs reach
CASES = {
    "snn": Case(lambda: _small(hidden=(12, 12), threshold=_LIVELY), (14, 14), "pixels"),
    "snn of floats, layer norm, dropout": Case(
        lambda: _small(norm="layer", dropout_rate=0.2), (14, 14), "grey"
    ),
    "snn, latency, learned constants": Case(
        lambda: _small(encoder="latency", threshold=_LIVELY, learn=("decay", "threshold")),
        (14, 14), "pixels",
    ),
    "snn, direct": Case(
        lambda: _small(hidden=(12, 12), encoder="direct", threshold=_LIVELY), (14, 14), "pixels"
    ),
    "snn, recomputed, spikes in bits": Case(
        lambda: _small(recompute=True, storage="bit", threshold=_LIVELY), (14, 14), "pixels"
    ),
    "snn, firing rates penalised": Case(
        lambda: _small(hidden=(12, 12), threshold=_LIVELY, rate_penalty=2.0), (14, 14), "pixels"
    ),
}  # fmt: skip
