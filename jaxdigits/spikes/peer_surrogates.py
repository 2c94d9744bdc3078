"""Surrogate slopes that other libraries use, each with its soft twin.

    exponential [1]   h = e^(−|u|/w) / w                   F = 1 + sgn(u) (1 − e^(−|u|/w))
    scaled            h = f h₀(u)                           F = f F₀(u)
    Spyx's arctan     h = 1 / (π (1 + (πku)²))             F = (½ + arctan(πku) / π) / (πk)

The exponential has the area 2, so its soft twin fires between 0 and 2; Spyx's arctan has the
area 1 / (πk), so its twin fires less than one spike.

[1] Shrestha & Orchard, NeurIPS 2018, arXiv:1810.08646.
"""

import jax.numpy as jnp

from jaxdigits.spikes.surrogates import Surrogate, arctan, heaviside


def exponential(width: float = 0.5) -> Surrogate:
    """Slope e^(−|u|/w) / w, of height 1/w and area 2; `width` w in units of potential.

    sinabs' `SingleExponential(grad_width)`, whose w is `grad_width` times the threshold.

    Raises:
      ValueError: unless width > 0.
    """
    if not width > 0:
        raise ValueError(f"width must be > 0, got {width}")
    return Surrogate(
        heaviside,
        lambda u: jnp.exp(-jnp.abs(u) / width) / width,
        lambda u: 1 - jnp.sign(u) * jnp.expm1(-jnp.abs(u) / width),
    )


def scaled(surrogate: Surrogate, factor: float) -> Surrogate:
    """`surrogate` with `factor` times its slope; it fires where it did.

    For soft twins, scale first: `soft_twin(scaled(surrogate, factor))`.

    Raises:
      ValueError: unless factor > 0.
    """
    if not factor > 0:
        raise ValueError(f"factor must be > 0, got {factor}")
    return surrogate._replace(
        slope=lambda u: factor * surrogate.slope(u),
        primitive=lambda u: factor * surrogate.primitive(u),
    )


def spyx_arctan(k: float = 2.0) -> Surrogate:
    """Spyx's `arctan(k)`: slope 1 / (π (1 + (πku)²)), of height 1/π whatever k.

    snnTorch, SpikingJelly and `arctan(alpha)` here have the area 1 and the height α/2 instead:
    the same k means another width and another height.

    Raises:
      ValueError: unless k > 0.
    """
    if not k > 0:
        raise ValueError(f"k must be > 0, got {k}")
    return scaled(arctan(2 * k), 1 / (jnp.pi * k))
