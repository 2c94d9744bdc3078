"""The constants of a neuron: the given ones stay, the learned ones are params.

Learned constants are stored without bounds:

    a decay, in (0, 1)       β = 1 / (1 + e^−ρ)       ∂L/∂ρ = β (1 − β) ∂L/∂β
    a size, above 0          θ = e^φ                  ∂L/∂φ = θ ∂L/∂θ
"""

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from jaxdigits.layer import Shape

Constants = Mapping[str, Array]


def constants(
    start: Mapping[str, ArrayLike],
    learn: Collection[str],
    others: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[Callable[[Any], dict[str, Array]], Callable[[Any, Any], dict[str, Array]]]:
    """Functions that make a neuron's params, and that read its constants.

    Args:
      start: the constants by name, one number or one per neuron [n]; what is called "decay"
        or ends so is a decay, the others are sizes.
      learn: the names of those that are learned, one per neuron, from the value in `start`.
      others: what else the neuron holds one number of, or one per neuron.

    Returns:
      init: feature shape -> params by name [n], of the learned ones; refuses constants that
        are neither one number nor one per neuron, with a ValueError.
      read: (params, dtype) -> all constants by name, in that dtype.

    Raises:
      ValueError: unless decays are in [0, 1] (strictly inside, if learned), sizes are >= 0
        (> 0, if learned), and `learn` holds names of `start`.
    """
    start = {name: np.asarray(value) for name, value in start.items()}
    require_learnable(learn, tuple(start))
    for name, value in start.items():
        _check(name, value, name in learn)

    def init(shape):
        for name, value in {**start, **others}.items():
            _require_fit(name, np.shape(value), shape)
        stored = {k: _unbounded(k, v) for k, v in start.items() if k in learn}
        return {
            k: jnp.broadcast_to(jnp.asarray(p, float), shape[-1:]) for k, p in stored.items()
        }

    def read(params, dtype):
        return {
            k: jnp.asarray(_bounded(k, params[k]) if k in learn else v, dtype)
            for k, v in start.items()
        }

    return init, read


def require_learnable(learn: Collection[str], names: tuple[str, ...]) -> None:
    """Check that what is learned is among the constants, or raise a ValueError."""
    if isinstance(learn, str):
        raise ValueError(f"learn must be a tuple: ({learn!r},), got {learn!r}")
    if unknown := [name for name in learn if name not in names]:
        raise ValueError(f"learn takes names from {names}, got {unknown[0]!r}")


def through_bounds(name: str, value: Array, value_bar: Array) -> Array:
    """∂L/∂(what is stored) from ∂L/∂(the constant of that name and value)."""
    return value_bar * (value * (1 - value) if _is_decay(name) else value)


def _unbounded(name: str, value: np.ndarray) -> np.ndarray:
    return np.log(value / (1 - value)) if _is_decay(name) else np.log(value)


def _bounded(name: str, stored: Array) -> Array:
    return jax.nn.sigmoid(stored) if _is_decay(name) else jnp.exp(stored)


def _is_decay(name: str) -> bool:
    return name.endswith("decay")


def _require_fit(name: str, given: Shape, shape: Shape) -> None:
    if given not in ((), (1,), shape[-1:]):
        has = f"{given[0]} numbers" if len(given) == 1 else f"the shape {given}"
        raise ValueError(
            f"{name} has {has} for {shape[-1]} neurons: give one number, or one per neuron"
        )


def _check(name: str, value: np.ndarray, learned: bool) -> None:
    if not _is_decay(name):
        least = "> 0" if learned or name == "threshold" else ">= 0"
        if not np.all(value > 0 if least == "> 0" else value >= 0):
            raise ValueError(f"{name} must be {least}, got {value}")
    elif not np.all((value >= 0) & (value <= 1)):
        raise ValueError(f"{name} must be in [0, 1], got {value}")
    elif learned and not np.all((value > 0) & (value < 1)):
        raise ValueError(f"a learned {name} must start inside (0, 1), got {value}")
