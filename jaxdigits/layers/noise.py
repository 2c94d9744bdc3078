"""Gaussian noise, a regulariser whose derivative is the identity [1].

    y = x + σ n     n normal, drawn anew for each number of each example
    x̄ = ȳ

[1] Bishop, Neural Computation 7, 1995, doi:10.1162/neco.1995.7.1.108: small noise of the input
    is a penalty on the slope of what is computed from it.
"""

from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.keys import draw_normal, require_key
from jaxdigits.layer import Layer, without_params


@constructor
def gaussian_noise(deviation: float) -> Layer:
    """x [B, ...] -> x + deviation · n, n normal; x itself at deviation 0.

    n has 65,536 levels within ±4.3.

    Raises:
      ValueError: unless 0 <= deviation < ∞; in `forward`, without a key.
    """
    if not 0 <= deviation < float("inf"):
        raise ValueError(f"deviation must be >= 0 and finite, got {deviation}")

    def forward(x, key):
        if not deviation:
            return x, ()
        drawn = draw_normal(require_key(key, "gaussian_noise"), len(x), x.shape[1:])
        return x + (deviation * drawn).astype(x.dtype), ()

    return without_params(forward, lambda _, y_bar: y_bar)


CASES = {"gaussian_noise": Case(lambda: gaussian_noise(0.3), (9,))}
