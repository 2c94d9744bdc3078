"""A fully connected spiking network: rate-coded pixels, LIF neurons, a leaky readout."""

from collections.abc import Callable, Sequence

from jaxdigits.chain import Chain, Parts, chained, in_series
from jaxdigits.layer import Layer
from jaxdigits.layers import dense, dropout, flatten
from jaxdigits.layers.norm import Statistics
from jaxdigits.models.parts import normaliser
from jaxdigits.spikes import Surrogate, arctan, leaky_readout, lif, rate


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
      training: with dropout and batch statistics, or without and with `statistics`.
      statistics: what each batch norm remembers, in order, for `training=False`.

    Raises:
      ValueError: for an unknown norm, batch norm in evaluation without its statistics, or a
        chain that is none or cannot take the network.
    """
    make_norm = normaliser(norm, 1, training, statistics)
    absent = dropout(dropout_rate if training else 0.0, time=True)
    block = lambda n: (
        dense(n, gain=GAIN), *make_norm(), neuron(surrogate or arctan()), absent,
    )  # fmt: skip
    hidden_blocks = tuple(block(n) for n in hidden)
    exit = (dense(classes, gain=GAIN), readout())
    return chained(Parts((encoder(steps), flatten()), hidden_blocks, exit, steps), chain)


GAIN = 1 / 3  # weights uniform in ±1/√m: rate-coded inputs add up over 1/(1 − β) steps
