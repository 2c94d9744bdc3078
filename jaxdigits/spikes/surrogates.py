"""Surrogate slopes of the firing function, each with its soft twin.

A neuron fires where u = v − θ > 0.  That step has no useful derivative, so both derivatives
(by hand and `jax.grad`) take a surrogate slope h(u) in its place [1].  Each h here is the
true derivative of a smooth primitive F, so the *soft twin*, which fires F(u) instead of 0
or 1, is an ordinary differentiable network: the same backward code, which finite
differences can now see.

    fast sigmoid [2]   h = (1 + γ|u|)⁻²                F = ½ + u / (1 + γ|u|)
    arctan [3]         h = ½α / (1 + (½παu)²)          F = ½ + arctan(½παu) / π
    triangle [4]       h = a max(0, 1 − |u|/w)         F = a (w/2 + u − sgn(u) u²/2w), |u| ≤ w
    sigmoid [1]        h = α σ(αu) (1 − σ(αu))         F = σ(αu)
    exponential [5]    h = e^(−|u|/w) / w              F = 1 + sgn(u) (1 − e^(−|u|/w))
    scaled             h = f h₀(u)                      F = f F₀(u)

The output of a soft twin spans the area of its slope: from 0 to 2 with the exponential, from
½ − 1/γ to ½ + 1/γ with the fast sigmoid.

Every number below must be > 0, or a `ValueError` names it.  A traced number is not checked; it
joins the constants of a neuron.

[1] Neftci, Mostafa & Zenke, IEEE Signal Process. Mag. 36(6), 2019, arXiv:1901.09948.
[2] Zenke & Ganguli, Neural Comput. 30(6), 2018, arXiv:1705.11146.
[3] Fang et al., ICCV 2021, arXiv:2007.05785.
[4] Bellec et al., NeurIPS 2018, arXiv:1803.09574.
[5] Shrestha & Orchard, NeurIPS 2018, arXiv:1810.08646.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits import checks
from jaxdigits.about import About, constructor, describe, rebuild, reduce_thing
from jaxdigits.options import choose


class Surrogate(NamedTuple):
    """A firing function of u = v − θ (unit of potential), and its surrogate slope."""

    fire: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    primitive: Callable[[Array], Array]
    about: About | None = None

    def __repr__(self) -> str:
        return describe(self.about) if self.about else "Surrogate(fire, slope, primitive)"

    def __reduce__(self):
        return reduce_thing(self)


@constructor
def fast_sigmoid(gamma: float = 25.0) -> Surrogate:
    """Slope (1 + γ|u|)⁻², of height 1; `gamma` is its sharpness, in 1/potential."""
    checks.positive(gamma=gamma)
    primitive = lambda u: 0.5 + u / (1 + gamma * jnp.abs(u))
    return Surrogate(heaviside, lambda u: (1 + gamma * jnp.abs(u)) ** -2, primitive)


@constructor
def arctan(alpha: float = 2.0) -> Surrogate:
    """Slope ½α / (1 + (½παu)²), of height α/2 and area 1."""
    checks.positive(alpha=alpha)
    a = jnp.pi * alpha / 2
    primitive = lambda u: 0.5 + jnp.arctan(a * u) / jnp.pi
    return Surrogate(heaviside, lambda u: alpha / 2 / (1 + (a * u) ** 2), primitive)


@constructor
def triangle(width: float = 1.0, height: float = 1.0) -> Surrogate:
    """Slope `height` (1 − |u| / width) where positive, else zero."""
    checks.positive(width=width, height=height)
    slope = lambda u: height * jnp.maximum(0, 1 - jnp.abs(u) / width)

    def primitive(u):
        u = jnp.clip(u, -width, width)
        return height * (width / 2 + u - jnp.sign(u) * u**2 / (2 * width))

    return Surrogate(heaviside, slope, primitive)


@constructor
def sigmoid(alpha: float = 4.0) -> Surrogate:
    """Slope of σ(αu), of height α/4 and area 1."""
    checks.positive(alpha=alpha)

    def slope(u):
        sigma = jax.nn.sigmoid(alpha * u)
        return alpha * sigma * (1 - sigma)

    return Surrogate(heaviside, slope, lambda u: jax.nn.sigmoid(alpha * u))


@constructor
def exponential(width: float = 0.5) -> Surrogate:
    """Slope e^(−|u|/w) / w, of height 1/w and area 2; `width` w in units of potential.

    sinabs' `SingleExponential(grad_width)`, whose w is `grad_width` times the threshold.
    """
    checks.positive(width=width)
    primitive = lambda u: 1 - jnp.sign(u) * jnp.expm1(-jnp.abs(u) / width)
    return Surrogate(heaviside, lambda u: jnp.exp(-jnp.abs(u) / width) / width, primitive)


@constructor
def scaled(surrogate: Surrogate, factor: float) -> Surrogate:
    """`surrogate` with `factor` times its slope and the same spikes.

    For soft twins, scale first: `soft_twin(scaled(surrogate, factor))`.  Spyx's `arctan(k)` is
    `scaled(arctan(2 * k), 1 / (pi * k))`.
    """
    checks.positive(factor=factor)
    return surrogate._replace(
        slope=lambda u: factor * surrogate.slope(u),
        primitive=lambda u: factor * surrogate.primitive(u),
    )


@constructor
def soft_twin(surrogate: Surrogate) -> Surrogate:
    """`surrogate` that fires its primitive: the slope is the true derivative."""
    return surrogate._replace(fire=surrogate.primitive)


def with_slope(surrogate: Surrogate) -> Callable[[Array], Array]:
    """Return `surrogate.fire` of u [...], which JAX differentiates with `surrogate.slope`."""
    fire = jax.custom_jvp(lambda u, numbers: with_numbers(surrogate, numbers).fire(u))

    def jvp(primals, tangents):
        (u, numbers), (u_dot, _) = primals, tangents
        own = with_numbers(surrogate, numbers)
        return own.fire(u), own.slope(u) * u_dot

    fire.defjvp(jvp)
    return lambda u: fire(u, traced_numbers(surrogate))


def traced_numbers(surrogate: Surrogate, name: str = "surrogate") -> dict[str, Array]:
    """Return the traced numbers of a surrogate's constructor, as "surrogate gamma".

    A rule of a derivative must take them as arguments: it may not hold on to them.
    """
    numbers: dict[str, Array] = {}
    for each, value in surrogate.about.arguments.items() if surrogate.about else ():
        if isinstance(value, Surrogate):
            numbers |= traced_numbers(value, f"{name} {each}")
        elif not checks.known(value):
            numbers[f"{name} {each}"] = value
    return numbers


def with_numbers(
    surrogate: Surrogate, numbers: Mapping[str, Array], name: str = "surrogate"
) -> Surrogate:
    """Return the surrogate with other values of its traced numbers; other names are ignored."""
    if surrogate.about is None or not traced_numbers(surrogate, name):
        return surrogate

    def other(each: str, value: Any) -> Any:
        full = f"{name} {each}"
        return (with_numbers(value, numbers, full) if isinstance(value, Surrogate)
                else numbers.get(full, value))  # fmt: skip

    about = surrogate.about
    return rebuild(about.constructor, {k: other(k, v) for k, v in about.arguments.items()})


def heaviside(u: Array) -> Array:
    """Return 1 where u [...] > 0, else 0, in the dtype of u: silence at the threshold."""
    return (u > 0).astype(u.dtype)


SURROGATES = {
    "fast_sigmoid": fast_sigmoid, "arctan": arctan, "triangle": triangle, "sigmoid": sigmoid,
}  # fmt: skip
AnySurrogate = Annotated[
    Surrogate | Literal["fast_sigmoid", "arctan", "triangle", "sigmoid"], tuple(SURROGATES)
]
"""a surrogate, or the name of one with its usual sharpness"""


def surrogate_of(surrogate: AnySurrogate) -> Surrogate:
    """Return the surrogate of a name, or the surrogate itself.

    Raises:
      ValueError: for another name or value.
    """
    if isinstance(surrogate, str):
        return choose("surrogate", SURROGATES, surrogate)()
    if not isinstance(surrogate, Surrogate):
        name = getattr(surrogate, "__name__", repr(surrogate))
        raise ValueError(f"surrogate must be a Surrogate, as fast_sigmoid(), got {name}")
    return surrogate
