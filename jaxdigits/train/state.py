"""The state that an update reads and writes, and the keys that training draws from.

All randomness comes from one key, by `fold_in`; nothing is split away and lost.

    initial params       key, INIT; none if training starts from other params
    order of an epoch    key, ORDER, epoch
    a training example   key, STEP, update, number of the example in the training set
    its augmentation     the same, AUGMENT
    evaluation           key, EVALUATE, number of the example in its data set
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits.keys import example_keys, fold_in, require_key
from jaxdigits.layer import Params
from jaxdigits.train.recipe import Recipe, optimizer_of

INIT, ORDER, STEP, EVALUATE = range(4)
AUGMENT = 2**32 - 1  # of a training example; its network folds in small numbers, one a layer


class TrainState(NamedTuple):
    """Everything that an update reads and writes, besides the data."""

    params: Params
    opt_state: Any
    """of the optax optimizer"""
    average: Params
    """exponential moving average of the params; () if there is none"""
    step: Array
    """[] int32, number of updates so far"""
    key: Array
    """[] the run's one key; never changes"""


def initial_state(
    recipe: Recipe, shape: Any, key: Array, start: Params | None = None
) -> TrainState:
    """Return the state before the first update, for inputs of that feature shape.

    Args:
      start: the initial params; None: the network draws them.
    """
    network = recipe.build(training=True)
    params, _ = network.init(fold_in(require_key(key, "training"), INIT), shape)
    # Copies: the state is donated to each epoch, and one buffer cannot be given twice.
    params = params if start is None else jax.tree.map(jnp.copy, start)
    average = () if recipe.ema is None else jax.tree.map(jnp.copy, params)
    opt_state = optimizer_of(recipe).init(params)
    return TrainState(params, opt_state, average, jnp.zeros((), jnp.int32), key)


def order_of_epoch(key: Array, epoch: Array, examples: int) -> Array:
    """Return the numbers [examples] int32 of the training set, as this epoch visits them."""
    return jax.random.permutation(_stream(key, ORDER, epoch), examples)


def step_keys(key: Array, step: Array, rows: Array) -> Array:
    """Return one key [B] per example of an update, by its number [B] in the training set."""
    return example_keys(_stream(key, STEP, step), rows)


def evaluation_keys(key: Array, rows: Array) -> Array:
    """Return one key [B] per evaluated example, by its number [B] in its data set."""
    return example_keys(jax.random.fold_in(key, EVALUATE), rows)


def _stream(key: Array, purpose: int, i: Array) -> Array:
    return jax.random.fold_in(jax.random.fold_in(key, purpose), i)
