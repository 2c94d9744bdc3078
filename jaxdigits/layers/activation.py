"""Activations, each with its slope by hand: x̄ = f′(x) ȳ.

    relu         max(x, 0)                f′ = 1 if x > 0, else 0
    leaky relu   x if x > 0, else a x     f′ = 1 if x > 0, else a
    gelu [1]     x Φ(x)                   f′ = Φ(x) + x φ(x), φ = Φ′ the normal density
    tanh         tanh x                   f′ = 1 − tanh² x

At the kink of the first two the slope is the left one, for `jax.grad` of `forward` too.

[1] Hendrycks & Gimpel 2016, arXiv:1606.08415; the exact form, by the error function.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.layer import Layer, without_params


@constructor
def relu() -> Layer:
    """Rectifier: x [...] -> max(x, 0) [...]."""
    return _elementwise(
        lambda x: jnp.where(x <= 0, jnp.zeros_like(x), x),  # NaN stays NaN
        lambda x: jnp.where(x <= 0, jnp.zeros_like(x), jnp.ones_like(x)),
    )


@constructor
def leaky_relu(slope: float = 0.01) -> Layer:
    """Leaky rectifier: x [...] -> x where it is positive, `slope` x elsewhere."""
    return _elementwise(
        lambda x: jnp.where(x > 0, x, slope * x),
        lambda x: jnp.where(x > 0, jnp.ones_like(x), slope),
    )


@constructor
def gelu() -> Layer:
    """Gaussian error linear unit: x [...] -> x Φ(x) [...], Φ the normal distribution."""
    Phi = lambda x: 0.5 * (1 + jax.lax.erf(x / 2**0.5))
    phi = lambda x: jnp.exp(-0.5 * x**2) / (2 * jnp.pi) ** 0.5
    return _elementwise(lambda x: x * Phi(x), lambda x: Phi(x) + x * phi(x))


@constructor
def tanh() -> Layer:
    """Hyperbolic tangent: x [...] -> tanh x [...]."""
    return _elementwise(jnp.tanh, lambda x: 1 - jnp.tanh(x) ** 2)


def _elementwise(f: Callable[[Array], Array], slope: Callable[[Array], Array]) -> Layer:
    return without_params(lambda x, key: (f(x), x), lambda x, y_bar: slope(x) * y_bar)


ACTIVATIONS = {"relu": relu, "leaky_relu": leaky_relu, "gelu": gelu, "tanh": tanh}
CASES = {name: Case(make, (9,)) for name, make in ACTIVATIONS.items()}
CASES |= {"leaky_relu": Case(lambda: leaky_relu(0.1), (9,))}
