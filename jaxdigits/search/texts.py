"""Spaces as text and as JSON: `1e-4..3e-2:log`, `lif|alif`, `none|0.01..0.3`."""

from collections.abc import Callable, Mapping
from typing import Any

from jaxdigits.search.space import Choice, Entry, Real, Space, Whole

DOTS, BAR, LOG = "..", "|", ":log"


def is_entry(text: str) -> bool:
    """Return whether a text is a range or a choice, and no fixed value."""
    return BAR in text or (DOTS in text and "/" not in text)  # ../data is a folder


def entry_of(name: str, text: str, read: Callable[[str], Any], whole: bool) -> Entry:
    """Return the range or the choice of a text.

    Args:
      name: of the option, for errors.
      read: a fixed value from its text.
      whole: whether the option takes whole numbers.

    Raises:
      ValueError: naming the option, with the reason.
    """
    try:
        if BAR in text:
            parts = [part.strip() for part in text.split(BAR)]
            return Choice(*(_range(p, whole) if DOTS in p else read(p) for p in parts))
        return _range(text, whole)
    except ValueError as error:
        raise ValueError(f"{name} {text!r}: {error}") from None


def text_of(entry: Any) -> str:
    """Return the text of an entry or a value, as the command line takes it."""
    if isinstance(entry, Choice):
        return BAR.join(map(text_of, entry.values))
    if isinstance(entry, Real):
        return f"{entry.low:g}{DOTS}{entry.high:g}{LOG if entry.log else ''}"
    if isinstance(entry, tuple):
        return ",".join(map(text_of, entry))
    if entry is None or isinstance(entry, bool):
        return {None: "none", True: "true", False: "false"}[entry]
    return f"{entry:.6g}" if isinstance(entry, float) else str(entry)


def space_to_json(space: Space) -> dict[str, Any]:
    """Return a space as a JSON object, which `space_from_json` reads."""
    return {name: _to_json(entry) for name, entry in space.entries.items()}


def space_from_json(values: Any) -> Space:
    """Return the space of a JSON object.

    Raises:
      ValueError: if it is none, naming the entry.
    """
    if not isinstance(values, Mapping):
        raise ValueError("a space is a JSON object of entries by name")
    entries = {}
    for name, value in values.items():
        try:
            entries[name] = _from_json(value)
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"the space's entry {name!r} cannot be used: {error}") from error
    return Space(**entries)


def frozen(value: Any) -> Any:
    """Return a value from JSON with tuples in place of lists, as settings have them."""
    return tuple(map(frozen, value)) if isinstance(value, list) else value


def _range(text: str, whole: bool) -> Entry:
    log = text.endswith(LOG)
    ends = text.removesuffix(LOG).split(DOTS)
    number: Any = int if whole else float
    try:
        low, high = (number(end) for end in ends)
    except ValueError:
        kind = "whole numbers" if whole else "numbers"
        raise ValueError(f"a range is two {kind}, as low..high or low..high:log") from None
    return (Whole if whole else Real)(low, high, log=log)


def _to_json(entry: Any) -> dict[str, Any]:
    if isinstance(entry, Choice):
        value: dict[str, Any] = {"choice": [_to_json(v) for v in entry.values]}
    elif isinstance(entry, Real):
        kind = "whole" if entry.whole else "real"
        value = {kind: [entry.low, entry.high], "log": entry.log}
    else:
        return {"value": entry}
    return value | ({"when": list(entry.when)} if entry.when else {})


def _from_json(value: Any) -> Any:
    when = frozen(value.get("when"))
    if "choice" in value:
        return Choice(*map(_from_json, value["choice"]), when=when)
    for kind, make in {"real": Real, "whole": Whole}.items():
        if kind in value:
            return make(*value[kind], log=value["log"], when=when)
    return frozen(value["value"])
