"""Training many networks at once: one compiled program, a member per seed or setting.

The members share the data and the architecture.  Each has its own key, hence its own initial
params, batch order and spikes, and its own hyperparameters.  A member is the network that `fit`
trains with the same key and hyperparameters, so a population is a sample of runs.  They are the
same to rounding, which the training of a spiking network soon amplifies, as between machines.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits.data import Dataset
from jaxdigits.layer import Params
from jaxdigits.layers import Statistics
from jaxdigits.train.epoch import train_step
from jaxdigits.train.fit import NO_HOOKS
from jaxdigits.train.loop import run, with_classes
from jaxdigits.train.members import MemberOf, check_members_apart, recipe_of
from jaxdigits.train.optimizer import update_with_loss
from jaxdigits.train.recipe import Recipe, optimizer_of
from jaxdigits.train.sharding import check_members
from jaxdigits.train.snapshot import Hooks
from jaxdigits.train.state import initial_state


class Population(NamedTuple):
    """P trained networks: every array has a leading axis [P]."""

    params: Params
    statistics: tuple[Statistics, ...]
    valid_accuracy: np.ndarray
    """[P] of each member's best epoch, 0 to 1"""
    best_epoch: np.ndarray
    """[P] from 1; 0 where no epoch improved on the initial params"""
    diverged: np.ndarray
    """[P] bool: whether the training loss, or each validation loss, was not finite"""
    history: tuple[dict[str, Any], ...]
    """one row an epoch; all but `epoch` and `seconds` are lists over the members"""


def fit_population(
    recipe: Recipe,
    train: Dataset,
    valid: Dataset,
    keys: Array,
    hyperparameters: Any = (),
    hooks: Hooks = NO_HOOKS,
    *,
    member: MemberOf | None = None,
    start: Params | None = None,
) -> Population:
    """Train P networks in one compiled program and return each at its best epoch.

    A member that diverges is marked, keeps its last good params, and stops nobody else.

    Args:
      recipe: without `patience`; its optimizer may be a function of a member's
        hyperparameters.
      train, valid: disjoint data sets.
      keys: [P] one key per member.
      hyperparameters: a pytree of arrays [P].
      hooks: functions to call on the way, each with all members.
      member: a function of a member's hyperparameters, traced scalars, that returns the parts
        of the recipe that are its own; None: the optimizer alone.  A number that decides which
        layers there are, as 0 for noise, is not for a range.
      start: the initial params of each member, every array with a leading axis [P]; None: the
        networks draw them.

    Raises:
      ValueError: for sizes that do not fit, for a hyperparameter that changes no update,
        naming it, and for one that its network refuses, naming the member.
      DoesNotFit: as `fit`.
    """
    if member is None and not callable(recipe.optimizer):
        raise ValueError(
            "optimizer must be a function of a member's hyperparameters, got an optimizer: "
            "write lambda h: optimizer"
        )
    if recipe.patience is not None:
        raise ValueError(f"patience stops one network, not a population, got {recipe.patience}")
    for leaf in [keys, *jax.tree.leaves(hyperparameters)]:
        if jnp.ndim(leaf) != 1 or len(leaf) != len(keys):
            raise ValueError(
                "keys and each hyperparameter need one entry per member, got shapes "
                f"{jnp.shape(keys)} and {jnp.shape(leaf)}"
            )
    check_members(recipe.mesh, len(keys))
    of = lambda hyper: with_classes(recipe_of(recipe, member, hyper), train, valid)
    if member is not None:
        check_members_apart(of, hyperparameters, len(keys))
    check_hyperparameters(of, train, hyperparameters, whole=member is not None)
    last = run(recipe, train, valid, keys, hyperparameters, hooks, member=member, start=start)
    best, epoch = last.best, np.asarray(last.best.epoch)
    losses = np.array([row["loss"] for row in last.history])
    diverged = ~np.isfinite(losses).all(0) | (epoch == 0)
    accuracy = np.asarray(best.accuracy)
    return Population(best.params, best.statistics, accuracy, epoch, diverged, last.history)


def check_hyperparameters(
    of: Callable[[Any], Recipe], train: Dataset, hyperparameters: Any, *, whole: bool
) -> None:
    """Check that the first update reads each hyperparameter, by tracing it.

    Args:
      of: hyperparameters of one member -> its recipe.
      whole: whether to trace the whole update, or its optimizer alone.

    Raises:
      ValueError: naming the first that no update depends on.
    """
    named, _ = jax.tree.flatten_with_path(hyperparameters)
    if not named:
        return

    def update(hyper, key):
        recipe = of(hyper)
        state = initial_state(recipe, train.inputs.shape, key)
        if not whole:
            grads, loss = state.params, jnp.zeros((), jnp.result_type(float))
            optimizer = optimizer_of(recipe)
            return update_with_loss(optimizer, grads, state.opt_state, state.params, loss)
        state, loss = train_step(recipe, state, train, jnp.arange(recipe.batch))
        return state.params, state.average, state.opt_state, loss

    member = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((), jnp.result_type(leaf)), hyperparameters
    )
    jaxpr = jax.make_jaxpr(update)(member, jax.random.key(0)).jaxpr
    needed = {id(x) for x in jaxpr.outvars}
    for equation in reversed(jaxpr.eqns):
        if needed & {id(x) for x in equation.outvars}:
            needed |= {id(x) for x in equation.invars}
    for (path, _), variable in zip(named, jaxpr.invars, strict=False):
        if id(variable) not in needed:
            raise ValueError(
                f"hyperparameters{jax.tree_util.keystr(path)} changes no update: the optimizer "
                "or the member must be a function of it"
            )
