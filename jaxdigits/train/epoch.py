"""One epoch of training and its validation, as one pure function.

`fit` compiles it for one network; `fit_population` compiles `jax.vmap` of it for many.
Nothing leaves the device between the first step and the last.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.sharding import Mesh

from jaxdigits.augment import Augment
from jaxdigits.data import Dataset
from jaxdigits.data.inputs import take
from jaxdigits.fast.products import computed_once
from jaxdigits.gradients import Estimator, by_autodiff, by_hand, in_parts
from jaxdigits.keys import fold_in
from jaxdigits.layer import Layer, Params
from jaxdigits.layers import Statistics
from jaxdigits.losses import Loss
from jaxdigits.train.evaluate import BATCH, gather_statistics, logits_of
from jaxdigits.train.microbatch import mixes_examples, parts_of_step, require_apart
from jaxdigits.train.sharding import device_count, in_shares, over_devices
from jaxdigits.train.state import AUGMENT, TrainState, order_of_epoch, step_keys

Build = Callable[..., Layer]  # (training=..., statistics=...) -> Layer, as the builders are


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
    """What an epoch reports."""

    loss: Array
    """[] mean of the training loss over the epoch's steps"""
    valid_loss: Array
    valid_accuracy: Array
    firing_rates: Array
    """[spiking layers] on the validation data, in spikes per neuron and step; or per neuron
    and image, where spikes are times"""


class Recipe(NamedTuple):
    """What defines an epoch, besides the data and the optimizer."""

    build: Build
    loss: Loss
    estimator: Callable[[Layer, Loss], Estimator]
    batch: int
    ema: float | None
    """decay of the params' moving average, which is then what gets validated; None: none"""
    microbatch: int | None = None
    """examples that a step takes at a time; None: as many as are quick on this device"""
    augment: Augment | None = None
    """makes other images of each step's, in [0, 1], which are rounded to uint8 if those were;
    None: they stay as they are"""
    mesh: Mesh | None = None
    """the devices that share the examples of a batch; None: one"""


def run_epoch(
    recipe: Recipe,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    best: Best,
    train: Dataset,
    valid: Dataset,
    before: Array | None = None,
) -> tuple[TrainState, Best, Metrics]:
    """Train on every batch of a fresh order, validate, and keep the better network.

    Examples that do not fill a last batch are left out of this epoch.

    Args:
      before: [k] the losses of the epoch's first k steps, if `run_steps` has taken them.
    """
    steps = len(train.label) // recipe.batch
    done = 0 if before is None else len(before)
    state, losses = run_steps(recipe, optimizer, steps - done, state, train)
    if before is not None:
        losses = jnp.concatenate([before, losses])

    params = state.params if recipe.ema is None else state.average
    statistics = _statistics(recipe, params, train, state.key)
    network = recipe.build(training=False, statistics=statistics)
    # Whoever has room for a training step has room for this.
    few = min(BATCH, recipe.microbatch or recipe.batch)
    logits, rates = logits_of(
        network, params, valid.image, state.key, batch=few, mesh=recipe.mesh
    )
    accuracy = (logits.argmax(-1) == valid.label).mean(dtype=best.accuracy.dtype)
    loss = recipe.loss.value(logits, valid.label).astype(best.loss.dtype)
    now = Best(params, statistics, accuracy, loss, state.step // steps)
    better = (accuracy > best.accuracy) | ((accuracy == best.accuracy) & (loss < best.loss))
    better &= jnp.isfinite(loss) & jnp.isfinite(losses).all()
    best = jax.tree.map(lambda new, old: jnp.where(better, new, old), now, best)
    return state, best, Metrics(losses.mean(), loss, accuracy, rates)


def run_steps(
    recipe: Recipe,
    optimizer: optax.GradientTransformation,
    count: int,
    state: TrainState,
    train: Dataset,
) -> tuple[TrainState, Array]:
    """Take the next `count` steps, all of one epoch: (state, losses [count])."""
    steps = len(train.label) // recipe.batch
    order = order_of_epoch(state.key, state.step // steps, len(train.label))
    rows = order[: steps * recipe.batch].reshape(steps, recipe.batch)
    if count < steps:
        rows = jax.lax.dynamic_slice_in_dim(rows, state.step % steps, count)
    step = lambda state, rows: train_step(recipe, optimizer, state, train, rows)
    return jax.lax.scan(step, state, over_devices(recipe.mesh, rows))


def train_step(
    recipe: Recipe,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    train: Dataset,
    rows: Array,
) -> tuple[TrainState, Array]:
    """One optimizer step on the examples `rows` [B] of the training set: (state, loss)."""
    keys = step_keys(state.key, state.step, rows)
    image = take(train.image, rows, keys)
    if recipe.augment is not None:
        image = _like(image, recipe.augment(fold_in(keys, AUGMENT), image))
    batch = Dataset(image, train.label[rows])
    estimate = estimator_of(recipe, state.params, batch, keys)
    loss, grads, _ = estimate(state.params, batch, keys)
    # Once all gradients are there no params are read again, and each may be updated in place.
    grads = computed_once(grads, "epoch")
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    average = state.average
    if recipe.ema is not None:
        # Young averages forget faster, so that the initial params do not linger in them.
        keep = jnp.minimum(recipe.ema, (1 + state.step) / (10 + state.step))
        average = jax.tree.map(lambda a, p: a + (1 - keep) * (p - a), average, params)
    return TrainState(params, opt_state, average, state.step + 1, state.key), loss


def _like(image: Any, augmented: Any) -> Any:
    """Augmented images as the data are: a byte of a pixel is coded in spikes far sooner."""
    return jax.tree.map(_same_type, image, augmented)


def _same_type(image: Array, augmented: Array) -> Array:
    if image.dtype != jnp.uint8 or augmented.dtype == jnp.uint8:
        return augmented
    return jnp.round(255 * jnp.clip(augmented, 0, 1)).astype(jnp.uint8)


def estimator_of(recipe: Recipe, params: Params, batch: Dataset, keys: Array) -> Estimator:
    """What makes the gradient of a step on such a batch: in shares of the devices, if there
    are several, and each in parts if that is quicker.

    Raises:
      ValueError: for a microbatch of a network with batch norm.
    """
    network = recipe.build(training=True)
    estimator = recipe.estimator(network, recipe.loss)
    parts = recipe.batch // (recipe.microbatch or recipe.batch)
    if parts > 1:
        require_apart(network, params, batch.image, keys)
    elif recipe.estimator not in (by_hand, by_autodiff):
        return estimator  # its random numbers may be those of a batch, as a forward gradient's
    elif recipe.mesh is not None and mixes_examples(network, params, batch.image, keys):
        return estimator
    if recipe.microbatch is None:
        share = len(keys) // device_count(recipe.mesh)
        own = jax.tree.map(lambda a: a[:share], (batch.image, keys))
        parts = parts_of_step(network, params, *own)
    return in_shares(recipe.mesh, in_parts(estimator, parts) if parts > 1 else estimator)


def before_first_epoch(recipe: Recipe, state: TrainState, train: Dataset) -> Best:
    """The initial network, which any epoch of finite loss improves on."""
    params: Any = jax.tree.map(jnp.copy, state.params)
    statistics = _statistics(recipe, params, train, state.key)
    return Best(params, statistics, jnp.float32(-1), jnp.float32(jnp.inf), jnp.int32(0))


def _statistics(recipe: Recipe, params: Params, train: Dataset, key: Array) -> Any:
    network, batch = recipe.build(training=True), recipe.batch
    return gather_statistics(network, params, train.image, key, batch=batch, mesh=recipe.mesh)
