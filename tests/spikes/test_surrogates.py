"""Surrogate slopes: published values, and that each is the derivative of its primitive."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.spikes import arctan, fast_sigmoid, sigmoid, soft_twin, triangle, with_slope

SURROGATES = {
    "fast_sigmoid": fast_sigmoid(25.0),
    "arctan": arctan(2.0),
    "triangle": triangle(0.75, 2.0),
    "sigmoid": sigmoid(4.0),
}
each = pytest.mark.parametrize("surrogate", SURROGATES.values(), ids=SURROGATES)
U = np.linspace(-1.5, 1.5, 62)  # without 0, or the corners of the triangle


@each
@pytest.mark.usefixtures("float64")
def test_the_slope_is_the_derivative_of_the_primitive(surrogate):
    by_jax = jax.vmap(jax.grad(surrogate.primitive))(U)
    np.testing.assert_allclose(surrogate.slope(U), by_jax, rtol=1e-12, atol=1e-14)
    h = 1e-6
    differences = (surrogate.primitive(U + h) - surrogate.primitive(U - h)) / (2 * h)
    np.testing.assert_allclose(surrogate.slope(U), differences, atol=1e-5)
    at_threshold = 0.75 if surrogate is SURROGATES["triangle"] else 0.5  # a w / 2, or 1/2
    assert surrogate.primitive(jnp.zeros(1)) == at_threshold


@pytest.mark.parametrize(
    ("surrogate", "height", "area"),
    [
        (fast_sigmoid(25.0), 1, 2 / 25),
        (arctan(2.0), 1, 1),
        (arctan(5.0), 2.5, 1),
        (triangle(), 1, 1),
        (triangle(0.5, 3.0), 3, 1.5),
        (sigmoid(), 1, 1),
        (sigmoid(2.0), 0.5, 1),
    ],
)
@pytest.mark.usefixtures("float64")
def test_height_and_area_are_the_documented_ones(surrogate, height, area):
    far = jnp.array([-1e9, 1e9])
    assert surrogate.slope(jnp.zeros(1)) == height
    low, high = surrogate.primitive(far)
    np.testing.assert_allclose(high - low, area, rtol=1e-6)
    np.testing.assert_allclose(surrogate.slope(U), surrogate.slope(-U))  # it is even
    assert (surrogate.slope(U) <= height).all()


@pytest.mark.parametrize(
    ("surrogate", "at_tenth", "at_half"),
    [  # from snnTorch and SpikingJelly
        (fast_sigmoid(25.0), 0.08163265306122448, 0.0054869684499314125),
        (arctan(2.0), 0.9101698376462755, 0.288400439142001),
    ],
)
@pytest.mark.usefixtures("float64")
def test_slopes_have_the_values_of_other_libraries(surrogate, at_tenth, at_half):
    values = surrogate.slope(jnp.array([0.1, 0.5, -0.1]))
    np.testing.assert_allclose(values, [at_tenth, at_half, at_tenth], rtol=1e-14)


@each
def test_a_neuron_fires_above_the_threshold_and_not_at_it(surrogate):
    u = jnp.array([-1.0, 0.0, 2.0**-20, 1.0])
    for fire in (surrogate.fire, with_slope(surrogate)):
        np.testing.assert_array_equal(fire(u), [0, 0, 1, 1])
    assert surrogate.fire(u.astype(jnp.bfloat16)).dtype == jnp.bfloat16


@each
def test_jax_takes_the_slope_for_the_derivative_in_both_modes(surrogate):
    fire, u = with_slope(surrogate), jnp.asarray(U, jnp.float32)
    slope, one = surrogate.slope(u), jnp.ones_like(u)
    np.testing.assert_allclose(jax.jvp(fire, (u,), (one,))[1], slope, rtol=1e-6)
    np.testing.assert_allclose(jax.vjp(fire, u)[1](one)[0], slope, rtol=1e-6)


@each
def test_the_soft_twin_fires_the_primitive_with_the_same_slope(surrogate):
    twin, u = soft_twin(surrogate), jnp.asarray(U, jnp.float32)
    np.testing.assert_array_equal(twin.fire(u), surrogate.primitive(u))
    np.testing.assert_array_equal(twin.slope(u), surrogate.slope(u))


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: fast_sigmoid(0.0), "gamma must be > 0, got 0.0"),
        (lambda: arctan(-1.0), "alpha"),
        (lambda: sigmoid(float("nan")), "alpha"),
        (lambda: triangle(width=0.0), "width"),
        (lambda: triangle(height=-2.0), "height"),
    ],
)
def test_bad_arguments_are_refused_by_name(make, match):
    with pytest.raises(ValueError, match=match):
        make()
