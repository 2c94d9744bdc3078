"""The state of a training between two of its programs, and the hooks that are called there.

The order of an epoch is a function of (key, epoch), and the spikes of an update are a function
of (key, update).  So nothing else is needed to continue with the same bits.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxdigits.layer import Params
from jaxdigits.layers import Statistics
from jaxdigits.train.epoch import Best
from jaxdigits.train.sharding import place
from jaxdigits.train.state import TrainState


class Snapshot(NamedTuple):
    """Training after some update; for a population every array has a leading axis [P]."""

    state: TrainState
    best: Best
    losses: np.ndarray
    """[k] of the first k updates of an unfinished epoch; [0] after a whole one"""
    history: tuple[dict[str, Any], ...]
    """one row for each finished epoch"""


class Hooks(NamedTuple):
    """Functions that training calls between its programs; by default none does anything.

    Each is called before the next program, which takes over the buffers of the arrays.
    """

    report: Callable[[dict[str, Any]], None] = lambda row: None
    """with each epoch's row: epoch, loss, valid_loss, valid_accuracy, firing_rates, seconds (in
    the first row with compiling); for a population all but the first and last are lists"""
    keep: Callable[[Params, tuple[Statistics, ...]], None] = lambda params, statistics: None
    """with the best network, after each epoch that is the best so far (of any member)"""
    watch: Callable[[TrainState], Mapping[str, Any]] = lambda state: {}
    """with the state after each epoch; the result joins the epoch's row"""
    save: Callable[[Snapshot], None] = lambda snapshot: None
    """with the snapshot after each epoch, and after each `updates_per_save` updates of one"""
    resume: Callable[[Snapshot], Snapshot] = lambda start: start
    """with the snapshot of the start; returns the snapshot to continue from, and the result is
    bitwise identical to an uninterrupted training"""


def resumed(hooks: Hooks, start: Snapshot, state: Any, best: Any) -> Snapshot:
    """Return the snapshot to continue from, placed on the devices.

    Args:
      state, best: the shardings of these fields; None: one device.
    """
    now = hooks.resume(start)
    if now is start:
        return start
    return now._replace(state=place(now.state, state), best=place(now.best, best))
