"""Spikes stored in a byte or a bit each, for the backward pass.

The residual of weights is their input x.  Where x is spikes, 0 or 1, or a few of them, and
after dropout a multiple of one number a, it is stored as whole numbers k:

    a = min x > 0        k = x / a        x = a k, exactly

Another x (several spikes at once in a bit) would come back as other numbers: instead it comes
back as NaN, to end training at once with a message.  Weights and slopes are the layer's own.
"""

from functools import partial
from typing import Any, Literal, get_args

import jax.numpy as jnp
from jax import Array

from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.layer import Layer, Static, serial
from jaxdigits.layers import conv2d, dense, dropout
from jaxdigits.options import require_name
from jaxdigits.spikes.lif import lif

Storage = Literal["full", "byte", "bit"]


@constructor
def spikes_stored(layer: Layer, storage: Storage) -> Layer:
    """`layer`, with its residual x stored in less memory.

    Args:
      layer: `dense` or `conv2d`, behind spikes.
      storage: "full" as it is; "byte" for up to 255 spikes at once, if a single spike is
        anywhere; "bit" for 0 or 1.

    The residual is (k, a, the dtype and width of x), or x for "full".

    Raises:
      ValueError: for another `storage`.
    """
    require_name("storage", get_args(Storage), storage)
    if storage == "full":
        return layer

    def forward(params, x, key=None):
        y, inner = layer.forward(params, x, key)
        return y, _pack(inner, storage)

    def backward(params, residual, y_bar):
        return layer.backward(params, stored_input(residual, storage), y_bar)

    return Layer(layer.init, forward, backward)


def _pack(x: Array, storage: Storage) -> tuple[Array, Array, Static]:
    a = jnp.where(x > 0, x, jnp.inf).min()
    a = jnp.where(a < jnp.inf, a, 1)  # for a silent x
    facts = Static((x.dtype, x.shape[-1]))
    k = jnp.rint(x / a).astype(jnp.uint8) if storage == "byte" else x > 0
    a = jnp.where((a * k == x).all(), a, jnp.nan)
    return (k if storage == "byte" else jnp.packbits(k, axis=-1)), a, facts


def stored_input(residual: Any, storage: Storage) -> Array:
    """Return the input x [...] of a layer in `spikes_stored`, from its residual."""
    if storage == "full":
        return residual
    k, a, facts = residual
    dtype, width = facts.value
    k = k if storage == "byte" else jnp.unpackbits(k, axis=-1, count=width)
    return a * k.astype(dtype)


_lif = partial(lif, decay=0.9, threshold=0.75)
CASES = {
    "spikes_stored, byte": Case(
        lambda: serial(_lif(), spikes_stored(conv2d(2), "byte")), (7, 6, 4), "current"
    ),
    "spikes_stored, bit, behind dropout": Case(
        lambda: serial(_lif(), dropout(0.3, time=True), spikes_stored(dense(3), "bit")),
        (9,), "current",
    ),
}  # fmt: skip
