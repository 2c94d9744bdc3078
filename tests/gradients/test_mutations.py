"""Mistakes planted in each hand-derived rule: `check` finds every one of them."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import Layer, parallel, residual, serial
from jaxdigits.gradients import check, check_loss
from jaxdigits.layers import (
    Statistics,
    average_pool,
    batch_norm,
    conv2d,
    dense,
    dropout,
    flatten,
    gelu,
    group_norm,
    layer_norm,
    max_pool,
    relu,
    standardise,
    tanh,
)
from jaxdigits.losses import cross_entropy, rate_error
from jaxdigits.spikes import direct, fast_sigmoid, leaky_readout, lif, rate, spike_count

B, T = 4, 7
IMAGE, VECTOR, CURRENT = (B, 7, 6, 4), (B, 5), (T, B, 5)
KEYS = jax.random.split(jax.random.key(1), B)
pytestmark = pytest.mark.usefixtures("quick_compile")


class Planted(NamedTuple):
    """A layer, the shape of its input, and a backward with a mistake in it."""

    layer: Layer
    shape: tuple[int, ...]
    broken: Callable


def giving(layer, shape, change):
    """The mistake is in what comes out: change(grads, x_bar)."""
    return Planted(layer, shape, lambda *a: change(*layer.backward(*a)))


def taking(layer, shape, change):
    """The mistake is in what goes in: change(params, residual, y_bar)."""
    return Planted(layer, shape, lambda *a: layer.backward(*change(*a)))


def only_x(layer, shape, change):
    """As `taking`, but the gradient of the params stays right."""
    backward = lambda *a: (layer.backward(*a)[0], layer.backward(*change(*a))[1])
    return Planted(layer, shape, backward)


neurons = partial(lif, decay=0.9, threshold=0.75)
LEARN = dict(learn=("decay", "threshold"))
DENSE, STRIDED, LIF, LEARNED = dense(5), conv2d(4, 3, stride=2), neurons(), neurons(**LEARN)
TWO, SKIP, BATCH = serial(DENSE, DENSE), residual(tanh()), batch_norm()
MEAN = leaky_readout(0.9)
DROP, POOL, DENSES = dropout(0.5), average_pool(), parallel({"a": dense(2), "b": dense(3)})
REMEMBERED = batch_norm(Statistics(jnp.zeros(4), jnp.ones(4)))

PLANTED = {
    "dense: sign": giving(DENSE, VECTOR, lambda g, x: (g, -x)),
    "dense: weight not transposed": only_x(
        DENSE, VECTOR, lambda p, x, y: (p | {"weight": p["weight"].T}, x, y)),
    "dense: bias averaged": giving(
        DENSE, VECTOR, lambda g, x: (g | {"bias": g["bias"] / B}, x)),
    "dense: first example only": taking(
        DENSE, VECTOR, lambda p, x, y: (p, x, y * (jnp.arange(B) == 0)[:, None])),
    "conv2d: stride ignored": Planted(STRIDED, IMAGE, conv2d(4, 3).backward),
    "conv2d: padding of VALID": Planted(
        STRIDED, IMAGE, conv2d(4, 3, stride=2, padding="VALID").backward),
    "conv2d: kernel not flipped": only_x(
        STRIDED, IMAGE, lambda p, x, y: (p | {"weight": p["weight"][::-1, ::-1]}, x, y)),
    "conv2d: a row too low": giving(STRIDED, IMAGE, lambda g, x: (g, jnp.roll(x, 1, 1))),
    "conv2d: channels not exchanged": only_x(
        STRIDED, IMAGE, lambda p, x, y: (p | {"weight": p["weight"].swapaxes(2, 3)}, x, y)),
    "max_pool: to the whole window": Planted(
        max_pool(), IMAGE, lambda p, kept, y: POOL.backward(p, kept[1], 4 * y)),
    "average_pool: 1/k² forgotten": taking(POOL, IMAGE, lambda p, kept, y: (p, kept, 4 * y)),
    "gelu: slope of relu": Planted(gelu(), VECTOR, relu().backward),
    "tanh: slope at x": Planted(tanh(), VECTOR, lambda p, x, y: ((), (1 - x**2) * y)),
    "dropout: mask not applied": Planted(DROP, VECTOR, lambda p, mask, y: ((), 2 * y)),
    "dropout: not scaled": giving(DROP, VECTOR, lambda g, x: (g, x / 2)),
    "batch_norm: statistics held": Planted(BATCH, IMAGE, REMEMBERED.backward),
    "batch_norm: Σ g x̂ forgotten": only_x(
        BATCH, IMAGE, lambda p, kept, y: (p, kept._replace(x_hat=0 * kept.x_hat), y)),
    "batch_norm, remembered: as in training": Planted(REMEMBERED, IMAGE, BATCH.backward),
    "layer_norm: scale forgotten": only_x(
        layer_norm(3), IMAGE, lambda p, kept, y: ({"scale": 1.0}, kept, y)),
    "group_norm: Σ ȳ over one image": giving(
        group_norm(2), IMAGE, lambda g, x: (jax.tree.map(lambda a: a / B, g), x)),
    "standardise: 1/s forgotten": giving(
        standardise(0.5, 0.25), VECTOR, lambda g, x: (g, x / 4)),
    "flatten: columns first": Planted(
        flatten(3), IMAGE, lambda p, _, y: ((), y.reshape(B, 6, 7, 4).swapaxes(1, 2))),
    "rate: mean over the steps": giving(rate(T), VECTOR, lambda g, x: (g, x / T)),
    "direct: last step only": Planted(direct(T), VECTOR, lambda p, _, s: ((), s[-1])),
    "lif: reset term missing": Planted(
        neurons(differentiate_reset=True), CURRENT, LIF.backward),
    "lif: reset not held": Planted(LIF, CURRENT, neurons(differentiate_reset=True).backward),
    "lif: the other reset": Planted(LIF, CURRENT, neurons(reset="zero").backward),
    "lif, zero: the other reset": Planted(neurons(reset="zero"), CURRENT, LIF.backward),
    "lif: slope of another scale": Planted(LIF, CURRENT, neurons(fast_sigmoid(20.0)).backward),
    "lif: leak applied twice": Planted(LIF, CURRENT, neurons(decay=0.81).backward),
    "lif: off by one in time": taking(
        LIF, CURRENT, lambda p, kept, s: (p, kept, jnp.roll(s, 1, 0))),
    "lif: potential after reset": taking(
        LIF, CURRENT, lambda p, kept, s: (p, kept._replace(v=kept.v - 0.75 * kept.spikes), s)),
    "lif, learned: β(1 − β) forgotten": giving(
        LEARNED, CURRENT, lambda g, x: (g | {"decay": g["decay"] / 0.09}, x)),
    "lif, learned: sign of ∂L/∂θ": giving(
        LEARNED, CURRENT, lambda g, x: (g | {"threshold": -g["threshold"]}, x)),
    "lif, learned: θ of the reset missing": taking(
        LEARNED, CURRENT, lambda p, kept, s: (p, kept._replace(spikes=0 * kept.spikes), s)),
    "leaky_readout: mean without 1/T": taking(
        MEAN, CURRENT, lambda p, u, y: (p, u, T * y)),
    "leaky_readout: leak forgotten": Planted(MEAN, CURRENT, leaky_readout(0.0).backward),
    "leaky_readout: last for max": Planted(
        leaky_readout(0.9, reduce="max"), CURRENT, leaky_readout(0.9, reduce="last").backward),
    "spike_count: sum for mean": Planted(
        spike_count(mean=True), CURRENT, spike_count().backward),
    "residual: skip forgotten": Planted(SKIP, VECTOR, tanh().backward),
    "serial: grads in the wrong order": giving(TWO, VECTOR, lambda g, x: (g[::-1], x)),
    "parallel: one branch forgotten": only_x(
        DENSES, VECTOR, lambda p, kept, y: (p, kept, y.at[:, 2:].set(0))),
    "parallel: slices exchanged": taking(
        DENSES, VECTOR, lambda p, kept, y: (p, kept, jnp.roll(y, 2, -1))),
}  # fmt: skip

LOSS, SMOOTHED, RATES = cross_entropy(), cross_entropy(0.1), rate_error(0.75, 0.25)
PLANTED_LOSSES = {
    "mean over the batch forgotten": (LOSS, lambda z, label: B * LOSS.slope(z, label)),
    "softmax forgotten": (LOSS, lambda z, label: (z - jax.nn.one_hot(label, 5)) / B),
    "smoothing forgotten": (SMOOTHED, LOSS.slope),
    "mean over the classes forgotten": (RATES, lambda z, label: 5 * RATES.slope(z, label)),
    "targets forgotten": (RATES, rate_error().slope),
    "factor 2 forgotten": (RATES, lambda z, label: RATES.slope(z, label) / 2),
}


def checked(layer, shape):
    params, _ = layer.init(jax.random.key(0), shape[-3:] if len(shape) == 4 else shape[-1:])
    rng = np.random.default_rng(0)
    # Away from the zeros and ones that they start with, under which mistakes can hide.
    params = jax.tree.map(lambda p: p + 0.3 * rng.standard_normal(p.shape), params)
    return check(layer, params, rng.normal(0.4, 0.8, shape), KEYS)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_mistake_is_found(name):
    layer, shape, broken = PLANTED[name]
    report = checked(layer._replace(backward=broken), shape)
    assert not report.ok
    assert report.error > 1e-3
    assert f"{report.worst} differs by" in report.reason


SOUND = {name.split(":")[0]: planted for name, planted in PLANTED.items()}


@pytest.mark.parametrize("name", SOUND)
def test_the_layer_without_it_is_sound(name):
    layer, shape, _ = SOUND[name]
    report = checked(layer, shape)
    assert report.ok, report.reason
    assert report.error <= 1e-10


@pytest.mark.parametrize("name", PLANTED_LOSSES)
def test_a_mistake_in_the_slope_of_a_loss_is_found(name):
    loss, broken = PLANTED_LOSSES[name]
    logits, label = jax.random.normal(jax.random.key(0), (B, 5)), jnp.arange(B)
    assert check_loss(loss, logits, label).ok
    report = check_loss(loss._replace(slope=broken), logits, label)
    assert not report.ok
    assert "logits differs by" in report.reason
