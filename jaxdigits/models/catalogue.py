"""Networks and their parts by name, for JSON files and the command line.

The builders take functions; a file or a command line has only names and numbers.  The
tables here say which name stands for which function, and `build` translates.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import partial
from typing import Any

from jaxdigits.chain import Chain, in_series
from jaxdigits.layer import Layer
from jaxdigits.layers import gelu, leaky_relu, relu, tanh
from jaxdigits.layers.norm import Statistics
from jaxdigits.models.cnn import cnn
from jaxdigits.models.conv_snn import conv_snn
from jaxdigits.models.event_snn import event_snn
from jaxdigits.models.mlp import mlp
from jaxdigits.models.multimodal import multimodal
from jaxdigits.models.snn import snn
from jaxdigits.spikes import (
    Convention,
    alif,
    arctan,
    cuba_lif,
    direct,
    fast_sigmoid,
    latency,
    leaky_readout,
    lif,
    rate,
    sigmoid,
    triangle,
)

NETWORKS = {
    "mlp": mlp, "cnn": cnn, "snn": snn, "conv_snn": conv_snn, "event_snn": event_snn,
    "multimodal": multimodal,
}  # fmt: skip
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
NEURONS = {"lif": lif, "cuba_lif": cuba_lif, "alif": alif}
CONVENTION = tuple(field.name for field in fields(Convention))
NOT_OPTIONS = ("training", "statistics", "neuron", "chain")  # are functions, or not a user's
LAYERS: Mapping[str, Mapping[str, Callable]] = {"encoder": ENCODERS, "neuron": NEURONS}
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
        `encoder`, `surrogate`, `readout` ("mean", "max" or "last" of a leaky readout).
        Spiking networks have a `neuron`, too, and its options flat: its constants, `learn`,
        and the fields of its `Convention`, where reset="zero" means the potential 0.
      chain: a learning rule, for training; evaluation has only a forward pass.
      parts: the encoders and the neurons that it wants, if they are not layers.

    Raises:
      ValueError: for an unknown network, option or name, saying which there are; for a
        network that the rule cannot take, saying why.
    """
    builder = _lookup("network", NETWORKS, network)
    neuron = options.get("neuron", "lif")
    takes = option_names(network, neuron)
    if unknown := sorted(set(options) - set(takes)):
        of = f" of {neuron}" if "neuron" in takes else ""
        raise ValueError(
            f"{network}{of} has no option {unknown[0]!r}; it has {', '.join(takes)}"
        )
    ruled = training and chain is not in_series
    parts = parts if ruled and "neuron" in takes else LAYERS
    tables, own = TABLES | {"encoder": parts["encoder"]}, _parameters(builder)
    if parts is not LAYERS:
        options = {"encoder": "rate"} | dict(options)
    chosen = {k: _lookup(k, tables[k], v) if k in tables else v for k, v in options.items()}
    if "neuron" in takes:
        of_neuron = {k: chosen.pop(k) for k in takes if k in chosen and k not in own}
        chosen["neuron"] = _neuron(_lookup("neuron", parts["neuron"], neuron), **of_neuron)
    if "surrogate" in chosen:
        chosen["surrogate"] = _lookup("surrogate", SURROGATES, chosen["surrogate"])()
    if ruled:
        if "chain" not in own:
            raise ValueError(
                f"{network} learns by backpropagation only: a rule takes the dense layers of "
                "mlp or snn"
            )
        chosen["chain"] = chain
    return builder(**chosen, training=training, statistics=statistics)


def option_names(network: str, neuron: str = "lif") -> list[str]:
    """The names of the options that `build` takes for a network, of that neuron if it spikes.

    Raises:
      ValueError: for an unknown network, or an unknown neuron of a spiking one.
    """
    takes = _parameters(_lookup("network", NETWORKS, network))
    names = [n for n in takes if n not in NOT_OPTIONS]
    if "neuron" not in takes:
        return names
    of_neuron = _parameters(_lookup("neuron", NEURONS, neuron))
    constants = [n for n in of_neuron if n not in ("surrogate", "convention")]
    return [*names, "neuron", *constants, *CONVENTION]


def _neuron(make: Callable, **options: Any) -> Callable:
    """`make` with its constants, and with its `Convention` from flat options."""
    choices: dict[str, Any] = {k: options.pop(k) for k in CONVENTION if k in options}
    if choices.get("reset") == "zero":
        choices["reset"] = 0.0
    for name, value in choices.items():
        # A file has lists where a `Convention`, which is static, has tuples.
        choices[name] = tuple(value) if isinstance(value, list) else value
    return partial(make, **options, convention=Convention(**choices))


def _parameters(function: Callable) -> list[str]:
    return list(inspect.signature(function).parameters)


def _lookup(what: str, table: Mapping[str, Any], name: str) -> Any:
    if name not in table:
        raise ValueError(f"unknown {what} {name!r}: choose from {', '.join(table)}")
    return table[name]
