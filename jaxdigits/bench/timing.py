"""Timing two things in turn, so that their ratio survives a machine that others use too."""

import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

BLOCK = 0.02  # seconds; shorter steps are timed several at once
MOST = 1000  # steps in a block
WARM_UP = 2


class Quartiles(NamedTuple):
    """Where the middle half of some numbers lies."""

    low: float
    """a quarter are below"""
    median: float
    high: float
    """a quarter are above"""


def quartiles(values: Sequence[float]) -> Quartiles:
    """The quartiles, with linear interpolation between neighbours.

    Raises:
      ValueError: without values.
    """
    if not len(values):
        raise ValueError("there are no values to take quartiles of")
    return Quartiles(*(float(q) for q in np.quantile(values, (0.25, 0.5, 0.75))))


def in_turn(
    steps: Sequence[Callable[[], None]], *, repeats: int, block: float = BLOCK
) -> list[list[float]]:
    """Seconds per call of each function, [functions][repeats]: A B A B ...

    Each turn calls one function until about `block` seconds are over, or once if it takes
    longer.  All are called before, so nothing is compiled, and the memory is there.

    Args:
      steps: functions that wait for their own result.

    Raises:
      ValueError: unless repeats >= 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be >= 1, got {repeats}")
    counts = [_calls(step, block) for step in steps]
    times: list[list[float]] = [[] for _ in steps]
    for _ in range(repeats):
        for step, count, found in zip(steps, counts, times, strict=True):
            found.append(seconds_per_call(step, count))
    return times


def seconds_per_call(step: Callable[[], None], count: int) -> float:
    """The mean over `count` calls in a row."""
    clock = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - clock) / count


def _calls(step: Callable[[], None], block: float) -> int:
    """How many calls fill a block; it warms up on the way."""
    seconds = [seconds_per_call(step, 1) for _ in range(WARM_UP)][-1]
    return max(1, min(MOST, math.ceil(block / max(seconds, 1e-9))))
