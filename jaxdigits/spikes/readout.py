"""Readouts: logits from output currents or spikes, differentiated by hand.

A leaky readout integrates currents without firing.  From rest (u₀ = 0), for t = 1..T:

    uₜ = β uₜ₋₁ + iₜ           y = Σₜ uₜ / T   |   maxₜ uₜ   |   u_T

uₜ reaches L through y, by gₜ = ∂y/∂uₜ · ȳ (ȳ / T at every step | ȳ at the first maximum |
ȳ at T), and through uₜ₊₁.  So with λₜ = dL/duₜ, for t = T..1 and λ = 0 beyond T:

    λₜ = β λₜ₊₁ + gₜ           ∂L/∂iₜ = λₜ

A spike count is y = Σₜ sₜ (or its mean), so ∂L/∂sₜ = ȳ (or ȳ / T).
"""

from functools import partial
from typing import Literal

import jax.numpy as jnp
import numpy as np

from jaxdigits import checks
from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.fast.scan import elementwise_scan
from jaxdigits.layer import Layer, Static, serial, spread, without_params
from jaxdigits.options import require_name
from jaxdigits.spikes.lif import lif


@constructor
def leaky_readout(
    decay: float = 0.95, *, reduce: Literal["mean", "max", "last"] = "mean"
) -> Layer:
    """Currents [T, ..., n] -> logits [..., n]: the membrane's mean, maximum or last value.

    The residual is the membrane potential u [T, ..., n].

    Raises:
      ValueError: unless 0 <= decay <= 1 and `reduce` is one of the three.
    """
    if checks.known(decay) and not 0 <= decay <= 1:
        raise ValueError(f"decay must be in [0, 1], got {decay}")
    require_name("reduce", tuple(READOUTS), reduce)

    # uₜ = β uₜ₋₁ + iₜ and λₜ = β λₜ₊₁ + gₜ are one step.  A traced β is one of its arguments.
    def leak(traced, before, source):
        after = traced.get("decay", decay) * before + source
        return after, after

    def traced(dtype):
        return {} if checks.known(decay) else {"decay": jnp.asarray(decay, dtype)}

    def forward(current, key):
        k = traced(current.dtype)
        u_T, u = elementwise_scan(leak, k, jnp.zeros_like(current[0]), current)
        if reduce == "max":
            first = jnp.argmax(u, 0, keepdims=True)
            return jnp.take_along_axis(u, first, 0)[0], u
        return u.mean(0) if reduce == "mean" else u_T, u

    def backward(u, y_bar):
        steps = jnp.arange(len(u)).reshape(-1, *[1] * y_bar.ndim)
        if reduce == "mean":
            g = jnp.broadcast_to(y_bar / len(u), u.shape)
        else:
            step = jnp.argmax(u, 0) if reduce == "max" else len(u) - 1
            g = jnp.where(steps == spread(jnp.asarray(step), steps), y_bar[None], 0)
        k = traced(g.dtype)
        return elementwise_scan(leak, k, jnp.zeros_like(y_bar), g, reverse=True)[1]

    return without_params(forward, backward)


@constructor
def spike_count(*, mean: bool = False) -> Layer:
    """Spikes [T, ..., n] -> the number of each neuron's spikes [..., n], or its `mean` rate."""

    def forward(spikes, key):
        return spikes.mean(0) if mean else spikes.sum(0), Static(len(spikes))

    def backward(steps, y_bar):
        share = y_bar / steps.value if mean else y_bar
        return jnp.broadcast_to(share, (steps.value, *y_bar.shape))

    return without_params(forward, backward)


def step_shares(readout: Layer, steps: int) -> np.ndarray | None:
    """Return ∂y/∂iₜ [steps] of a readout that is linear in its currents; None for another.

    Raises:
      ValueError: for a readout with a traced decay.
    """
    about = readout.about
    if about is None:
        return None
    if about.constructor is spike_count:
        return np.full(steps, 1 / steps if about.arguments["mean"] else 1.0)
    if about.constructor is not leaky_readout or about.arguments["reduce"] == "max":
        return None
    decay = about.arguments["decay"]
    checks.static(decay=decay)
    share = decay ** np.arange(steps, dtype=float)
    return (np.cumsum(share) / steps if about.arguments["reduce"] == "mean" else share)[::-1]


READOUTS = {
    "mean": leaky_readout,
    "max": partial(leaky_readout, reduce="max"),
    "last": partial(leaky_readout, reduce="last"),
}
_lif = partial(lif, decay=0.9, threshold=0.75)
CASES = {
    **{
        f"leaky_readout, {name}": Case(partial(make, 0.9), (5,), "current")
        for name, make in READOUTS.items()
    },
    "spike_count": Case(lambda: serial(_lif(), spike_count()), (5,), "current"),
    "spike_count, mean": Case(lambda: serial(_lif(), spike_count(mean=True)), (5,), "current"),
}
