"""The options of a training: those of a configuration, its network and its neurons."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NamedTuple

from jaxdigits.cli.parser import value_before_parsing
from jaxdigits.cli.source import own_place
from jaxdigits.models import NETWORKS
from jaxdigits.options import Option, options_of, require_name
from jaxdigits.runs.config import NOT_SETTINGS, Config
from jaxdigits.runs.folder import load_config
from jaxdigits.runs.network_options import network_options
from jaxdigits.runs.start import options_after
from jaxdigits.runs.usual import chosen_options, usual_configs


class Chosen(NamedTuple):
    """The training that a command line names, and its options with their true defaults."""

    network: str
    named: bool
    """whether the command line names the network"""
    rest: Sequence[str]
    """the arguments behind its name"""
    data: str
    """name of the data set, or one's own folder as it was written"""
    place: Path | None
    """of one's own data"""
    neuron: str | None
    of_network: list[Option]
    of_run: list[Option]


def chosen_training(args: Sequence[str], start: Path | None, usual: str) -> Chosen:
    """Return the training that arguments name.

    Args:
      start: the run whose params it goes on from.
      usual: the network without a name.

    Raises:
      ValueError: for an unknown network or data set, with the nearest one, or a network that
        is not that of `start`.
    """
    named = bool(args) and not args[0].startswith("-")
    network, rest = (args[0], args[1:]) if named else (None, args)
    before = load_config(start) if start else None
    network = network or (before.network if before else usual)
    if not before or before.network != network:
        require_name("network", NETWORKS, network)
    if before and before.network != network:
        raise ValueError(
            f"--start {start} is a run of {before.network}, not {network}: write "
            f"`jaxdigits train {before.network}`"
        )
    known = usual_configs(network)
    data = value_before_parsing(rest, "--data", next(iter(known)))
    place = own_place(data, known)
    if place:
        known = {data: next(iter(known.values()))}
    require_name(f"data of {network}", known if data in known else [*known, "./DIR"], data)
    config = known[data]
    if before:
        config = replace(config, network=network, graph=before.graph,
                         options=options_after(before, {}))  # fmt: skip
    neuron = value_before_parsing(rest, "--neuron", config.options.get("neuron"))
    table = network_options(network, neuron)
    chosen = chosen_options(config, table) | ({"neuron": neuron} if neuron else {})
    of_network = [
        o._replace(default=chosen.get(o.name, o.default))
        for o in table.values() if o.name != "classes"
    ]  # fmt: skip
    of_run = [
        o._replace(default=getattr(config, o.name))
        for o in options_of(Config, without=NOT_SETTINGS)
    ]
    of_run[0] = of_run[0]._replace(annotation=Annotated[str, tuple(known)])
    return Chosen(network, named, rest, data, place, neuron, of_network, of_run)
