"""Layers of event-driven neurons, differentiated by hand: EventProp [1].

The neurons are those of `jaxdigits.spikes.event_neuron`: an input event at t_e adds j_e to the
current; at V = θ a neuron fires, and V := 0.  Between events the state x = (V, I) flows as
x(t + s) = Φ(s) x(t), Φ(s) = [[e^(−s/τm), ψ(s)], [0, e^(−s/τs)]].  From t̄_k = ∂L/∂t_k for the
spike times t_k we seek p = dL/dV(t) and q = dL/dI(t).

Between events they flow back by the transposed matrix:

    (p, q)(t) = Φ(s)ᵀ (p, q)(t + s)       backwards τm ṗ = −p and τs q̇ = −q + (τs/τm) p

At a spike, V is θ before and 0 after, and I is the same: V̇⁻ = (I − θ)/τm, V̇⁺ = I/τm.  A
change δV before it delays the spike by δt = −δV/V̇⁻.  At one and the same time after it, V has
risen from 0 for δt less: δV⁺ = −V̇⁺ δt.  I does not change.  So with p⁺ after and p⁻ before,

    p⁻ = (V̇⁺/V̇⁻) p⁺ − t̄_k/V̇⁻            q⁻ = q⁺

Backwards p jumps by d_k = p_k⁻ − p_k⁺ = ((θ/τm) p_k⁺ − t̄_k) / V̇_k⁻.  Nothing else feeds (p, q),
so Φᵀ carries these jumps to all times, in closed form.  For k = S..1, with p_S⁺ = 0:

    p_k⁺ = e^(−(t_{k+1} − t_k)/τm) (p_{k+1}⁺ + d_{k+1})
    p(t) = Σ_k [t_k > t] d_k e^(−(t_k − t)/τm)         q(t) = Σ_k [t_k > t] d_k ψ(t_k − t)

At an input event I jumps by j_e, so dL/dj_e = q(t_e).  If the event comes δt later, then at one
and the same time after it I had (j_e/τs) δt less time to decay, and V had j_e/τm less slope:

    ∂L/∂j_e = q(t_e)                ∂L/∂t_e = Σ_n j_en (q_n(t_e)/τs − p_n(t_e)/τm)

In the letters of [1], p = −τm λ_V and q = −τs λ_I.

Where V only just touches θ, V̇⁻ → 0: a spike comes or goes there, L jumps, and the derivative
grows beyond bounds on one side.  The gradient is for the present spikes.

[1] Wunderlich & Pehle, Sci. Rep. 11, 2021, doi:10.1038/s41598-021-91786-z.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits import checks
from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.keys import uniform
from jaxdigits.layer import Layer, Static, serial, spread
from jaxdigits.spikes import event_neuron as ev
from jaxdigits.spikes.event_neuron import EventNeuron, Events, psi

NEURON = EventNeuron()


@constructor
def event_lif(
    neuron: EventNeuron = NEURON, *, dt: float = 1.0, duration: float, most: int = 4
) -> Layer:
    """Event-driven neurons: jumps of currents on a grid [T, ..., n] -> spike times [S, ..., n].

    Args:
      neuron: constants.
      dt: step e of the input comes at the time e dt, and adds its number to the current.
      duration: end of the search for spikes, and the time of a spike that never was.
      most: S, spikes that a neuron is followed for; after that many it stays silent.

    The times of a neuron come in order.  The residual is (`Events`, the number of steps).

    Raises:
      ValueError: unless dt > 0, duration > 0 and most >= 1; in `forward`, for input at
        `duration` or later.
    """
    require_times(duration, most, dt=dt)

    def forward(params, jumps, key):
        jumps = jnp.asarray(jumps)
        at = _grid(len(jumps), jumps, dt, duration)
        fixed = jax.lax.stop_gradient(jumps)
        size = jumps.shape[1:]
        spikes = ev.search(neuron, at, lambda e: fixed[e], len(at), size, most, duration)

        def response(t):
            since = t[:, None] - at[None]
            return (jumps[None] * psi(neuron, jnp.maximum(since, 0)) * (since > 0)).sum(1)

        times = ev.differentiable_times(neuron, response, spikes, duration)
        return times, (spikes, Static(len(jumps)))

    def backward(params, residual, t_bar):
        spikes, steps = residual
        at = _grid(steps.value, t_bar, dt, duration)
        return (), _back_at(neuron, spikes, _jumps_of_p(neuron, spikes, t_bar), at)[1]

    return Layer(lambda key, shape: ((), shape), forward, backward)


@constructor
def event_dense(
    n: int,
    neuron: EventNeuron = NEURON,
    *,
    duration: float,
    most: int = 4,
    gain: float = 1 / 3,
    bias: bool = True,
) -> Layer:
    """A dense layer of event-driven neurons: spike times [S', ..., m] -> [S, ..., n].

    A spike of input i adds weight_i [n] to the currents of all n neurons, at its own time; the
    bias is an input that fires once, at time 0.  An input at `duration` has no effect.
    Params: weight [m, n], bias [n].

    Args:
      neuron, duration, most: as for `event_lif`.
      gain: weights start uniform with variance `gain / m`, the bias at zero.

    The residual is (`Events`, the input).  Gradients are computed for all pairs of an input and
    a neuron, one input spike S' after another: m n numbers in memory per example.

    Raises:
      ValueError: unless n >= 1, gain > 0, duration > 0 and most >= 1; in `init`, unless the
        feature shape is (m,).
    """
    require_times(duration, most)
    checks.at_least(1, n=n)
    checks.positive(gain=gain)

    def init(key, shape):
        if len(shape) != 1:
            raise ValueError(f"event_dense takes features of shape (m,), got {shape}")
        params = {"weight": uniform(key, (shape[0], n), gain / shape[0])}
        return params | ({"bias": jnp.zeros(n)} if bias else {}), (n,)

    def forward(params, times, key):
        times = jnp.asarray(times)
        weights, fixed = jax.lax.stop_gradient((params, times))
        at, row, number = _in_order(fixed, duration)
        rows = jnp.concatenate([weights["weight"], _bias(weights)[None]])
        size = (*times.shape[1:-1], n)
        spikes = ev.search(neuron, at, lambda e: rows[row[e]], number, size, most, duration)

        def response(t):
            past = times[None, ..., None]
            since = t[:, None, ..., None, :] - past
            before = (since > 0) & (past < duration)
            weight, bias = spread(params["weight"], since), spread(_bias(params), t)
            terms = weight * psi(neuron, jnp.maximum(since, 0)) * before
            return terms.sum((1, -2)) + bias * psi(neuron, t)

        return ev.differentiable_times(neuron, response, spikes, duration), (spikes, times)

    def backward(params, residual, t_bar):
        spikes, times = residual
        d = _jumps_of_p(neuron, spikes, t_bar)
        pair = lambda a: a[..., None, :]
        pairs = Events(*map(pair, spikes))

        def slopes(at):
            p, q = _back_at(neuron, pairs, pair(d), at[..., None])
            weight = spread(params["weight"], q)
            at_bar = (weight * (q / neuron.tau_s - p / neuron.tau_m)).sum(-1)
            return q.sum(tuple(range(at.ndim - 1))), at_bar

        w_bar, times_bar = jax.lax.map(slopes, times)
        grads = {"weight": w_bar.sum(0)}
        if bias:
            q = _back_at(neuron, spikes, d, jnp.zeros((), d.dtype))[1]
            grads["bias"] = q.sum(tuple(range(q.ndim - 1)))
        return grads, times_bar

    def _bias(params):
        return params["bias"] if bias else jnp.zeros(n, params["weight"].dtype)

    return Layer(init, forward, backward)


def require_times(duration: float, most: int, dt: float = 1.0) -> None:
    """Check the options of all event layers, or raise a ValueError."""
    checks.static(dt=dt, duration=duration)
    for name, value in dict(dt=dt, duration=duration).items():
        if not 0 < value < float("inf"):
            raise ValueError(f"{name} must be > 0 and finite, got {value}")
    checks.at_least(1, most=most)


def _grid(steps: int, like: Array, dt: float, duration: float) -> Array:
    """Return the times of the steps [T, 1, ..., 1]."""
    if not (last := (steps - 1) * dt) < duration:
        raise ValueError(f"duration must be > {last:g} (the last step), got {duration:g}")
    at = jnp.asarray(dt * np.arange(steps), like.dtype)
    return at.reshape(-1, *[1] * (like.ndim - 1))


def _in_order(times: Array, duration: float) -> tuple[Array, Array, Array]:
    """Sort input spikes [S', ..., m], the bias first -> times [E, ..., 1], rows, number."""
    S, m = len(times), times.shape[-1]
    at = jnp.moveaxis(times, -1, 1).reshape(S * m, *times.shape[1:-1])
    at = jnp.minimum(at, duration)
    order = jnp.argsort(at, 0)
    at = jnp.take_along_axis(at, order, 0)
    first = jnp.zeros_like(at[:1])
    row = jnp.concatenate([jnp.full_like(order[:1], m), order % m])
    number = 1 + (at < duration).sum(0).max()
    return jnp.concatenate([first, at])[..., None], row, number


def _jumps_of_p(neuron: EventNeuron, spikes: Events, t_bar: Array) -> Array:
    """Return d_k [S, ..., n], zero for a spike that never was."""
    least = ev.least_slope(neuron, t_bar.dtype)
    slope = jnp.maximum((spikes.current - neuron.threshold) / neuron.tau_m, least)
    p_after, later, d = jnp.zeros_like(t_bar[0]), spikes.times[-1], []
    for k in reversed(range(len(t_bar))):
        p_after = p_after * jnp.exp(-(later - spikes.times[k]) / neuron.tau_m)
        d_k = (neuron.threshold / neuron.tau_m * p_after - t_bar[k]) / slope[k]
        d.append(jnp.where(k < spikes.spikes, d_k, 0))
        p_after, later = p_after + d[-1], spikes.times[k]
    return jnp.stack(d[::-1])


def _back_at(neuron: EventNeuron, spikes: Events, d: Array, at: Array) -> tuple[Array, Array]:
    """Return (p, q) at times that broadcast with the spikes."""
    p = q = jnp.zeros((), d.dtype)
    for t_k, d_k in zip(spikes.times, d, strict=True):
        t_k, d_k = spread(t_k, at), spread(d_k, at)
        until = jnp.maximum(t_k - at, 0)
        d_k = jnp.where(t_k > at, d_k, 0)
        p = p + d_k * jnp.exp(-until / neuron.tau_m)
        q = q + d_k * psi(neuron, until)
    return p, q


_NEURON = EventNeuron(4.0, 2.0, threshold=0.75)
CASES = {
    "event_lif": Case(lambda: event_lif(_NEURON, duration=14.0), (5,), "current"),
    "event_lif, any time constants": Case(
        lambda: event_lif(EventNeuron(3.0, 2.0, threshold=1.0), duration=14.0), (5,), "current"
    ),
    "event_dense": Case(
        lambda: serial(event_lif(_NEURON, duration=14.0),
                       event_dense(3, _NEURON, duration=14.0, gain=400.0)), (5,), "current",
    ),
}  # fmt: skip
