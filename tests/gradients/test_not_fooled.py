"""Wrong gradients that look right, and right ones that are hard: the checker is not fooled.

A row has a function, its arguments and a change of the gradients (ḡ₀, ḡ₁, …) that JAX returns.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import erfinv

from jaxdigits.gradients import check_function, check_pair

RNG = np.random.default_rng(7)
X, W, B = RNG.standard_normal((5, 4)), RNG.standard_normal((4, 3)), RNG.standard_normal(3)
KINK = np.where(np.arange(20) == 7, 0.0, RNG.standard_normal(20))  # a rectifier's kink at (7,)
STEEP = np.exp(3 * RNG.standard_normal(30))
POSITIVE = int(np.argmax(KINK))
relu, log = jax.nn.relu, jnp.log
affine = lambda x, w, b: x @ w + b[None]
charge = lambda c, v: c * 1e15 * jnp.sin(v)
rms = lambda x: x / jnp.sqrt((x**2).mean(-1, keepdims=True))
layer_norm = lambda x: (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)


def times(factor, i=0):
    """Change gradient i by a factor."""
    return lambda bars, g, *a: tuple(factor * b if j == i else b for j, b in enumerate(bars))


def put(index, factor, i=0):
    """Change some numbers of gradient i by a factor."""
    scale = lambda b: b.at[index].multiply(factor)
    return lambda bars, g, *a: tuple(scale(b) if j == i else b for j, b in enumerate(bars))


def at(change):
    """Send back change(∂L/∂y) in the place of ∂L/∂y."""
    return lambda bars, g, *a: ("again", change(g))


def by(f, change):
    """Return a backward pass of f: (arguments, ∂L/∂y) -> gradients, with a change."""

    def backward(arguments, g):
        _, vjp = jax.vjp(f, *arguments)
        bars = change(vjp(g), g, *arguments)
        return vjp(bars[1]) if isinstance(bars[0], str) else bars

    return backward


def beside_jax(f, change, arguments):
    return check_pair(lambda *a: (f(*a), a), by(f, change), *arguments)


def alone(f, change, arguments):
    """Check without a reference: differences are the only witness."""
    rule = jax.custom_vjp(f)
    rule.defvjp(lambda *a: (f(*a), a), by(f, change))
    return check_function(lambda *a: rule(*a), *arguments)


# name: (function, its arguments, the change, the argument whose gradient is wrong)
WRONG = {
    "beside a capacitance of 1e-15": (charge, (1e-15, X), times(1.001, 1), 1),
    "in a capacitance of 1e-15": (charge, (1e-15, X), times(1.001, 0), 0),
    "beside a leaf in units of 1e-12": (
        lambda a, x: jnp.tanh(a * 1e12) * x, (3e-13, X), put((2, 1), 1.01, 1), 1),
    "beside a leaf in units of 1e12": (
        lambda a, x: jnp.tanh(a * 1e-12) * x, (3e11, X), times(1.01, 0), 0),
    "beside zeros in tiny units": (
        lambda b, x: jnp.sin(x) + 1e12 * b, (np.zeros(4), X), times(1.01, 1), 1),
    "beside a steep leaf": (
        lambda a, x: jnp.exp(a) + x, (np.float64(30.0), X), times(0, 1), 1),
    "a weak leaf": (lambda a, x: 1e-7 * a + x, (B[:1], X), times(1.01, 0), 0),
    "a dead rectifier": (relu, (-abs(X) - 1,), times(-7), 0),
    "a saturated gate": (jnp.tanh, (np.full(4, 1e3),), times(-7), 0),
    "a slope that is zero at every potential": (
        lambda x: 0.0 * x, (X,), lambda bars, g, x: (0.0 * g,), 0),
    "a product with zero": (lambda x, w: x @ w, (X, 0 * W), times(3, 0), 0),
    "a clip left inside": (jnp.sin, (X,), at(lambda g: jnp.clip(g, -5, 5)), 0),
    "a clip from above": (jnp.sin, (X,), at(lambda g: jnp.minimum(g, 9)), 0),
    "a clip of the whole": (
        jnp.sin, (X,), at(lambda g: g / jnp.maximum(1, jnp.linalg.norm(g) / 99)), 0),
    "a clip of the output at 1e12": (
        jnp.sin, (X,), lambda bars, g, x: (jnp.clip(bars[0], -1e12, 1e12),), 0),
    "a dead zone": (jnp.sin, (X,), at(lambda g: jnp.where(abs(g) < 1e-6, 0, g)), 0),
    "rounded to float32": (
        jnp.sin, (X,), at(lambda g: g.astype(jnp.float32).astype(g.dtype)), 0),
    "rounded to bfloat16": (
        jnp.sin, (X,), at(lambda g: g.astype(jnp.bfloat16).astype(g.dtype)), 0),
    "the absolute of a scalar": (lambda x: jnp.sin(x).sum(), (X,), at(abs), 0),
    "a constant added": (jnp.sin, (X,), lambda bars, g, x: (bars[0] + 1e-7,), 0),
    "decay of the weights inside": (
        affine, (X, W, B), lambda bars, g, x, w, b: (bars[0], bars[1] + 1e-3 * w, bars[2]), 1),
    "beside a kink": (relu, (KINK,), put(POSITIVE, 1.05), 0),
    "everywhere beside a kink": (relu, (KINK,), times(1.01), 0),
    "at a kink, outside of its slopes": (relu, (KINK,), lambda bars, g, x: (
        jnp.where(x == 0, 1.4 * g, bars[0]),), 0),
    "beside a jump": (
        lambda x: jnp.sin(x) + jnp.where(x >= 0, 1.0, 0.0), (KINK,), put(3, 1.05), 0),
    "beside a tie": (
        lambda x: jnp.maximum(x, x[::-1]) ** 2, (np.array([2.0, 1, 3, 3, 5, 2]),),
        put(4, 1.01), 0),
    "slightly, beside a tie": (
        lambda x: jnp.maximum(x, x[::-1]) ** 2, (np.array([2.0, 1, 3, 3, 5, 2.0]),),
        times(1 + 1e-7), 0),
    "a constant of 1e10 in the output": (
        lambda x: 1e10 + jnp.sin(x), (X,), times(1 + 1e-6), 0),
    "a constant of 1e10 in one output": (
        lambda x: (1e10 + x.sum(), jnp.sin(x)), (X,), times(1 + 1e-3), 0),
    "one number of many": (jnp.sin, (np.linspace(0, 9, 400),), put(123, 1.01), 0),
    "one small number of many": (
        lambda x: jnp.sin(x) ** 2, (np.linspace(0, 9, 50),), put(17, -1.0), 0),
    "summed over the batch twice": (affine, (X, W, B), times(2, 2), 2),
    "a mean for a sum": (affine, (X, W, B), times(1 / 5, 1), 1),
    "rolled": (jnp.sin, (X,), lambda bars, g, x: (jnp.roll(bars[0], 1, 0),), 0),
    "sorted": (lambda x: jnp.sort(x), (KINK,), lambda bars, g, x: (g,), 0),
    "a statistic held": (rms, (X,), lambda bars, g, x: (
        g / jnp.sqrt((x**2).mean(-1, keepdims=True)),), 0),
    "the mean's share": (layer_norm, (X,), lambda bars, g, x: (bars[0] + g.mean() / 99,), 0),
    "conjugate order": (lambda w: w @ w, (W[:3],), lambda bars, g, w: (g @ w + w @ g,), 0),
    "half of a square": (lambda w: w @ w.T, (W,), times(0.5), 0),
    "a pole nearby": (lambda x: 1 / x, (1e-3 * X,), times(1 + 1e-5), 0),
    "a logarithm of many sizes": (log, (STEEP,), times(1 + 1e-4), 0),
    "a fast wave": (
        lambda t: jnp.sin(2 * np.pi * t), (1e4 + np.linspace(0, 1, 9),), times(1.001), 0),
    "a normal of a large mean": (layer_norm, (1e6 + X,), times(1.001), 0),
    "an argument forgotten": (lambda x, w: x @ w, (X, W), times(0, 1), 1),
}  # fmt: skip
RIGHT = {
    "a capacitance of 1e-15": (charge, (1e-15, X)),
    "a leaf in units of 1e12": (lambda a, x: jnp.tanh(a * 1e-12) * x, (3e11, X)),
    "zeros in tiny units": (lambda b, x: jnp.sin(x + 1e12 * b), (np.zeros(4), X)),
    "a log of many sizes": (log, (STEEP,)),
    "a power of many sizes": (lambda x: x**-1.5, (STEEP,)),
    "a norm at mean 1e6": (layer_norm, (1e6 + X,)),
    "a fast wave": (lambda t: jnp.sin(2 * np.pi * t), (1e4 + np.linspace(0, 0.9, 7),)),
    "near the end of erfinv": (erfinv, (np.array([0.999999, -0.9999, 0.1]),)),
    "near the end of a root": (jnp.sqrt, (np.array([1e-6, 1.0, 9.0]),)),
    "near the end of arccos": (jnp.arccos, (np.array([1 - 1e-7, 0.5]),)),
    "a pole": (lambda x: 1 / x, (np.array([1e-3, 1.0, 9.0]),)),
    "a steep exponential": (lambda x: jnp.exp(50 * x), (X,)),
    "a long product": (lambda x: x.prod(), (np.linspace(0.5, 2, 40),)),
    "softmax of a large gain": (lambda x: jax.nn.softmax(30 * x), (X,)),
    "a far softplus": (jax.nn.softplus, (np.array([-20.0, 0, 30]),)),
    "a kink beside": (relu, (KINK,)),
    "a kink next by": (relu, (KINK + 1e-9,)),
    "a jump beside": (lambda x: jnp.sin(x) + jnp.floor(x), (np.array([1.0, 0.3, 2.6]),)),
    "an absolute": (jnp.abs, (KINK,)),
    "a constant of 1e6": (lambda x: 1e6 + jnp.sin(x), (X,)),
    "an inverse": (jnp.linalg.inv, (W[:3] + 3 * np.eye(3),)),
    "a bad condition": (lambda b: jnp.linalg.solve(np.vander([1, 1.1, 1.2]), b), (B,)),
    "an even function near its least": (lambda x: jnp.cosh(x), (1e-4 * X,)),
    "sizes of 1e150": (lambda x: x * 1e-150, (1e150 * X,)),
    "sizes of 1e-100": (lambda x: jnp.sin(1e100 * x), (1e-100 * X,)),
    "a chaotic map": (lambda x: jax.lax.fori_loop(
        0, 12, lambda i, x: 3.9 * x * (1 - x), x), (np.array([0.2, 0.41, 0.7]),)),
    "a difference of large numbers": (lambda x: (1e5 + x) ** 2 - 1e10, (X,)),
    "a slope of zero behind a norm": (lambda x, b: layer_norm(x + b), (X, np.ones((5, 1)))),
    "no slope at all": (lambda x, b: x, (X, B)),
}  # fmt: skip
CASES = [(name, witness) for witness in (beside_jax, alone) for name in WRONG | RIGHT]
ONLY_JAX = {
    "rounded to float32",
    "slightly, beside a tie",
    "a slope of zero behind a norm",
    "no slope at all",
}
"""Differences cannot see the first, and a gradient of zero needs a second witness."""


@pytest.mark.parametrize(("name", "witness"), CASES)
def test_only_a_right_gradient_passes(name, witness):
    if name in WRONG:
        f, arguments, change, wrong = WRONG[name]
    else:
        (f, arguments), change, wrong = RIGHT[name], times(1), None
    report = witness(f, change, arguments)
    blind = witness is alone and name in ONLY_JAX
    assert report.ok == ((wrong is None) != blind), report
    assert wrong is None or blind or f"argument {wrong}" in report.reason


def test_a_symmetric_matrix_hides_its_transpose_and_is_named():
    wrong = lambda kept, g: (g @ kept[1], kept[0].T @ g)  # w, not its transpose
    forward = lambda x, w: (x @ w, (x, w))
    report = check_pair(forward, wrong, X, np.eye(4))
    assert (report.ok, report.notes) == (True, ("w is symmetric",))
    assert not check_pair(forward, wrong, X, X[:4]).ok
