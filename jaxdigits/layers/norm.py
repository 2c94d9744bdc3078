"""Normalisation, differentiated by hand.

All of them subtract a mean and divide by a standard deviation over some set S of m inputs, then
scale and shift each channel:

    μ = Σ_S x / m      σ² = Σ_S (x − μ)² / m + ε      x̂ = (x − μ) / σ      y = γ x̂ + β

    batch norm [1]    S: all examples (and steps, rows, columns) of one channel
    layer norm [2]    S: all features of one example
    group norm [3]    S: a group of channels of one example, over its rows and columns
    image norm        S: all pixels of one image; without γ and β

An x of S reaches L by its own x̂ and, through μ and σ, by all the others.  With g = γ ȳ,
∂x̂ⱼ/∂xᵢ = (δᵢⱼ − 1/m − x̂ᵢ x̂ⱼ / m) / σ, hence

    x̄ = (g − Σ_S g / m − x̂ Σ_S g x̂ / m) / σ         γ̄ = Σ ȳ x̂         β̄ = Σ ȳ

With statistics from training, μ and σ are constants, and x̄ = g / σ.

[1] Ioffe & Szegedy, ICML 2015, arXiv:1502.03167.  [2] Ba, Kiros & Hinton 2016,
arXiv:1607.06450.  [3] Wu & He, ECCV 2018, arXiv:1803.08494.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits import checks
from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.layer import (
    Layer,
    Residual,
    Static,
    nodes_of,
    serial,
    spread,
    to_unit,
    without_params,
)
from jaxdigits.layers.dense import dense
from jaxdigits.layers.reshape import flatten

EPSILON = 1e-5  # in units of variance; as in [1] and most libraries


class Statistics(NamedTuple):
    """The mean and variance of a batch norm, for evaluation."""

    mean: Array
    """[C]"""
    variance: Array
    """[C], biased (divided by m), without ε"""


class BatchNormResidual(NamedTuple):
    """The residual of a batch norm: x̂, σ and the batch's own statistics."""

    x_hat: Array
    sigma: Array
    statistics: Statistics

    message = "batch statistics"


@constructor
def batch_norm(statistics: Statistics | None = None, *, epsilon: float = EPSILON) -> Layer:
    """Batch norm: x [..., C], each channel standardised.  Params: scale [C], shift [C].

    Without `statistics`, for training, it takes the batch's own, over all leading axes (time
    too).  With them, for evaluation, an example's output does not depend on its batch.
    `jaxdigits.train.gather_statistics` collects them.

    Raises:
      ValueError: unless epsilon > 0.
    """
    checks.positive(epsilon=epsilon)

    def forward(params, x, key=None):
        axes = tuple(range(x.ndim - 1))
        mean, variance = statistics or Statistics(x.mean(axes), x.var(axes))
        sigma = jnp.sqrt(variance + epsilon)
        x_hat = (x - spread(mean, x)) / spread(sigma, x)
        residual = BatchNormResidual(x_hat, sigma, Statistics(mean, variance))
        return _scaled(params, x_hat), residual

    def backward(params, residual, y_bar):
        x_hat, sigma, _ = residual
        scale, sigma = spread(params["scale"], y_bar), spread(sigma, y_bar)
        g = scale * y_bar
        axes = tuple(range(g.ndim - 1))
        x_bar = g / sigma if statistics else _x_bar(g, x_hat, sigma, axes)
        return _scale_and_shift_bar(x_hat, y_bar), x_bar

    return Layer(_init, forward, backward)


@constructor
def layer_norm(axes: int = 1, *, epsilon: float = EPSILON) -> Layer:
    """Layer norm over the last `axes` axes: 1 for x [..., n], 3 for [..., H, W, C].

    Params: scale [C] and shift [C], for each channel (the last axis).

    Raises:
      ValueError: unless axes >= 1 and epsilon > 0; in `init`, for fewer feature axes, or
        for a single feature.
    """
    return group_norm(1, axes, epsilon=epsilon)


@constructor
def group_norm(groups: int, axes: int = 3, *, epsilon: float = EPSILON) -> Layer:
    """Group norm: each of `groups` groups of channels, over the last `axes` axes.

    Params: scale [C] and shift [C].  The residual is (x̂, σ).

    Raises:
      ValueError: unless groups, axes >= 1 and epsilon > 0; in `init`, for fewer feature
        axes, if the channels do not divide into the groups, or for groups of one feature.
    """
    checks.positive(epsilon=epsilon)
    checks.at_least(1, groups=groups, axes=axes)

    def init(key, shape):
        if len(shape) != axes:
            raise ValueError(f"this norm takes {axes} feature axes, got {shape}")
        if shape[-1] % groups:
            raise ValueError(f"{shape[-1]} channels do not divide into {groups} groups")
        if math.prod(shape) == groups:
            groups_of = f"{shape} in {groups} groups: take fewer"
            raise ValueError(f"a group of one feature is its own mean, {groups_of}")
        return _init(key, shape)

    grouped = lambda x: x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups)
    over = (-1, *range(-1 - axes, -2))  # within a group, and the rows and columns

    def forward(params, x, key=None):
        g = grouped(x)
        mean, variance = g.mean(over, keepdims=True), g.var(over, keepdims=True)
        sigma = jnp.sqrt(variance + epsilon)
        x_hat = ((g - mean) / sigma).reshape(x.shape)
        return _scaled(params, x_hat), (x_hat, sigma)

    def backward(params, residual, y_bar):
        x_hat, sigma = residual
        scale = spread(params["scale"], y_bar)
        x_bar = _x_bar(grouped(scale * y_bar), grouped(x_hat), sigma, over)
        return _scale_and_shift_bar(x_hat, y_bar), x_bar.reshape(y_bar.shape)

    return Layer(init, forward, backward)


@constructor
def image_norm(axes: int = 2, *, epsilon: float = EPSILON) -> Layer:
    """Image norm: [..., H, W], uint8 or float -> mean 0 and deviation 1, over `axes` axes.

    It has no params, and makes a digit the same in bright light and in dim.  An image in uint8
    has no gradient: `backward` returns None for it.

    Raises:
      ValueError: unless axes >= 1 and epsilon > 0; in `init`, for fewer feature axes.
    """
    checks.positive(epsilon=epsilon)
    checks.at_least(1, axes=axes)
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

    def backward(residual, y_bar):
        x_hat, sigma, integer = residual
        return None if integer.value else _x_bar(y_bar, x_hat, sigma, over)

    return without_params(forward, backward, shape)


def batch_statistics(residual: Residual) -> tuple[Statistics, ...]:
    """Return the statistics of every batch norm in a network's residual, in its order."""
    nodes = nodes_of(residual, lambda node: isinstance(node, BatchNormResidual))
    return tuple(node.statistics for node in nodes)


def _init(key, shape):
    return {"scale": jnp.ones(shape[-1]), "shift": jnp.zeros(shape[-1])}, shape


def _scaled(params, x_hat):
    return spread(params["scale"], x_hat) * x_hat + spread(params["shift"], x_hat)


def _x_bar(g, x_hat, sigma, axes):
    mean = lambda a: a.mean(axes, keepdims=True)
    return (g - mean(g) - x_hat * mean(g * x_hat)) / sigma


def _scale_and_shift_bar(x_hat, y_bar):
    leading = tuple(range(y_bar.ndim - 1))
    return {"scale": (y_bar * x_hat).sum(leading), "shift": y_bar.sum(leading)}


def _noisy(norm: Layer) -> Layer:
    """`norm` whose params do not start at one and zero."""

    def init(key, shape):
        params, shape = norm.init(key, shape)
        noise = jax.random.normal(key, (len(params), *jnp.shape(params["scale"])))
        return {k: v + n for (k, v), n in zip(params.items(), noise, strict=True)}, shape

    return norm._replace(init=init)


def _evaluated() -> Layer:
    mean, variance = jnp.array([0.5, -0.5, 0.0, 1.0]), jnp.array([0.5, 1.0, 2.0, 4.0])
    return _noisy(batch_norm(Statistics(mean, variance)))


_IMAGE = (7, 6, 4)
CASES = {
    "layer_norm": Case(lambda: _noisy(layer_norm()), (9,)),
    "layer_norm of images": Case(lambda: _noisy(layer_norm(3)), _IMAGE),
    "group_norm": Case(lambda: _noisy(group_norm(2)), _IMAGE),
    "group_norm over time": Case(lambda: _noisy(group_norm(2)), _IMAGE, "current"),
    "batch_norm": Case(lambda: _noisy(batch_norm()), _IMAGE),
    "batch_norm through time": Case(lambda: _noisy(batch_norm()), (9,), "current"),
    "batch_norm, remembered": Case(_evaluated, _IMAGE),
    "image_norm": Case(image_norm, (5, 4), "grey"),
    "image_norm of pixels": Case(
        lambda: serial(image_norm(), flatten(), dense(3)), (5, 4), "pixels"
    ),
    "image_norm of channels": Case(lambda: image_norm(3), _IMAGE),
}
