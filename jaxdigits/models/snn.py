"""A fully connected spiking network: rate-coded pixels, LIF neurons, a leaky readout."""

from collections.abc import Callable, Sequence
from functools import partial

from jaxdigits.chain import Chain, Parts, chained, in_series, without_entry
from jaxdigits.layer import Layer
from jaxdigits.layers import dense, dropout, flatten, standardise
from jaxdigits.layers.norm import Statistics
from jaxdigits.layers.precision import Precision
from jaxdigits.models.parts import normaliser, priced
from jaxdigits.spikes import (
    Storage,
    Surrogate,
    arctan,
    at_each_step,
    direct,
    leaky_readout,
    lif,
    rate,
    spikes_stored,
)


def snn(
    *,
    hidden: Sequence[int] = (800,),
    steps: int = 25,
    encoder: Callable[[int], Layer] = rate,
    neuron: Callable[[Surrogate], Layer] = lif,
    surrogate: Surrogate | None = None,
    readout: Callable[[], Layer] = leaky_readout,
    norm: str | None = None,
    dropout_rate: float = 0.4,
    classes: int = 10,
    precision: Precision = "full",
    storage: Storage = "full",
    recompute: bool = False,
    rate_penalty: float = 0.0,
    rate_target: float = 0.0,
    chain: Chain = in_series,
    training: bool = True,
    statistics: Sequence[Statistics] = (),
) -> Layer:
    """Images [B, H, W] uint8 or float in [0, 1] -> logits [B, classes].

    Args:
      hidden: neurons of each spiking layer.
      steps: time steps.
      encoder: constructor from the number of steps: `rate`, `direct` or `latency`.
      neuron: constructor from the surrogate, as `functools.partial(lif, decay=0.9)`.
      surrogate: slope of the firing function; None is `arctan(2)`, which has a
        slope far from the threshold too.
      readout: constructor of the layer from output currents [T, B, classes] to logits.
      norm: None, "batch" (through time), "layer" or "group", on the neurons' currents.
      dropout_rate: share of hidden neurons absent, through all steps, in training.
      chain: what makes one layer of the parts: `in_series`, or a learning rule.
      precision: "mixed" rounds what goes into products to bfloat16.
      storage: how spikes are kept for `backward`: "full", in a "byte" or in a "bit" each.  A
        bit is for neurons that fire once in a step at most; else the gradient is NaN.
      recompute: whether `backward` draws the encoder's spikes again, rather than keep them.
      rate_penalty: λ of what the hidden neurons' firing rates cost, in units of the loss
        (`jaxdigits.spikes.rate_penalty`); for training.
      rate_target: ρ, the rate in spikes per step that is free.
      training: with dropout and batch statistics, or without and with `statistics`.
      statistics: what each batch norm remembers, in order, for `training=False`.

    Raises:
      ValueError: for an unknown norm, precision or storage, batch norm in evaluation without
        its statistics, a penalty below 0, or a chain that is none or cannot take the network.
    """
    if chain is not in_series and (recompute or storage != "full"):
        raise ValueError("recompute and storage are for backpropagation: a rule keeps its own")
    if chain is not in_series and rate_penalty:
        raise ValueError("rate_penalty is for backpropagation: a rule has no slope of it")
    make_norm = normaliser(norm, 1, training, statistics)
    absent = dropout(dropout_rate if training else 0.0, time=True)
    linear = partial(dense, gain=GAIN, precision=precision)
    stored = partial(spikes_stored, storage=storage)
    # A direct input is the same at each step: so is its product with the first weights.
    once = encoder is direct and chain is in_series and len(hidden) > 0
    weights = [linear(n) if encoder is direct and i == 0 else stored(linear(n))
               for i, n in enumerate((*hidden, classes))]  # fmt: skip
    if once:
        weights[0] = at_each_step(weights[0], steps)
    price = priced(rate_penalty, rate_target, training)
    blocks = tuple(
        (layer, *make_norm(), neuron(surrogate or arctan()), *price, absent)
        for layer in weights[:-1]
    )
    parts = Parts(
        (standardise() if once else encoder(steps), flatten()),
        blocks, (weights[-1], readout()), steps,
    )  # fmt: skip
    return chained(parts, without_entry if recompute else chain)


GAIN = 1 / 3  # weights uniform in ±1/√m: rate-coded inputs add up over 1/(1 − β) steps
