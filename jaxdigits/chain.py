"""The parts of a network, and their chains.

A builder makes the parts of a network; a `Chain` makes one layer of them.  The usual chain is
`in_series`: one layer after another, and the chain rule for `backward`.  A learning rule is
another chain, with the same `init` and `forward`, that sends the error another way
(`jaxdigits.gradients.rules`).

In every chain, layer i of the network is layer i of its params, and draws its random numbers
from `fold_in(key, i)`.
"""

import inspect
from collections.abc import Callable, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

from jaxdigits.keys import fold_in
from jaxdigits.layer import Layer, recomputed, serial


class Parts(NamedTuple):
    """The layers of a network, or their params, residuals or slopes."""

    entry: Sequence[Any]
    """layers from an image to numbers: an encoder or a scale, and reshapes; without params"""
    hidden: Sequence[Sequence[Any]]
    """blocks: weights, norms if any, one unit (neurons or an activation), dropout"""
    exit: Sequence[Any]
    """weights, and a readout if there is one"""
    steps: int | None = None
    """time steps; None for a network without time, or whose spikes come between steps"""
    events: bool = False
    """whether spikes are times between steps, and not numbers at steps"""


Chain = Callable[[Parts], Layer]


def in_series(parts: Parts) -> Layer:
    """Chain the layers one after another: backpropagation."""
    return serial(*flat(parts))


def without_entry(parts: Parts) -> Layer:
    """Chain `in_series`, and repeat the entry in `backward` rather than store its output.

    The spikes of a rate code are the same again, as they come from the key.  This saves the
    input of the first weights at all steps.
    """
    layers, n = flat(parts), len(parts.entry) + 1
    whole, head = serial(*layers), recomputed(serial(*layers[:n]))

    def forward(params, x, key=None):
        x, first = head.forward(params[:n], x, key)
        residuals = [first]
        for i, layer in enumerate(layers[n:], start=n):
            x, residual = layer.forward(params[i], x, fold_in(key, i))
            residuals.append(residual)
        return x, tuple(residuals)

    def backward(params, residuals, y_bar):
        grads = []
        for i in reversed(range(n, len(layers))):
            p_bar, y_bar = layers[i].backward(params[i], residuals[i - n + 1], y_bar)
            grads.append(p_bar)
        first, x_bar = head.backward(params[:n], residuals[0], y_bar)
        return (*first, *reversed(grads)), x_bar

    return Layer(whole.init, forward, backward)


def join(parts: Parts, chain: Chain) -> Layer:
    """Make one layer of the parts by the chain.

    Raises:
      ValueError: for a `chain` that is none (a rule's name, or its constructor not called), and
        by the chain.
    """
    # A constructor, as `eprop`, has options only: no argument that it needs.
    arguments = inspect.signature(chain).parameters.values() if callable(chain) else ()
    if all(p.default is not p.empty or p.kind is p.KEYWORD_ONLY for p in arguments):
        name = getattr(chain, "__name__", repr(chain))
        raise ValueError(f"chain must be in_series or a learning rule, as eprop(), got {name}")
    return chain(parts)


def flat(parts: Parts) -> tuple[Any, ...]:
    """Return the entries of all layers, first layer first."""
    return *parts.entry, *chain.from_iterable(parts.hidden), *parts.exit


def grouped(parts: Parts, per_layer: Sequence[Any]) -> Parts:
    """Return `per_layer` in the groups of `parts`: the inverse of `flat`."""
    entries = iter(per_layer)
    take = lambda group: tuple(islice(entries, len(group)))
    entry, hidden = take(parts.entry), tuple(take(block) for block in parts.hidden)
    return Parts(entry, hidden, take(parts.exit), parts.steps, parts.events)
