"""Losses for one label an example.

With K classes, q the target distribution of an example and B examples in the batch:

    cross-entropy [1]    L = −Σ_b Σ_k q log p / B      ∂L/∂z = (p Σ q − q) / B
                         with p = softmax(z), since ∂log pⱼ/∂zₖ = δⱼₖ − pₖ
    squared error        L = Σ_b Σ_k (z − q)² / BK     ∂L/∂z = 2 (z − q) / BK

Σ q is 1, but for a label outside of the classes, whose one-hot is zero.  Label smoothing by ε
takes q = (1 − ε) one-hot + ε / K.

[1] Szegedy et al., CVPR 2016, arXiv:1512.00567 (label smoothing).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits import checks
from jaxdigits.case import Case


def largest_is_label(logits: Array, label: Any) -> Array:
    """Return [..., B] whether the largest of the logits [..., B, K] is the label's [B]."""
    return jnp.argmax(logits, -1) == jnp.asarray(label)


class Loss(NamedTuple):
    """A mean over the batch, its slope, and the answers that it takes for right."""

    value: Callable[[Array, Any], Array]
    """(logits [B, K], label [B] int) -> scalar"""
    slope: Callable[[Array, Any], Array]
    """(logits [B, K], label [B] int) -> ∂L/∂logits [B, K]"""
    right: Callable[[Array, Any], Array] = largest_is_label
    """(logits [..., B, K], label [B] int) -> [..., B] bool"""


def cross_entropy(smoothing: float = 0.0) -> Loss:
    """Softmax cross-entropy in nats, with label smoothing.

    Raises:
      ValueError: unless 0 <= smoothing < 1.
    """
    if checks.known(smoothing) and not 0 <= smoothing < 1:
        raise ValueError(f"smoothing must be in [0, 1), got {smoothing}")

    def target(logits, label):
        classes = logits.shape[-1]
        hot = jax.nn.one_hot(label, classes, dtype=logits.dtype)
        return (1 - smoothing) * hot + (smoothing / classes)

    def value(logits, label):
        q = target(logits, label)  # 0 · log 0 = 0: the logit of another class may be −∞
        return -jnp.where(q != 0, q * jax.nn.log_softmax(logits), 0).sum(-1).mean()

    def slope(logits, label):
        p, q = jax.nn.softmax(logits), target(logits, label)
        return (p * q.sum(-1, keepdims=True) - q) / len(logits)

    return Loss(value, slope)


def rate_error(correct: float = 1.0, others: float = 0.0) -> Loss:
    """Mean squared error of firing rates: `correct` for the label's neuron, `others` else.

    Rates are spikes per step, as from `spike_count(mean=True)`.
    """

    def target(rates, label):
        hot = jax.nn.one_hot(label, rates.shape[-1], dtype=rates.dtype)
        return others + (correct - others) * hot

    def value(rates, label):
        return ((rates - target(rates, label)) ** 2).mean()

    def slope(rates, label):
        return 2 * (rates - target(rates, label)) / rates.size

    return Loss(value, slope)


CASES = {
    "cross_entropy": Case(cross_entropy),
    "cross_entropy, smoothed": Case(lambda: cross_entropy(0.1)),
    "rate_error": Case(lambda: rate_error(0.9, 0.1)),
}
