"""The unit cube of a space: from a point to its settings, and back."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxdigits.search.space import Choice, Entry, Real, Space, free, is_active

DIGITS = 6  # of a drawn number: it is then the same number in a command and in a file


def settings_at(space: Space, point: Mapping[str, float]) -> dict[str, Any]:
    """Return the settings at a point of the unit cube, without those that are inactive.

    Args:
      point: a coordinate in [0, 1] for each name of `free(space)`.
    """
    settings: dict[str, Any] = {}
    for name, entry in space.entries.items():
        if is_active(entry, settings):
            settings[name] = value_at(entry, point[name]) if name in point else entry
    return settings


def point_of(space: Space, settings: Mapping[str, Any]) -> dict[str, float]:
    """Return the point of the unit cube of some settings; 1/2 where one is absent."""
    return {
        name: unit_of(space.entries[name], settings[name]) if name in settings else 0.5
        for name in free(space)
    }


def value_at(entry: Entry, u: float) -> Any:
    """Return the value of an entry at a coordinate u in [0, 1]."""
    if isinstance(entry, Choice):
        place = min(len(entry.values) - 1, int(u * len(entry.values)))
        value = entry.values[place]
        ranged = isinstance(value, Real)
        return value_at(value, u * len(entry.values) - place) if ranged else value
    half = 0.5 if entry.whole else 0.0  # each whole number has a stretch of 1
    low, high = entry.low - half, entry.high + half
    x = low * (high / low) ** u if entry.log else low + u * (high - low)
    if entry.whole:
        return min(max(round(x), entry.low), entry.high)
    return float(min(max(float(f"{x:.{DIGITS}g}"), entry.low), entry.high))


def unit_of(entry: Entry, value: Any) -> float:
    """Return the coordinate in [0, 1] at which an entry has the value.

    A value outside of a range is at its nearer end, and an unknown one of a choice at 1/2.
    """
    if isinstance(entry, Choice):
        for place, member in enumerate(entry.values):
            if isinstance(member, Real) and _holds(member, value):
                return (place + unit_of(member, value)) / len(entry.values)
            if member == value:
                return (place + 0.5) / len(entry.values)
        return 0.5
    half = 0.5 if entry.whole else 0.0
    low, high = entry.low - half, entry.high + half
    x = min(max(float(value), low), high)
    u = math.log(x / low) / math.log(high / low) if entry.log else (x - low) / (high - low)
    return float(np.clip(u, 0.0, 1.0))


def nearest(entry: Entry, value: Any) -> Any:
    """Return the value of an entry that is nearest to another: of no numbers, the first."""
    members = entry.values if isinstance(entry, Choice) else (entry,)
    if value in members:
        return value
    if _is_number(value):
        ends = [min(max(value, m.low), m.high) for m in members if isinstance(m, Real)]
        if near := [*ends, *filter(_is_number, members)]:
            return min(near, key=lambda number: abs(number - value))
    first = members[0]
    return value_at(first, 0.5) if isinstance(first, Real) else first


def _holds(entry: Real, value: Any) -> bool:
    return _is_number(value) and entry.low <= value <= entry.high


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
