"""What one neuron library means by "LIF" and another does not, as a value.

A leaky integrate-and-fire neuron is written in a few lines, and every library writes them
differently: they agree on the equation between spikes, and on nothing that happens at one.
A `Convention` says which of these neurons is meant; `jaxdigits.spikes.presets` names the
ones of the known libraries, and docs/conventions.md shows them on one input.

A membrane of time constant τ keeps, over a step of length dt, the share β of its potential:

    exactly       β = e^(−dt/τ)        the solution of τ dv/dt = −v
    by Euler      β = 1 − dt/τ         its first-order approximation, for dt < τ only

How many times a potential v fires, H(v, θ):

                one a step       several a step, never fewer than none
    above       v > θ            ⌈v/θ⌉ − 1
    at          v ≥ θ            ⌊v/θ⌋

None of them has a useful derivative.  Both derivatives (by hand and `jax.grad`) take the
surrogate slope h at u = v − θ for all four: ∂H/∂v = h(u), ∂H/∂θ = −h(u).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from jaxdigits.spikes.surrogates import Surrogate, heaviside

Numbers = float | tuple[float, ...]


@dataclass(frozen=True)
class Convention:
    """Which LIF neuron.  The default is this library's own: the one of snnTorch.

    At a spike the neuron subtracts its threshold, or starts again from a potential (`reset`).
    With `reset_step` "next" the membrane leaks, then the reset takes effect, unleaked, as the
    next step begins; with "same" the reset takes effect in the step of the spike, and then it
    leaks.  A potential exactly at the threshold is silent ("above") or fires ("at").  A step
    has one spike at most, or one for every threshold that the potential holds (`spikes`).  The
    spike put out at step t is of the potential that this step made, or of the "old" one that it
    found: the same spikes one step later, and the last not at all.  A normalised input is
    multiplied by 1 − β, so that a constant input is the potential that the membrane tends to,
    and learning β moves the input's weight too.

    Numbers are one for all neurons, or a tuple with one per neuron [n].

    Raises:
      ValueError: for a name that is none of those below, a reset value that is not finite,
        or gain <= 0.
    """

    reset: Literal["subtract", "zero"] | Numbers = "subtract"
    """reset at a spike, or the potential after it"""
    reset_step: Literal["next", "same"] = "next"
    """step in which the reset takes effect"""
    fires: Literal["above", "at"] = "above"
    """fire above the threshold, or at it too"""
    spikes: Literal["one", "several"] = "one"
    """spikes of a neuron in a step"""
    spike_from: Literal["new", "old"] = "new"
    """potential that fires, the step's own or the one before"""
    differentiate_reset: bool = False
    """let the gradient flow through the reset, which is otherwise held constant"""
    gain: Numbers = 1.0
    """factor of the input current"""
    normalise: bool = False
    """multiply the input by 1 − decay, too"""

    def __post_init__(self):
        if self.reset == "zero":
            object.__setattr__(self, "reset", 0.0)
        if self.reset != "subtract" and not _are_numbers(self.reset):
            raise ValueError(
                f"reset must be 'subtract', 'zero' or a potential, got {self.reset!r}"
            )
        for name, names in CHOICES.items():
            if getattr(self, name) not in names:
                given = getattr(self, name)
                raise ValueError(
                    f"{name} must be {' or '.join(map(repr, names))}, got {given!r}"
                )
        if not _are_numbers(self.gain):
            raise ValueError(
                f"gain must be a number or a tuple of numbers > 0, got {self.gain!r}"
            )
        if not np.all(np.asarray(self.gain) > 0):
            raise ValueError(f"gain must be > 0, got {self.gain!r}")


CHOICES = {
    "reset_step": ("next", "same"),
    "fires": ("above", "at"),
    "spikes": ("one", "several"),
    "spike_from": ("new", "old"),
    "differentiate_reset": (False, True),
    "normalise": (False, True),
}


def exact_decay(tau: ArrayLike, dt: ArrayLike = 1.0) -> np.ndarray:
    """β = e^(−dt/τ), the share of a potential that is left after a step of length dt.

    Args:
      tau: time constant, one number or one per neuron [n], in the unit of dt; infinite for
        a membrane without leak.
      dt: length of a step.

    Raises:
      ValueError: unless tau > 0 and dt > 0.
    """
    tau, dt = _times(tau, dt)
    return np.exp(-dt / tau)


def euler_decay(tau: ArrayLike, dt: ArrayLike = 1.0) -> np.ndarray:
    """β = 1 − dt/τ, by one step of Euler's method; arguments as for `exact_decay`.

    Raises:
      ValueError: unless 0 < dt <= tau: a longer step would turn the potential's sign.
    """
    tau, dt = _times(tau, dt)
    if not np.all(dt <= tau):
        raise ValueError(f"Euler's method needs dt <= tau, got dt = {dt} and tau = {tau}")
    return 1 - dt / tau


def per_neuron(convention: Convention) -> dict[str, object]:
    """By name, what may be one number, or one per neuron."""
    return {"reset": convention.reset, "gain": convention.gain}


def firing(surrogate: Surrogate, convention: Convention) -> Callable[[Array, Array], Array]:
    """H(v, θ): how often a potential fires, as a function that JAX differentiates by h(v − θ).

    A surrogate with a firing function of its own, as a soft twin, keeps it: the convention
    says where hard neurons fire.
    """

    def count(v, theta):
        if surrogate.fire is not heaviside:
            return surrogate.fire(v - theta)
        at = convention.fires == "at"
        if convention.spikes == "several":
            n = jnp.floor(v / theta) if at else jnp.ceil(v / theta) - 1
            return jnp.maximum(n, 0).astype(v.dtype)
        return (v - theta >= 0).astype(v.dtype) if at else heaviside(v - theta)

    fire = jax.custom_jvp(count)

    def jvp(primals, tangents):
        (v, theta), (v_dot, theta_dot) = primals, tangents
        return count(v, theta), surrogate.slope(v - theta) * (v_dot - theta_dot)

    fire.defjvp(jvp)
    return fire


def _times(tau: ArrayLike, dt: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    for name, value in (("tau", tau), ("dt", dt)):
        if not np.all(np.asarray(value) > 0):
            raise ValueError(f"{name} must be > 0, got {value}")
    return np.asarray(tau, float), np.asarray(dt, float)


def _are_numbers(value: object) -> bool:
    values = value if isinstance(value, tuple) else (value,)
    return all(isinstance(v, int | float) and np.isfinite(v) for v in values)
