"""Inputs of several senses, of which one may be absent.

A sense is absent where its input is zero throughout: a picture without ink, a sound without a
single sample.  So a network needs no further input for it, and with a sense left out in
training now and then [1] it learns to do without.

[1] Neverova, Wolf, Taylor & Nebout, IEEE Trans. PAMI 38(8), 2016.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits import checks
from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.keys import per_example, require_key
from jaxdigits.layer import Layer, Static, without_params
from jaxdigits.layers.dense import dense


@constructor
def modality_dropout(rates: Mapping[str, float]) -> Layer:
    """Dropout of senses: inputs by sense, x [B, ...] each -> the same, some of them zero.

    For each example at most one sense is absent, with its own probability.

    Args:
      rates: probability by sense to be absent; 0 for the others.

    Raises:
      ValueError: unless all rates are >= 0 and their sum is at most 1; in `forward`, for
        inputs that lack a sense of `rates`, and without a key.
    """
    rates = dict(rates)
    values = [rate for rate in rates.values() if checks.known(rate)]
    if not (all(rate >= 0 for rate in values) and sum(values) <= 1):
        raise ValueError(f"rates must be >= 0, of a sum of at most 1, got {rates}")

    def forward(x, key):
        if missing := set(rates) - set(x):
            raise ValueError(f"there is no input for {sorted(missing)}, only for {sorted(x)}")
        if not any(map(checks.present, rates.values())):
            return x, {}
        batch = len(next(iter(x.values())))
        keys = per_example(require_key(key, "modality_dropout"), batch)
        chance, present, below = jax.vmap(jax.random.uniform)(keys), {}, 0.0
        for name, rate in rates.items():
            present[name] = (chance < below) | (chance >= below + rate)
            below += rate
        return select(present, x), present

    def select(present, x):
        # An image in uint8 has no gradient.
        some = {name for name in present if x[name] is not None}
        return dict(x) | {name: _select(x[name], present[name]) for name in some}

    return without_params(forward, select)


@constructor
def if_present(layer: Layer) -> Layer:
    """`layer`, with zeros for an input that is zero throughout: x [B, ...] -> y [B, ...]."""

    def forward(params, x, key=None):
        y, inner = layer.forward(params, x, key)
        present = (x != 0).any(range(1, x.ndim))
        return _select(y, present), (inner, present)

    def backward(params, residual, y_bar):
        inner, present = residual
        return layer.backward(params, inner, _select(y_bar, present))

    return Layer(layer.init, forward, backward)


@constructor
def pick(names: Sequence[str]) -> Layer:
    """A choice of senses: inputs by sense -> the inputs of `names` only.

    Raises:
      ValueError: in `init` and `forward`, for an input that lacks one of the senses.
    """

    def pick_from(x: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(x, Mapping) or not set(names) <= set(x):
            inputs = f"only {sorted(x)}" if isinstance(x, Mapping) else "one array"
            raise ValueError(f"the network needs inputs for {sorted(names)}, got {inputs}")
        return {name: x[name] for name in names}

    def forward(x, key):
        inputs, others = pick_from(x), [name for name in x if name not in names]
        return inputs, {name: Static((x[name].shape, x[name].dtype)) for name in others}

    def backward(others, y_bar):
        return dict(y_bar) | {name: _zeros(*like.value) for name, like in others.items()}

    return without_params(forward, backward, pick_from)


def _select(x: Array, present: Array) -> Array:
    """Return x [B, ...] where `present` [B], else zero."""
    return jnp.where(present.reshape(-1, *[1] * (x.ndim - 1)), x, jnp.zeros((), x.dtype))


def _zeros(shape: tuple[int, ...], dtype: Any) -> Array | None:
    return jnp.zeros(shape, dtype) if jnp.issubdtype(dtype, jnp.floating) else None


_SENSES = {"image": (3, 2), "sound": (4,)}
CASES = {
    "modality_dropout":
        Case(lambda: modality_dropout({"image": 0.3, "sound": 0.3}), _SENSES, "senses"),
    "pick": Case(lambda: pick(["sound"]), _SENSES, "senses"),
    "if_present": Case(lambda: if_present(dense(4)), (9,)),
}  # fmt: skip
