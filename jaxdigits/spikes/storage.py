"""Spikes kept in a byte or a bit each, for the backward pass.

What weights keep of the forward pass is their input x.  Where that is spikes, 0 or 1, or a few
of them, and after dropout a multiple of one number a, it is kept as whole numbers k:

    a = min x > 0        k = x / a        x = a k, exactly

What is not of that kind (several spikes at once in a bit) would come back as something else:
instead it comes back as NaN, so that training ends at once and says so.

Weights and slopes are then those of the layer itself: only the storage differs.
"""

from typing import Literal, get_args

import jax.numpy as jnp
from jax import Array

from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.layer import Layer, Static, serial
from jaxdigits.layers import conv2d, dense, dropout
from jaxdigits.spikes.lif import lif

Storage = Literal["full", "byte", "bit"]


@constructor
def spikes_stored(layer: Layer, storage: Storage) -> Layer:
    """`layer`, whose residual is its input, with that input stored as `storage` says.

    Args:
      layer: `dense` or `conv2d`, behind spikes.
      storage: "full" as it is; "byte" for up to 255 spikes at once, if there is a single one
        anywhere; "bit" for 0 or 1.

    The residual is (k, a, the dtype and width of x), or that of the layer for "full".

    Raises:
      ValueError: for another `storage`.
    """
    if storage not in get_args(Storage):
        raise ValueError(f"storage must be one of {get_args(Storage)}, got {storage!r}")
    if storage == "full":
        return layer

    def forward(params, x, key=None):
        y, kept = layer.forward(params, x, key)
        return y, _stored(kept, storage)

    def backward(params, kept, y_bar):
        k, a, facts = kept
        return layer.backward(params, _restored(k, a, facts, storage), y_bar)

    return Layer(layer.init, forward, backward)


def _stored(x: Array, storage: Storage) -> tuple[Array, Array, Static]:
    a = jnp.where(x > 0, x, jnp.inf).min()
    a = jnp.where(a < jnp.inf, a, 1)  # of a silent x
    facts = Static((x.dtype, x.shape[-1]))
    k = jnp.rint(x / a).astype(jnp.uint8) if storage == "byte" else x > 0
    a = jnp.where((a * k == x).all(), a, jnp.nan)
    return (k if storage == "byte" else jnp.packbits(k, axis=-1)), a, facts


def _restored(k: Array, a: Array, facts: Static, storage: Storage) -> Array:
    dtype, width = facts.value
    k = k if storage == "byte" else jnp.unpackbits(k, axis=-1, count=width)
    return a * k.astype(dtype)


CASES = {
    "spikes_stored, byte": Case(
        lambda: serial(lif(decay=0.9, threshold=0.75), spikes_stored(conv2d(2), "byte")),
        (7, 6, 4), "current",
    ),
    "spikes_stored, bit, behind dropout": Case(
        lambda: serial(lif(decay=0.9, threshold=0.75), dropout(0.3, time=True),
                       spikes_stored(dense(3), "bit")), (9,), "current",
    ),
}  # fmt: skip
