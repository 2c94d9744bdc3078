"""Checks of arguments, each with its error: `checks.positive(gain=gain)`."""

import jax.numpy as jnp
from jax import Array


def at_least(least: float, **values: float) -> None:
    """Check that the values by name are >= `least`.

    Raises:
      ValueError: for the first value that is not.
    """
    for name, value in values.items():
        if not value >= least:
            raise ValueError(f"{name} must be >= {least}, got {value}")


def positive(**values: float) -> None:
    """Check that the values by name are > 0.

    Raises:
      ValueError: for the first value that is not.
    """
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} must be > 0, got {value}")


def floats(x: Array, layer: str, remedy: str = "") -> None:
    """Check that x [...] is an array of floats.

    Raises:
      ValueError: for another dtype.
    """
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        raise ValueError(f"{layer} takes floats, got {x.dtype}{remedy and f': {remedy}'}")
