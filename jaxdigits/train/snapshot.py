"""All that training knows between two of its programs: what is saved, and gone on from.

The order of an epoch is a function of (key, epoch) and the spikes of a step of (key, step), so
nothing else has to be known for the same bits to follow.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits.train.epoch import Best
from jaxdigits.train.sharding import place
from jaxdigits.train.state import TrainState


class Snapshot(NamedTuple):
    """Training after some step; of a population, every array has a leading axis [P]."""

    state: TrainState
    best: Best
    losses: np.ndarray
    """[k] of the steps that an unfinished epoch has behind it; [0] after a whole one"""
    history: tuple[dict[str, Any], ...]
    """one row for each epoch that is finished"""


Save = Callable[[Snapshot], None]
Resume = Callable[[Snapshot], Snapshot]


def at_start(state: TrainState, best: Best) -> Snapshot:
    """The snapshot before the first step."""
    no_losses = np.zeros((*jnp.shape(state.step), 0), jnp.result_type(float))
    return Snapshot(state, best, no_losses, ())


def gone_on(resume: Resume, start: Snapshot, state: Any, best: Any) -> Snapshot:
    """The snapshot that `resume` has for the one at the start.

    Args:
      state, best: the shardings of what it brings; None: one device.
    """
    now = resume(start)
    if now is start:
        return start
    return now._replace(state=place(now.state, state), best=place(now.best, best))


def before_last_chunk(
    now: Snapshot,
    chunk: Callable[[TrainState], tuple[TrainState, Array]],
    steps: int,
    every: int,
    save: Save,
) -> Snapshot:
    """Take all chunks of an epoch of `steps` but the last, and save after each.

    Args:
      chunk: state -> (state, losses [every]), the next `every` steps.
    """
    while now.losses.shape[-1] + every < steps:
        state, losses = chunk(now.state)
        losses = np.concatenate([now.losses, losses], -1)
        now = now._replace(state=state, losses=losses)
        save(now)
    return now
