"""The pixels that decide: the gradient of the input, derived by hand like all others."""

from typing import Any

import jax
from jax import Array

from jaxdigits.layer import Layer, Params, to_unit


def saliency(
    network: Layer, params: Params, x: Any, digit: Array, key: Array | None = None
) -> Any:
    """Return ∂(logit of `digit`)/∂pixel [B, H, W], by the network's own `backward`.

    Positive where more ink would speak for the digit.  In a spiking network it depends on the
    surrogate slopes; a latency code has no gradient, so its images get zeros.  Traceable.

    Args:
      network: in evaluation (`training=False`).
      x: [B, H, W] uint8 or floats in [0, 1]; or a dict of the inputs of each sense, and then
        the gradient is a dict too.
      digit: [B] the digit whose logit is taken: the prediction or the label.
      key: one, or one per example [B], for the network's random numbers.
    """
    x = jax.tree.map(to_unit, x)
    logits, residual = network.forward(params, x, key)
    y_bar = jax.nn.one_hot(digit, logits.shape[-1], dtype=logits.dtype)
    return network.backward(params, residual, y_bar)[1]
