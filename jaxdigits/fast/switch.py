"""The switch of the workarounds, and the platform that programs are traced for.

`JAXDIGITS_FAST=0` in the environment switches all workarounds off, XLA's flags included.  The
context `without()` switches them off for the programs that are traced in it.  `jax.jit` keeps
programs with and without apart.
"""

import os
from contextlib import AbstractContextManager
from typing import Any, Literal

import jax

Platform = Literal["cpu", "gpu", "tpu"]
WORKAROUNDS = (
    "row in pieces", "narrow transposed", "bfloat16 rewritten", "sum as product",
    "barrier dense", "barrier conv", "barrier epoch", "bands", "conv weight by hand",
    "in place", "kernel", "threefry",
)  # fmt: skip

_off: Any = jax.make_user_context(
    WORKAROUNDS if os.environ.get("JAXDIGITS_FAST") == "0" else ()
)
_target: Any = jax.make_user_context(None)


def without(*names: str) -> AbstractContextManager[None]:
    """Trace programs without these workarounds too, or without any if none is named.

    Raises:
      ValueError: for a name that is not in `WORKAROUNDS`.
    """
    if unknown := set(names) - set(WORKAROUNDS):
        raise ValueError(
            f"unknown workaround {unknown.pop()!r}: choose from {', '.join(WORKAROUNDS)}"
        )
    return _off(tuple(sorted({*names, *_off.value})) if names else WORKAROUNDS)


def uses(name: str) -> bool:
    """Whether programs that are traced now have this workaround."""
    return name not in _off.value


def for_platform(name: Platform) -> AbstractContextManager[None]:
    """Trace programs for another platform than JAX's default, as for an absent device."""
    return _target(name)


def platform() -> Platform:
    """Return the platform that programs are traced for: cpu, gpu or tpu."""
    chosen: Any = _target.value or jax.default_backend()
    return chosen
