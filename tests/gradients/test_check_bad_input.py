"""What cannot be checked is refused in one line that names the leaf."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import by_autodiff, by_hand, check
from jaxdigits.gradients import (
    Differences,
    check_estimator,
    check_function,
    check_pair,
    check_spiking,
)
from jaxdigits.layer import Layer
from jaxdigits.layers import dense, standardise
from jaxdigits.losses import cross_entropy
from jaxdigits.spikes.lif import lif
from jaxdigits.spikes.surrogates import arctan

X = np.random.default_rng(0).standard_normal((5, 4))
RIGHT = dense(4)
PARAMS, _ = RIGHT.init(jax.random.key(0), (4,))


def changed(change):
    """The dense layer with `change(grads, x_bar)` in the place of its gradients."""
    return RIGHT._replace(backward=lambda *a: change(*RIGHT.backward(*a)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, x: ({"weight": p["weight"]}, x), "only the gradient by JAX .*params/bias"),
        (lambda p, x: (p | {"gain": x}, x), "only the gradient by hand .*'params/gain'"),
        (lambda p, x: (p, None), "only the gradient by JAX has a leaf 'x'"),
        (lambda p, x: (p, x[0]), r"x: shape \(4,\) by hand, shape \(5, 4\) by JAX"),
        (
            lambda p, x: (p | {"bias": p["bias"][None]}, x),
            r"params/bias: shape \(1, 4\) by hand",
        ),
        (lambda p, x: (p, x.astype(jnp.float32)), "x: dtype float32 by hand, dtype float64"),
    ],
    ids=["missing", "one too many", "no input", "shape", "leading axis", "dtype"],
)
def test_gradients_that_are_not_alike(change, message):
    with pytest.raises(ValueError, match=message) as caught:
        check(changed(change), PARAMS, X)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_gradient_by_hand_that_is_not_finite(value):
    wrong = changed(lambda p, x: (p | {"bias": p["bias"].at[2].set(value)}, x))
    report = check(wrong, PARAMS, X)
    assert not report.ok
    assert report.reason == "params/bias: not finite by hand at (2,) (1 of 4)"
    assert report.error == np.inf


def test_an_infinite_tolerance_does_not_let_nan_pass():
    wrong = changed(lambda p, x: (p, x * np.nan))
    assert not check(wrong, PARAMS, X, tolerance=np.inf, differences=None).ok


def test_a_gradient_by_jax_that_is_not_finite():
    root = Layer(
        lambda key, shape: ((), shape),
        lambda params, x, key: (jnp.sqrt(x), x),
        lambda params, x, y_bar: ((), jnp.where(x > 0, 0.5 * y_bar / jnp.sqrt(x), 0)),
    )
    report = check(root, (), np.array([4.0, -1.0, 1.0]))
    assert report.reason == "x: not finite by JAX at (1,) (1 of 3)"


def test_a_function_that_is_not_finite_nearby():
    report = check_function(lambda x: jnp.where(x > 1, jnp.inf, x), np.array([1.0, 0.5]))
    assert not report.ok
    assert "not finite" in str(report)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: jnp.argmax(x), "the output has dtype int"),
        (
            lambda x: jax.lax.while_loop(lambda x: x.sum() < 9, lambda x: x + 1, x),
            "JAX cannot differentiate the function: Reverse-mode",
        ),
    ],
    ids=["integer output", "while"],
)
def test_a_function_that_is_not_differentiable(function, message):
    with pytest.raises(ValueError, match=message):
        check_function(function, X)


def test_complex_leaves_are_refused_by_name():
    with pytest.raises(ValueError, match="x is complex: give its real and imaginary parts"):
        check_function(lambda x, y: jnp.abs(x) * y, X + 1j, X)
    with pytest.raises(ValueError, match="params/weight is complex"):
        check(RIGHT, PARAMS | {"weight": PARAMS["weight"] + 0j}, X)


def test_a_twin_of_another_shape():
    with pytest.raises(ValueError, match=r"its twin .*\(5,\)"):
        check_function(lambda x: x, X, twin=lambda x: x.sum(1))


def test_a_function_without_witness():
    with pytest.raises(ValueError, match="needs a witness"):
        check_function(jnp.sin, X, differences=None)


@pytest.mark.parametrize("bars", [lambda x: x, lambda x: (x, x), lambda x: {"x": x}])
def test_a_backward_that_returns_no_tuple_of_the_arguments(bars):
    with pytest.raises(ValueError, match="tuple of 1, one gradient for each of x"):
        check_pair(lambda x: (x, None), lambda kept, g: bars(g), X)


def test_an_argument_of_integers_has_no_gradient():
    forward = lambda x, index: (x[index], (x, index))
    backward = lambda kept, g: (jnp.zeros_like(kept[0]).at[kept[1]].add(g), None)
    report = check_pair(forward, backward, X, np.array([1, 1, 3])).raise_if_bad()
    assert {row.leaf for row in report.rows} == {"x"}


def test_estimators_of_other_params():
    loss = cross_entropy()
    short = dense(4, bias=False)

    def estimate(params, batch, key):
        return by_hand(short, loss)({"weight": params["weight"]}, batch, key)

    with pytest.raises(ValueError, match=r"only the gradient of the reference .*params/bias"):
        check_estimator(estimate, by_autodiff(RIGHT, loss), PARAMS, (X, jnp.arange(5) % 4))


def test_a_twin_that_is_not_soft():
    current = np.random.default_rng(0).normal(0.4, 0.8, (9, 3, 4))
    with pytest.raises(ValueError, match="fires whole spikes"):
        check_spiking(lambda surrogate: lif(threshold=0.75), arctan(), {}, current)


@pytest.mark.parametrize("tolerance", [0.0, -1.0, np.nan])
def test_a_tolerance_that_nothing_can_meet(tolerance):
    with pytest.raises(ValueError, match="tolerance must be > 0"):
        check(RIGHT, PARAMS, X, tolerance=tolerance)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(directions=-1), "directions"),
        (dict(directions=0, coordinates=0), "one of them > 0"),
        (dict(step=0.0), "step must be > 0"),
        (dict(tolerance=-1.0), "tolerance must be > 0"),
    ],
)
def test_differences_that_cannot_be_taken(options, message):
    with pytest.raises(ValueError, match=message):
        Differences(**options)


def test_errors_of_the_layer_itself_are_its_own():
    with pytest.raises(ValueError, match="images are uint8 or float"):
        check(standardise(), (), np.arange(4))
