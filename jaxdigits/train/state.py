"""What training carries from step to step, and the keys it draws from.

All randomness comes from one key, by `fold_in`; nothing is split away and lost.

    initial params       key, INIT
    order of an epoch    key, ORDER, epoch
    a step's example     key, STEP, step, index of the example in the training set
    its augmentation     the same, AUGMENT
    an evaluated one     key, EVALUATE, index of the example in its data set
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from jaxdigits.keys import example_keys
from jaxdigits.layer import Layer, Params

INIT, ORDER, STEP, EVALUATE = range(4)
AUGMENT = 2**32 - 1  # of a step's example; its network folds in small numbers, one a layer


class TrainState(NamedTuple):
    """Everything that a training step reads and writes, besides the data."""

    params: Params
    opt_state: Any
    """of the optax optimizer"""
    average: Params
    """exponential moving average of the params; () if there is none"""
    step: Array
    """[] int32, optimizer steps taken"""
    key: Array
    """[] the run's one key; never changes"""


def initial_state(
    network: Layer,
    shape: tuple[int, ...],
    optimizer: optax.GradientTransformation,
    key: Array,
    *,
    averaged: bool = False,
) -> TrainState:
    """The state before the first step, for images of that feature shape."""
    params, _ = network.init(jax.random.fold_in(key, INIT), shape)
    # A copy: the state is donated to each epoch, and one buffer cannot be given twice.
    average = jax.tree.map(jnp.copy, params) if averaged else ()
    return TrainState(params, optimizer.init(params), average, jnp.zeros((), jnp.int32), key)


def order_of_epoch(key: Array, epoch: Array, examples: int) -> Array:
    """[examples] int32, the training set's indices as this epoch visits them."""
    return jax.random.permutation(_stream(key, ORDER, epoch), examples)


def step_keys(key: Array, step: Array, index: Array) -> Array:
    """[B] one key per example of a training step, by its index [B] in the training set."""
    return example_keys(_stream(key, STEP, step), index)


def evaluation_keys(key: Array, index: Array) -> Array:
    """[B] one key per evaluated example, by its index [B] in its data set."""
    return example_keys(jax.random.fold_in(key, EVALUATE), index)


def _stream(key: Array, purpose: int, i: Array) -> Array:
    return jax.random.fold_in(jax.random.fold_in(key, purpose), i)
