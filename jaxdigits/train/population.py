"""Training many networks at once: one compiled program, a member per seed or setting.

The members share the data and the architecture; each has its own key, hence its own initial
params, batch order and spikes, and its own hyperparameters.  A member is what `fit` trains
with its key and hyperparameters, so a population is a sample of runs: the same to rounding,
which the training of a spiking network soon amplifies, as it does between machines.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.sharding import Mesh

from jaxdigits.augment import Augment
from jaxdigits.data import Dataset
from jaxdigits.data.inputs import features
from jaxdigits.gradients import Estimator, by_hand
from jaxdigits.layer import Layer, Params
from jaxdigits.layers import Statistics
from jaxdigits.losses import Loss, cross_entropy
from jaxdigits.train.epoch import Build, Recipe, before_first_epoch, run_epoch, run_steps
from jaxdigits.train.fit import Keep, Watch, check_labels, check_sizes, on_device
from jaxdigits.train.memory import within_memory
from jaxdigits.train.microbatch import check_microbatch
from jaxdigits.train.sharding import (
    by_member,
    check_members,
    each_its_share,
    everywhere,
    local_device_count,
    place,
)
from jaxdigits.train.snapshot import (
    Resume,
    Save,
    Snapshot,
    at_start,
    before_last_chunk,
    gone_on,
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
    save: Save = lambda snapshot: None,
    resume: Resume = lambda start: start,
    steps_per_save: int | None = None,
) -> Population:
    """Train P networks in one compiled program and return each at its best epoch.

    Args:
      build, train, valid, epochs, batch, loss, estimator, ema, microbatch, augment, report,
        keep, watch, save, resume, steps_per_save: as for `fit`; `keep` after each epoch that is
        the best so far of any member, and `watch` with the state of all members.
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
    check_sizes(train, valid, epochs, batch, ema, None, steps_per_save)
    for leaf in [keys, *jax.tree.leaves(hyperparameters)]:
        if jnp.ndim(leaf) != 1 or len(leaf) != len(keys):
            raise ValueError(
                "keys and each hyperparameter need one entry per member, got shapes "
                f"{jnp.shape(keys)} and {jnp.shape(leaf)}"
            )
    check_members(mesh, len(keys))
    check_labels(build(training=True), train, valid)
    recipe = Recipe(build, loss or cross_entropy(), estimator, batch, ema, microbatch, augment)
    train, valid = on_device(train, mesh), on_device(valid, mesh)
    keys, hyperparameters = place((keys, hyperparameters), by_member(mesh))
    shape = features(train.image)

    def start(key, hyper, train):
        network, averaged = build(training=True), ema is not None
        state = initial_state(network, shape, optimizer(hyper), key, averaged=averaged)
        return state, before_first_epoch(recipe, state, train)

    steps = len(train.label) // batch
    every = steps_per_save or steps

    def epoch_of(hyper, state, best, before, train, valid):
        return run_epoch(recipe, optimizer(hyper), state, best, train, valid, before)

    def chunk_of(hyper, state, train):
        return run_steps(recipe, optimizer(hyper), every, state, train)

    # The best networks and the metrics are on every device, for whoever saves and reports them.
    own, whole = by_member(mesh), everywhere(mesh)
    starts = each_its_share(mesh, jax.vmap(start, (0, 0, None)), whole=1)
    epochs_of = each_its_share(mesh, jax.vmap(epoch_of, (0, 0, 0, 0, None, None)), whole=2)
    chunks_of = each_its_share(mesh, jax.vmap(chunk_of, (0, 0, None)), whole=1)
    begin = jax.jit(starts, out_shardings=(own, whole))
    fitting = partial(within_memory, devices=local_device_count(mesh))
    program = fitting(
        jax.jit(epochs_of, donate_argnums=(1, 2), out_shardings=(own, whole, whole))
    )
    chunk = fitting(jax.jit(chunks_of, donate_argnums=1, out_shardings=(own, whole)))
    now = gone_on(resume, at_start(*begin(keys, hyperparameters, train)), own, whole)
    while len(now.history) < epochs:
        epoch, clock = len(now.history) + 1, time.perf_counter()
        take = lambda state: chunk(hyperparameters, state, train)
        now = before_last_chunk(now, take, steps, every, save)
        state, best, metrics = program(
            hyperparameters, now.state, now.best, now.losses, train, valid
        )
        row = {
            "epoch": epoch,
            **{k: np.asarray(v).tolist() for k, v in metrics._asdict().items()},
        }
        row["seconds"] = time.perf_counter() - clock
        history = (*now.history, {**row, **watch(state)})
        report(history[-1])
        if (np.asarray(best.epoch) == epoch).any():
            keep(best.params, best.statistics)
        now = Snapshot(state, best, now.losses[:, :0], history)
        save(now)
    best, chosen = now.best, np.asarray(now.best.epoch)
    losses = np.array([row["loss"] for row in now.history])
    diverged = ~np.isfinite(losses).all(0) | (chosen == 0)
    accuracy = np.asarray(best.accuracy)
    return Population(best.params, best.statistics, accuracy, chosen, diverged, now.history)
