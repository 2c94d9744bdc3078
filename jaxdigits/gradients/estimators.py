"""Gradient estimators: whatever makes a gradient has one signature.

    (params, batch, key) -> (loss, grads, residual)

A batch is a pair (x, label [B]), such as a `Dataset` of B examples; the residual is what
the network kept of its forward pass.  Training takes an estimator as an argument.
"""

from collections.abc import Callable
from typing import Any

import jax
from jax import Array

from jaxdigits.layer import Layer, Params, Residual
from jaxdigits.losses import Loss

Estimator = Callable[[Params, Any, Array | None], tuple[Array, Params, Residual]]


def by_hand(network: Layer, loss: Loss) -> Estimator:
    """The hand-derived gradient: the network's `backward` after the loss's slope."""

    def estimate(params, batch, key):
        x, label = batch
        logits, residual = network.forward(params, x, key)
        grads, _ = network.backward(params, residual, loss.slope(logits, label))
        return loss.value(logits, label), grads, residual

    return estimate


def by_autodiff(network: Layer, loss: Loss) -> Estimator:
    """`jax.value_and_grad` of the same forward pass and loss."""

    def value(params, batch, key):
        x, label = batch
        logits, residual = network.forward(params, x, key)
        return loss.value(logits, label), residual

    def estimate(params, batch, key):
        (value_, residual), grads = jax.value_and_grad(value, has_aux=True)(params, batch, key)
        return value_, grads, residual

    return estimate


ESTIMATORS = {"by_hand": by_hand, "by_autodiff": by_autodiff}
