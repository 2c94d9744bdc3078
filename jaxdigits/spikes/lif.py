"""Leaky integrate-and-fire (LIF) neurons of every convention, differentiated by hand.

From rest (c₀ = 0), for t = 1..T, with the choices of a `Convention` in braces:

    vₜ = cₜ₋₁ + g iₜ                             potential before reset
    zₜ = H(vₜ, θ)                                spikes; wₜ the spikes that reset
    R(x) = x − θ wₜ                              {subtract} the threshold for each spike
    R(x) = x − wₜ (x − V)                        {or} start again from V, with wₜ = 0 or 1
    mₜ = R(vₜ)       cₜ = β mₜ                   {same step} reset, then leak
    mₜ = vₜ          cₜ = R(β vₜ)                {next step} leak, then reset

c is the potential for the next step, m the potential that ends the step.  H has no useful
derivative; hₜ = h(vₜ − θ) takes its place [1].  From z̄ₜ = ∂L/∂zₜ and m̄ₜ = ∂L/∂mₜ we seek
λₜ = dL/dvₜ.  vₜ reaches L through zₜ, through mₜ and through cₜ, and cₜ only through
vₜ₊₁, so dL/dcₜ = λₜ₊₁.  Let x be the argument of R, d = −∂R/∂w, r = ∂R/∂x, μ = dL/dR(x), and
κ = 1 if the reset is differentiated, 0 if it is held constant [2]:

                  x        μₜ                             dₜ        rₜ
    same step     vₜ       m̄ₜ + β λₜ₊₁      subtract      θ         1
    next step     β vₜ     λₜ₊₁             to V          x − V     1 − wₜ

For t = T..1 with λ = 0 beyond T, since x depends on vₜ by 1 {same} or β {next}:

    eₜ = z̄ₜ − κ dₜ μₜ                            dL/dzₜ, with the effect of the reset
    λₜ = rₜ μₜ + hₜ eₜ                           {same step}
    λₜ = β rₜ μₜ + m̄ₜ + hₜ eₜ                    {next step}

    ∂L/∂iₜ = g λₜ
    ∂L/∂θ  = −Σₜ hₜ eₜ − Σₜ wₜ μₜ                (the second sum with {subtract} only)
    ∂L/∂β  = Σₜ λₜ₊₁ mₜ {same}  or  Σₜ λₜ₊₁ rₜ vₜ {next}

With normalised input, g = g₀ (1 − β), and β also acts through g: −Σₜ λₜ g₀ iₜ.  There
g iₜ = vₜ − cₜ₋₁, so the currents need not be stored; shifting one index (c₀ = 0 = λ beyond T),
the sum is −Σₜ (λₜ vₜ − λₜ₊₁ cₜ) / (1 − β).  A learned β = 1 / (1 + e^−ρ) cancels the
denominator:

    ∂L/∂ρ  = β (1 − β) (∂L/∂β as above) − β Σₜ (λₜ vₜ − λₜ₊₁ cₜ)

Units: v, c, m, g i, θ and V share one unit of potential, counted from the resting potential;
one step lasts dt.

[1] Neftci, Mostafa & Zenke, IEEE Signal Process. Mag. 36(6), 2019, arXiv:1901.09948.
[2] Zenke & Vogels, Neural Comput. 33(4), 2021, doi:10.1162/neco_a_01367.
[3] Fang et al., ICCV 2021, arXiv:2007.05785 (learned decay).
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from jaxdigits import checks
from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.layer import serial, spread
from jaxdigits.layers import max_pool
from jaxdigits.spikes import surrogates as su
from jaxdigits.spikes.constants import aligned, constants, through_bounds
from jaxdigits.spikes.convention import Convention, firing, per_neuron
from jaxdigits.spikes.unroll import Neuron, as_layer, over_time

DEFAULT = Convention()


@constructor
def lif_neuron(
    surrogate: su.AnySurrogate = "fast_sigmoid",
    *,
    decay: ArrayLike = 0.95,
    threshold: ArrayLike = 1.0,
    convention: Convention = DEFAULT,
    learn: Collection[str] = (),
) -> Neuron:
    """Leaky integrate-and-fire (LIF) neurons, which fire at their threshold.

    `lif` is the layer over time, currents [T, ..., n] -> spikes [T, ..., n]; `lif_neuron` one
    step of it, for `recurrent`.  Both take the same arguments.

    Args:
      surrogate: firing slope.
      decay: share of a potential left after a step, β.
      threshold: potential at which a neuron fires, θ.
      convention: rules of a spike and of the input; the default is `Convention()`.
      learn: constants that are trained too, one per neuron.

    A constant is one number, or one per neuron [n] (per channel, behind a convolution).  Params
    are the learned constants: {"decay": ρ [n], "threshold": φ [n]}.  The residual of the layer
    is `Traces`.

    Raises:
      ValueError: unless 0 <= decay <= 1 (strictly inside, if learned), threshold > 0 and above
        the potential of the reset, and `learn` holds names of both; for another surrogate or
        convention; in `init`, for constants that are neither one number nor one per neuron; in
        `forward`, for currents that are not floats.
    """
    slope = su.surrogate_of(surrogate)
    start = {"decay": decay, "threshold": threshold, **traced_choices(slope, convention)}
    init, read = constants(start, learn, per_neuron(convention))
    require_reset_below(threshold, convention)
    membrane = membrane_of(slope, convention)

    def step(k, c_tm1, i_t):
        c_t, v_t, z_t = membrane(k).step(k["decay"], k["threshold"], c_tm1, i_t)
        return c_t, {"v": v_t}, z_t

    def back(k, trace, lam_tp1, z_bar_t, m_bar_t):
        beta, theta = k["decay"], k["threshold"]
        lam_t, i_bar_t, theta_bar, rho_bar = membrane(k).back(
            beta, theta, trace["v"], lam_tp1, z_bar_t, m_bar_t
        )
        grads = {"decay": rho_bar, "threshold": through_bounds("threshold", theta, theta_bar)}
        return lam_t, i_bar_t, {name: grads[name] for name in learn}

    fades = "always" if convention.subtracts else "silent"
    return Neuron(
        init, read, jnp.zeros_like, step, aligned(back),
        lambda k, trace: membrane(k).fire(trace["v"], k["threshold"]),
        lambda k, trace: membrane(k).end(trace["v"], k["threshold"]),
        late=convention.spike_from == "old",
        after=lambda k, trace: membrane(k).leave(k["decay"], trace["v"], k["threshold"]),
        fades="never" if convention.differentiate_reset else fades,
    )  # fmt: skip


lif = as_layer(lif_neuron)


class Membrane(NamedTuple):
    """One step of a membrane whose threshold may change from step to step."""

    step: Callable[..., tuple[Array, Array, Array]]
    """(β, θ, cₜ₋₁, iₜ) -> (cₜ, vₜ, zₜ)"""
    back: Callable[..., tuple[Array, Array, Array, Array]]
    """(β, θ, vₜ, λₜ₊₁, z̄ₜ, m̄ₜ) -> (λₜ, īₜ, the terms of step t in ∂L/∂θ and in ∂L/∂ρ)"""
    fire: Callable[[Array, Array], Array]
    """(v, θ) -> z"""
    end: Callable[[Array, Array], Array]
    """(v, θ) -> m"""
    leave: Callable[[Array, Array, Array], Array]
    """(β, v, θ) -> c"""


def traced_choices(surrogate: su.Surrogate, convention: Convention) -> dict[str, Any]:
    """Return the traced numbers of both by name, which join the constants of a neuron."""
    numbers = {k: v for k, v in per_neuron(convention).items() if not checks.known(v)}
    return su.traced_numbers(surrogate) | numbers


def membrane_of(
    surrogate: su.Surrogate, convention: Convention
) -> Callable[[Mapping[str, Array]], Membrane]:
    """Return a function from a neuron's constants to its membrane, with its traced numbers."""
    traced = traced_choices(surrogate, convention)
    if not traced:
        membrane = make_membrane(surrogate, convention)
        return lambda k: membrane
    own = [name for name in per_neuron(convention) if name in traced]

    def with_constants(k: Mapping[str, Array]) -> Membrane:
        choices: dict[str, Any] = {name: k[name] for name in own}
        return make_membrane(su.with_numbers(surrogate, k), replace(convention, **choices))

    return with_constants


def make_membrane(surrogate: su.Surrogate, convention: Convention) -> Membrane:
    """Return the recurrence and the adjoint of this file's docstring."""
    subtract, same = convention.subtracts, convention.reset_step == "same"
    V = lambda x: 0 if subtract else spread(jnp.asarray(convention.reset, x.dtype), x)
    fire = firing(surrogate, convention)
    # A reset to V happens once, however many spikes there are.
    resets = fire if subtract else firing(surrogate, replace(convention, spikes="one"))
    hold = (lambda w: w) if convention.differentiate_reset else jax.lax.stop_gradient

    def reset(x, v, theta):
        w = hold(resets(v, theta))
        return x - theta * w if subtract else (1 - w) * x + V(x) * w

    def end(v, theta):
        return reset(v, v, theta) if same else v

    def leave(beta, v, theta):
        return beta * reset(v, v, theta) if same else reset(beta * v, v, theta)

    def gain(beta, i):
        i = (1 - beta) * i if convention.normalise else i
        size = spread(jnp.asarray(convention.gain, i.dtype), i)
        return i if checks.known(convention.gain) and convention.gain == 1 else size * i

    def step(beta, theta, c_tm1, i_t):
        v_t = c_tm1 + gain(beta, i_t)
        return leave(beta, v_t, theta), v_t, fire(v_t, theta)

    def back(beta, theta, v, lam_tp1, z_bar, m_bar):
        w, h = resets(v, theta), surrogate.slope(v - theta)
        mu = m_bar + beta * lam_tp1 if same else lam_tp1
        d = theta if subtract else (v if same else beta * v) - V(v)
        e = z_bar - d * mu if convention.differentiate_reset else z_bar
        r_mu = mu if subtract else (1 - w) * mu
        lam = (r_mu if same else beta * r_mu + m_bar) + h * e
        theta_bar = -h * e - (w * mu if subtract else 0)
        beta_bar = lam_tp1 * end(v, theta) if same else r_mu * v
        rho_bar = through_bounds("decay", beta, beta_bar)
        if convention.normalise:
            rho_bar = rho_bar - beta * (lam * v - lam_tp1 * leave(beta, v, theta))
        return lam, gain(beta, lam), theta_bar, rho_bar

    return Membrane(*map(aligned, (step, back, fire, end, leave)))


def require_reset_below(threshold: ArrayLike, convention: Convention) -> None:
    """Check that a neuron is below its threshold after a reset, or raise a ValueError."""
    reset = convention.reset
    if convention.subtracts or not checks.known(threshold, reset):
        return
    if not np.all(np.asarray(threshold) > np.asarray(reset)):
        raise ValueError(f"reset must be below the threshold {threshold}, got {reset}")


NEURONS = {"lif": lif}

_lif = partial(lif, decay=0.9, threshold=0.75)
_LEARN = ("decay", "threshold")
_RESETS = {
    f"{reset}, {'differentiated' if free else 'held'}":
        Convention(reset=reset, differentiate_reset=free)
    for reset in ("subtract", "zero") for free in (False, True)
}  # fmt: skip
_CONVENTIONS = {
    "same step, several spikes": Convention(reset_step="same", spikes="several"),
    "old potential, at the threshold": Convention(spike_from="old", fires="at"),
    "to a value, normalised input": Convention(
        reset=0.25, reset_step="same", differentiate_reset=True, gain=8.0, normalise=True
    ),
}
_PER_NEURON = np.linspace(0.7, 0.9, 5)
CASES = {
    **{
        f"lif, {name}, {source}": Case(
            partial(_lif, convention=convention, learn=learn), (5,), "current")
        for source, learn in (("given", ()), ("learned", _LEARN))
        for name, convention in _RESETS.items()
    },
    **{
        f"lif, {name}": Case(
            partial(_lif, convention=convention, learn=_LEARN), (5,), "current")
        for name, convention in _CONVENTIONS.items()
    },
    "lif, constants per neuron": Case(
        lambda: lif(decay=_PER_NEURON, threshold=1 - _PER_NEURON), (5,), "current"
    ),
    **{
        f"lif, {name}": Case(partial(_lif, slope), (5,), "current")
        for name, slope in (
            ("arctan", su.arctan()), ("triangle", su.triangle()), ("sigmoid", su.sigmoid()),
            ("exponential", su.exponential()), ("scaled", su.scaled(su.triangle(), 0.5)),
            ("spyx_arctan", su.scaled(su.arctan(4.0), 1 / (2 * np.pi))),
        )
    },
    "lif, soft twin": Case(
        partial(_lif, su.soft_twin(su.fast_sigmoid(4.0)),
                convention=Convention(differentiate_reset=True)), (5,), "current",
    ),
    "over_time, potential of lif": Case(
        lambda: over_time(lif_neuron(decay=0.9, threshold=0.5, learn=_LEARN), emit="potential"),
        (5,), "current",
    ),
    "max_pool of ties": Case(lambda: serial(_lif(), max_pool(2)), (7, 6, 4), "current"),
}  # fmt: skip
