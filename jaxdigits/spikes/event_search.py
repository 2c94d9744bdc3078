"""When neurons fire: spike times by search from event to event, and what JAX knows of them.

The search follows each neuron from one input event to the next.  At an event a current jumps;
from there the next crossing is known in closed form or to rounding (`time_to_fire`); if
it comes before the next event, the neuron fires, starts from V = 0, and is asked again.

A search has no derivative, but what it finds solves an equation.  Let F be the response to all
input so far as if there were no resets; of it, a reset to 0 at t_{k−1} leaves what came after:

    F(t) = Σ_e [t_e < t] j_e ψ(t − t_e)
    0 = F(t_k) − e^(−(t_k − t_{k−1})/τm) F(t_{k−1}) − θ           (k = 1: F(t_1) − θ)

so `jax.lax.custom_root` gives JAX the derivatives of t_k in the jumps j_e and the times t_e,
by the implicit function theorem: another way than the adjoint of `jaxdigits.spikes.event_lif`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits.spikes.event_neuron import EventNeuron, potential_after, time_to_fire


class Events(NamedTuple):
    """What a layer of event-driven neurons leaves behind."""

    times: Array
    """[S, ..., n] when each neuron fired, in order; `duration` for a spike that never was"""
    current: Array
    """[S, ..., n] the synaptic current at each spike"""
    spikes: Array
    """[..., n] int32, how many spikes there were"""


def events(residual: Any) -> list[Events]:
    """The `Events` of every event-driven layer in a network's residual, first layer first."""
    is_events = lambda node: isinstance(node, Events)
    return [n for n in jax.tree.leaves(residual, is_leaf=is_events) if is_events(n)]


def search(
    neuron: EventNeuron,
    times: Array,
    jump: Callable[[Array], Array],
    number: int | Array,
    shape: tuple[int, ...],
    most: int,
    duration: float,
) -> Events:
    """The spikes of neurons of that shape [..., n], from rest.

    Args:
      times: [E, ...] of the events, in order; the shape of one fits that of the neurons.
      jump: number of an event -> [..., n] what it adds to the currents.
      number: of events, at most E.
      most: spikes that a neuron is followed for; after so many it stays silent.
      duration: the end.
    """
    dtype = times.dtype
    ends = jnp.concatenate([times[1:], jnp.full_like(times[:1], duration)])
    slots = jnp.arange(most).reshape(-1, *[1] * len(shape))

    def event(e, state):
        v, i, found = state
        start, end, i = times[e], ends[e], i + jump(e)
        end = jnp.where(e == number - 1, jnp.asarray(duration, dtype), end)
        last = jnp.broadcast_to(start, shape)  # when v and now held: the event, or a spike
        at = last + time_to_fire(neuron, v, i)

        def fires(at, found):
            return (at <= end) & (at < duration) & (found.spikes < most)

        def fire(state):
            v, now, last, at, found = state
            f = fires(at, found)
            now = jnp.where(f, i * jnp.exp(-(at - start) / neuron.tau_s), now)
            v, last = jnp.where(f, 0, v), jnp.where(f, at, last)
            here = f & (slots == found.spikes)
            found = Events(
                jnp.where(here, at, found.times),
                jnp.where(here, now, found.current),
                found.spikes + f,
            )
            return v, now, last, last + time_to_fire(neuron, v, now), found

        state = v, i, last, at, found
        v, now, last, _, found = jax.lax.while_loop(
            lambda state: fires(*state[3:]).any(), fire, state
        )
        v = potential_after(neuron, v, now, end - last)
        return v, i * jnp.exp(-(end - start) / neuron.tau_s), found

    none = Events(
        jnp.full((most, *shape), duration, dtype),
        jnp.zeros((most, *shape), dtype),
        jnp.zeros(shape, jnp.int32),
    )
    zeros = jnp.zeros(shape, dtype)
    return jax.lax.fori_loop(0, number, event, (zeros, zeros, none))[2]


def differentiable_times(
    neuron: EventNeuron, response: Callable[[Array], Array], found: Events, duration: float
) -> Array:
    """The times that were found, with the derivatives that the equations above give them.

    Args:
      response: times [S, ..., n] -> F there, differentiable in whatever it closes over.
      found: by `search`, of the same input, all of it held constant.
      duration: what the search was given.
    """
    slots = jnp.arange(len(found.times)).reshape(-1, *[1] * found.spikes.ndim)
    fired = slots < found.spikes

    def equations(t):
        F = response(t)
        left = F[:-1] * jnp.exp(-(t[1:] - t[:-1]) / neuron.tau_m)
        V = F - jnp.concatenate([jnp.zeros_like(F[:1]), left])
        return jnp.where(fired, V - neuron.threshold, t - duration)

    def solve_tangent(g, y):
        x = jnp.zeros_like(y)
        for k in range(len(y)):  # g is bidiagonal: a time depends on the one before only
            slope = g(jnp.zeros_like(y).at[k].set(1))[k]
            least = jnp.where(fired[k], least_slope(neuron, y.dtype), 0)
            x = x.at[k].set((y - g(x))[k] / jnp.maximum(slope, least))
        return x

    return jax.lax.custom_root(equations, found.times, lambda f, guess: guess, solve_tangent)


def least_slope(neuron: EventNeuron, dtype) -> float:
    """V̇ at a spike is not taken for less than √ε θ / τm, ε the precision.

    A membrane that rises over the threshold by less than ε θ crosses it with less: there the
    time of the crossing, and so its slope, is rounding.
    """
    return float(jnp.finfo(dtype).eps) ** 0.5 * neuron.threshold / neuron.tau_m
