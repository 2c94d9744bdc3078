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

from jaxdigits.keys import fold_in
from jaxdigits.layer import Layer, recomputed, serial


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


def without_entry(parts: Parts) -> Layer:
    """`in_series`, but what the entry makes of an image is not kept: `backward` makes it again.

    The spikes of a rate code are the same again, as they come from the key.  What it saves is
    the input of the first weights at all steps.
    """
    layers, n = flat(parts), len(parts.entry) + 1
    whole, head = serial(*layers), recomputed(serial(*layers[:n]))

    def forward(params, x, key=None):
        x, first = head.forward(params[:n], x, key)
        residuals = [first]
        for i, layer in enumerate(layers[n:], start=n):
            x, kept = layer.forward(params[i], x, fold_in(key, i))
            residuals.append(kept)
        return x, tuple(residuals)

    def backward(params, residuals, y_bar):
        grads = []
        for i in reversed(range(n, len(layers))):
            p_bar, y_bar = layers[i].backward(params[i], residuals[i - n + 1], y_bar)
            grads.append(p_bar)
        first, x_bar = head.backward(params[:n], residuals[0], y_bar)
        return (*first, *reversed(grads)), x_bar

    return Layer(whole.init, forward, backward)


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
