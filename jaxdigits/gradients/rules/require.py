"""The networks that a learning rule takes, checked when the network is built.

What a neuron is stands in its layer's `about`: a unit made by `over_time`, as `lif` is, holds
its `Neuron`, which says how an error fades in it.
"""

from typing import Any

import jax
import numpy as np

from jaxdigits.chain import Parts
from jaxdigits.layer import Layer
from jaxdigits.spikes.unroll import Neuron, over_time


def require_steps(parts: Parts, rule: str) -> None:
    """Check that spikes come at steps, or that there are none.

    Raises:
      ValueError: for a network whose spikes are times.
    """
    if parts.events:
        raise ValueError(
            f"{rule} needs spikes on a time grid; this network has event-driven neurons, which "
            "learn by EventProp"
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
                f"{rule} follows each neuron independently, and these have synapses among "
                "them: take neurons without, as `lif`"
            )


def require_fading(unit: Layer, rule: str) -> None:
    """Check that an error fades alike from every potential below the threshold.

    With the reset held constant λ₁/λ₂ = β wherever neuron 1 is silent; a differentiated reset
    adds −θ h(v₁ − θ), an adaptive threshold −b (1 − ρ) h(v₁ − θ), and both depend on v₁.

    Raises:
      ValueError: if it does not, or if spikes come out a step late; for a layer of your own,
        whose neurons are not known.
    """
    neuron = neuron_in(unit, rule)
    if neuron.late:
        raise ValueError(
            f"{rule} sends the error of a step down in this step, and these spikes come out a "
            "step late: build with spike_from='new'"
        )
    if neuron.fades == "never":
        raise ValueError(
            f"{rule} needs errors that fade at a constant rate; in these neurons the rate "
            "depends on the potential: build with differentiate_reset=False, and without an "
            "adaptive threshold"
        )


def neuron_in(unit: Layer, rule: str) -> Neuron:
    """The neuron that a layer unrolls over time.

    Raises:
      ValueError: for a layer that `over_time` did not make.
    """
    about = unit.about and unit.about.find(over_time)
    if about is None:
        raise ValueError(
            f"{rule} must know the neurons that it goes through: build them with over_time, as "
            "lif is"
        )
    return about.arguments["neuron"]


def width(weights: Layer) -> int:
    """How many neurons a layer of dense weights feeds."""
    return _shapes(weights, 1)["weight"].shape[1]


def _shapes(layer: Layer, features: int) -> Any:
    """The shapes of its params, for inputs of that many features."""
    return jax.eval_shape(lambda: layer.init(jax.random.key(0), (features,))[0])
