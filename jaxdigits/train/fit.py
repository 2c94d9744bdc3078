"""Training one network: epochs until the last, or until validation stops improving."""

import time
from collections.abc import Callable, Mapping
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
from jaxdigits.data.inputs import count, features
from jaxdigits.gradients import Estimator, by_hand
from jaxdigits.layer import Layer, Params
from jaxdigits.layers import Statistics
from jaxdigits.losses import Loss, cross_entropy
from jaxdigits.train.epoch import Build, Recipe, before_first_epoch, run_epoch, run_steps
from jaxdigits.train.memory import within_memory
from jaxdigits.train.microbatch import check_microbatch
from jaxdigits.train.sharding import check_shares, everywhere, local_device_count, place
from jaxdigits.train.snapshot import (
    Resume,
    Save,
    Snapshot,
    at_start,
    before_last_chunk,
    gone_on,
)
from jaxdigits.train.state import TrainState, initial_state


class Fit(NamedTuple):
    """A trained network: the best epoch's params, and how training went."""

    params: Params
    statistics: tuple[Statistics, ...]
    """for `build(training=False, statistics=...)`; empty without batch norm"""
    best_epoch: int
    """from 1; 0 if no epoch was good (only in `Diverged`): these are the initial params"""
    history: tuple[dict[str, Any], ...]
    """one row an epoch, as `report` saw them"""
    state: TrainState
    """after the last epoch"""


Keep = Callable[[Params, tuple[Statistics, ...]], None]
Watch = Callable[[TrainState], Mapping[str, Any]]


class Diverged(RuntimeError):
    """The loss became infinite or not a number; `fit` holds what was good before."""

    def __init__(self, message: str, fit: Fit):
        super().__init__(message)
        self.fit = fit


def fit(
    build: Build,
    train: Dataset,
    valid: Dataset,
    optimizer: optax.GradientTransformation,
    key: Array,
    *,
    epochs: int,
    batch: int = 128,
    loss: Loss | None = None,
    estimator: Callable[[Layer, Loss], Estimator] = by_hand,
    ema: float | None = None,
    microbatch: int | None = None,
    augment: Augment | None = None,
    mesh: Mesh | None = None,
    patience: int | None = None,
    report: Callable[[dict[str, Any]], None] = lambda row: None,
    keep: Keep = lambda params, statistics: None,
    watch: Watch = lambda state: {},
    save: Save = lambda snapshot: None,
    resume: Resume = lambda start: start,
    steps_per_save: int | None = None,
) -> Fit:
    """Train a network and return it as it was in the epoch that validation chose.

    Each epoch is one compiled program over data that stays on the device.

    Args:
      build: a builder, such as `mlp` or `partial(snn, steps=50)`: called with `training`
        and `statistics` only.
      train, valid: images uint8 [N, H, W], or a dict of what each sense is given, and labels
        int32 [N]; disjoint.
      optimizer: any optax optimizer, its schedule in steps of `len(train) // batch` an epoch.
      key: the one source of randomness: same key, same machine, same result.
      epochs: the most to train.
      loss: None is `cross_entropy()`.
      estimator: makes the gradient from (network, loss): `by_hand` or `by_autodiff`.
      ema: decay of a moving average of the params, which is then validated and returned.
      microbatch: examples that a step takes at a time, for the same gradient in less memory; a
        divisor of `batch`. None chooses: all, or on a CPU what stays in its cache.
      augment: makes other images of each step's, as those of `jaxdigits.augment.AUGMENTS`.
      mesh: the devices that share the examples of each batch, as `device_mesh(4)`; None: one.
      patience: stop after so many epochs without a better one: a higher validation accuracy, or
        the same at a lower loss.
      report: called with each epoch's row: epoch, loss, valid_loss, valid_accuracy,
        firing_rates, seconds (the first row's include compiling).
      keep: called with (params, statistics) after each epoch that is the best so far, for
        saving; before the next epoch, which takes their buffers over.
      watch: called with the state after each epoch, as `keep` is; what it returns joins the
        epoch's row.
      save: called with all that training knows, after each epoch and, if `steps_per_save` is
        given, after each so many steps of one, which are then a program by themselves; before
        the next steps, which take the buffers over.
      resume: called with the snapshot of the start, returns the one to go on from: what
        follows has the bits that it would have had.

    Raises:
      ValueError: for sizes that do not fit, naming the argument.
      DoesNotFit: if an epoch needs more memory than there is, before it runs.
      Diverged: on a training loss that is not finite, or if no validation loss was.
    """
    recipe = Recipe(
        build, loss or cross_entropy(), estimator, batch, ema, microbatch, augment, mesh
    )
    check_microbatch(microbatch, batch)
    check_shares(mesh, batch, microbatch)
    check_sizes(train, valid, epochs, batch, ema, patience, steps_per_save)
    check_labels(build(training=True), train, valid)
    train, valid = on_device(train, mesh), on_device(valid, mesh)
    whole = everywhere(mesh)
    key = place(key, whole)
    shape = features(train.image)

    @partial(jax.jit, out_shardings=whole)
    def start(key, train):
        state = initial_state(
            build(training=True), shape, optimizer, key, averaged=ema is not None
        )
        return state, before_first_epoch(recipe, state, train)

    steps = len(train.label) // batch
    every = steps_per_save or steps
    epoch_of = partial(run_epoch, recipe, optimizer)
    chunk_of = partial(run_steps, recipe, optimizer, every)
    fitting = partial(within_memory, devices=local_device_count(mesh))
    program = fitting(jax.jit(epoch_of, donate_argnums=(0, 1), out_shardings=whole))
    chunk = fitting(jax.jit(chunk_of, donate_argnums=0, out_shardings=whole))
    now = gone_on(resume, at_start(*start(key, train)), whole, whole)
    while len(now.history) < epochs and not _waited(now, patience):
        epoch, clock = len(now.history) + 1, time.perf_counter()
        now = before_last_chunk(now, lambda state: chunk(state, train), steps, every, save)
        state, best, metrics = program(now.state, now.best, train, valid, now.losses)
        row = {
            "epoch": epoch,
            **{k: np.asarray(v).tolist() for k, v in metrics._asdict().items()},
        }
        row["seconds"] = time.perf_counter() - clock
        history = (*now.history, {**row, **watch(state)})
        report(history[-1])
        if int(best.epoch) == epoch:
            keep(best.params, best.statistics)
        now = Snapshot(state, best, now.losses[:0], history)
        if not np.isfinite(row["loss"]):
            raise Diverged(
                f"the training loss is {row['loss']} in epoch {epoch}: lower the learning rate",
                _result(now),
            )
        save(now)
    fitted = _result(now)
    if not fitted.best_epoch:  # a single step to infinity has a finite loss before it
        raise Diverged("no epoch had a finite validation loss: lower the learning rate", fitted)
    return fitted


def _waited(now: Snapshot, patience: int | None) -> bool:
    return patience is not None and len(now.history) - int(now.best.epoch) >= patience


def check_sizes(train, valid, epochs, batch, ema, patience=None, steps_per_save=None) -> None:
    """Raise a ValueError that names the argument, if training cannot be run with these."""
    counts = dict(epochs=epochs, batch=batch, patience=patience, steps_per_save=steps_per_save)
    for name, value in counts.items():
        if value is not None and value < 1:
            raise ValueError(f"{name} must be >= 1, got {value}")
    if ema is not None and not 0 <= ema < 1:
        raise ValueError(f"ema must be in [0, 1), got {ema}")
    for name, data in dict(train=train, valid=valid).items():
        if count(data.image) != len(data.label) or not len(data.label):
            raise ValueError(
                f"{name} has {count(data.image)} images and {len(data.label)} labels"
            )
    if batch > len(train.label):
        raise ValueError(
            f"batch is {batch}, but there are {len(train.label)} training examples"
        )


def check_labels(network: Layer, train: Dataset, valid: Dataset) -> None:
    """Raise a ValueError if a label is none of the classes that the network tells apart."""
    shapes: list[Any] = []
    init = lambda key: shapes.append(network.init(key, features(train.image))[1])
    jax.eval_shape(init, jax.random.key(0))
    classes = shapes[0][-1]
    for name, data in dict(train=train, valid=valid).items():
        low, high = np.min(data.label), np.max(data.label)
        if low < 0 or high >= classes:
            raise ValueError(
                f"{name} has labels from {low} to {high}, and the network has {classes} classes"
            )


def on_device(data: Dataset, mesh: Mesh | None = None) -> Dataset:
    """The data set as device arrays: whole on each device of the mesh, or on the one."""
    labelled = Dataset(data.image, jnp.asarray(data.label, jnp.int32))
    return place(labelled, everywhere(mesh))


def _result(now: Snapshot) -> Fit:
    best = now.best
    return Fit(best.params, best.statistics, int(best.epoch), now.history, now.state)
