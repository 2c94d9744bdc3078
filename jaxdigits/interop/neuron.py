"""One step of a NIR neuron, and its adjoint by hand.

With c₀ = 0 = j₀, for t = 1..T, a floor f of the potential, and the reset of a `Convention`
(`jaxdigits.spikes.lif`, whose membrane this is) that makes cₜ of vₜ:

    jₜ = α jₜ₋₁ + s xₜ                  the synaptic current; without a synapse jₜ = xₜ
    vₜ = max(f, cₜ₋₁ + g jₜ + d)        zₜ = H(vₜ, θ)        cₜ = leave(β, vₜ, θ)

d = (1 − β) (v_leak − v₀) is a constant drive.  Potentials are counted from the first one, v₀:
θ and the reset are shifted by it, and the potential that ends a step is mₜ + v₀.

The membrane's adjoint gives λₜ = dL/dvₜ from z̄ₜ, m̄ₜ and λₜ₊₁ (there, dL/dcₜ = λₜ₊₁; here it
is μₜ₊₁, as vₜ depends on cₜ₋₁ above the floor only).  For t = T..1 with μ = 0 = j̄ beyond T:

    λₜ = membrane(vₜ, μₜ₊₁, z̄ₜ, m̄ₜ)          μₜ = λₜ 1[vₜ > f]
    j̄ₜ = g μₜ + α j̄ₜ₊₁                       ∂L/∂xₜ = s j̄ₜ

Neurons without a threshold (I, LI, CubaLI) never fire: cₜ = β vₜ, mₜ = vₜ, λₜ = m̄ₜ + β μₜ₊₁.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxdigits.interop.discretise import Discretisation, decay_of, gain_of
from jaxdigits.spikes.convention import Convention
from jaxdigits.spikes.lif import make_membrane
from jaxdigits.spikes.surrogates import Surrogate
from jaxdigits.spikes.unroll import Neuron

STATEFUL = ("I", "LI", "IF", "LIF", "CubaLI", "CubaLIF")


class Constants(NamedTuple):
    """The numbers of one step, each one number or one per neuron [n]."""

    beta: Any
    gain: Any
    drive: Any = 0.0
    theta: Any = None
    """None for neurons that do not fire"""
    floor: float | None = None
    """in the potential's unit"""
    alpha: Any = None
    """None without a synapse"""
    synapse_gain: Any = 1.0
    start: Any = 0.0
    """v₀"""


def constants_of(
    kind: str, values: dict[str, np.ndarray], d: Discretisation
) -> tuple[Constants, Convention]:
    """Return the numbers and the convention of a node's neurons, from its values [n].

    Raises:
      ValueError: for values that the discretisation cannot take; without the node's name.
    """
    cuba, leaky = kind.startswith("Cuba"), not kind.startswith("I")
    convention = d.cuba_convention if cuba and d.cuba_convention else d.convention
    values = {key: value.astype(float) for key, value in values.items()}
    r, name = values["r"], "tau_mem" if cuba else "tau"
    beta = decay_of(values[name], d, name) if leaky else np.ones_like(r)
    leak = values["v_leak"] if leaky else np.zeros_like(r)
    start = leak if d.start == "v_leak" else np.zeros_like(r)
    formula = (cuba and d.cuba_gain) or (d.input_gain if leaky else d.integrator_gain)
    gain = gain_of(formula, r, beta, d.dt)
    k = Constants(beta, gain, (1 - beta) * (leak - start), start=start)
    if cuba:
        alpha = decay_of(values["tau_syn"], d, "tau_syn")
        synapse = gain_of(d.synapse_gain, values["w_in"], alpha, d.dt)
        k = k._replace(alpha=alpha, synapse_gain=synapse)
    if "v_threshold" not in values:
        return k, convention
    theta, several = values["v_threshold"], convention.spikes == "several"
    if convention.reset == "subtract":
        reset: Any = "subtract"
        if np.any(start != 0) or not (theta > 0).all():
            raise ValueError(
                "a reset by subtraction needs v_threshold > 0, and a start at zero"
            )
    else:
        after = values["v_reset"] if d.v_reset else convention.reset
        reset = _static(np.asarray(after) - start)
    if several and (np.any(start != 0) or not (theta > 0).all()):
        raise ValueError("several spikes a step need v_threshold > 0, and a start at zero")
    if d.floor is not None and kind == "IF":
        k = k._replace(floor=float(d.floor) * theta)
    plain = replace(convention, reset=reset, gain=1.0, normalise=False)
    return k._replace(theta=theta - start), plain


def nir_neuron(k: Constants, convention: Convention, surrogate: Surrogate) -> Neuron:
    """Neurons with these constants, without params: one step of `over_time`."""
    membrane = make_membrane(surrogate, convention)
    numbers = {
        key: np.float64(values[0]) if np.ptp(values) == 0 else values
        for key, value in k._asdict().items()
        if value is not None and (values := np.atleast_1d(value)).size
    }
    fires, synapse, floored = k.theta is not None, k.alpha is not None, k.floor is not None

    def leave(k, v):
        return membrane.leave(k["beta"], v, k["theta"]) if fires else k["beta"] * v

    def step(k, state, x):
        j, c = state if synapse else (x, state)
        j = k["alpha"] * j + k["synapse_gain"] * x if synapse else x
        v = c + k["gain"] * j + k["drive"]
        v = jnp.where(v > k["floor"], v, k["floor"]) if floored else v
        trace = {"v": v, "current": j} if synapse else {"v": v}
        return after(k, trace), trace, fire(k, trace)

    def back(k, trace, state_bar, z_bar, m_bar):
        j_bar, mu = state_bar if synapse else (0.0, state_bar)
        v = trace["v"]
        if fires:
            lam = membrane.back(k["beta"], k["theta"], v, mu, z_bar, m_bar)[0]
        else:
            lam = m_bar + k["beta"] * mu
        mu = jnp.where(v > k["floor"], lam, 0) if floored else lam
        j_bar = k["gain"] * mu + (k["alpha"] * j_bar if synapse else 0)
        return ((j_bar, mu), k["synapse_gain"] * j_bar, {}) if synapse else (mu, j_bar, {})

    def fire(k, trace):
        return membrane.fire(trace["v"], k["theta"]) if fires else jnp.zeros_like(trace["v"])

    def potential(k, trace):
        v = trace["v"]
        return (membrane.end(v, k["theta"]) if fires else v) + k["start"]

    def after(k, trace):
        c = leave(k, trace["v"])
        return (trace["current"], c) if synapse else c

    return Neuron(
        lambda shape: {},
        lambda params, dtype: {key: jnp.asarray(v, dtype) for key, v in numbers.items()},
        lambda x: (jnp.zeros_like(x), jnp.zeros_like(x)) if synapse else jnp.zeros_like(x),
        step, back, fire, potential,
        late=fires and convention.spike_from == "old", after=after,
    )  # fmt: skip


def delay_line(steps: np.ndarray) -> Neuron:
    """Signals a number of steps [n] later, as a neuron whose potential is the output.

    With b the last D inputs and 1 where a neuron's delay is d: yₜ = Σ_d 1_d xₜ₋d, so the slope
    of the input of step t is Σ_d 1_d ȳₜ₊d: it waits in b̄ for its step.
    """
    D = int(steps.max())
    chosen = np.arange(D + 1)[:, None] == steps  # [D + 1, n]

    def pick(a, x):
        axes = (D + 1, *[1] * (x.ndim - 1), x.shape[-1])
        return jnp.where(chosen.reshape(axes), a, 0)

    def step(k, buffer, x):
        past = jnp.concatenate([x[None], buffer])
        y = pick(past, x).sum(0)
        return past[:D], {"v": y}, jnp.zeros_like(y)

    def back(k, trace, buffer_bar, z_bar, y_bar):
        past_bar = pick(y_bar[None], y_bar)
        past_bar = past_bar.at[:D].add(buffer_bar)
        return past_bar[1:], past_bar[0], {}

    return Neuron(
        lambda shape: {}, lambda params, dtype: {},
        lambda x: jnp.zeros((D, *x.shape), x.dtype), step, back,
        lambda k, trace: jnp.zeros_like(trace["v"]), lambda k, trace: trace["v"],
    )  # fmt: skip


def _static(values: np.ndarray) -> float | tuple[float, ...]:
    flat = np.ravel(values)
    return float(flat[0]) if np.ptp(flat) == 0 else tuple(flat.tolist())
