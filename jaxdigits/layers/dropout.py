"""Dropout, differentiated by hand [1].

    y = m x / p     m = 1 with probability p, else 0, drawn anew for each example
    x̄ = m ȳ / p     the same mask, so E[y] = x

[1] Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov, JMLR 15, 2014.
"""

import jax.numpy as jnp

from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.keys import draw_bytes, require_key
from jaxdigits.layer import Layer, without_params


@constructor
def dropout(rate: float, *, time: bool = False) -> Layer:
    """x [B, ...] -> x with a share `rate` of it set to zero, the rest scaled up.

    With `time` x is [T, B, ...] and a mask holds through all steps: a unit is absent for
    the whole of an example.  p = 1 − rate is rounded to the nearest 1/256, and the scale is
    the inverse of the rounded one, so the mean is kept exactly.  The residual is the mask.

    Raises:
      ValueError: unless 0 <= rate < 1, and p is not rounded to 0; in `forward`, without a key.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"rate must be in [0, 1), got {rate}")
    kept = round(256 * (1 - rate))
    if not kept:
        raise ValueError(f"a rate of {rate} is 1 when rounded to 1/256: nothing would be left")

    def forward(x, key):
        if kept == 256:
            return x, jnp.ones((), bool)
        example = x[0] if time else x
        mask = draw_bytes(require_key(key, "dropout"), len(example), example.shape[1:]) < kept
        return scaled(x, mask), mask

    def scaled(x, mask):
        return jnp.where(mask, x * (256 / kept), 0)

    return without_params(forward, lambda mask, y_bar: scaled(y_bar, mask))


CASES = {
    "dropout": Case(lambda: dropout(0.3), (9,)),
    "dropout through time": Case(lambda: dropout(0.3, time=True), (9,), "current"),
}
