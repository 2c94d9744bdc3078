"""Options of `search` whose values are ranges or choices."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxdigits.cli.parser import kind_of, parse
from jaxdigits.options import Option, nearest, require_name

TRUTH = {"true": True, "false": False}


def split_entries(args: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return ({option: text} of the ranges and choices, the other arguments)."""
    from jaxdigits.search.texts import is_entry

    texts, rest, i = {}, [], 0
    while i < len(args):
        name, equals, value = args[i].partition("=")
        after = value if equals else args[i + 1] if i + 1 < len(args) else ""
        if name.startswith("--") and is_entry(after):
            texts[name[2:].replace("-", "_")] = after
            i += 1 if equals else 2
        else:
            rest.append(args[i])
            i += 1
    return texts, rest


def own_options(network: str, neuron: str | None) -> dict[str, Option]:
    """Return the options of `train` by name, of one network, or those that all have.

    Args:
      neuron: a name, a choice of names, or None for the network's own.
    """
    from jaxdigits.runs.config import NOT_SETTINGS, Config
    from jaxdigits.runs.network_options import network_options
    from jaxdigits.search.defaults import AUTO
    from jaxdigits.spikes import NEURONS

    of_run = {o.name: o for o in options_of_config(Config, NOT_SETTINGS)}
    if network == "auto":
        tables = [network_options(name) for name in AUTO]
        known = {n: [table[n].default for table in tables if n in table] for n in tables[0]}
        shared = {
            n: o if len(set(map(str, known[n]))) == 1 else o._replace(default=None)
            for n, o in tables[0].items() if len(known[n]) == len(tables)
        }  # fmt: skip
    else:
        neurons = [n for n in (neuron or "").split("|") if n in NEURONS] or [None]
        tables = [network_options(network, name) for name in neurons]
        shared = {name: option for table in tables for name, option in table.items()}
    shared.pop("classes", None)
    return shared | of_run


def require_shared(network: str, args: Sequence[str]) -> None:
    """Check that the options of a search over all networks are options of each.

    Raises:
      ValueError: naming the networks that have an option which another lacks.
    """
    from jaxdigits.runs.network_options import network_options
    from jaxdigits.search.defaults import AUTO

    if network != "auto":
        return
    tables = {name: network_options(name) for name in AUTO}
    for flag in (arg.partition("=")[0] for arg in args if arg.startswith("--")):
        name = flag[2:].replace("-", "_")
        owners = [network for network, table in tables.items() if name in table]
        if owners and len(owners) < len(tables):
            raise ValueError(
                f"{flag} is an option of {' and '.join(owners)} alone: name the network, as "
                f"`jaxdigits search {owners[0]} {flag} ...`"
            )


def options_of_config(config: Any, without: Sequence[str]) -> list[Option]:
    """Return the options of a configuration, with no default: each network has its own."""
    from jaxdigits.options import options_of

    return [o._replace(default=None) if o.name != "seed" else o
            for o in options_of(config, without=without)]  # fmt: skip


def own_entries(
    texts: Mapping[str, str], table: Mapping[str, Option], parser: Any, taken: set[str]
) -> dict[str, Any]:
    """Return the entries of a space, from the texts of options.

    Args:
      taken: options of the search itself, which are no part of a space.

    Raises:
      ValueError: for an unknown option, or a bad range.
    """
    from jaxdigits.search.groups import ABSENT
    from jaxdigits.search.texts import entry_of

    entries: dict[str, Any] = {}
    for name, text in texts.items():
        flag = "--" + name.replace("_", "-")
        if name in taken or name in ("data", "seed", "seeds"):
            raise ValueError(f"{flag} takes a single value, got {text!r}")
        if name not in table:
            raise ValueError(f"unknown option {flag}{nearest(flag, _flags(table))}")

        def read(value: str, name: str = name, flag: str = flag) -> Any:
            if value == "none" and name in ABSENT:
                return ABSENT[name]
            if isinstance(table[name].default, bool):
                require_name(flag, TRUTH, value)
                return TRUTH[value]
            return parse(parser, [flag, *value.split(",")])[name]

        entries[name] = entry_of(flag, text, read, kind_of(table[name]) is int)
    return _with_conditions(entries, texts.get("neuron"))


def _with_conditions(entries: dict[str, Any], neurons: str | None) -> dict[str, Any]:
    """Return entries of which those that one neuron alone has depend on it."""
    from jaxdigits.runs.network_options import network_options
    from jaxdigits.search.space import depends

    names = [] if neurons is None else neurons.split("|")
    owners = {name: set(network_options("snn", name)) for name in names}
    for name, entry in entries.items():
        having = [n for n in names if name in owners[n]]
        if len(having) == 1 and len(names) > 1:
            entries[name] = depends(entry, ("neuron", having[0]))
    return entries


def _flags(table: Mapping[str, Option]) -> list[str]:
    return ["--" + name.replace("_", "-") for name in table]
