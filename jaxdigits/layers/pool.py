"""Pooling over windows that do not overlap, differentiated by hand.

Windows are k × k; rows and columns that fill no window are left out, and get no gradient.

    maximum    y = x_w, w the first position of the window's maximum, row by row
               x̄_i = ȳ if i = w, else 0
    average    y = Σᵢ x_i / k²            x̄_i = ȳ / k²

The maximum has no derivative where two inputs tie, which for spikes is the rule and not the
exception.  Here the first of them takes the whole gradient, in `backward` and `jax.grad`.
"""

import jax.numpy as jnp
from jax import Array

from jaxdigits import checks
from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.layer import Layer, Static, without_params


@constructor
def max_pool(window: int = 2) -> Layer:
    """Maximum pooling: x [..., H, W, C] -> [..., ⌊H/k⌋, ⌊W/k⌋, C], the largest of each window.

    The residual is the winner's position in its window, int8 (int32 beyond 11 × 11).

    Raises:
      ValueError: unless window >= 1; in `init`, unless an (H, W, C) window fits.
    """

    def forward(x, key):
        y, *others = _positions(x, window)
        winner = jnp.zeros(y.shape, jnp.int8 if window <= 11 else jnp.int32)
        for i, other in enumerate(others, start=1):
            better = other > y
            y, winner = jnp.where(better, other, y), jnp.where(better, i, winner)
        return y, (winner, Static(x.shape[-3:-1]))

    def backward(residual, y_bar):
        winner, size = residual
        position = jnp.arange(window**2, dtype=winner.dtype).reshape(window, 1, window, 1)
        spread = lambda a: a[..., :, None, :, None, :]
        position = jnp.expand_dims(position, range(winner.ndim - 2))
        x_bar = jnp.where(spread(winner) == position, spread(y_bar), 0)
        return _unfold(x_bar, window, size.value)

    return without_params(forward, backward, _shape_by(window))


@constructor
def average_pool(window: int = 2) -> Layer:
    """Average pooling: x [..., H, W, C] -> [..., ⌊H/k⌋, ⌊W/k⌋, C], the mean of each window.

    Raises:
      ValueError: unless window >= 1; in `init`, unless an (H, W, C) window fits.
    """

    def forward(x, key):
        checks.floats(x, "average_pool", "standardise() first")
        total = sum(_positions(x, window), start=jnp.zeros((), x.dtype))
        return total / window**2, Static(x.shape[-3:-1])

    def backward(size, y_bar):
        share = (y_bar / window**2)[..., :, None, :, None, :]
        *lead, h, _, w, _, c = share.shape
        x_bar = jnp.broadcast_to(share, (*lead, h, window, w, window, c))
        return _unfold(x_bar, window, size.value)

    return without_params(forward, backward, _shape_by(window))


def _shape_by(window: int):
    checks.at_least(1, window=window)

    def shape(features):
        if len(features) != 3 or min(features[:2]) < window:
            raise ValueError(f"pooling by {window} needs features (H, W, C), got {features}")
        return (features[0] // window, features[1] // window, features[2])

    return shape


def _positions(x: Array, k: int) -> list[Array]:
    """Return [..., ⌊H/k⌋, ⌊W/k⌋, C] for each of the k² positions in a window, row by row."""
    h, w = x.shape[-3] // k, x.shape[-2] // k
    x = x[..., : h * k, : w * k, :].reshape(*x.shape[:-3], h, k, w, k, x.shape[-1])
    return [x[..., :, a, :, b, :] for a in range(k) for b in range(k)]


def _unfold(x_bar: Array, k: int, size: tuple[int, int]) -> Array:
    """Merge [..., h, k, w, k, C] -> [..., H, W, C], with zeros where no window was."""
    *lead, h, _, w, _, c = x_bar.shape
    x_bar = x_bar.reshape(*lead, h * k, w * k, c)
    edges = [(0, 0)] * len(lead) + [(0, size[0] - h * k), (0, size[1] - w * k), (0, 0)]
    return jnp.pad(x_bar, edges)


_IMAGE = (7, 6, 4)
CASES = {
    "max_pool": Case(max_pool, _IMAGE),
    "max_pool 3": Case(lambda: max_pool(3), _IMAGE),
    "average_pool": Case(average_pool, _IMAGE),
    "average_pool 3 over time": Case(lambda: average_pool(3), _IMAGE, "current"),
}
