"""The main job: train a configuration, and write the network and its test accuracy to a folder.

All runs share one protocol: validation data are a twelfth of the training set, drawn stratified
with a fixed seed; they choose the epoch; the test set is read once, at the end.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jax.sharding import Mesh

from jaxdigits.data import (
    Dataset,
    Fields,
    Hands,
    by_writers,
    make_texts,
    split,
    split_hands,
)
from jaxdigits.data.fields import WEIGHTS, with_checksums, with_texts
from jaxdigits.data.hands import VALIDATION as VALIDATION_HANDS
from jaxdigits.layer import Params
from jaxdigits.measure.calibration import Doubt, learn_doubt
from jaxdigits.reader.automaton import weighted_sum
from jaxdigits.reader.confidence import learn_reading_doubt
from jaxdigits.runs.answer import member_keys, predictor
from jaxdigits.runs.checkpoint import (
    LAST,
    newest_snapshot,
    remove_checkpoints,
    remove_unfinished,
    save_checkpoint,
)
from jaxdigits.runs.config import Config
from jaxdigits.runs.folder import (
    Run,
    RunError,
    append_metrics,
    create_run,
    save_doubt,
    save_params,
    write_metrics,
    write_result,
)
from jaxdigits.runs.start import start_params
from jaxdigits.runs.verification import learn_comparison, save_comparison
from jaxdigits.train.fit import NO_HOOKS, Diverged, Fit, fit
from jaxdigits.train.health import watcher
from jaxdigits.train.optimizer import adamw
from jaxdigits.train.population import fit_population
from jaxdigits.train.recipe import Recipe
from jaxdigits.train.sharding import (
    any_process,
    check_members,
    check_shares,
    on_each_process,
    same_everywhere,
)
from jaxdigits.train.snapshot import Hooks, Snapshot
from jaxdigits.tree import parameter_count

VALIDATION = 12  # one example in 12: 5,000 of MNIST's 60,000
SPLIT_SEED = 0
DRAWN = 12_000  # fields of each kind for a doubt: to promise 0.1 % takes 6,000 answers
Report = Callable[[dict[str, Any]], None]


class Outcome(NamedTuple):
    """The result of a run."""

    logits: np.ndarray
    """[seeds, N, 10] on the test set; [1, N, T, 11] of fields"""
    valid_accuracy: list[float]
    """of each seed's best epoch"""
    best_epoch: list[int]
    parameters: int
    """of one network"""
    seconds: float
    """from the first line to the last prediction, compiling included; a resumed run adds the
    seconds of the epochs before its checkpoint"""
    diverged: tuple[int, ...] = ()
    """seeds, not all of them, whose loss became infinite: they count with their best epoch, or
    untrained if there was none"""


class Checkpointing(NamedTuple):
    """Options of a run's checkpoints."""

    resume: bool = False
    """continue the run in the folder, from its newest checkpoint, to the same bits"""
    last: int = LAST
    """number of checkpoints in the folder, until `finish_run` removes them"""
    stop: Callable[[], bool] = lambda: False
    """returns whether to stop after a checkpoint; one process is enough"""
    warn: Callable[[str], None] = lambda line: None
    """called with one line for each damaged checkpoint"""


class Stopped(Exception):
    """Training stopped on request; the newest checkpoint has all of it."""


def run_job(
    config: Config,
    train: Dataset,
    test: Dataset,
    folder: Path,
    report: Report = lambda row: None,
    *,
    mesh: Mesh | None = None,
    checkpointing: Checkpointing = Checkpointing(),  # noqa: B008  (immutable)
) -> Outcome:
    """Train a configuration, write the run to `folder`, and test it once.

    Args:
      report: called with each epoch's row, once it is in `metrics.jsonl`.
      mesh: the devices that share the examples of a batch, or the networks of several seeds;
        None: one.  Of several processes the first writes the run, and all read it.

    Raises:
      RunError: if the folder is not empty or cannot be written, or each of several seeds
        diverged, or the params that the training starts from cannot be read.
      Stopped: where `checkpointing.stop` returned True.
      Diverged: on a loss that is not finite; the last good params are then in the folder.
      ValueError: if the batch is larger than the training set.
    """
    clock = time.perf_counter()
    train, valid = validation_split(train)
    start = start_params(config)
    if config.batch > len(train.label):
        raise ValueError(f"batch is {config.batch}, but there are {len(train.label)} examples")
    if config.seeds == 1:
        check_shares(mesh, config.batch, config.microbatch)
    else:
        check_members(mesh, config.seeds)
    if not checkpointing.resume:
        create_run(folder, config)

    def on_epoch(row):
        append_metrics(folder, row)
        report(row)

    def resume(start: Snapshot) -> Snapshot:
        nonlocal clock
        now = _first_snapshot(folder, start, checkpointing)
        clock -= sum(row["seconds"] for row in now.history)
        return now

    def save(now: Snapshot) -> None:
        now = now._replace(state=on_each_process(now.state, mesh))
        save_checkpoint(folder, now, checkpointing.last)
        if any_process(checkpointing.stop()):
            raise Stopped(f"after step {int(np.max(now.state.step))}")

    network = config.build()(training=True)
    watch = watcher(network, train.inputs, members=config.seeds, mesh=mesh,
                    batch=config.microbatch or config.batch)  # fmt: skip
    hooks = Hooks(on_epoch, partial(save_params, folder), watch, save, resume)
    try:
        trained = _train(config, train, valid, hooks, mesh, start)
    except Diverged as error:
        save_params(folder, error.fit.params, error.fit.statistics)
        raise
    params, statistics, accuracy, epoch, lost = trained
    save_params(folder, params, statistics)
    if len(lost) == config.seeds:
        raise RunError(f"the loss of seeds {lost} became infinite: lower the learning rate")
    if mesh is not None:  # each process on its own, on its first device
        params, statistics = jax.device_get((params, statistics))
    logits_of = predictor(Run(config, params, statistics))
    _save_thresholds(config, folder, logits_of, train, valid, test)
    logits = logits_of(test.inputs)
    parameters, seconds = parameter_count(params) // config.seeds, time.perf_counter() - clock
    return Outcome(logits, accuracy, epoch, parameters, seconds, tuple(lost))


def _save_thresholds(
    config: Config, folder: Path, logits_of: Callable[[Any], np.ndarray], *parts: Dataset
) -> None:
    """Write what a run learns from (train, valid, test) of its doubt, or of its comparisons."""
    if config.compares:
        inputs = (part.inputs for part in parts)
        save_comparison(folder, learn_comparison(logits_of, *inputs))
    else:
        save_doubt(folder, doubt_of(config, logits_of, parts[1]))


def doubt_of(config: Config, logits_of: Callable[[Any], np.ndarray], valid: Dataset) -> Doubt:
    """Return the doubt that validation data teach a run.

    Fields are drawn anew by the validation data's writers: as many as promises need.
    """
    if not config.reads_fields:
        return learn_doubt(logits_of(valid.inputs), valid.label)
    if not isinstance(valid.inputs, Fields):
        return learn_reading_doubt(logits_of(valid.inputs)[0], valid.label, None)
    free = with_texts(valid, make_texts(DRAWN, seed=2))
    rows = with_checksums(valid, DRAWN)
    checked = logits_of(rows.inputs)[0], rows.label, weighted_sum(WEIGHTS, 10)
    return learn_reading_doubt(logits_of(free.inputs)[0], free.label, checked)


def finish_run(folder: Path, result: dict[str, Any]) -> None:
    """Write `result.json`, and remove the checkpoints.

    Raises:
      RunError: if the folder cannot be written.
    """
    write_result(folder, result)
    remove_checkpoints(folder)


def validation_split(train: Dataset) -> tuple[Dataset, Dataset]:
    """Split the training set in two: for training, and for choosing the epoch.

    Of fields, a twelfth of the writers is for the choice; of signatures, a sixth.
    """
    if isinstance(train.inputs, Hands):
        learn, valid = split_hands(train, VALIDATION_HANDS, seed=SPLIT_SEED)
        return learn, valid
    if isinstance(train.inputs, Fields):
        return by_writers(train, 1 / VALIDATION, SPLIT_SEED)
    count = max(1, len(train.label) // VALIDATION)
    train, valid = split(train, (len(train.label) - count, count), seed=SPLIT_SEED)
    return train, valid


def fit_one(
    config: Config,
    train: Dataset,
    valid: Dataset,
    hooks: Hooks = NO_HOOKS,
    mesh: Mesh | None = None,
    start: Params | None = None,
) -> Fit:
    """Train the network of `config.seed` as the configuration says, on from the params `start`.

    Raises:
      Diverged, ValueError: as `fit`.
    """
    recipe = recipe_for(config, _optimizer(config, train), mesh)
    return fit(recipe, train, valid, jax.random.key(config.seed), hooks, start=start)


def _first_snapshot(folder: Path, start: Snapshot, options: Checkpointing) -> Snapshot:
    """Return the snapshot to train from, and remove what a killed run left after it."""
    now = newest_snapshot(folder, start, options.warn) if options.resume else start
    if not same_everywhere(int(np.max(now.state.step))):
        raise RunError(f"the processes see different checkpoints in {folder}: share the folder")
    if options.resume:
        remove_unfinished(folder)
        write_metrics(folder, now.history)  # without epochs after the checkpoint
    return now


def _train(
    config: Config,
    train: Dataset,
    valid: Dataset,
    hooks: Hooks,
    mesh: Mesh | None,
    start: Params | None,
) -> tuple:
    if config.seeds == 1:
        fitted = fit_one(config, train, valid, hooks, mesh, start)
        best = fitted.history[fitted.best_epoch - 1]["valid_accuracy"]
        return fitted.params, fitted.statistics, [best], [fitted.best_epoch], []
    optimizer = _optimizer(config, train)
    recipe = recipe_for(config, lambda _: optimizer, mesh)
    keys = member_keys(config)
    many = fit_population(recipe, train, valid, keys, hooks=hooks, start=start)
    lost = (config.seed + np.flatnonzero(many.diverged)).tolist()
    lists = many.valid_accuracy.tolist(), many.best_epoch.tolist()
    return many.params, many.statistics, *lists, lost


def _optimizer(config: Config, train: Dataset) -> optax.GradientTransformation:
    updates = config.epochs * (len(train) // config.batch)
    decay, schedule = config.weight_decay, config.schedule
    return adamw(config.learning_rate, updates, weight_decay=decay, schedule=schedule)


def recipe_for(config: Config, optimizer: Any, mesh: Mesh | None = None) -> Recipe:
    """Return the recipe of a configuration, with that optimizer."""
    return Recipe(
        config.build(), optimizer, epochs=config.epochs, batch=config.batch,
        loss=config.loss(), estimator=config.estimator(), ema=config.ema,
        microbatch=config.microbatch, augment=config.augmentation(), patience=config.patience,
        updates_per_save=config.updates_per_save, mesh=mesh,
    )  # fmt: skip
