"""The choices in which neuron libraries differ by "LIF", as a value.

Every library writes the few lines of a leaky integrate-and-fire neuron differently: they agree
on the equation between spikes, and on no detail at a spike.  A `Convention` names one of these
neurons; `jaxdigits.spikes.presets` has the known libraries' conventions, and
docs/conventions.md shows them on one input.

A membrane of time constant τ keeps, over a step of length dt, the share β of its potential:

    exactly       β = e^(−dt/τ)        the solution of τ dv/dt = −v
    by Euler      β = 1 − dt/τ         its first-order approximation, for dt < τ only

The number of spikes H(v, θ) of a potential v:

                one a step       several a step, never fewer than none
    above       v > θ            ⌈v/θ⌉ − 1
    at          v ≥ θ            ⌊v/θ⌋

None of them has a useful derivative.  Both derivatives (by hand and `jax.grad`) take the
surrogate slope h at u = v − θ for all four: ∂H/∂v = h(u), ∂H/∂θ = −h(u).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from jaxdigits import checks
from jaxdigits.options import require_name
from jaxdigits.spikes.surrogates import Surrogate, heaviside, traced_numbers, with_numbers

Numbers = float | tuple[float, ...]


@dataclass(frozen=True)
class Convention:
    """A kind of LIF neuron.  The default is this library's own, as in snnTorch.

    At a spike the neuron subtracts its threshold, or starts again from a potential (`reset`).
    With `reset_step` "next" the membrane leaks, then the reset takes effect, unleaked, at the
    start of the next step; with "same" the reset takes effect in the step of the spike, then
    the membrane leaks.  A potential exactly at the threshold is silent ("above") or fires
    ("at").  A step has one spike at most, or one for every threshold that the potential holds
    (`spikes`).  The spike at step t comes from the potential of this step, or from the "old"
    potential before it: the same spikes one step later, and the last not at all.  A normalised
    input is multiplied by 1 − β: a membrane tends to a constant input, and learning β moves the
    input's weight too.

    Numbers are one for all neurons, or a tuple with one per neuron [n].  One number for all may
    be traced.

    Raises:
      ValueError: for an unknown name, a reset value that is not finite, or gain <= 0.
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
        if isinstance(self.reset, str) and self.reset == "zero":
            object.__setattr__(self, "reset", 0.0)
        if not self.subtracts and not _are_numbers(self.reset):
            raise ValueError(f"reset must be 'subtract', 'zero' or numbers, got {self.reset!r}")
        for name, names in CHOICES.items():
            require_name(name, names, getattr(self, name))
        if not _are_numbers(self.gain):
            raise ValueError(f"gain must be a number or a tuple of numbers, got {self.gain!r}")
        if checks.known(self.gain) and not np.all(np.asarray(self.gain) > 0):
            raise ValueError(f"gain must be > 0, got {self.gain!r}")

    @property
    def subtracts(self) -> bool:
        """Whether a spike subtracts the threshold, and does not restart from a potential."""
        return isinstance(self.reset, str) and self.reset == "subtract"


CHOICES = {
    "reset_step": ("next", "same"),
    "fires": ("above", "at"),
    "spikes": ("one", "several"),
    "spike_from": ("new", "old"),
    "differentiate_reset": (False, True),
    "normalise": (False, True),
}


def exact_decay(tau: ArrayLike, dt: ArrayLike = 1.0) -> Any:
    """Return β = e^(−dt/τ), the share of a potential left after a step of length dt.

    Args:
      tau: time constant, one number or one per neuron [n], in the unit of dt; infinite for a
        membrane without leak.
      dt: length of a step.

    Raises:
      ValueError: unless tau > 0 and dt > 0, where they are known.
    """
    constant, step = _times(tau, dt)
    return (np if checks.known(tau, dt) else jnp).exp(-step / constant)


def euler_decay(tau: ArrayLike, dt: ArrayLike = 1.0) -> Any:
    """Return β = 1 − dt/τ, one step of Euler's method; arguments as for `exact_decay`.

    Raises:
      ValueError: unless 0 < dt <= tau: a longer step would turn the potential's sign.
    """
    constant, step = _times(tau, dt)
    if checks.known(tau, dt) and not np.all(step <= constant):
        raise ValueError(
            f"Euler's method needs dt <= tau, got dt = {step} and tau = {constant}"
        )
    return 1 - step / constant


def per_neuron(convention: Convention) -> dict[str, object]:
    """Return the fields that are one number, or one per neuron, or raise a ValueError."""
    if not isinstance(convention, Convention):
        raise ValueError(f"convention must be a Convention(...), got {convention!r}")
    return {"reset": convention.reset, "gain": convention.gain}


def firing(surrogate: Surrogate, convention: Convention) -> Callable[[Array, Array], Array]:
    """Return H(v, θ), of v and θ [..., n], as a function that JAX differentiates by h(v − θ).

    A surrogate with its own firing function, as a soft twin, keeps it: the convention is for
    hard neurons.
    """

    def count(v, theta, numbers):
        if surrogate.fire is not heaviside:
            return with_numbers(surrogate, numbers).fire(v - theta)
        at = convention.fires == "at"
        if convention.spikes == "several":
            n = jnp.floor(v / theta) if at else jnp.ceil(v / theta) - 1
            return jnp.maximum(n, 0).astype(v.dtype)
        return (v - theta >= 0).astype(v.dtype) if at else heaviside(v - theta)

    fire = jax.custom_jvp(count)

    def jvp(primals, tangents):
        (v, theta, numbers), (v_dot, theta_dot, _) = primals, tangents
        slope = with_numbers(surrogate, numbers).slope
        return count(*primals), slope(v - theta) * (v_dot - theta_dot)

    fire.defjvp(jvp)
    return lambda v, theta: fire(v, theta, traced_numbers(surrogate))


def _times(tau: ArrayLike, dt: ArrayLike) -> tuple[Any, Any]:
    for name, value in (("tau", tau), ("dt", dt)):
        if checks.known(value) and not np.all(np.asarray(value) > 0):
            raise ValueError(f"{name} must be > 0, got {value}")
    array = lambda value: np.asarray(value, float) if checks.known(value) else value
    return array(tau), array(dt)


def _are_numbers(value: object) -> bool:
    if not checks.known(value):
        return jnp.ndim(value) == 0  # pyright: ignore[reportArgumentType]
    values = value if isinstance(value, tuple) else (value,)
    return all(isinstance(v, int | float) and np.isfinite(v) for v in values)
