"""A space of settings as data: ranges and choices by name, over the unit cube.

    space = Space(
        learning_rate=Real(1e-4, 3e-2, log=True), hidden=Choice((256,), (512, 256)),
        neuron=Choice("lif", "alif"), adaptation=Real(0.0, 1.0, when=("neuron", "alif")))

An entry with `when` is active where another entry has that value; else it is absent from the
settings.  A choice may hold a range, as in `Choice(None, Real(0.01, 0.3))`: a range itself must
not hold the value that switches a part of the network off.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from typing import Any

When = tuple[str, Any]


@dataclass(frozen=True)
class Real:
    """A range of numbers, both ends included.

    Raises:
      ValueError: for a range that is empty, reversed or of one point, or, if log, not above 0.
    """

    low: float
    high: float
    _: KW_ONLY
    log: bool = False
    """whether equal ratios are equally likely"""
    whole: bool = False
    """whether its numbers are whole: `Whole(1, 8)`"""
    when: When | None = None
    """name and value of another entry; without that value this entry is absent"""

    def __post_init__(self):
        _require_range(self, int if self.whole else (int, float))


Whole = partial(Real, whole=True)


@dataclass(frozen=True, init=False)
class Choice:
    """One of some values, of which a value may be a range.

    Raises:
      ValueError: for fewer than two values, or equal ones.
    """

    values: tuple[Any, ...]
    when: When | None

    def __init__(self, *values: Any, when: When | None = None):
        values = tuple(tuple(v) if isinstance(v, list) else v for v in values)
        if len(values) < 2 or any(v in values[:i] for i, v in enumerate(values)):
            raise ValueError(f"a choice needs two different values or more, got {values}")
        if any(isinstance(v, Real) and v.when for v in values):
            raise ValueError("a range in a choice has no condition: give it to the choice")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "when", when)


Entry = Real | Choice


@dataclass(frozen=True, init=False)
class Space:
    """Ranges, choices and fixed values by name.

    Raises:
      ValueError: for a space of one point, or a condition that is unknown, that no setting
        meets, or that goes in a circle.
    """

    entries: Mapping[str, Any]
    """each behind the entry that its condition names"""

    def __init__(self, **entries: Any):
        if not any(isinstance(entry, Entry) for entry in entries.values()):
            raise ValueError(
                "the space has a single point: give an option a range low..high, or values a|b"
            )
        for name, entry in entries.items():
            if when := condition(entry):
                _require_condition(name, when, entries)
        object.__setattr__(self, "entries", _in_order(entries))


def condition(entry: Any) -> When | None:
    """Return the condition of an entry; None for a fixed value, too."""
    return entry.when if isinstance(entry, Entry) else None


def depends(entry: Entry, when: When) -> Entry:
    """Return an entry with that condition."""
    if isinstance(entry, Choice):
        return Choice(*entry.values, when=when)
    return replace(entry, when=when)


def free(space: Space) -> list[str]:
    """Return the names of all entries that are not fixed: the axes of the unit cube."""
    return [name for name, entry in space.entries.items() if isinstance(entry, Entry)]


def is_active(entry: Any, settings: Mapping[str, Any]) -> bool:
    """Return whether the settings before an entry meet its condition."""
    when = condition(entry)
    return when is None or (when[0] in settings and settings[when[0]] == when[1])


def _require_range(entry: Real, kinds: Any) -> None:
    low, high = entry.low, entry.high
    for end in (low, high):
        if isinstance(end, bool) or not isinstance(end, kinds) or not math.isfinite(end):
            raise ValueError(f"a range needs finite numbers, got {low!r}..{high!r}")
    if low > high:
        raise ValueError(f"the range {low}..{high} is reversed: write {high}..{low}")
    if low == high:
        raise ValueError(f"the range {low}..{high} is empty: pass {low} as a fixed value")
    if entry.log and low <= 0:
        raise ValueError(f"a logarithmic range must begin above 0, got {low}..{high}:log")


def _require_condition(name: str, when: When, entries: Mapping[str, Any]) -> None:
    other, value = when
    if other not in entries:
        raise ValueError(f"{name} depends on {other!r}, which the space does not have")
    parent = entries[other]
    values: Sequence[Any] = parent.values if isinstance(parent, Choice) else (parent,)
    if isinstance(parent, Real) or value not in values:
        raise ValueError(f"{name} depends on {other} being {value!r}, which it never is")


def _in_order(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries, each behind the entry that its condition names."""
    ordered: dict[str, Any] = {}
    while len(ordered) < len(entries):
        when = {n: condition(entry) for n, entry in entries.items() if n not in ordered}
        ready = [n for n, other in when.items() if other is None or other[0] in ordered]
        if not ready:
            circle = ", ".join(sorted(when))
            raise ValueError(f"the conditions of {circle} go in a circle: leave one out")
        ordered |= {n: entries[n] for n in ready}
    return ordered
