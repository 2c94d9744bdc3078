"""Checks of a space where it is made, before anything is compiled."""

from collections.abc import Sequence
from typing import Any

from jaxdigits.options import require_name
from jaxdigits.search.groups import ABSENT, Facts, bare, config_of, default_settings
from jaxdigits.search.space import Choice, Real, Space


def require_buildable(space: Space, facts: Facts) -> None:
    """Build the network at both ends of each range, and at each value of each choice.

    Raises:
      ValueError: for a value that the network refuses, and for a range that holds the value
        without which a layer is absent, naming the option.
    """
    for settings in default_settings(space, facts):
        for name, entry in space.entries.items():
            if name == "network" or name not in settings:
                continue
            for value in _corners(name, entry):
                config_of(settings | {name: value}, facts)


def _corners(name: str, entry: Any) -> Sequence[Any]:
    if isinstance(entry, Choice):
        return [corner for value in entry.values for corner in _corners(name, value)]
    if not isinstance(entry, Real):
        return [entry]
    none = ABSENT.get(bare(name))
    if none is not None and entry.low <= none <= entry.high:
        raise ValueError(
            f"{name} {entry.low:g}..{entry.high:g} holds {none:g}, which is no layer at all: "
            f"write {none:g}|low..high with a low above it"
        )
    return [entry.low, entry.high]


def require_network(space: Space, known: Sequence[str]) -> None:
    """Check that the space names its network, or several.

    Raises:
      ValueError: for a space without one, or an unknown name.
    """
    entry = space.entries.get("network")
    for network in entry.values if isinstance(entry, Choice) else (entry,):
        require_name("network", known, network)
