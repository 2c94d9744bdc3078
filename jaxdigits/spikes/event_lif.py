"""Layers of event-driven neurons, differentiated by hand: EventProp [1].

The neurons are those of `jaxdigits.spikes.event_neuron`: an input event at t_e adds j_e to the
current; at V = θ a neuron fires, and V := 0.  Between events the state x = (V, I) flows as
x(t + s) = Φ(s) x(t), Φ(s) = [[e^(−s/τm), ψ(s)], [0, e^(−s/τs)]].  We are given t̄_k = ∂L/∂t_k
for the spike times t_k, and seek p = dL/dV(t) and q = dL/dI(t).

Between events they flow back by the transposed matrix:

    (p, q)(t) = Φ(s)ᵀ (p, q)(t + s)       backwards τm ṗ = −p and τs q̇ = −q + (τs/τm) p

At a spike, V is θ before and 0 after, and I goes on: V̇⁻ = (I − θ)/τm, V̇⁺ = I/τm.  A change δV
before it makes the spike come δt = −δV/V̇⁻ later.  At one and the same time after it, V has
risen from 0 for δt less: δV⁺ = −V̇⁺ δt.  I does not notice.  So with p⁺ after and p⁻ before,

    p⁻ = (V̇⁺/V̇⁻) p⁺ − t̄_k/V̇⁻            q⁻ = q⁺

Backwards p jumps by d_k = p_k⁻ − p_k⁺ = ((θ/τm) p_k⁺ − t̄_k) / V̇_k⁻.  Nothing else feeds (p, q),
so they are what Φᵀ makes of these jumps, in closed form.  For k = S..1, with p_S⁺ = 0:

    p_k⁺ = e^(−(t_{k+1} − t_k)/τm) (p_{k+1}⁺ + d_{k+1})
    p(t) = Σ_k [t_k > t] d_k e^(−(t_k − t)/τm)         q(t) = Σ_k [t_k > t] d_k ψ(t_k − t)

At an input event I jumps by j_e, so dL/dj_e = q(t_e).  If the event comes δt later, then at one
and the same time after it I had (j_e/τs) δt less time to decay, and V had j_e/τm less slope:

    ∂L/∂j_e = q(t_e)                ∂L/∂t_e = Σ_n j_en (q_n(t_e)/τs − p_n(t_e)/τm)

In the letters of [1], p = −τm λ_V and q = −τs λ_I.

Where V only just touches θ, V̇⁻ → 0: a spike comes or goes there, L jumps, and the derivative
grows beyond bounds on one side.  The gradient is that of the spikes that there are.

[1] Wunderlich & Pehle, Sci. Rep. 11, 2021, doi:10.1038/s41598-021-91786-z.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.keys import uniform
from jaxdigits.layer import Layer, Static, serial
from jaxdigits.spikes.event_neuron import EventNeuron, psi
from jaxdigits.spikes.event_search import Events, differentiable_times, least_slope, search

NEURON = EventNeuron()


@constructor
def event_lif(
    neuron: EventNeuron = NEURON, *, dt: float = 1.0, duration: float, most: int = 4
) -> Layer:
    """Currents that jump on a grid [T, ..., n] -> spike times between its points [S, ..., n].

    Args:
      neuron: its constants.
      dt: step e of the input comes at the time e dt, and adds its number to the current.
      duration: how long neurons are followed; a spike that never was has this time.
      most: S, spikes that a neuron is followed for; after so many it stays silent.

    The times of a neuron come in order.  The residual is `Events`.

    Raises:
      ValueError: unless dt > 0, duration > 0 and most >= 1; in `forward`, for input that goes
        on at `duration`.
    """
    require_times(duration, most, dt=dt)

    def forward(params, jumps, key):
        del params, key
        jumps = jnp.asarray(jumps)
        at = _grid(len(jumps), jumps, dt, duration)
        held = jax.lax.stop_gradient(jumps)
        found = search(neuron, at, lambda e: held[e], len(at), jumps.shape[1:], most, duration)

        def response(t):
            since = t[:, None] - at
            return (jumps * psi(neuron, jnp.maximum(since, 0)) * (since > 0)).sum(1)

        steps = Static(len(jumps))
        return differentiable_times(neuron, response, found, duration), (found, steps)

    def backward(params, residual, t_bar):
        del params
        found, steps = residual
        at = _grid(steps.value, t_bar, dt, duration)
        return (), _back_at(neuron, found, _jumps_of_p(neuron, found, t_bar), at)[1]

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
    """Spike times [S', ..., m] -> spike times [S, ..., n], through weights.

    A spike of input i adds weight_i [n] to the currents of all n neurons, at its own time; the
    bias is an input that fires once, at time 0.  What comes at `duration` never comes.
    Params: weight [m, n], bias [n].

    Args:
      neuron, duration, most: as for `event_lif`.
      gain: weights start uniform with variance `gain / m`, the bias at zero.

    The residual is (`Events`, the input).  Gradients are computed for all pairs of an input and
    a neuron, one input spike S' after another: in memory for m n numbers per example.

    Raises:
      ValueError: unless n >= 1, gain > 0, duration > 0 and most >= 1; in `init`, unless the
        feature shape is (m,).
    """
    require_times(duration, most)
    if n < 1:
        raise ValueError(f"event_dense needs at least one neuron, got {n}")
    if not gain > 0:
        raise ValueError(f"gain must be > 0, got {gain}")

    def init(key, shape):
        if len(shape) != 1:
            raise ValueError(f"event_dense takes features of shape (m,), got {shape}")
        params = {"weight": uniform(key, (shape[0], n), gain / shape[0])}
        return params | ({"bias": jnp.zeros(n)} if bias else {}), (n,)

    def forward(params, times, key):
        del key
        times = jnp.asarray(times)
        held = jax.lax.stop_gradient((params, times))
        at, row, events = _in_order(held[1], duration)
        rows = jnp.concatenate([held[0]["weight"], _bias(held[0])[None]])
        found = search(
            neuron, at, lambda e: rows[row[e]], events, (*times.shape[1:-1], n), most, duration
        )

        def response(t):
            since = t[:, None, ..., None, :] - times[..., None]
            came = (since > 0) & (times[..., None] < duration)
            each = params["weight"] * psi(neuron, jnp.maximum(since, 0)) * came
            return each.sum((1, -2)) + _bias(params) * psi(neuron, t)

        return differentiable_times(neuron, response, found, duration), (found, times)

    def backward(params, residual, t_bar):
        found, times = residual
        d = _jumps_of_p(neuron, found, t_bar)
        each = lambda of_neurons: of_neurons[..., None, :]
        pairs = Events(each(found.times), each(found.current), each(found.spikes))

        def of_spike(at):
            p, q = _back_at(neuron, pairs, each(d), at[..., None])
            slope = (params["weight"] * (q / neuron.tau_s - p / neuron.tau_m)).sum(-1)
            return q.sum(tuple(range(at.ndim - 1))), slope

        w_bar, times_bar = jax.lax.map(of_spike, times)
        grads = {"weight": w_bar.sum(0)}
        if bias:
            q = _back_at(neuron, found, d, jnp.zeros((), d.dtype))[1]
            grads["bias"] = q.sum(tuple(range(q.ndim - 1)))
        return grads, times_bar

    def _bias(params):
        return params["bias"] if bias else jnp.zeros(n, params["weight"].dtype)

    return Layer(init, forward, backward)


def require_times(duration: float, most: int, dt: float = 1.0) -> None:
    """Check what all event layers take, or raise a ValueError."""
    for name, value in dict(dt=dt, duration=duration).items():
        if not 0 < value < float("inf"):
            raise ValueError(f"{name} must be > 0 and finite, got {value}")
    if most < 1:
        raise ValueError(f"most must be >= 1, got {most}")


def _grid(steps: int, like: Array, dt: float, duration: float) -> Array:
    """[T, 1, ..., 1] the times of the steps."""
    if not (steps - 1) * dt < duration:
        raise ValueError(
            f"the last of {steps} steps comes at {(steps - 1) * dt:g}, and neurons are "
            f"followed until {duration:g}: duration must be longer"
        )
    at = jnp.asarray(dt * np.arange(steps), like.dtype)
    return at.reshape(-1, *[1] * (like.ndim - 1))


def _in_order(times: Array, duration: float) -> tuple[Array, Array, Array]:
    """Of input spikes [S', ..., m], the bias first: times [E, ..., 1], rows, and how many."""
    S, m = len(times), times.shape[-1]
    at = jnp.moveaxis(times, -1, 1).reshape(S * m, *times.shape[1:-1])
    at = jnp.minimum(at, duration)
    order = jnp.argsort(at, 0)
    at = jnp.take_along_axis(at, order, 0)
    first = jnp.zeros_like(at[:1])
    row = jnp.concatenate([jnp.full_like(order[:1], m), order % m])
    events = 1 + (at < duration).sum(0).max()
    return jnp.concatenate([first, at])[..., None], row, events


def _jumps_of_p(neuron: EventNeuron, found: Events, t_bar: Array) -> Array:
    """d_k [S, ..., n], zero for a spike that never was."""
    least = least_slope(neuron, t_bar.dtype)
    slope = jnp.maximum((found.current - neuron.threshold) / neuron.tau_m, least)
    p_after, later, d = jnp.zeros_like(t_bar[0]), found.times[-1], []
    for k in reversed(range(len(t_bar))):
        p_after = p_after * jnp.exp(-(later - found.times[k]) / neuron.tau_m)
        d_k = (neuron.threshold / neuron.tau_m * p_after - t_bar[k]) / slope[k]
        d.append(jnp.where(k < found.spikes, d_k, 0))
        p_after, later = p_after + d[-1], found.times[k]
    return jnp.stack(d[::-1])


def _back_at(neuron: EventNeuron, found: Events, d: Array, at: Array) -> tuple[Array, Array]:
    """(p, q) at times that fit those of the spikes."""
    p = q = jnp.zeros((), d.dtype)
    for t_k, d_k in zip(found.times, d, strict=True):
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
