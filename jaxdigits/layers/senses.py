"""Inputs of several senses, of which one may be absent.

A sense is absent where its input is zero throughout: a picture without ink, a sound without a
single sample.  So a network need not be told, and with a sense left out in training now and
then [1] it learns to do without.

[1] Neverova, Wolf, Taylor & Nebout, IEEE Trans. PAMI 38(8), 2016.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.keys import per_example, require_key
from jaxdigits.layer import Layer, Static, without_params
from jaxdigits.layers.dense import dense


@constructor
def modality_dropout(rates: Mapping[str, float]) -> Layer:
    """Inputs by sense, x [B, ...] each -> the same, some of them zero.

    For each example at most one sense is absent, and that one with its own probability.

    Args:
      rates: the probability for each sense to be absent.  A sense that is not named is never.

    Raises:
      ValueError: unless all rates are >= 0 and their sum is at most 1; in `forward`, for
        inputs without a sense that is named, and without a key.
    """
    given = dict(rates)
    if not (all(rate >= 0 for rate in given.values()) and sum(given.values()) <= 1):
        raise ValueError(f"rates must be >= 0, of a sum of at most 1, got {given}")

    def forward(x, key):
        if missing := set(given) - set(x):
            raise ValueError(f"there is no input for {sorted(missing)}, only for {sorted(x)}")
        if not any(given.values()):
            return x, {}
        batch = len(next(iter(x.values())))
        keys = per_example(require_key(key, "modality_dropout"), batch)
        chance, present, below = jax.vmap(jax.random.uniform)(keys), {}, 0.0
        for name, rate in given.items():
            present[name] = (chance < below) | (chance >= below + rate)
            below += rate
        return kept(present, x), present

    def kept(present, x):
        # What is always there stays as it is, and an image in uint8 has no gradient.
        some = {name for name in present if x[name] is not None}
        return dict(x) | {name: _kept(x[name], present[name]) for name in some}

    return without_params(forward, kept)


@constructor
def if_present(layer: Layer) -> Layer:
    """`layer` for an example whose input is not zero throughout; else its output is zero.

    x [B, ...] -> y [B, ...].
    """

    def forward(params, x, key=None):
        y, kept = layer.forward(params, x, key)
        present = (x != 0).any(range(1, x.ndim))
        return _kept(y, present), (kept, present)

    def backward(params, saved, y_bar):
        kept, present = saved
        return layer.backward(params, kept, _kept(y_bar, present))

    return Layer(layer.init, forward, backward)


@constructor
def pick(names: Sequence[str]) -> Layer:
    """Inputs by sense -> those of the named ones only.

    Raises:
      ValueError: in `init` and `forward`, for a sense that is not there.
    """

    def chosen(x: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(x, Mapping) or not set(names) <= set(x):
            there = f"only for {sorted(x)}" if isinstance(x, Mapping) else "but one array"
            raise ValueError(f"inputs are wanted for {sorted(names)}, and there are {there}")
        return {name: x[name] for name in names}

    def forward(x, key):
        x_of_names = chosen(x)
        others = {
            name: Static((a.shape, a.dtype)) for name, a in x.items() if name not in names
        }
        return x_of_names, others

    def backward(others, y_bar):
        return dict(y_bar) | {name: _nothing(*like.value) for name, like in others.items()}

    return without_params(forward, backward, chosen)


def _kept(x: Array, present: Array) -> Array:
    """x [B, ...] where `present` [B], else zero."""
    return jnp.where(present.reshape(-1, *[1] * (x.ndim - 1)), x, jnp.zeros((), x.dtype))


def _nothing(shape: tuple[int, ...], dtype: Any) -> Array | None:
    return jnp.zeros(shape, dtype) if jnp.issubdtype(dtype, jnp.floating) else None


_SENSES = {"image": (3, 2), "sound": (4,)}
CASES = {
    "modality_dropout": Case(
        lambda: modality_dropout({"image": 0.3, "sound": 0.3}), _SENSES, "senses"
    ),
    "pick": Case(lambda: pick(["sound"]), _SENSES, "senses"),
    "if_present": Case(lambda: if_present(dense(4)), (9,)),
}
