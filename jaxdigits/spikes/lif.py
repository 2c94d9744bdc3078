"""Leaky integrate-and-fire (LIF) neurons, differentiated by hand.

From rest (c₀ = 0), for t = 1..T:

    vₜ = cₜ₋₁ + iₜ                               potential before reset
    sₜ = H(vₜ − θ)                               spike
    cₜ = β vₜ − θ sₜ                             what the next step finds: reset by subtraction
    cₜ = β (1 − sₜ) vₜ                           or reset to zero

(so vₜ = β vₜ₋₁ + iₜ − θ sₜ₋₁: the reset takes effect one step after the spike, unleaked).
H has no useful derivative; h(vₜ − θ) takes its place [1].  Given s̄ₜ = ∂L/∂sₜ we seek
λₜ = dL/dvₜ.  vₜ reaches L through sₜ and through cₜ, and cₜ only through vₜ₊₁, so
dL/dcₜ = λₜ₊₁.  With κ = 1 if the reset is differentiated, 0 if it is held constant [2],
and eₜ = dL/dsₜ, for t = T..1 with λ = 0 beyond T:

    subtraction    eₜ = s̄ₜ − κ θ λₜ₊₁            λₜ = β λₜ₊₁ + h(vₜ − θ) eₜ
    to zero        eₜ = s̄ₜ − κ β vₜ λₜ₊₁         λₜ = β (1 − sₜ) λₜ₊₁ + h(vₜ − θ) eₜ

    ∂L/∂iₜ = λₜ
    ∂L/∂β  = Σₜ λₜ₊₁ vₜ                           (to zero: times 1 − sₜ)
    ∂L/∂θ  = −Σₜ h(vₜ − θ) eₜ − Σₜ λₜ₊₁ sₜ        (to zero: the first sum only)

Learned constants are stored without bounds, as β = 1 / (1 + e^−ρ) and θ = e^φ, so
∂L/∂ρ = β (1 − β) ∂L/∂β and ∂L/∂φ = θ ∂L/∂θ.

Units: v, c, i and θ share one unit of potential; one step lasts dt; β = exp(−dt/τ).

[1] Neftci, Mostafa & Zenke, IEEE Signal Process. Mag. 36(6), 2019, arXiv:1901.09948.
[2] Zenke & Vogels, Neural Comput. 33(4), 2021, doi:10.1162/neco_a_01367.
[3] Fang et al., ICCV 2021, arXiv:2007.05785 (learned decay).
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from jaxdigits.layer import Layer
from jaxdigits.spikes.surrogates import Surrogate, fast_sigmoid, with_slope

LEARNABLE = ("decay", "threshold")


class Traces(NamedTuple):
    """What a layer of spiking neurons leaves behind, for `backward` and for the eye."""

    v: Array
    """[T, ..., n] membrane potential before reset"""
    spikes: Array
    """[T, ..., n] 0 or 1"""


def lif(
    surrogate: Surrogate | None = None,
    *,
    decay: ArrayLike = 0.95,
    threshold: ArrayLike = 1.0,
    reset: Literal["subtract", "zero"] = "subtract",
    differentiate_reset: bool = False,
    learn: Sequence[str] = (),
) -> Layer:
    """Neurons that fire above their threshold: currents [T, ..., n] -> spikes [T, ..., n].

    Args:
      surrogate: slope of the firing function; None is `fast_sigmoid(25)`.
      decay: β, one number or one per neuron [n] (per channel, behind a convolution).
      threshold: θ, one number or one per neuron [n].
      reset: one step after a spike, subtract θ or start from zero.
      differentiate_reset: whether the gradient also flows through the reset (κ = 1).
      learn: which of "decay" and "threshold" are params, one per neuron, starting at the
        given values: {"decay": ρ [n], "threshold": φ [n]}.  The others stay constant.

    The residual is `Traces`.

    Raises:
      ValueError: unless 0 <= decay <= 1 (strictly inside, if learned), threshold > 0, and
        `reset` and `learn` are names from above.
    """
    surrogate = surrogate or fast_sigmoid()
    _check(decay, threshold, reset, learn)
    start = dict(decay=np.asarray(decay), threshold=np.asarray(threshold))
    fire, zero = with_slope(surrogate), reset == "zero"
    held = (lambda s: s) if differentiate_reset else jax.lax.stop_gradient

    def init(key, shape):
        unbounded = dict(decay=lambda b: np.log(b / (1 - b)), threshold=np.log)
        params = {name: unbounded[name](start[name]) for name in learn}
        return {
            k: jnp.broadcast_to(jnp.asarray(p, float), shape[-1:]) for k, p in params.items()
        }, shape

    def constants(params, dtype):
        beta = jax.nn.sigmoid(params["decay"]) if "decay" in learn else start["decay"]
        theta = jnp.exp(params["threshold"]) if "threshold" in learn else start["threshold"]
        return jnp.asarray(beta, dtype), jnp.asarray(theta, dtype)

    def forward(params, current, key):
        beta, theta = constants(params, current.dtype)

        def step(c_tm1, i_t):
            v_t = c_tm1 + i_t
            s_t = held(fire(v_t - theta))
            c_t = beta * (1 - s_t) * v_t if zero else beta * v_t - theta * s_t
            return c_t, v_t

        _, v = jax.lax.scan(step, jnp.zeros_like(current[0]), current)
        # Fired again from v, rather than written by the scan: one array less to store.
        spikes = fire(v - theta)
        return spikes, Traces(v, spikes)

    def backward(params, traces, s_bar):
        beta, theta = constants(params, s_bar.dtype)
        kappa = 1 if differentiate_reset else 0
        leak = lambda v_t: beta * (1 - surrogate.fire(v_t - theta)) if zero else beta

        def step(lam_tp1, xs):
            v_t, s_bar_t = xs
            e_t = s_bar_t - kappa * (beta * v_t if zero else theta) * lam_tp1
            lam_t = leak(v_t) * lam_tp1 + surrogate.slope(v_t - theta) * e_t
            return lam_t, lam_t

        rest = jnp.zeros_like(s_bar[0])
        _, lam = jax.lax.scan(step, rest, (traces.v, s_bar), reverse=True)
        if not learn:
            return {}, lam
        lam_tp1 = jnp.concatenate([lam[1:], rest[None]])
        fired = lam - leak(traces.v) * lam_tp1  # h(vₜ − θ) eₜ
        carried = lam_tp1 * ((1 - traces.spikes) * traces.v if zero else traces.v)
        reset_bar = 0 if zero else lam_tp1 * traces.spikes
        each = lambda a: a.sum(tuple(range(a.ndim - 1)))
        grads = dict(
            decay=beta * (1 - beta) * each(carried), threshold=-theta * each(fired + reset_bar)
        )
        return {k: grads[k] for k in learn}, lam

    return Layer(init, forward, backward)


def traces(residual: Any) -> list[Traces]:
    """The traces of every spiking layer in a network's residual, first layer first."""
    is_traces = lambda node: isinstance(node, Traces)
    return [n for n in jax.tree.leaves(residual, is_leaf=is_traces) if is_traces(n)]


def firing_rates(residual: Any) -> Array:
    """[layers] the mean number of spikes per neuron and step, of every spiking layer."""
    return jnp.array([t.spikes.mean() for t in traces(residual)])


def _check(decay, threshold, reset, learn) -> None:
    if not np.all((np.asarray(decay) >= 0) & (np.asarray(decay) <= 1)):
        raise ValueError(f"decay must be in [0, 1], got {decay}")
    if not np.all(np.asarray(threshold) > 0):
        raise ValueError(f"threshold must be > 0, got {threshold}")
    if reset not in ("subtract", "zero"):
        raise ValueError(f"reset must be 'subtract' or 'zero', got {reset!r}")
    if unknown := [name for name in learn if name not in LEARNABLE]:
        raise ValueError(f"learn takes names from {LEARNABLE}, got {unknown[0]!r}")
    if "decay" in learn and not np.all((np.asarray(decay) > 0) & (np.asarray(decay) < 1)):
        raise ValueError(f"a learned decay must start inside (0, 1), got {decay}")
