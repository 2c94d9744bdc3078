"""A learning rule by name, and the networks that it takes, checked when a network is built.

The layer's `about` holds the neurons: a unit made by `over_time`, as `lif` is, has its `Neuron`
there, which declares how an error fades in it.  Each check raises a ValueError with the reason,
and the option to build with.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits import spikes as sp
from jaxdigits.chain import Chain, Parts, in_series
from jaxdigits.gradients.estimators import Estimator, by_hand
from jaxdigits.layer import Layer
from jaxdigits.losses import Loss


class LearningRule(NamedTuple):
    """A rule as training takes it."""

    chain: Chain
    estimator: Callable[[Layer, Loss], Estimator] = by_hand


RULES = {"bptt": LearningRule(in_series)}
LATE = ("{rule} needs spikes in the step that makes them, and these come out a step late: "
        "build with spike_from='new'")  # fmt: skip


def require_dense(parts: Parts, rule: str) -> None:
    """Check that all weights are those of dense layers, and that spikes come at steps."""
    if parts.events:
        raise ValueError(f"{rule} needs spikes on a time grid; this network has event-driven "
                         "neurons, which learn by EventProp")  # fmt: skip
    for weights in (*(block[0] for block in parts.hidden), parts.exit[0]):
        try:
            params = shapes_of(weights, 1)
        except ValueError:  # of a layer that does not take one feature
            params = {}
        if np.ndim(params.get("weight", 0)) != 2:
            raise ValueError(f"{rule} is for dense layers: convolutions learn by "
                             "backpropagation only")  # fmt: skip


def require_spiking(parts: Parts, rule: str) -> None:
    """Check that a network has time, hidden layers, and no norms or recurrent synapses."""
    require_dense(parts, rule)
    if parts.steps is None:
        raise ValueError(f"{rule} follows neurons through time, and this network has no time")
    if not parts.hidden:
        raise ValueError(f"{rule} is for hidden layers, and this network has none")
    for weights, unit, *others in parts.hidden:
        if len(others) != 1:
            raise ValueError(f"{rule} takes weights, neurons and dropout: a synapse does not "
                             "know the effect of a norm; build with norm=None")  # fmt: skip
        own = shapes_of(unit, width(weights)) if isinstance(unit, Layer) else ()
        if any(leaf.ndim > 1 for leaf in jax.tree.leaves(own)):
            raise ValueError(f"{rule} follows each neuron independently, and these have "
                             "synapses among them: take others, as `lif`")  # fmt: skip


def require_fading(unit: Layer, rule: str) -> None:
    """Check that an error fades alike from every potential below the threshold.

    With the reset held constant λ₁/λ₂ = β wherever neuron 1 is silent; a differentiated reset
    adds −θ h(v₁ − θ), an adaptive threshold −b (1 − ρ) h(v₁ − θ), and both depend on v₁.
    """
    neuron = neuron_in(unit, rule)
    if neuron.late:
        raise ValueError(LATE.format(rule=rule))
    if neuron.fades == "never":
        raise ValueError(f"{rule} needs errors that fade at a constant rate: build with "
                         "differentiate_reset=False, no adaptive threshold")  # fmt: skip


def require_one_state(neuron: sp.Neuron, weights: Layer, rule: str) -> None:
    """Check that neurons go step by step with one state and without params."""
    if neuron.late:
        raise ValueError(LATE.format(rule=rule))
    if not isinstance(neuron.rest(jnp.zeros(1)), jax.Array):
        raise ValueError(f"{rule} follows one state of each neuron, its potential, and these "
                         "have more: take neurons of one state, as `lif`")  # fmt: skip
    if neuron.init((width(weights),)):
        raise ValueError(f"{rule} learns weights only: build with learn=()")


def neuron_in(unit: Layer, rule: str) -> sp.Neuron:
    """Return the neuron that a layer unrolls over time."""
    about = unit.about and unit.about.find(sp.over_time)
    if about is None:
        raise ValueError(f"{rule} must know the neurons that it goes through: build them with "
                         "over_time, as lif is")  # fmt: skip
    return about.arguments["neuron"]


def width(weights: Layer) -> int:
    """Return the number of neurons behind a layer of dense weights."""
    return shapes_of(weights, 1)["weight"].shape[1]


def shapes_of(layer: Layer, features: int) -> Any:
    """Return the shapes of a layer's params, for inputs of that many features."""
    return jax.eval_shape(lambda: layer.init(jax.random.key(0), (features,))[0])
