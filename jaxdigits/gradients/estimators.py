"""Gradient estimators: every maker of gradients has one signature.

    (params, batch, key) -> (loss, grads, residual)

A batch is a pair (x, label [B]), such as a `Dataset` of B examples; the residual is that of the
network's forward pass.  Penalties of layers, as of `rate_penalty`, are in both the loss and the
gradient.  Training takes an estimator as an argument.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits.layer import Layer, Params, Residual
from jaxdigits.losses import Loss
from jaxdigits.spikes import penalties

Estimator = Callable[[Params, Any, Array | None], tuple[Array, Params, Residual]]


def by_hand(network: Layer, loss: Loss) -> Estimator:
    """The hand-derived gradient: the network's `backward` after the loss's slope."""

    def estimate(params, batch, key):
        value, grads, _, residual = passes_by_hand(network, loss, params, batch, key)
        return value, grads, residual

    return estimate


def passes_by_hand(
    network: Layer, loss: Loss, params: Params, batch: Any, key: Array | None
) -> tuple[Array, Params, Any, Residual]:
    """Return (loss, ∂L/∂params, ∂L/∂x, residual), all by hand; ∂L/∂x is None for integers."""
    x, label = batch
    logits, residual = network.forward(params, x, key)
    grads, x_bar = network.backward(params, residual, loss.slope(logits, label))
    return _with_penalties(loss.value(logits, label), residual), grads, x_bar, residual


def by_autodiff(network: Layer, loss: Loss) -> Estimator:
    """The gradient by `jax.value_and_grad`, of the same forward pass and loss."""

    def value(params, batch, key):
        x, label = batch
        logits, residual = network.forward(params, x, key)
        return _with_penalties(loss.value(logits, label), residual), residual

    def estimate(params, batch, key):
        (value_, residual), grads = jax.value_and_grad(value, has_aux=True)(params, batch, key)
        return value_, grads, residual

    return estimate


def in_microbatches(estimator: Estimator, count: int) -> Estimator:
    """Make the same estimate from `count` equal microbatches, one after another.

    Loss and gradient are means over the microbatches: the same to rounding, if the loss is a
    mean over examples and no layer mixes them, as batch norm does.  The residual exists for one
    microbatch at a time, which needs less memory; the estimator returns () in its place.

    Raises:
      ValueError: unless count >= 1; when called, unless the batch is a multiple of it and the
        key is one per example.
    """
    if count < 1:
        raise ValueError(f"count must be >= 1, got {count}")

    def estimate(params, batch, key):
        examples = len(batch[1])
        if examples % count:
            raise ValueError(f"a batch of {examples} has no {count} equal microbatches")
        if key is not None and not key.ndim:
            raise ValueError("microbatches need one key per example: `example_keys`")
        split = lambda a: a.reshape(count, examples // count, *a.shape[1:])
        loss_and_grads = lambda microbatch: estimator(params, *microbatch)[:2]

        def add(total, microbatch):
            return jax.tree.map(jnp.add, total, loss_and_grads(microbatch)), None

        microbatches = jax.tree.map(split, (batch, key))
        like = jax.eval_shape(loss_and_grads, jax.tree.map(lambda a: a[0], microbatches))
        zeros = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), like)
        total, _ = jax.lax.scan(add, zeros, microbatches)
        loss, grads = jax.tree.map(lambda a: a / count, total)
        return loss, grads, ()

    return estimate


def _with_penalties(value: Array, residual: Residual) -> Array:
    penalty = penalties(residual)
    return value if penalty is None else value + penalty


ESTIMATORS = {"by_hand": by_hand, "by_autodiff": by_autodiff}
