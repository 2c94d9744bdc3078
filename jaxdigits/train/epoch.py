"""One epoch of training and its validation, as one pure function.

`fit` compiles it for one network; `fit_population` compiles `jax.vmap` of it for many.
Nothing leaves the device between the first update and the last.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from jaxdigits.data import Dataset
from jaxdigits.fast.products import computed_once
from jaxdigits.gradients import Estimator, by_autodiff, by_hand, in_microbatches
from jaxdigits.keys import fold_in
from jaxdigits.layer import Params
from jaxdigits.layers import Statistics
from jaxdigits.train.evaluate import BATCH, gather_statistics, logits_of
from jaxdigits.train.microbatch import microbatches, mixes_examples, require_apart
from jaxdigits.train.optimizer import update_with_loss
from jaxdigits.train.recipe import Recipe, optimizer_of
from jaxdigits.train.sharding import device_count, in_shares, over_devices
from jaxdigits.train.state import AUGMENT, TrainState, order_of_epoch, step_keys


class Best(NamedTuple):
    """The epoch that validation chose, and the network as it was then."""

    params: Params
    statistics: tuple[Statistics, ...]
    accuracy: Array
    """[] on the validation data, 0 to 1; −1 before the first epoch"""
    loss: Array
    """[] on the validation data; among epochs of equal accuracy the lowest is best"""
    epoch: Array
    """[] int32, from 1; 0 before the first"""


class Metrics(NamedTuple):
    """The report of an epoch."""

    loss: Array
    """[] mean of the training loss over the epoch's updates"""
    valid_loss: Array
    valid_accuracy: Array
    firing_rates: Array
    """[spiking layers] on the validation data, in spikes per neuron and time step; or per
    neuron and example, where spikes are times"""


def run_epoch(
    recipe: Recipe,
    state: TrainState,
    best: Best,
    train: Dataset,
    valid: Dataset,
    before: Array | None = None,
) -> tuple[TrainState, Best, Metrics]:
    """Train on every batch of a fresh order, validate, and keep the better network.

    Examples that do not fill a last batch are left out of this epoch.

    Args:
      before: [k] the losses of the epoch's first k updates, if `run_updates` has made them.
    """
    updates = len(train) // recipe.batch
    done = 0 if before is None else len(before)
    state, losses = run_updates(recipe, updates - done, state, train)
    if before is not None:
        losses = jnp.concatenate([before, losses])

    params = state.params if recipe.ema is None else state.average
    statistics = _statistics(recipe, params, train, state.key)
    network = recipe.build(training=False, statistics=statistics)
    # A device with room for an update has room for this.
    few = min(BATCH, recipe.microbatch or recipe.batch)
    logits, rates = logits_of(
        network, params, valid.inputs, state.key, batch=few, mesh=recipe.mesh
    )
    accuracy = recipe.loss.right(logits, valid.label).mean(dtype=best.accuracy.dtype)
    loss = recipe.loss.value(logits, valid.label).astype(best.loss.dtype)
    now = Best(params, statistics, accuracy, loss, state.step // updates)
    better = (accuracy > best.accuracy) | ((accuracy == best.accuracy) & (loss < best.loss))
    better &= jnp.isfinite(loss) & jnp.isfinite(losses).all()
    best = jax.tree.map(lambda new, old: jnp.where(better, new, old), now, best)
    return state, best, Metrics(losses.mean(), loss, accuracy, rates)


def run_updates(
    recipe: Recipe, count: int, state: TrainState, train: Dataset
) -> tuple[TrainState, Array]:
    """Make the next `count` updates, all of one epoch, and return (state, losses [count])."""
    updates = len(train) // recipe.batch
    order = order_of_epoch(state.key, state.step // updates, len(train))
    rows = order[: updates * recipe.batch].reshape(updates, recipe.batch)
    if count < updates:
        rows = jax.lax.dynamic_slice_in_dim(rows, state.step % updates, count)
    step = lambda state, rows: train_step(recipe, state, train, rows)
    return jax.lax.scan(step, state, over_devices(recipe.mesh, rows))


def train_step(
    recipe: Recipe, state: TrainState, train: Dataset, rows: Array
) -> tuple[TrainState, Array]:
    """Make one update on the examples `rows` [B] of the training set: (state, loss)."""
    keys = step_keys(state.key, state.step, rows)
    inputs = train.inputs.take(rows, keys)
    if recipe.augment is not None:
        inputs = _as_stored(inputs, recipe.augment(fold_in(keys, AUGMENT), inputs))
    batch = inputs, jnp.asarray(train.label)[rows]
    estimate = estimator_of(recipe, state.params, batch, keys)
    loss, grads, _ = estimate(state.params, batch, keys)
    # Once all gradients are there no params are read again, and each may be updated in place.
    grads = computed_once(grads, "epoch")
    updates, opt_state = update_with_loss(
        optimizer_of(recipe), grads, state.opt_state, state.params, loss
    )
    params = optax.apply_updates(state.params, updates)
    average = state.average
    if recipe.ema is not None:
        # Young averages forget faster, so that the initial params do not linger in them.
        young = (1 + state.step) / (10 + state.step)
        keep = jnp.minimum(recipe.ema, young).astype(young.dtype)
        average = jax.tree.map(lambda a, p: a + (1 - keep) * (p - a), average, params)
    return TrainState(params, opt_state, average, state.step + 1, state.key), loss


def _as_stored(inputs: Any, augmented: Any) -> Any:
    """Return augmented images as bytes if the data are: spikes code bytes far sooner."""
    return jax.tree.map(_same_type, inputs, augmented)


def _same_type(image: Array, augmented: Array) -> Array:
    if image.dtype != jnp.uint8 or augmented.dtype == jnp.uint8:
        return augmented
    return jnp.round(255 * jnp.clip(augmented, 0, 1)).astype(jnp.uint8)


def estimator_of(recipe: Recipe, params: Params, batch: Any, keys: Array) -> Estimator:
    """Return the gradient estimator of an update on such a batch, (inputs, labels).

    Several devices share the batch, and each takes it in microbatches if that is quicker.

    Raises:
      ValueError: for a microbatch of a network with batch norm.
    """
    network = recipe.build(training=True)
    estimator = recipe.estimator(network, recipe.loss)
    count = recipe.batch // (recipe.microbatch or recipe.batch)
    if count > 1:
        require_apart(network, params, batch[0], keys)
    elif recipe.estimator not in (by_hand, by_autodiff):
        return estimator  # its random numbers may be those of a batch, as a forward gradient's
    elif recipe.mesh is not None and mixes_examples(network, params, batch[0], keys):
        return estimator
    if recipe.microbatch is None:
        share = len(keys) // device_count(recipe.mesh)
        own = jax.tree.map(lambda a: a[:share], (batch[0], keys))
        count = microbatches(network, params, *own)
    return in_shares(recipe.mesh, in_microbatches(estimator, count) if count > 1 else estimator)


def before_first_epoch(
    recipe: Recipe, state: TrainState, train: Dataset, *, usable: bool = True
) -> Best:
    """Return the initial network, on which any epoch of finite loss improves.

    Args:
      usable: with statistics of the training data; False: all are 0, as nobody will use it.
    """
    params: Any = jax.tree.map(jnp.copy, state.params)
    gather = partial(_statistics, recipe, params, train, state.key)
    zeros = lambda shape: jnp.zeros(shape.shape, shape.dtype)
    statistics = gather() if usable else jax.tree.map(zeros, jax.eval_shape(gather))
    return Best(params, statistics, jnp.float32(-1), jnp.float32(jnp.inf), jnp.int32(0))


def _statistics(recipe: Recipe, params: Params, train: Dataset, key: Array) -> Any:
    network, batch = recipe.build(training=True), recipe.batch
    return gather_statistics(network, params, train.inputs, key, batch=batch, mesh=recipe.mesh)
