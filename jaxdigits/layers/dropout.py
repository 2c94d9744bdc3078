"""Dropout and Gaussian noise, differentiated by hand.

Dropout [1]:

    y = m x / p     m = 1 with probability p, else 0, drawn for each example
    x̄ = m ȳ / p     the same mask, so E[y] = x

Noise, a regulariser whose derivative is the identity [2]:

    y = x + σ n     n normal, drawn for each number of each example
    x̄ = ȳ

[1] Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov, JMLR 15, 2014.
[2] Bishop, Neural Computation 7, 1995, doi:10.1162/neco.1995.7.1.108: small noise of the input
    is a penalty on the slope of the network in it.
"""

import jax.numpy as jnp

from jaxdigits import checks
from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.keys import draw_bytes, draw_normal, require_key
from jaxdigits.layer import Layer, without_params


@constructor
def dropout(rate: float, *, time: bool = False) -> Layer:
    """Dropout: x [B, ...] -> x with a share `rate` of it set to zero, the rest scaled up.

    With `time` x is [T, B, ...] and a mask holds through all steps: a unit is absent for
    the whole of an example.  p = 1 − rate is rounded to the nearest 1/256, and the scale is the
    inverse of the rounded p, so the mean of x stays.  The residual is the mask.  A traced rate
    has the same masks.

    Raises:
      ValueError: unless 0 <= rate < 1, and p is not rounded to 0; in `forward`, without a key.
    """
    if checks.known(rate) and not 0 <= rate < 1:
        raise ValueError(f"rate must be in [0, 1), got {rate}")
    number = 256 * (1 - rate)
    # Of 256, that stay.
    levels = round(number) if checks.known(rate) else jnp.round(number).astype(jnp.int32)
    if checks.known(rate) and not levels:
        raise ValueError(f"a rate of {rate} is 1 when rounded to 1/256: nothing would be left")

    def forward(x, key):
        if checks.known(rate) and levels == 256:
            return x, jnp.ones((), bool)
        example = x[0] if time else x
        size = len(example), example.shape[1:]
        mask = draw_bytes(require_key(key, "dropout"), *size) < levels
        return scaled(x, mask), mask

    def scaled(x, mask):
        scale = 256 / (levels if checks.known(rate) else jnp.asarray(levels, x.dtype))
        return jnp.where(mask, x * scale, 0)

    return without_params(forward, lambda mask, y_bar: scaled(y_bar, mask))


@constructor
def gaussian_noise(deviation: float) -> Layer:
    """Gaussian noise: x [B, ...] -> x + deviation · n, n normal; x itself at deviation 0.

    n has 65,536 levels within ±4.3.

    Raises:
      ValueError: unless 0 <= deviation < ∞; in `forward`, without a key.
    """
    if checks.known(deviation) and not 0 <= deviation < float("inf"):
        raise ValueError(f"deviation must be >= 0 and finite, got {deviation}")

    def forward(x, key):
        if not checks.present(deviation):
            return x, ()
        n = draw_normal(require_key(key, "gaussian_noise"), len(x), x.shape[1:])
        return x + (deviation * n).astype(x.dtype), ()

    return without_params(forward, lambda _, y_bar: y_bar)


CASES = {
    "dropout": Case(lambda: dropout(0.3), (9,)),
    "dropout through time": Case(lambda: dropout(0.3, time=True), (9,), "current"),
    "gaussian_noise": Case(lambda: gaussian_noise(0.3), (9,)),
}
