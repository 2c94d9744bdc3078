"""Normalisation, differentiated by hand.

All of them subtract a mean and divide by a standard deviation taken over some set S of m
inputs, then scale and shift each channel:

    μ = Σ_S x / m      σ² = Σ_S (x − μ)² / m + ε      x̂ = (x − μ) / σ      y = γ x̂ + β

    batch norm [1]    S: all examples (and steps, rows, columns) of one channel
    layer norm [2]    S: all features of one example
    group norm [3]    S: a group of channels of one example, over its rows and columns
    image norm        S: all pixels of one image; without γ and β

An x of S reaches L by its own x̂ and, through μ and σ, by all the others.  With g = γ ȳ,
∂x̂ⱼ/∂xᵢ = (δᵢⱼ − 1/m − x̂ᵢ x̂ⱼ / m) / σ, hence

    x̄ = (g − Σ_S g / m − x̂ Σ_S g x̂ / m) / σ         γ̄ = Σ ȳ x̂         β̄ = Σ ȳ

With statistics that were remembered, μ and σ are constants, and x̄ = g / σ.

[1] Ioffe & Szegedy, ICML 2015, arXiv:1502.03167.  [2] Ba, Kiros & Hinton 2016,
arXiv:1607.06450.  [3] Wu & He, ECCV 2018, arXiv:1803.08494.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.layer import Layer, Static, to_unit, without_params

EPSILON = 1e-5  # in units of variance; what [1] and most libraries take


class Statistics(NamedTuple):
    """What a batch norm remembers for evaluation."""

    mean: Array
    """[C]"""
    variance: Array
    """[C], biased (divided by m), without ε"""


class BatchNormResidual(NamedTuple):
    """What a batch norm keeps of a batch: x̂, σ and the batch's own statistics."""

    x_hat: Array
    sigma: Array
    statistics: Statistics

    read_later = "batch statistics"


@constructor
def batch_norm(statistics: Statistics | None = None, *, epsilon: float = EPSILON) -> Layer:
    """x [..., C] -> [..., C], each channel standardised.  Params: scale [C], shift [C].

    Without `statistics`, for training: by the batch's own, over all leading axes (through
    time too).  With them, for evaluation: by those, so that an example's output does not
    depend on its batch.  `jaxdigits.train.gather_statistics` collects them.

    Raises:
      ValueError: unless epsilon > 0.
    """
    _require_positive(epsilon)

    def forward(params, x, key=None):
        axes = tuple(range(x.ndim - 1))
        mean, variance = statistics or Statistics(x.mean(axes), x.var(axes))
        sigma = jnp.sqrt(variance + epsilon)
        x_hat = (x - mean) / sigma
        kept = BatchNormResidual(x_hat, sigma, Statistics(mean, variance))
        return params["scale"] * x_hat + params["shift"], kept

    def backward(params, kept, y_bar):
        g = params["scale"] * y_bar
        axes = tuple(range(g.ndim - 1))
        x_bar = g / kept.sigma if statistics else _x_bar(g, kept.x_hat, kept.sigma, axes)
        return _scale_and_shift_bar(kept.x_hat, y_bar), x_bar

    return Layer(_init, forward, backward)


@constructor
def layer_norm(axes: int = 1, *, epsilon: float = EPSILON) -> Layer:
    """x -> x standardised over its last `axes` axes: 1 for [..., n], 3 for [..., H, W, C].

    Params: scale [C] and shift [C], one per channel (the last axis).

    Raises:
      ValueError: unless axes >= 1 and epsilon > 0; in `init`, for fewer feature axes, or
        for a single feature.
    """
    return group_norm(1, axes, epsilon=epsilon)


@constructor
def group_norm(groups: int, axes: int = 3, *, epsilon: float = EPSILON) -> Layer:
    """x -> each of `groups` groups of channels standardised over the last `axes` axes.

    Params: scale [C] and shift [C].  The residual is (x̂, σ).

    Raises:
      ValueError: unless groups, axes >= 1 and epsilon > 0; in `init`, for fewer feature
        axes, if the channels do not divide into the groups, or for groups of one feature.
    """
    _require_positive(epsilon)
    if groups < 1 or axes < 1:
        raise ValueError(f"groups and axes must be >= 1, got {groups} and {axes}")

    def init(key, shape):
        if len(shape) != axes:
            raise ValueError(f"this norm takes {axes} feature axes, got {shape}")
        if shape[-1] % groups:
            raise ValueError(f"{shape[-1]} channels do not divide into {groups} groups")
        if math.prod(shape) == groups:
            raise ValueError(
                f"a group of one feature is its own mean, and its norm the shift alone: {shape}"
                f" in {groups} groups wants more features, or fewer groups"
            )
        return _init(key, shape)

    grouped = lambda x: x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups)
    over = (-1, *range(-1 - axes, -2))  # within a group, and the rows and columns

    def forward(params, x, key=None):
        parts = grouped(x)
        mean, variance = parts.mean(over, keepdims=True), parts.var(over, keepdims=True)
        sigma = jnp.sqrt(variance + epsilon)
        x_hat = ((parts - mean) / sigma).reshape(x.shape)
        return params["scale"] * x_hat + params["shift"], (x_hat, sigma)

    def backward(params, kept, y_bar):
        x_hat, sigma = kept
        x_bar = _x_bar(grouped(params["scale"] * y_bar), grouped(x_hat), sigma, over)
        return _scale_and_shift_bar(x_hat, y_bar), x_bar.reshape(y_bar.shape)

    return Layer(init, forward, backward)


@constructor
def image_norm(axes: int = 2, *, epsilon: float = EPSILON) -> Layer:
    """Images [..., H, W], uint8 or float -> each with mean 0 and deviation 1, over `axes` axes.

    It has no params, and makes a digit the same in bright light and in dim.  An image in uint8
    has no gradient: `backward` gives None for it.

    Raises:
      ValueError: unless axes >= 1 and epsilon > 0; in `init`, for fewer feature axes.
    """
    _require_positive(epsilon)
    if axes < 1:
        raise ValueError(f"axes must be >= 1, got {axes}")
    over = tuple(range(-axes, 0))

    def shape(features):
        if len(features) < axes:
            raise ValueError(f"this norm takes {axes} feature axes, got {features}")
        return features

    def forward(x, key):
        integer, x = jnp.issubdtype(x.dtype, jnp.integer), to_unit(x)
        sigma = jnp.sqrt(x.var(over, keepdims=True) + epsilon)
        x_hat = (x - x.mean(over, keepdims=True)) / sigma
        return x_hat, (x_hat, sigma, Static(integer))

    def backward(kept, y_bar):
        x_hat, sigma, integer = kept
        return None if integer.value else _x_bar(y_bar, x_hat, sigma, over)

    return without_params(forward, backward, shape)


def batch_statistics(residual: Any) -> tuple[Statistics, ...]:
    """The statistics of every batch norm in a network's residual, in the network's order."""
    is_norm = lambda node: isinstance(node, BatchNormResidual)
    nodes = jax.tree.leaves(residual, is_leaf=is_norm)
    return tuple(node.statistics for node in nodes if is_norm(node))


def _init(key, shape):
    return {"scale": jnp.ones(shape[-1]), "shift": jnp.zeros(shape[-1])}, shape


def _x_bar(g, x_hat, sigma, axes):
    mean = lambda a: a.mean(axes, keepdims=True)
    return (g - mean(g) - x_hat * mean(g * x_hat)) / sigma


def _scale_and_shift_bar(x_hat, y_bar):
    leading = tuple(range(y_bar.ndim - 1))
    return {"scale": (y_bar * x_hat).sum(leading), "shift": y_bar.sum(leading)}


def _require_positive(epsilon: float) -> None:
    if not epsilon > 0:
        raise ValueError(f"epsilon must be > 0, got {epsilon}")


def _moved(norm: Layer) -> Layer:
    """`norm` with params that are not its initial ones and zeros."""

    def init(key, shape):
        params, shape = norm.init(key, shape)
        noise = jax.random.normal(key, (len(params), *jnp.shape(params["scale"])))
        return {k: v + n for (k, v), n in zip(params.items(), noise, strict=True)}, shape

    return norm._replace(init=init)


def _remembered() -> Statistics:
    return Statistics(jnp.array([0.5, -0.5, 0.0, 1.0]), jnp.array([0.5, 1.0, 2.0, 4.0]))


_IMAGE = (7, 6, 4)
CASES = {
    "layer_norm": Case(lambda: _moved(layer_norm()), (9,)),
    "layer_norm of images": Case(lambda: _moved(layer_norm(3)), _IMAGE),
    "group_norm": Case(lambda: _moved(group_norm(2)), _IMAGE),
    "group_norm over time": Case(lambda: _moved(group_norm(2)), _IMAGE, "current"),
    "batch_norm": Case(lambda: _moved(batch_norm()), _IMAGE),
    "batch_norm through time": Case(lambda: _moved(batch_norm()), (9,), "current"),
    "batch_norm, remembered": Case(lambda: _moved(batch_norm(_remembered())), _IMAGE),
    "image_norm": Case(image_norm, (5, 4), "grey"),
    "image_norm of pixels": Case(image_norm, (5, 4), "pixels"),
    "image_norm of channels": Case(lambda: image_norm(3), _IMAGE),
}
