"""What a learning rule cannot take, said when the network is built.

A layer is three opaque functions, so what its neurons do is found by trying them: two steps of
current, and what an error at the second step sends back to the first.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits.chain import Parts
from jaxdigits.layer import Layer

# Currents of both steps, in units of the smallest that makes a neuron fire, which rest turns
# into potentials: closer together near the threshold, where slopes may be narrow.
CURRENTS = np.concatenate([np.linspace(-2, 2, 17), np.linspace(0.8, 1.1, 13)])
ANY_SCALE = 2.0 ** np.arange(-20, 20.125, 0.125)


def require_steps(parts: Parts, rule: str) -> None:
    """Check that spikes come at steps, or that there are none.

    Raises:
      ValueError: for a network whose spikes are times.
    """
    if parts.events:
        raise ValueError(
            f"{rule} knows spikes at steps, and in this network they come at times between: it "
            "learns by EventProp"
        )


def require_dense(parts: Parts, rule: str) -> None:
    """Check that all weights are those of dense layers.

    Raises:
      ValueError: if not.
    """
    require_steps(parts, rule)
    for weights in (*(block[0] for block in parts.hidden), parts.exit[0]):
        try:
            params = _shapes(weights, 1)
        except ValueError:  # what does not take one feature
            params = {}
        if np.ndim(params.get("weight", 0)) != 2:
            raise ValueError(
                f"{rule} is for dense layers: convolutions learn by backpropagation only"
            )


def require_spiking(parts: Parts, rule: str) -> None:
    """Check that a network has time, and that a neuron has nothing but its own weights.

    Raises:
      ValueError: for a network without time or without a hidden layer, with convolutions, with
        norms, or with synapses between the neurons of a layer; for one whose spikes are times.
    """
    require_steps(parts, rule)
    if parts.steps is None:
        raise ValueError(f"{rule} follows neurons through time, and this network has no time")
    if not parts.hidden:
        raise ValueError(f"{rule} is for hidden layers, and this network has none")
    require_dense(parts, rule)
    for block in parts.hidden:
        if len(block) != 3:
            raise ValueError(
                f"{rule} takes weights, neurons and dropout: what a norm does to a neuron's "
                "current is not known at its synapses; build with norm=None"
            )
        weights, unit, _ = block
        own = _shapes(unit, width(weights)) if isinstance(unit, Layer) else ()
        if any(leaf.ndim > 1 for leaf in jax.tree.leaves(own)):
            raise ValueError(
                f"{rule} follows each neuron for itself, and these have synapses among them: "
                "take neurons without, as `lif`"
            )


def require_fading(weights: Layer, unit: Layer, rule: str) -> None:
    """Check that an error fades alike from every potential below the threshold.

    With the reset held constant λ₁/λ₂ = β wherever neuron 1 is silent; a differentiated reset
    adds −θ h(v₁ − θ), an adaptive threshold −b (1 − ρ) h(v₁ − θ), and both depend on v₁.

    Raises:
      ValueError: if it does not, or if spikes come out a step late.
    """
    fires = _fires(weights, unit)
    if fires[1].any() and not fires[0].any():
        raise ValueError(
            f"{rule} sends the error of a step down in this step, and these spikes come out a "
            "step late: build with Convention(spike_from='new')"
        )
    lam_1, lam_2, fired = _two_steps(weights, unit, fires[0])
    with np.errstate(all="ignore"):
        # Where the slope at step 2 is small, the ratio is rounding.
        share = np.where(lam_2 > 1e-3 * lam_2.max(0), lam_1 / lam_2, np.nan)
    for of_neuron, spikes in zip(share.T, fired.T, strict=True):
        if spread(of_neuron[~spikes]) > 1e-3:
            raise ValueError(
                f"{rule} has an error fade at a constant rate, and in these neurons it depends "
                "on the potential: build with Convention(differentiate_reset=False), and "
                "without an adaptive threshold"
            )


def tried(f: Callable[[], Any]) -> Any:
    """f() as NumPy arrays, now, though the builder that asks may itself be traced."""
    # Compiled, f is one primitive without inputs, which `vmap` too lets pass.
    with jax.ensure_compile_time_eval():
        return jax.tree.map(np.asarray, jax.jit(f)())


def spread(shares: Any) -> float:
    """The largest difference between finite numbers."""
    known = np.asarray(shares)[np.isfinite(shares)]
    return float(np.ptp(known)) if len(known) else 0.0


def width(weights: Layer) -> int:
    """How many neurons a layer of dense weights feeds."""
    return _shapes(weights, 1)["weight"].shape[1]


def _shapes(layer: Layer, features: int) -> Any:
    """The shapes of its params, for inputs of that many features."""
    return jax.eval_shape(lambda: layer.init(jax.random.key(0), (features,))[0])


def _fires(weights: Layer, unit: Layer) -> np.ndarray:
    """[2, ANY_SCALE, n] whether neurons fire in two steps, with a current in the first."""
    n = width(weights)
    first = np.broadcast_to(ANY_SCALE[:, None], (len(ANY_SCALE), n))

    def fire():
        current = jnp.asarray(np.stack([first, np.zeros_like(first)]), float)
        params: Any = unit.init(jax.random.key(0), (n,))[0]
        return unit.forward(params, current, None)[0] > 0.5

    return tried(fire)


def _two_steps(
    weights: Layer, unit: Layer, fires: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """λ₁ and λ₂, and whether the first step fired, all [CURRENTS², n]."""
    least = np.where(fires.any(0), ANY_SCALE[fires.argmax(0)], 1.0)
    pairs = np.stack([a.ravel() for a in np.meshgrid(CURRENTS, CURRENTS)])

    def go_back():
        params: Any = unit.init(jax.random.key(0), (width(weights),))[0]
        current = jnp.asarray(pairs[..., None] * least, float)
        spikes, residual = unit.forward(params, current, None)
        s_bar = jnp.zeros_like(current).at[1].set(1)
        lam: Array = unit.backward(params, residual, s_bar)[1]
        return lam[0], lam[1], spikes[0] > 0.5

    return tried(go_back)
