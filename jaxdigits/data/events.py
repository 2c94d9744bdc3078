"""Recordings of event sensors, binned into spikes: N-MNIST [1] and SHD [2].

An N-MNIST file has 40 bits for each event, from the first byte on: column, row, and then one
bit of polarity (1 is brighter) above 23 bits of time in microseconds, big-endian.  SHD is one
HDF5 file for many sounds: times in seconds (`spikes/times`) and cochlear channels
(`spikes/units`) of each, and `labels`.

Events come in the order of their times, whatever their order in the file.

[1] Orchard, Jayawant, Cohen & Thakor, Front. Neurosci. 9:437, 2015.
[2] Cramer, Stradmann, Schemmel & Zenke, IEEE TNNLS 33(7), 2022, arXiv:1910.07407.
"""

import os
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from jaxdigits.data.dataset import DataError

NMNIST_SHAPE = (34, 34, 2)  # rows, columns, polarity
SHD_CHANNELS = 700
EVENT_BYTES = 5
MAX_FILE = 10_000_000  # bytes; the largest file of N-MNIST has some 40 thousand
MAX_EVENTS = 10_000_000  # of one recording of SHD; the longest has 15 thousand


class SensorEvents(NamedTuple):
    """What a sensor sent, in order of time."""

    time: np.ndarray
    """[E] float64, seconds"""
    address: np.ndarray
    """[E, axes] int32: of N-MNIST row, column and polarity; of SHD the channel"""


def read_nmnist(path: str | PathLike[str]) -> SensorEvents:
    """The events of one N-MNIST recording, whose sensor is `NMNIST_SHAPE`.

    Raises:
      DataError: if the file is missing, empty, over 10 MB, ends within an event, or has an
        event outside of the sensor.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or type(error).__name__}") from error
    if len(content) > MAX_FILE:
        raise DataError(f"{path}: over {MAX_FILE // 1_000_000} MB, no N-MNIST recording")
    if not content or len(content) % EVENT_BYTES:
        more = len(content) % EVENT_BYTES
        what = f"{more} bytes of an event at its end" if more else "no events"
        raise DataError(f"{path}: {what}; get it again")
    column, row, *rest = np.frombuffer(content, np.uint8).reshape(-1, EVENT_BYTES).T
    high, middle, low = (a.astype(np.int64) for a in rest)
    polarity = high >> 7
    time = ((high & 0x7F) << 16 | middle << 8 | low) / 1e6
    return _ordered(time, np.stack([row, column, polarity], 1), NMNIST_SHAPE, path)


def read_shd(path: str | PathLike[str]) -> tuple[list[SensorEvents], np.ndarray]:
    """All recordings in an HDF5 file of SHD, and their labels [N] int32, 0 to 19.

    Labels 0 to 9 are the digits in English, 10 to 19 in German.

    Raises:
      DataError: if the file is missing, no HDF5 file or none of SHD, or if a recording has
        unequally many times and channels, times that are not finite or below 0, or a channel
        that is not 0 to 699, naming it.
      ImportError: if h5py is not installed.
    """
    h5py = _h5py()
    if not Path(path).is_file():
        raise DataError(f"{path}: no such file")
    try:
        with h5py.File(os.fspath(path), "r") as file:
            times, units, labels = (file[k] for k in ("spikes/times", "spikes/units", "labels"))
            label = np.asarray(labels[:])
            if not len(times) == len(units) == len(label):
                raise DataError(f"{path}: has {len(times)} recordings and {len(label)} labels")
            if label.ndim != 1 or not np.isin(label, np.arange(20)).all():
                raise DataError(f"{path}: labels are not 0 to 19")
            events = [
                _of_shd(times[i], units[i], f"{path}: recording {i}") for i in range(len(label))
            ]
    except DataError:
        raise
    except Exception as error:  # h5py meets a damaged file with a dozen kinds of exception
        raise DataError(f"{path}: no whole SHD file ({type(error).__name__})") from error
    return events, label.astype(np.int32)


def binned(
    events: SensorEvents, steps: int, shape: Sequence[int], *, duration: float
) -> np.ndarray:
    """[steps, *shape] uint8 spikes: 1 where at least one event fell into a step.

    Steps are `duration` / `steps` long; events after the last one are left out.

    Args:
      shape: of the sensor, as `NMNIST_SHAPE` or (`SHD_CHANNELS`,).
      duration: seconds.

    Raises:
      ValueError: unless steps >= 1 and duration > 0, or for a shape of other axes.
    """
    if steps < 1 or not duration > 0:
        raise ValueError(f"steps must be >= 1 and duration > 0, got {steps} and {duration}")
    if len(shape) != events.address.shape[1]:
        axes = events.address.shape[1]
        raise ValueError(f"these events have {axes} axes, the shape is {tuple(shape)}")
    spikes = np.zeros((steps, *shape), np.uint8)
    when = np.floor(events.time * (steps / duration)).astype(np.int64)
    within = when < steps
    spikes[(when[within], *events.address[within].T)] = 1
    return spikes


def _of_shd(time: Any, unit: Any, name: str) -> SensorEvents:
    time, unit = np.asarray(time, np.float64), np.asarray(unit, np.int64)
    if time.ndim != 1 or time.shape != unit.shape:
        raise DataError(f"{name} has {time.shape} times and {unit.shape} channels")
    if len(time) > MAX_EVENTS:
        raise DataError(f"{name} has {len(time)} events, more than {MAX_EVENTS}")
    return _ordered(time, unit[:, None], (SHD_CHANNELS,), name)


def _ordered(
    time: np.ndarray, address: np.ndarray, shape: Sequence[int], name: Any
) -> SensorEvents:
    if not (np.isfinite(time) & (time >= 0)).all():
        raise DataError(f"{name}: has times that are not finite, or before the beginning")
    outside = ((address < 0) | (address >= np.array(shape))).any(1)
    if outside.any():
        at = tuple(address[outside.argmax()].tolist())
        raise DataError(f"{name}: has an event at {at}, outside of the sensor {tuple(shape)}")
    order = np.argsort(time, kind="stable")
    return SensorEvents(time[order], address[order].astype(np.int32))


def _h5py() -> ModuleType:
    try:
        import h5py
    except ImportError as error:
        raise ImportError('SHD is read by h5py: pip install "jaxdigits[events]"') from error
    return h5py
