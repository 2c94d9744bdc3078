"""Networks and their parts by name, for JSON files and the command line.

The builders take functions; a file or a command line has only names and numbers.  The
tables here say which name stands for which function, and `build` translates.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from jaxdigits.chain import Chain, in_series
from jaxdigits.layer import Layer
from jaxdigits.layers import gelu, leaky_relu, relu, tanh
from jaxdigits.layers.norm import Statistics
from jaxdigits.models.cnn import cnn
from jaxdigits.models.conv_snn import conv_snn
from jaxdigits.models.mlp import mlp
from jaxdigits.models.snn import snn
from jaxdigits.spikes import (
    arctan,
    direct,
    fast_sigmoid,
    latency,
    leaky_readout,
    lif,
    rate,
    sigmoid,
    triangle,
)

NETWORKS = {"mlp": mlp, "cnn": cnn, "snn": snn, "conv_snn": conv_snn}
ACTIVATIONS = {"relu": relu, "leaky_relu": leaky_relu, "gelu": gelu, "tanh": tanh}
ENCODERS = {"rate": rate, "direct": direct, "latency": latency}
SURROGATES = {
    "fast_sigmoid": fast_sigmoid, "arctan": arctan, "triangle": triangle, "sigmoid": sigmoid,
}  # fmt: skip
READOUTS = {
    "mean": leaky_readout,
    "max": partial(leaky_readout, reduce="max"),
    "last": partial(leaky_readout, reduce="last"),
}
NEURON = ("decay", "threshold", "reset", "differentiate_reset", "learn")  # options of `lif`
NOT_OPTIONS = ("training", "statistics", "neuron", "chain")  # are functions, or not a user's
LAYERS: Mapping[str, Mapping[str, Callable]] = {"encoder": ENCODERS, "neuron": {"lif": lif}}
TABLES = {"activation": ACTIVATIONS, "encoder": ENCODERS, "readout": READOUTS}


def build(
    network: str,
    options: Mapping[str, Any],
    *,
    chain: Chain = in_series,
    parts: Mapping[str, Mapping[str, Callable]] = LAYERS,
    training: bool = True,
    statistics: Sequence[Statistics] = (),
) -> Layer:
    """The network of that name.

    Args:
      network: a name of `NETWORKS`.
      options: the builder's keyword arguments, with names for functions: `activation`,
        `encoder`, `surrogate`, `readout` ("mean", "max" or "last" of a leaky readout);
        and, for spiking networks, those of `lif` in `NEURON`.
      chain: a learning rule, for training; evaluation has only a forward pass.
      parts: the encoders and the neuron that it wants, if they are not layers.

    Raises:
      ValueError: for an unknown network, option or name, saying which there are; for a
        network that the rule cannot take, saying why.
    """
    builder = _lookup("network", NETWORKS, network)
    takes = option_names(network)
    if unknown := sorted(set(options) - set(takes)):
        raise ValueError(f"{network} has no option {unknown[0]!r}; it has {', '.join(takes)}")
    ruled = training and chain is not in_series
    parts = parts if ruled and "steps" in takes else LAYERS
    tables = TABLES | {"encoder": parts["encoder"]}
    if parts is not LAYERS:
        options = {"encoder": "rate"} | dict(options)
    chosen = {k: _lookup(k, tables[k], v) if k in tables else v for k, v in options.items()}
    neuron = {k: chosen.pop(k) for k in NEURON if k in chosen}
    if neuron or parts is not LAYERS:
        chosen["neuron"] = partial(parts["neuron"]["lif"], **neuron)
    if "surrogate" in chosen:
        chosen["surrogate"] = _lookup("surrogate", SURROGATES, chosen["surrogate"])()
    if ruled:
        if "chain" not in inspect.signature(builder).parameters:
            raise ValueError(
                f"{network} learns by backpropagation only: a rule takes the dense layers of "
                "mlp or snn"
            )
        chosen["chain"] = chain
    return builder(**chosen, training=training, statistics=statistics)


def option_names(network: str) -> list[str]:
    """The names of the options that `build` takes for a network."""
    names = list(inspect.signature(_lookup("network", NETWORKS, network)).parameters)
    names = [n for n in names if n not in NOT_OPTIONS]
    return names + list(NEURON) if "steps" in names else names


def _lookup(what: str, table: Mapping[str, Any], name: str) -> Any:
    if name not in table:
        raise ValueError(f"unknown {what} {name!r}: choose from {', '.join(table)}")
    return table[name]
