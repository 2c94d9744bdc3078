"""The pace of a search: seconds of its ticks and of compiling, as this machine needs them now.

A tick is an epoch of all lanes.  Another program beside the search makes ticks longer, so only
the latest count, and each plan has some seconds more than they say.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median_high
from time import perf_counter
from typing import Any

LATEST = 5  # ticks of a group
ROOM = 1.3  # times the measured seconds: the machine may become slower


@dataclass
class Pace:
    """Measured seconds, by group."""

    ticks: dict[int, list[float]] = field(default_factory=dict)
    """the latest, without those in which a program was compiled"""
    count: dict[int, int] = field(default_factory=dict)
    """ticks in this process: none before the programs are compiled"""
    compiling: float = 0.0
    """the longest first tick, in any process of this search"""


def tick_seconds(pace: Pace, group: int) -> float:
    """Return the seconds of a tick; for a group without one, of the slowest group."""
    own = pace.ticks.get(group)
    if own:
        return median_high(own)
    return max((median_high(ticks) for ticks in pace.ticks.values()), default=0.0)


def step_seconds(pace: Pace, group: int, ticks: int) -> float:
    """Return the seconds of some ticks, with compiling where a group has no program yet."""
    compiling = 0.0 if group in pace.count else pace.compiling
    return compiling + ticks * tick_seconds(pace, group)


def timed(pace: Pace, group: int, tick: Callable[[], None]) -> Callable[[Any], None]:
    """Return a function for each tick of a group, which measures and calls `tick`.

    The second tick counts until the third: the first judgement is compiled in it.
    """
    clock = perf_counter()

    def measure(rows: Any) -> None:
        nonlocal clock
        seconds = perf_counter() - clock
        pace.count[group] = pace.count.get(group, 0) + 1
        if pace.count[group] == 1:
            pace.compiling = max(seconds, pace.compiling)
        else:
            before = pace.ticks.get(group, []) if pace.count[group] != 3 else []
            pace.ticks[group] = [*before, seconds][-LATEST:]
        tick()
        clock = perf_counter()

    return measure
