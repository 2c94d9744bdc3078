"""LIF neurons with an adaptive threshold (ALIF): each spike makes the next one harder.

A low-pass filter a of the neuron's own spikes raises its threshold [1].  With a₁ = 0, for
t = 1..T, ρ the decay of the adaptation and b its size:

    Aₜ   = θ + b aₜ                       the threshold of step t
    a LIF step (of any convention) with Aₜ in the place of θ makes the spikes zₜ
    aₜ₊₁ = ρ aₜ + (1 − ρ) zₜ

so a neuron that fires at a rate f has the threshold θ + b f.  A reset by subtraction takes away
the threshold that was crossed, Aₜ, as in [1].  The e-prop paper [2] has another neuron: there a
reset takes away θ, however high the threshold is, and aₜ₊₁ = ρ aₜ + zₜ, so its b is our
(1 − ρ) b.

zₜ also reaches L through aₜ₊₁, and aₜ reaches L through Aₜ and aₜ₊₁.  The LIF step's adjoint
gives Āₜ = dL/dAₜ (`jaxdigits.spikes.lif`).  With āₜ = dL/daₜ, for t = T..1 and ā = 0
beyond T:

    z̄ₜ = s̄ₜ + (1 − ρ) āₜ₊₁                for the adjoint of the LIF step
    āₜ = ρ āₜ₊₁ + b Āₜ

    ∂L/∂θ = Σₜ Āₜ           ∂L/∂b = Σₜ aₜ Āₜ           ∂L/∂ρ = Σₜ āₜ₊₁ (aₜ − zₜ)

The adaptation is always differentiated, whether or not the reset is: it is how the gradient
reaches far into the past.  Units: A, θ and b in potential, a in spikes per step.

[1] Bellec, Salaj, Subramoney, Legenstein & Maass, NeurIPS 2018, arXiv:1803.09574.
[2] Bellec et al., Nat. Commun. 11, 2020, doi:10.1038/s41467-020-17236-y, arXiv:1901.09049.
"""

from collections.abc import Collection

import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.spikes.constants import aligned, constants, through_bounds
from jaxdigits.spikes.convention import Convention, per_neuron
from jaxdigits.spikes.lif import DEFAULT, membrane_of, require_reset_below, traced_choices
from jaxdigits.spikes.surrogates import AnySurrogate, surrogate_of
from jaxdigits.spikes.unroll import Neuron, as_layer


@constructor
def alif_neuron(
    surrogate: AnySurrogate = "fast_sigmoid",
    *,
    adaptation: ArrayLike = 1.8,
    adaptation_decay: ArrayLike = 0.995,
    decay: ArrayLike = 0.95,
    threshold: ArrayLike = 1.0,
    convention: Convention = DEFAULT,
    learn: Collection[str] = (),
) -> Neuron:
    """LIF neurons whose threshold rises with their firing.

    `alif` is the layer over time, currents [T, ..., n] -> spikes [T, ..., n]; `alif_neuron` one
    step of it, for `recurrent`.

    Args:
      surrogate, decay, threshold, convention: as for `lif`.
      adaptation: rise of the threshold under firing at every step, b.
      adaptation_decay: share of an adaptation left after a step, ρ.
      learn: constants that are trained too, one per neuron.

    With adaptation 0 it is `lif`; the default decay forgets in 200 steps.  The residual of the
    layer is (`Traces`, {"adaptation": a [T, ..., n]}).

    Raises:
      ValueError: as `lif`, and unless adaptation >= 0 (> 0, if learned) and
        0 <= adaptation_decay <= 1 (strictly inside, if learned).
    """
    slope = surrogate_of(surrogate)
    start = {"decay": decay, "threshold": threshold, "adaptation": adaptation,
             "adaptation_decay": adaptation_decay,
             **traced_choices(slope, convention)}  # fmt: skip
    init, read = constants(start, learn, per_neuron(convention))
    require_reset_below(threshold, convention)
    membrane = membrane_of(slope, convention)
    height = lambda k, a: k["threshold"] + k["adaptation"] * a

    def step(k, state, i_t):
        c_tm1, a_t = state
        rho = k["adaptation_decay"]
        c_t, v_t, z_t = membrane(k).step(k["decay"], height(k, a_t), c_tm1, i_t)
        return (c_t, rho * a_t + (1 - rho) * z_t), {"v": v_t, "adaptation": a_t}, z_t

    def back(k, trace, state_bar, z_bar_t, m_bar_t):
        lam_tp1, a_bar_tp1 = state_bar
        v_t, a_t = trace["v"], trace["adaptation"]
        A_t, b, rho = height(k, a_t), k["adaptation"], k["adaptation_decay"]
        lam_t, i_bar_t, A_bar_t, decay_bar = membrane(k).back(
            k["decay"], A_t, v_t, lam_tp1, z_bar_t + (1 - rho) * a_bar_tp1, m_bar_t
        )
        a_bar_t = rho * a_bar_tp1 + b * A_bar_t
        rho_bar = a_bar_tp1 * (a_t - membrane(k).fire(v_t, A_t))
        grads = {
            "decay": decay_bar,
            "threshold": through_bounds("threshold", k["threshold"], A_bar_t),
            "adaptation": through_bounds("adaptation", b, a_t * A_bar_t),
            "adaptation_decay": through_bounds("adaptation_decay", rho, rho_bar),
        }
        return (lam_t, a_bar_t), i_bar_t, {name: grads[name] for name in learn}

    # Without `after`: a trace determines both states, but from two arrays of one row, and XLA
    # would copy all rows at every step of a loop in place.
    rest = lambda i: (jnp.zeros_like(i), jnp.zeros_like(i))
    return Neuron(
        init, read, rest, aligned(step), aligned(back),
        aligned(lambda k, trace: membrane(k).fire(trace["v"], height(k, trace["adaptation"]))),
        aligned(lambda k, trace: membrane(k).end(trace["v"], height(k, trace["adaptation"]))),
        late=convention.spike_from == "old",
    )  # fmt: skip


alif = as_layer(alif_neuron)
NEURONS = {"alif": alif}
CASES = {
    "alif": Case(lambda: alif(threshold=0.5), (5,), "current"),
    "alif, learned, reset differentiated": Case(
        lambda: alif(
            adaptation=1.0, adaptation_decay=0.75, decay=0.9, threshold=0.5,
            learn=("decay", "threshold", "adaptation", "adaptation_decay"),
            convention=Convention(differentiate_reset=True),
        ), (5,), "current",
    ),
}  # fmt: skip
