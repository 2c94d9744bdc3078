"""Event-driven neurons: their flow between events in closed form, and their spike times.

Between events a membrane V and its synaptic current I obey

    τm V̇ = −V + I            τs İ = −I

so after a time t, from (V, I),

    V(t) = e^(−t/τm) V + ψ(t) I            ψ(t) = τs (e^(−t/τm) − e^(−t/τs)) / (τm − τs)
    I(t) = e^(−t/τs) I                     ψ(t) = (t/τ) e^(−t/τ) for τm = τs = τ

It fires at V = θ > 0, on the way up.  A crossing needs V < I, where V̇ > 0; else V falls, or
rises to 0 at most.  With δ = 1/τs − 1/τm, V̇ vanishes once at most, where V = I:

    t* = −ln(1 − δ τs (1 − V/I)) / δ       V* = e^(−t*/τs) I       (t* = τ (1 − V/I) for δ = 0)

and V crosses θ if and only if V* > θ.  Up to t* it rises and is concave: with α = 1/τm and
β = 1/τs, V = p e^(−αt) + q e^(−βt) has V̈ = −α V̇ + (β − α) β q e^(−βt), where (β − α) q =
−α I < 0 for a current that crosses.  The first crossing is

    for τm = 2 τs     as the larger root x = e^(−t/τm) of (V + I) x − I x² = θ: the earlier t
    else              by Newton's method, which on a concave rise steps to the left of the
                      crossing at once and then nears it from there.  It starts at the parabola
                      of the maximum, t* − √(2 τm τs (1 − θ/V*)), as V̈ = −V* / (τm τs) there:
                      from afar it would be slow for a membrane that only just crosses.

Times have the unit of τ; V, I and θ share one unit.

The search follows each neuron from one input event to the next.  At an event a current jumps;
from there `time_to_fire` is the time of the next crossing; if it comes before the next event,
the neuron fires, starts from V = 0, and the search continues from there.

A search has no derivative, but its times solve an equation.  Let F be the response to all input
so far without resets; a reset to 0 at t_{k−1} removes the response to the input before it:

    F(t) = Σ_e [t_e < t] j_e ψ(t − t_e)
    0 = F(t_k) − e^(−(t_k − t_{k−1})/τm) F(t_{k−1}) − θ           (k = 1: F(t_1) − θ)

so `jax.lax.custom_root` gives JAX the derivatives of t_k in the jumps j_e and the times t_e,
by the implicit function theorem: another way than the adjoint of `jaxdigits.spikes.event_lif`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits import checks
from jaxdigits.layer import Residual, nodes_of

NEWTON = 10  # steps; 7 reach the last digit of float64 where the crossing is not a touch


@dataclass(frozen=True)
class EventNeuron:
    """The constants of an event-driven neuron.

    Raises:
      ValueError: unless all three are > 0 and finite, and none is traced: the ratio of the
        times decides how crossings are solved.
    """

    tau_m: float = 20.0
    """τm, of the membrane"""
    tau_s: float = 10.0
    """τs, of the synaptic current"""
    threshold: float = 1.0
    """θ; after a spike V starts again from 0, and the current continues"""

    def __post_init__(self):
        checks.static(tau_m=self.tau_m, tau_s=self.tau_s, threshold=self.threshold)
        for name in ("tau_m", "tau_s", "threshold"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be > 0 and finite, got {getattr(self, name)}")


def psi(neuron: EventNeuron, t: Array) -> Array:
    """Return ψ(t), the potential at times t [...] >= 0 after a current of 1 began."""
    tau_m, tau_s = neuron.tau_m, neuron.tau_s
    if tau_m == 2 * tau_s:
        x = jnp.exp(-t / tau_m)
        return x - x * x
    if tau_m == tau_s:
        return t / tau_m * jnp.exp(-t / tau_m)
    slow, fast = max(tau_m, tau_s), min(tau_m, tau_s)
    # As a difference of exponentials it would lose its digits for constants close together.
    rise = -jnp.expm1(-t * (1 / fast - 1 / slow))
    return tau_s / (slow - fast) * jnp.exp(-t / slow) * rise


def potential_after(neuron: EventNeuron, v: Array, i: Array, t: Array) -> Array:
    """Return V(t) [...] from (V, I) = (v, i), without a spike in between."""
    return jnp.exp(-t / neuron.tau_m) * v + psi(neuron, t) * i


def time_to_fire(neuron: EventNeuron, v: Array, i: Array) -> Array:
    """Return the time [...] from (V, I) = (v, i) to the next crossing without input, or inf."""
    rises = i > jnp.maximum(v, neuron.threshold)  # V = I at the maximum, and I only falls
    i = jnp.where(rises, i, 2 * neuron.threshold)  # numbers that cross, where none are needed
    v = jnp.where(rises, v, 0)
    solve = _by_square_root if neuron.tau_m == 2 * neuron.tau_s else _by_newton
    crosses, t = solve(neuron, v, i)
    return jnp.where(rises & crosses, jnp.maximum(t, 0), jnp.inf)


def _by_square_root(neuron: EventNeuron, v: Array, i: Array) -> tuple[Array, Array]:
    a = v + i
    square = a * a - 4 * neuron.threshold * i
    root = (a + jnp.sqrt(jnp.maximum(square, 0))) / (2 * i)
    crosses = (square > 0) & (a > 0)
    return crosses, -neuron.tau_m * jnp.log(jnp.where(crosses, root, 1))


def _by_newton(neuron: EventNeuron, v: Array, i: Array) -> tuple[Array, Array]:
    tau_m, tau_s, theta = neuron.tau_m, neuron.tau_s, neuron.threshold
    top, has_top = _time_of_maximum(neuron, v, i)
    highest = i * jnp.exp(-top / tau_s)
    crosses = has_top & (highest > theta)
    back = 1 - theta / jnp.where(crosses, highest, theta)
    t = jnp.maximum(top - jnp.sqrt(2 * tau_m * tau_s * back), 0)

    def step(_, t):
        at = potential_after(neuron, v, i, t)
        slope = (i * jnp.exp(-t / tau_s) - at) / tau_m
        new = t + (theta - at) / jnp.where(slope > 0, slope, jnp.inf)
        return jnp.clip(new, 0, top)

    return crosses, jax.lax.fori_loop(0, NEWTON, step, jnp.where(crosses, t, 0))


def _time_of_maximum(neuron: EventNeuron, v: Array, i: Array) -> tuple[Array, Array]:
    """Return (t*, whether there is one), for v < i and i > 0."""
    delta = 1 / neuron.tau_s - 1 / neuron.tau_m
    if delta == 0:
        return neuron.tau_m * (1 - v / i), jnp.ones_like(v, bool)
    share = delta * neuron.tau_s * (1 - v / i)
    has_top = share < 1  # else V starts so low that it rises to 0 for ever
    return -jnp.log1p(-jnp.where(has_top, share, 0)) / delta, has_top


class Events(NamedTuple):
    """The residual of event-driven neurons."""

    times: Array
    """[S, ..., n] spike times, in order; `duration` for a spike that never was"""
    current: Array
    """[S, ..., n] the synaptic current at each spike"""
    spikes: Array
    """[..., n] int32, the number of spikes"""


def events(residual: Residual) -> list[Events]:
    """Return the `Events` of every event-driven layer in a residual, first layer first."""
    return nodes_of(residual, lambda node: isinstance(node, Events))


def search(
    neuron: EventNeuron,
    times: Array,
    jump: Callable[[Array], Array],
    number: int | Array,
    shape: tuple[int, ...],
    most: int,
    duration: float,
) -> Events:
    """Search the spikes of neurons of a shape [..., n], from rest.

    Args:
      times: [E, ...] of the events, in order; the shape of one broadcasts with the neurons.
      jump: number of an event -> [..., n] the jump of the currents.
      number: of events, at most E.
      most: spikes that a neuron is followed for; after that many it stays silent.
      duration: the end.
    """
    dtype = times.dtype
    ends = jnp.concatenate([times[1:], jnp.full_like(times[:1], duration)])
    slots = jnp.arange(most).reshape(-1, *[1] * len(shape))

    def event(e, state):
        v, i, spikes = state
        start, end, i = times[e], ends[e], i + jump(e)
        end = jnp.where(e == number - 1, jnp.asarray(duration, dtype), end)
        last = jnp.broadcast_to(start, shape)  # the time of v and now: the event, or a spike
        at = last + time_to_fire(neuron, v, i)

        def fires(at, spikes):
            return (at <= end) & (at < duration) & (spikes.spikes < most)

        def fire(state):
            v, now, last, at, spikes = state
            f = fires(at, spikes)
            now = jnp.where(f, i * jnp.exp(-(at - start) / neuron.tau_s), now)
            v, last = jnp.where(f, 0, v), jnp.where(f, at, last)
            here = f[None] & (slots == spikes.spikes[None])
            spikes = Events(
                jnp.where(here, at[None], spikes.times),
                jnp.where(here, now[None], spikes.current),
                spikes.spikes + f,
            )
            return v, now, last, last + time_to_fire(neuron, v, now), spikes

        state = v, i, last, at, spikes
        v, now, last, _, spikes = jax.lax.while_loop(
            lambda state: fires(*state[3:]).any(), fire, state
        )
        v = potential_after(neuron, v, now, end - last)
        return v, i * jnp.exp(-(end - start) / neuron.tau_s), spikes

    none = Events(
        jnp.full((most, *shape), duration, dtype),
        jnp.zeros((most, *shape), dtype),
        jnp.zeros(shape, jnp.int32),
    )
    zeros = jnp.zeros(shape, dtype)
    return jax.lax.fori_loop(0, number, event, (zeros, zeros, none))[2]


def differentiable_times(
    neuron: EventNeuron, response: Callable[[Array], Array], spikes: Events, duration: float
) -> Array:
    """Return the spike times [S, ..., n] with their derivatives by the equations above.

    Args:
      response: times [S, ..., n] -> F there, differentiable in whatever it closes over.
      spikes: from `search` with the same input and duration, all held constant.
    """
    slots = jnp.arange(len(spikes.times)).reshape(-1, *[1] * spikes.spikes.ndim)
    exists = slots < spikes.spikes[None]

    def equations(t):
        F = response(t)
        left = F[:-1] * jnp.exp(-(t[1:] - t[:-1]) / neuron.tau_m)
        V = F - jnp.concatenate([jnp.zeros_like(F[:1]), left])
        return jnp.where(exists, V - neuron.threshold, t - duration)

    def solve_tangent(g, y):
        x = jnp.zeros_like(y)
        for k in range(len(y)):  # g is bidiagonal: a time depends on the one before only
            slope = g(jnp.zeros_like(y).at[k].set(1))[k]
            least = jnp.where(exists[k], least_slope(neuron, y.dtype), 0)
            x = x.at[k].set((y - g(x))[k] / jnp.maximum(slope, least))
        return x

    return jax.lax.custom_root(equations, spikes.times, lambda f, guess: guess, solve_tangent)


def least_slope(neuron: EventNeuron, dtype) -> float:
    """Return the least V̇ at a spike, √ε θ / τm with the precision ε.

    A membrane that rises over the threshold by less than ε θ crosses it with less: there the
    time of the crossing, and so its slope, is rounding.
    """
    return float(jnp.finfo(dtype).eps) ** 0.5 * neuron.threshold / neuron.tau_m
