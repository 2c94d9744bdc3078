"""Which pixels a decision hangs on: the input's gradient, derived by hand like all others."""

from typing import Any

import jax
from jax import Array

from jaxdigits.layer import Layer, Params, to_unit


def saliency(
    network: Layer, params: Params, x: Any, digit: Array, key: Array | None = None
) -> Any:
    """[B, H, W] ∂(logit of `digit`)/∂pixel, by the network's own `backward`.

    Positive where more ink would speak for the digit.  Of a spiking network it is what its
    surrogate slopes make of it; an image that comes as a latency code has none, and gets zeros.
    Traceable.

    Args:
      network: in evaluation (`training=False`).
      x: [B, H, W] uint8 or floats in [0, 1]; or a dict of what each sense is given, and then
        the gradient is a dict, too.
      digit: [B] whose logit; the digit that was read, or the one that was meant.
      key: one, or one per example [B], for what the network draws.
    """
    x = jax.tree.map(to_unit, x)
    logits, residual = network.forward(params, x, key)
    y_bar = jax.nn.one_hot(digit, logits.shape[-1], dtype=logits.dtype)
    return network.backward(params, residual, y_bar)[1]
