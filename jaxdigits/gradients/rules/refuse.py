"""What a learning rule cannot take, said when the network is built.

A layer is three opaque functions, so what its neurons do is found by trying them: two steps of
current, and what an error at the second step sends back to the first.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits.chain import Parts
from jaxdigits.layer import Layer

POTENTIALS = np.linspace(-2, 2, 17)  # currents of both steps, which rest turns into potentials


def require_spiking(parts: Parts, rule: str) -> None:
    """Check that a network has time, and that its neurons have nothing but their weights.

    Raises:
      ValueError: for a network without time, without a hidden layer, with norms, or with
        neurons whose reset is differentiated.
    """
    if parts.steps is None:
        raise ValueError(f"{rule} follows neurons through time, and this network has no time")
    if not parts.hidden:
        raise ValueError(f"{rule} is for hidden layers, and this network has none")
    for block in parts.hidden:
        if len(block) != 3:
            raise ValueError(
                f"{rule} takes weights, neurons and dropout: what a norm does to a neuron's "
                "current is not known at its synapses; build with norm=None"
            )


def require_reset_held(
    weights: Layer, unit: Layer, rule: str, *, after_spikes: bool = False
) -> None:
    """Check that an error decays alike from every potential below the threshold.

    With the reset held constant λ₁/λ₂ = β wherever neuron 1 is silent; a differentiated reset
    adds −θ h(v₁ − θ), which depends on v₁.

    Args:
      after_spikes: also from those above, as by subtraction but not by a reset to a value.

    Raises:
      ValueError: if it does not.
    """
    back, spikes = _two_steps(weights, unit)
    for share, fired in zip(back, spikes, strict=True):  # one neuron after another
        if _spread(share[~fired]) > 1e-3:
            raise ValueError(
                f"{rule} holds the reset constant, but these neurons differentiate it: "
                "build them with differentiate_reset=False"
            )
        if after_spikes and _spread(share) > 1e-3:
            raise ValueError(
                f"{rule} keeps one trace for all neurons of a layer, so a spike may not cut a "
                "neuron's memory: build them with reset='subtract'"
            )


def _spread(share: np.ndarray) -> float:
    known = share[np.isfinite(share)]
    return float(np.ptp(known)) if len(known) else 0.0


def _two_steps(weights: Layer, unit: Layer) -> tuple[np.ndarray, np.ndarray]:
    """λ₁/λ₂, and whether the first step fired, both [n, currents²]."""
    with jax.ensure_compile_time_eval():  # a builder may be called inside jit
        key = jax.random.key(0)
        _, (n,) = weights.init(key, (1,))
        params: Any = unit.init(key, (n,))[0]
        pairs = np.stack([a.ravel() for a in np.meshgrid(POTENTIALS, POTENTIALS)])
        current = jnp.broadcast_to(jnp.asarray(pairs, float)[..., None], (*pairs.shape, n))
        spikes, residual = unit.forward(params, current, None)
        s_bar = jnp.zeros_like(current).at[1].set(1)
        lam, spikes = np.asarray(unit.backward(params, residual, s_bar)[1]), np.asarray(spikes)
    with np.errstate(all="ignore"):
        # Where the slope at step 2 is small, the ratio is rounding.
        ratio = np.where(lam[1] > 1e-3 * lam[1].max(), lam[0] / lam[1], np.nan)
    return ratio.T, (spikes[0] > 0.5).T
