"""Training one network: epochs until the last, or until validation stops improving."""

from typing import Any, NamedTuple

import numpy as np
from jax import Array

from jaxdigits.data import Dataset
from jaxdigits.errors import Diverged
from jaxdigits.layer import Params
from jaxdigits.layers import Statistics
from jaxdigits.train.loop import run
from jaxdigits.train.recipe import Recipe, optimizer_of
from jaxdigits.train.sharding import check_shares
from jaxdigits.train.snapshot import Hooks, Snapshot
from jaxdigits.train.state import TrainState


class Fit(NamedTuple):
    """A trained network: the params of the best epoch, and the course of training."""

    params: Params
    statistics: tuple[Statistics, ...]
    """for `build(training=False, statistics=...)`; empty without batch norm"""
    best_epoch: int
    """from 1; 0 if no epoch was good (only in `Diverged`): these are the initial params"""
    history: tuple[dict[str, Any], ...]
    """one row an epoch, as `Hooks.report` gets them"""
    state: TrainState
    """after the last epoch"""


NO_HOOKS = Hooks()


def fit(
    recipe: Recipe,
    train: Dataset,
    valid: Dataset,
    key: Array,
    hooks: Hooks = NO_HOOKS,
    *,
    start: Params | None = None,
) -> Fit:
    """Train a network and return it as it was in the epoch that validation chose.

    Each epoch is one compiled program over data that stays on the device.

    Args:
      recipe: the network, its optimizer and all options.  Any optax optimizer works that needs
        gradients, params and the loss alone (`value`): also `optax.contrib.reduce_on_plateau`,
        on the loss of each update.  `lbfgs` and line searches, which call the loss again, and
        `lookahead`, which has params of its own, are rejected.
      train, valid: disjoint data sets.
      key: the one source of randomness: same key, same machine, same result.
      hooks: functions to call on the way.
      start: the initial params, as those of another `Fit`; None: the network draws them.

    Raises:
      ValueError: for sizes that do not fit, naming the argument.
      DoesNotFit: if an epoch needs more memory than there is, before it runs.
      Diverged: for a training loss that is not finite, or if no validation loss was.
    """
    optimizer_of(recipe)
    check_shares(recipe.mesh, recipe.batch, recipe.microbatch)

    def save(now: Snapshot) -> None:
        row = now.history[-1] if now.history else {"loss": 0.0}
        if not np.isfinite(row["loss"]):
            raise Diverged(
                f"the training loss is {row['loss']} in epoch {row['epoch']}: "
                "lower the learning rate",
                _fit(now),
            )
        hooks.save(now)

    guarded = hooks._replace(save=save)
    last = run(recipe, train, valid, key, (), guarded, start=start)
    fitted = _fit(last)
    if not fitted.best_epoch:  # a single update to infinity has a finite loss before it
        raise Diverged("no epoch had a finite validation loss: lower the learning rate", fitted)
    return fitted


def _fit(now: Snapshot) -> Fit:
    best = now.best
    return Fit(best.params, best.statistics, int(best.epoch), now.history, now.state)
