"""Training many networks at once: one compiled program, a member per seed or setting.

The members share the data and the architecture; each has its own key, hence its own initial
params, batch order and spikes, and its own hyperparameters.  A member is what `fit` trains
with its key and hyperparameters, so a population is a sample of runs: the same to rounding,
which the training of a spiking network soon amplifies, as it does between machines.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.sharding import Mesh

from jaxdigits.data import Augment, Dataset
from jaxdigits.data.inputs import features
from jaxdigits.gradients import Estimator, by_hand
from jaxdigits.layer import Layer, Params
from jaxdigits.layers import Statistics
from jaxdigits.losses import Loss, cross_entropy
from jaxdigits.train.epoch import Build, Recipe, before_first_epoch, run_epoch
from jaxdigits.train.fit import Keep, Watch, check_sizes, on_device
from jaxdigits.train.memory import within_memory
from jaxdigits.train.microbatch import check_microbatch
from jaxdigits.train.sharding import (
    by_member,
    check_members,
    each_its_share,
    everywhere,
    place,
)
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
    build: Build,
    train: Dataset,
    valid: Dataset,
    optimizer: Callable[[Any], optax.GradientTransformation],
    keys: Array,
    hyperparameters: Any = (),
    *,
    epochs: int,
    batch: int = 128,
    loss: Loss | None = None,
    estimator: Callable[[Layer, Loss], Estimator] = by_hand,
    ema: float | None = None,
    microbatch: int | None = None,
    augment: Augment | None = None,
    mesh: Mesh | None = None,
    report: Callable[[dict[str, Any]], None] = lambda row: None,
    keep: Keep = lambda params, statistics: None,
    watch: Watch = lambda state: {},
) -> Population:
    """Train P networks in one compiled program and return each at its best epoch.

    Args:
      build, train, valid, epochs, batch, loss, estimator, ema, microbatch, augment, report,
        keep, watch: as for `fit`; `keep` after each epoch that is the best so far of any
        member, and `watch` with the state of all members.
      optimizer: makes a member's optimizer from its hyperparameters, as
        `lambda h: optax.adam(h["learning_rate"])`; it is called once, on traced scalars.
      keys: [P] one key per member.
      hyperparameters: a pytree of arrays [P].
      mesh: the devices that share the members, as `device_mesh(4)`; None: one.

    A member that diverges is marked, keeps its last good params, and stops nobody else.

    Raises:
      ValueError: for sizes that do not fit, naming the argument.
      DoesNotFit: as `fit`.
    """
    check_microbatch(microbatch, batch)
    check_sizes(train, valid, epochs, batch, ema, None)
    for leaf in [keys, *jax.tree.leaves(hyperparameters)]:
        if jnp.ndim(leaf) != 1 or len(leaf) != len(keys):
            raise ValueError(
                "keys and each hyperparameter need one entry per member, got shapes "
                f"{jnp.shape(keys)} and {jnp.shape(leaf)}"
            )
    check_members(mesh, len(keys))
    recipe = Recipe(build, loss or cross_entropy(), estimator, batch, ema, microbatch, augment)
    train, valid = on_device(train, mesh), on_device(valid, mesh)
    keys, hyperparameters = place((keys, hyperparameters), by_member(mesh))
    shape = features(train.image)

    def start(key, hyper, train):
        network, averaged = build(training=True), ema is not None
        state = initial_state(network, shape, optimizer(hyper), key, averaged=averaged)
        return state, before_first_epoch(recipe, state, train)

    def epoch_of(hyper, state, best, train, valid):
        return run_epoch(recipe, optimizer(hyper), state, best, train, valid)

    # The best networks and the metrics are on every device, for whoever saves and reports them.
    starts = each_its_share(mesh, jax.vmap(start, (0, 0, None)), whole=1)
    epochs_of = each_its_share(mesh, jax.vmap(epoch_of, (0, 0, 0, None, None)), whole=2)
    own, whole = by_member(mesh), everywhere(mesh)
    start_all = jax.jit(starts, out_shardings=(own, whole))
    program = within_memory(
        jax.jit(epochs_of, donate_argnums=(1, 2), out_shardings=(own, whole, whole))
    )
    state, best = start_all(keys, hyperparameters, train)
    history, diverged = [], np.zeros(len(keys), bool)
    for epoch in range(1, epochs + 1):
        clock = time.perf_counter()
        state, best, metrics = program(hyperparameters, state, best, train, valid)
        row = {
            "epoch": epoch,
            **{k: np.asarray(v).tolist() for k, v in metrics._asdict().items()},
        }
        row["seconds"] = time.perf_counter() - clock
        history.append({**row, **watch(state)})
        diverged |= ~np.isfinite(row["loss"])
        report(history[-1])
        if (np.asarray(best.epoch) == epoch).any():
            keep(best.params, best.statistics)
    accuracy, chosen = np.asarray(best.accuracy), np.asarray(best.epoch)
    diverged |= chosen == 0
    return Population(best.params, best.statistics, accuracy, chosen, diverged, tuple(history))
