"""A case of the gradient certificate: a constructor with a gradient by hand, and its input.

Each file has the cases of its constructors in a dict `CASES`; `jaxdigits.certificate` gathers
them, and the contract tests run over them too.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

STEPS = 10  # of the inputs over time


class Case(NamedTuple):
    """A small layer or loss to check."""

    make: Callable[[], Any]
    """-> Layer or Loss"""
    features: Any = ()
    """feature shape of one example, or a dict of them"""
    input: str = "normal"
    """"normal" floats, "pixels" in uint8, "grey" floats in [0, 1], each [B, ...]; "current",
    floats over time [T, B, ...]; or "senses", a dict of a grey image and a normal sound"""
