"""The switch of the workarounds.

`JAXDIGITS_FAST=0` in the environment switches all of them off, XLA's flags included.  The
context `without()` switches them off for the programs that are traced in it.  `jax.jit`
keeps programs with and without apart.
"""

import os
from contextlib import AbstractContextManager
from typing import Any

import jax

WORKAROUNDS = frozenset({
    "pieces", "narrow", "bfloat16", "sum", "barrier", "bands", "order", "in place", "kernel",
    "threefry",
})  # fmt: skip
"""by name, in the order of jaxdigits/fast/__init__.py"""

_off: Any = jax.make_user_context(
    WORKAROUNDS if os.environ.get("JAXDIGITS_FAST") == "0" else frozenset()
)


def without(*names: str) -> AbstractContextManager[None]:
    """Trace programs without these workarounds, or without any if none is named.

    Raises:
      ValueError: for a name that is not in `WORKAROUNDS`.
    """
    if unknown := sorted(set(names) - WORKAROUNDS):
        raise ValueError(
            f"unknown workaround {unknown[0]!r}: choose from {sorted(WORKAROUNDS)}"
        )
    return _off(frozenset(names) or WORKAROUNDS)


def uses(name: str) -> bool:
    """Whether programs that are traced now have this workaround."""
    return name not in _off.value
