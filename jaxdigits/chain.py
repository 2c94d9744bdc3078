"""The parts of a network, and how they are chained.

A builder says what a network is made of; a `Chain` makes one layer of it.  The usual one is
`in_series`: one layer after another, and the chain rule for `backward`.  A learning rule is
another chain, which keeps `init` and `forward` and sends the error another way
(`jaxdigits.gradients.rules`).

Whatever the chain, layer i of the network is layer i of its params, and draws its random
numbers from `fold_in(key, i)`.
"""

import inspect
from collections.abc import Callable, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

from jaxdigits.layer import Layer, serial


class Parts(NamedTuple):
    """The layers of a network, or anything else that there is one of per layer."""

    entry: Sequence[Any]
    """what makes numbers of an image: an encoder or a scale, and reshapes; learns nothing"""
    hidden: Sequence[Sequence[Any]]
    """blocks: weights, norms if any, one unit (neurons or an activation), dropout"""
    exit: Sequence[Any]
    """weights, and a readout if there is one"""
    steps: int | None = None
    """time steps; None for a network without time, or whose spikes come between steps"""
    events: bool = False
    """whether spikes are times, each found between events, and not numbers at steps"""


Chain = Callable[[Parts], Layer]


def in_series(parts: Parts) -> Layer:
    """One layer after another, and the error back through every one: backpropagation."""
    return serial(*flat(parts))


def chained(parts: Parts, chain: Chain) -> Layer:
    """The one layer that the chain makes of the parts.

    Raises:
      ValueError: for what is no chain, as a rule's name, or its constructor not called; and
        by the chain.
    """
    # A constructor, as `eprop`, has options only: nothing that it must be given.
    takes = inspect.signature(chain).parameters.values() if callable(chain) else ()
    if all(p.default is not p.empty or p.kind is p.KEYWORD_ONLY for p in takes):
        given = getattr(chain, "__name__", repr(chain))
        raise ValueError(
            f"chain must be in_series or a learning rule, called, as eprop(), got {given}"
        )
    return chain(parts)


def flat(parts: Parts) -> tuple[Any, ...]:
    """What there is one of per layer, first layer first."""
    return *parts.entry, *chain.from_iterable(parts.hidden), *parts.exit


def grouped(parts: Parts, per_layer: Sequence[Any]) -> Parts:
    """The inverse of `flat`: `per_layer` in the groups of `parts`."""
    rest = iter(per_layer)
    take = lambda group: tuple(islice(rest, len(group)))
    entry = take(parts.entry)
    hidden = tuple(take(block) for block in parts.hidden)
    return Parts(entry, hidden, take(parts.exit), parts.steps, parts.events)
