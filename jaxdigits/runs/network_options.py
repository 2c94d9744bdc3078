"""The options of networks: their builders' signatures, as a command and a file have them."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from jaxdigits import models
from jaxdigits import spikes as sp
from jaxdigits.interop.images import image_graph
from jaxdigits.layer import Layer
from jaxdigits.models.choices import require_options
from jaxdigits.options import Option, choose, names_of, options_of, require_name, require_within

# What a builder takes, and a run does not choose.
NOT_OPTIONS = ("chain", "training", "statistics", "graph")
IMPORTED = "graph"  # the network of a NIR file
BUILDERS: Mapping[str, Callable[..., Layer]] = {**models.NETWORKS, IMPORTED: image_graph}


def network_options(network: str, neuron: str | None = None) -> dict[str, Option]:
    """Every option of a network by name, those of its neurons too, with defaults and texts.

    Args:
      neuron: None is the network's default.
    """
    own = _with_texts(options_of(BUILDERS[network], without=NOT_OPTIONS))
    if "neuron" not in own:
        return own
    make = choose("neuron", sp.NEURONS, neuron or own["neuron"].default)
    of_neuron = _with_texts(options_of(make, without=("surrogate",)))
    if of_neuron.pop("convention", None):
        of_neuron |= {o.name: o for o in options_of(sp.Convention)}
    return own | of_neuron


def _with_texts(options: list[Option]) -> dict[str, Option]:
    """Return options by name; a text "as for `columns`." is replaced by that one's."""
    owners, table = {"lif": sp.lif, **models.NETWORKS}, {}
    for option in options:
        if match := re.fullmatch(r"as for `(\w+)`\.", option.text):
            texts = {o.name: o.text for o in options_of(owners[match[1]])}
            option = option._replace(text=texts[option.name])
        table[option.name] = option
    return table


def whole_options(network: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a network, and the defaults of all others.

    Raises:
      ValueError: for an option that the network does not have, an unknown name, or a number
        out of bounds.
    """
    if not isinstance(options, Mapping):
        raise ValueError(f"options must be names and values, got {options!r}")
    table = network_options(network, options.get("neuron"))
    owner = network
    if "neuron" in table:
        owner += f" of {options.get('neuron', table['neuron'].default)}"
    require_options(owner, options, list(table))
    values = {name: plain(options.get(name, o.default)) for name, o in table.items()}
    for name, value in values.items():
        names = names_of(table[name].annotation)
        if names and isinstance(value, str | Mapping):
            require_name(name, names, value)
        require_within(name, table[name].annotation, value)
    return values


def plain(value: Any) -> Any:
    """Return a list as a tuple, and any other value as it is."""
    return tuple(value) if isinstance(value, list) else value
