"""What spiking neurons leave behind: their potentials and spikes."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array


class Traces(NamedTuple):
    """What a layer of spiking neurons leaves behind, for `backward` and for the eye."""

    v: Array
    """[T, ..., n] membrane potential before reset"""
    spikes: Array
    """[T, ..., n] 0 or 1, or how many"""


def traces(residual: Any) -> list[Traces]:
    """The traces of every spiking layer in a network's residual, first layer first."""
    is_traces = lambda node: isinstance(node, Traces)
    return [n for n in jax.tree.leaves(residual, is_leaf=is_traces) if is_traces(n)]


def firing_rates(residual: Any) -> Array:
    """[layers] the mean number of spikes per neuron and step, of every spiking layer."""
    return jnp.array([t.spikes.mean() for t in traces(residual)])
