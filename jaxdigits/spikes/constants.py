"""The constants of a neuron, of which some are learned, and so params.

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

from jaxdigits import checks
from jaxdigits.layer import Shape, spread

Constants = Mapping[str, Array]


def constants(
    start: Mapping[str, ArrayLike],
    learn: Collection[str],
    others: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[Callable[[Any], dict[str, Array]], Callable[[Any, Any], dict[str, Array]]]:
    """Return the functions that make a neuron's params and read its constants.

    Args:
      start: constants by name, one number or one per neuron [n]; a name that ends in "decay" is
        a decay, the others are sizes; traced, they are not checked.
      learn: names of learned constants, one number per neuron, from the value in `start`.
      others: further numbers of the neuron, one or one per neuron, for their check in `init`.

    Returns:
      init: feature shape -> params by name [n]; a ValueError for constants that are neither one
        number nor one per neuron.
      read: (params, dtype) -> all constants by name, in that dtype.

    Raises:
      ValueError: unless decays are in [0, 1] (strictly inside, if learned), sizes are >= 0
        (> 0, if learned), and `learn` holds names of `start`.
    """
    fixed = lambda value: np.asarray(value) if checks.known(value) else value
    start = {name: fixed(value) for name, value in start.items()}
    require_learnable(learn, tuple(start))
    for name, value in start.items():
        if checks.known(value):
            _check(name, value, name in learn)

    def init(shape):
        for name, value in {**start, **others}.items():
            _require_fit(name, np.shape(value), shape)
        free = lambda k: jnp.asarray(_without_bounds(k, start[k]), float)
        return {k: jnp.broadcast_to(free(k), shape[-1:]) for k in start if k in learn}

    def read(params, dtype):
        value = lambda k: _with_bounds(k, params[k]) if k in learn else start[k]
        return {k: jnp.asarray(value(k), dtype) for k in start}

    return init, read


def aligned(f: Callable) -> Callable:
    """Give each array among the arguments of f, pytrees of [..., n], as many axes."""

    def call(*arguments):
        largest = max(jax.tree.leaves(arguments), key=jnp.ndim)
        return f(*jax.tree.map(lambda a: spread(a, largest), arguments))

    return call


def require_learnable(learn: Collection[str], names: tuple[str, ...]) -> None:
    """Check that learned constants are among the names, or raise a ValueError."""
    if isinstance(learn, str):
        raise ValueError(f"learn must be a tuple: ({learn!r},), got {learn!r}")
    if unknown := [name for name in learn if name not in names]:
        raise ValueError(f"learn takes names from {names}, got {unknown[0]!r}")


def through_bounds(name: str, value: Array, value_bar: Array) -> Array:
    """Return ∂L/∂(the param) [...] from ∂L/∂(the constant of that name and value)."""
    return value_bar * (value * (1 - value) if _is_decay(name) else value)


def _without_bounds(name: str, value: Any) -> Any:
    log = np.log if checks.known(value) else jnp.log
    return log(value / (1 - value)) if _is_decay(name) else log(value)


def _with_bounds(name: str, param: Array) -> Array:
    return jax.nn.sigmoid(param) if _is_decay(name) else jnp.exp(param)


def _is_decay(name: str) -> bool:
    return name.endswith("decay")


def _require_fit(name: str, size: Shape, shape: Shape) -> None:
    if size not in ((), (1,), shape[-1:]):
        has = f"{size[0]} numbers" if len(size) == 1 else f"the shape {size}"
        text = f"{name} has {has} for {shape[-1]} neurons"
        raise ValueError(f"{text}: give one number, or one per neuron")


def _check(name: str, value: np.ndarray, learned: bool) -> None:
    if not _is_decay(name):
        positive = learned or name == "threshold"
        if not np.all(value > 0 if positive else value >= 0):
            raise ValueError(f"{name} must be {'> 0' if positive else '>= 0'}, got {value}")
    elif not np.all((value >= 0) & (value <= 1)):
        raise ValueError(f"{name} must be in [0, 1], got {value}")
    elif learned and not np.all((value > 0) & (value < 1)):
        raise ValueError(f"a learned {name} must start inside (0, 1), got {value}")
