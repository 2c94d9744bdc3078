"""Events of a sensor, binned into spikes.

Events come in the order of their times, whatever their order in the file.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxdigits.data.inputs import Packed
from jaxdigits.errors import DataError


class SensorEvents(NamedTuple):
    """The events of one recording, in order of time."""

    time: np.ndarray
    """[E] float64, seconds"""
    address: np.ndarray
    """[E, axes] int32: row, column and polarity for N-MNIST; the channel for SHD"""


def binned(
    events: SensorEvents, steps: int, shape: Sequence[int], *, duration: float
) -> np.ndarray:
    """Return [steps, *shape] uint8 spikes: 1 where at least one event fell into a step.

    Steps are `duration` / `steps` long; events after the last step are left out.

    Args:
      shape: of the sensor, as `NMNIST_SHAPE` or (`SHD_CHANNELS`,).
      duration: seconds.

    Raises:
      ValueError: unless steps >= 1 and duration > 0, or for a shape of other axes.
    """
    require_steps(steps, duration)
    if len(shape) != events.address.shape[1]:
        axes = events.address.shape[1]
        raise ValueError(f"these events have {axes} axes, the shape is {tuple(shape)}")
    spikes = np.zeros((steps, *shape), np.uint8)
    within = events.time < duration  # the step of a time far beyond it is over 64 bits
    step = np.floor(events.time[within] * (steps / duration)).astype(np.int64)
    spikes[(np.minimum(step, steps - 1), *events.address[within].T)] = 1
    return spikes


def require_steps(steps: int, duration: float) -> None:
    """Check that `duration` can be divided into `steps`.

    Raises:
      ValueError: unless steps >= 1 and duration > 0.
    """
    if steps < 1 or not 0 < duration < float("inf"):
        raise ValueError(f"steps must be >= 1 and duration > 0, got {steps} and {duration}")


def packed(
    recordings: Iterator[SensorEvents],
    count: int,
    steps: int,
    shape: Sequence[int],
    *,
    duration: float,
) -> Packed:
    """Return the next `count` recordings, each `binned`, with one bit per spike.

    Raises:
      ValueError: as `binned`.
    """
    bits = np.empty((count, -(-steps * math.prod(shape) // 8)), np.uint8)
    for row in bits:
        row[:] = np.packbits(binned(next(recordings), steps, shape, duration=duration))
    return Packed(bits, (steps, *shape))


def in_order(
    time: np.ndarray, address: np.ndarray, shape: Sequence[int], name: Any
) -> SensorEvents:
    """Sort events by time; events at the same time keep the order of the file.

    Raises:
      DataError: for a time that is not finite or below 0, or an address outside of `shape`,
        naming the recording `name`.
    """
    if not (np.isfinite(time) & (time >= 0)).all():
        raise DataError(f"{name}: has times that are not finite, or below 0")
    outside = ((address < 0) | (address >= np.array(shape))).any(1)
    if outside.any():
        at = tuple(address[outside.argmax()].tolist())
        raise DataError(f"{name}: has an event at {at}, outside of the sensor {tuple(shape)}")
    order = np.argsort(time, kind="stable")
    return SensorEvents(time[order], address[order].astype(np.int32))
