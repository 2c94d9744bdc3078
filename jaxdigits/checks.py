"""Checks of arguments, each with its error: `checks.positive(gain=gain)`.

A number may be traced, as a member's own number is in a population.  Its value is unknown then,
so its range is not checked: build once with the smallest and the largest value before.
"""

from operator import index
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.core import Tracer


def known(*values: Any) -> bool:
    """Return whether no value is traced, so that ranges can be checked."""
    return not any(isinstance(value, Tracer) for value in values)


def present(value: Any) -> bool:
    """Return whether a part of this strength exists: not for 0, and always for a traced number.

    Parts are static: they decide which keys later layers draw from.
    """
    return not known(value) or bool(value)


def static(**values: Any) -> None:
    """Check that the values by name are known, because the program depends on them.

    Raises:
      ValueError: for the first value that is traced.
    """
    for name, value in values.items():
        if not known(value):
            raise ValueError(f"{name} decides the program: pass a number that is not traced")


def at_least(least: int, **values: int) -> None:
    """Check that the values by name, sizes and counts, are whole numbers >= `least`.

    Raises:
      ValueError: for the first value that is not, or that is traced.
    """
    static(**values)
    for name, value in values.items():
        size: Any = None if isinstance(value, bool) else value
        try:
            index(size)
        except TypeError:
            raise ValueError(f"{name} must be a whole number, got {value!r}") from None
        if not value >= least:
            raise ValueError(f"{name} must be >= {least}, got {value}")


def positive(**values: float) -> None:
    """Check that the values by name are > 0, where they are known.

    Raises:
      ValueError: for the first value that is not.
    """
    for name, value in values.items():
        if known(value) and not value > 0:
            raise ValueError(f"{name} must be > 0, got {value}")


def floats(x: Array, layer: str, remedy: str = "") -> None:
    """Check that x [...] is an array of floats.

    Raises:
      ValueError: for another dtype.
    """
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        raise ValueError(f"{layer} takes floats, got {x.dtype}{remedy and f': {remedy}'}")
