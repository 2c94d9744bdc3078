"""Encoders: images [B, ...] as spikes or currents over time [T, B, ...].

    rate      sₜ = 1 with probability x, drawn for each step   E[s̄ₜ ∂sₜ/∂x] = s̄ₜ
    direct    iₜ = x at every step                             x̄ = Σₜ ı̄ₜ
    bernoulli the rate code of a signal xₜ, once at each step
    latency   one spike, at step round((1 − x)(T − 1))         x̄ = 0: a step function of x

The rate code's spikes have no derivative, but their mean is x, so x̄ = Σₜ s̄ₜ is the gradient
of the expected code; `backward` and `jax.grad` both take it.  An image in uint8 has no
gradient: `backward` returns None for it.
"""

import math

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits import checks
from jaxdigits.about import constructor
from jaxdigits.case import STEPS, Case
from jaxdigits.keys import draw_bytes, draw_unit, per_example, require_key
from jaxdigits.layer import Layer, Static, to_unit, without_params
from jaxdigits.layers import dense


@constructor
def rate(steps: int) -> Layer:
    """Bernoulli spikes: x [B, ...] uint8, or float in [0, 1] -> 0 or 1 [steps, B, ...].

    A uint8 pixel x is compared with 8 random bits, four pixels to a 32-bit word (some 20 times
    faster than `jax.random.bernoulli` on a CPU): it fires with probability x / 256, 255 always,
    0 never.  A float fires with probability x, to the resolution of a `jax.random.uniform` of
    its dtype; beyond [0, 1] it acts as 0 or 1.

    An example's spikes are a pure function of (its key, step): neither the batch nor the
    number of steps changes them.

    Raises:
      ValueError: unless steps >= 1; in `forward`, without a key or for another dtype.
    """
    checks.at_least(1, steps=steps)
    backward = lambda integer, s_bar: None if integer.value else s_bar.sum(0)

    def forward(x, key):
        key = require_key(key, "rate coding")
        if x.dtype == jnp.uint8:
            return _spikes_of_bytes(x, key, steps), Static(True)
        mean = jnp.broadcast_to(to_unit(x), (steps, *x.shape))
        return _spikes_of_mean(mean, key), Static(False)

    return without_params(forward, backward)


@constructor
def bernoulli() -> Layer:
    """Spikes with each step's own probability: x [T, B, ...] floats -> 0 or 1 [T, B, ...].

    Beyond [0, 1] a probability acts as 0 or 1.  An example's spikes are a pure function of its
    key and the step; the gradient is for the expected code, as for `rate`.

    Raises:
      ValueError: in `forward`, without a key or for an x that is not floats.
    """

    def forward(x, key):
        checks.floats(x, "bernoulli")
        return _spikes_of_mean(x, require_key(key, "bernoulli")), ()

    return without_params(forward, lambda _, s_bar: s_bar)


@constructor
def direct(steps: int) -> Layer:
    """The value as a current at each step: x [B, ...] -> [steps, B, ...].

    A uint8 x is divided by 255; floats are taken as they are, of any size or sign.

    Raises:
      ValueError: unless steps >= 1; in `forward`, for another dtype.
    """
    checks.at_least(1, steps=steps)
    backward = lambda integer, i_bar: None if integer.value else i_bar.sum(0)

    def forward(x, key):
        return jnp.broadcast_to(to_unit(x), (steps, *x.shape)), Static(x.dtype == jnp.uint8)

    return without_params(forward, backward)


@constructor
def at_each_step(layer: Layer, steps: int) -> Layer:
    """`layer` once, and its output at each step: x [B, ...] -> y [steps, B, ...].

    It equals `direct(steps)` and then `layer`, if the layer has no random numbers, but computes
    the layer once instead of `steps` times.

    Raises:
      ValueError: unless steps >= 1.
    """
    checks.at_least(1, steps=steps)

    def forward(params, x, key=None):
        y, residual = layer.forward(params, x, key)
        return jnp.broadcast_to(y, (steps, *y.shape)), residual

    def backward(params, residual, y_bar):
        return layer.backward(params, residual, y_bar.sum(0))

    return Layer(layer.init, forward, backward)


@constructor
def latency(steps: int) -> Layer:
    """One spike per pixel, brighter is earlier: x [B, ...] -> 0 or 1 [steps, B, ...].

    White fires at step 0, the darkest grey at the last step, and black (0) never.  x is uint8,
    or float in [0, 1]; floats beyond it act as 0 or 1.

    Raises:
      ValueError: unless steps >= 1; in `forward`, for another dtype.
    """
    checks.at_least(1, steps=steps)
    backward = lambda integer, s_bar: None if integer.value else jnp.zeros_like(s_bar[0])

    def forward(x, key):
        if x.dtype == jnp.uint8:  # whole numbers, so the same step on every device
            when = ((255 - x.astype(jnp.int32)) * (steps - 1) + 127) // 255
        else:
            when = jnp.round((1 - jnp.clip(to_unit(x), 0, 1)) * (steps - 1)).astype(jnp.int32)
        step = jnp.arange(steps).reshape(-1, *[1] * x.ndim)
        dtype = jnp.result_type(float) if x.dtype == jnp.uint8 else x.dtype
        return ((step == when[None]) & (x > 0)[None]).astype(dtype), Static(
            x.dtype == jnp.uint8
        )

    return without_params(forward, backward)


def _spikes_of_bytes(x: Array, key: Array, steps: int) -> Array:
    batch = x.shape[0]  # a symbol, where a program is exported for any batch
    pixels = x.reshape(batch, math.prod(x.shape[1:]))
    draw = draw_bytes(key, batch, (steps, pixels.shape[1]), axis=1)
    spikes = (draw < pixels[None]) | (pixels == 255)[None]
    return spikes.astype(jnp.result_type(float)).reshape(steps, *x.shape)


def _spikes_of_mean(mean: Array, key: Array) -> Array:
    """Draw spikes of a mean [T, B, ...], whose derivative, for JAX too, is the mean's."""
    steps, batch, *features = mean.shape
    if mean.dtype == jnp.float32:
        u = draw_unit(key, batch, (steps, math.prod(features)), axis=1).reshape(mean.shape)
    else:
        draw = lambda key: jax.random.uniform(key, (steps, *features), mean.dtype)
        u = jax.vmap(draw, out_axes=1)(per_example(key, batch))
    spikes = (u < mean).astype(mean.dtype)
    return spikes + (mean - jax.lax.stop_gradient(mean))  # adds an exact zero


ENCODERS = {"rate": rate, "direct": direct, "latency": latency}
CASES = {
    "rate of floats": Case(lambda: rate(STEPS), (9,), "grey"),
    "bernoulli": Case(bernoulli, (5,), "current"),
    "direct": Case(lambda: direct(STEPS), (9,), "grey"),
    "at_each_step": Case(lambda: at_each_step(dense(4), STEPS), (9,)),
    "latency": Case(lambda: latency(STEPS), (9,), "grey"),
}
