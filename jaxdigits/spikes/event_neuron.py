"""A current-based neuron between events, in closed form: its flow, and when it next fires.

Between events a membrane V and its synaptic current I obey

    τm V̇ = −V + I            τs İ = −I

so that after a time t, from (V, I),

    V(t) = e^(−t/τm) V + ψ(t) I            ψ(t) = τs (e^(−t/τm) − e^(−t/τs)) / (τm − τs)
    I(t) = e^(−t/τs) I                     ψ(t) = (t/τ) e^(−t/τ) for τm = τs = τ

It fires at V = θ > 0, on the way up.  A crossing needs V < I, where V̇ > 0; else V falls, or
rises to 0 at most.  With δ = 1/τs − 1/τm, V̇ vanishes once at most, where V = I:

    t* = −ln(1 − δ τs (1 − V/I)) / δ       V* = e^(−t*/τs) I       (t* = τ (1 − V/I) for δ = 0)

and V crosses θ if and only if V* > θ.  Up to t* it rises and is concave: with α = 1/τm and
β = 1/τs, V = p e^(−αt) + q e^(−βt) has V̈ = −α V̇ + (β − α) β q e^(−βt), where (β − α) q =
−α I < 0 for a current that crosses.  The first crossing is found

    for τm = 2 τs     as the larger root x = e^(−t/τm) of (V + I) x − I x² = θ: the earlier t
    else              by Newton's method, which on a concave rise steps to the left of the
                      crossing at once and then nears it from there.  It starts at the parabola
                      of the maximum, t* − √(2 τm τs (1 − θ/V*)), as V̈ = −V* / (τm τs) there: a
                      membrane that only just crosses would be found slowly from afar.

Times have the unit of τ; V, I and θ share one unit.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

NEWTON = 10  # steps; 7 reach the last digit of float64 where the crossing is not a touch


@dataclass(frozen=True)
class EventNeuron:
    """The constants of a neuron.

    Raises:
      ValueError: unless all three are > 0 and finite.
    """

    tau_m: float = 20.0
    """τm, of the membrane"""
    tau_s: float = 10.0
    """τs, of the synaptic current"""
    threshold: float = 1.0
    """θ; what fires starts again from 0, and its current goes on"""

    def __post_init__(self):
        for name in ("tau_m", "tau_s", "threshold"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be > 0 and finite, got {getattr(self, name)}")


def psi(neuron: EventNeuron, t: Array) -> Array:
    """ψ(t): the potential, a time t >= 0 after a current of 1 began."""
    tau_m, tau_s = neuron.tau_m, neuron.tau_s
    if tau_m == 2 * tau_s:
        x = jnp.exp(-t / tau_m)
        return x - x * x
    if tau_m == tau_s:
        return t / tau_m * jnp.exp(-t / tau_m)
    slow, fast = max(tau_m, tau_s), min(tau_m, tau_s)
    # As a difference of exponentials it would lose its digits for constants close together.
    risen = -jnp.expm1(-t * (1 / fast - 1 / slow))
    return tau_s / (slow - fast) * jnp.exp(-t / slow) * risen


def potential_after(neuron: EventNeuron, v: Array, i: Array, t: Array) -> Array:
    """V(t) from (V, I) = (v, i), if it does not fire."""
    return jnp.exp(-t / neuron.tau_m) * v + psi(neuron, t) * i


def time_to_fire(neuron: EventNeuron, v: Array, i: Array) -> Array:
    """The time from (V, I) = (v, i) to the next crossing, if no event comes before; or inf."""
    rises = i > jnp.maximum(v, neuron.threshold)  # V = I at the maximum, and I only falls
    i = jnp.where(rises, i, 2 * neuron.threshold)  # numbers that cross, where none are wanted
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
    """(t*, whether there is one), for v < i and i > 0."""
    delta = 1 / neuron.tau_s - 1 / neuron.tau_m
    if delta == 0:
        return neuron.tau_m * (1 - v / i), jnp.ones_like(v, bool)
    share = delta * neuron.tau_s * (1 - v / i)
    has_top = share < 1  # else V starts so low that it rises to 0 for ever
    return -jnp.log1p(-jnp.where(has_top, share, 0)) / delta, has_top
