"""Surrogate slopes: published values, and that each is the derivative of its primitive."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.spikes import (
    arctan,
    exponential,
    fast_sigmoid,
    scaled,
    sigmoid,
    soft_twin,
    triangle,
    with_slope,
)

SPYX = scaled(arctan(4.0), 1 / (2 * np.pi))  # its arctan(2)
SURROGATES = {
    "fast_sigmoid": fast_sigmoid(25.0),
    "arctan": arctan(2.0),
    "triangle": triangle(0.75, 2.0),
    "sigmoid": sigmoid(4.0),
    "exponential": exponential(0.5),
    "wide exponential": exponential(1.5),
    "scaled": scaled(triangle(), 3.0),
}
each = pytest.mark.parametrize("surrogate", SURROGATES.values(), ids=SURROGATES)
U = np.linspace(-1.5, 1.5, 62)  # without 0, or the corners of the triangles


@each
@pytest.mark.usefixtures("float64")
def test_the_slope_is_the_derivative_of_the_primitive(surrogate):
    by_jax = jax.vmap(jax.grad(surrogate.primitive))(U)
    np.testing.assert_allclose(surrogate.slope(U), by_jax, rtol=1e-12, atol=1e-14)
    h = 1e-6
    differences = (surrogate.primitive(U + h) - surrogate.primitive(U - h)) / (2 * h)
    np.testing.assert_allclose(surrogate.slope(U), differences, atol=1e-5)


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
        (exponential(), 2, 2),
        (exponential(4.0), 0.25, 2),
        (SPYX, 1 / np.pi, 1 / (2 * np.pi)),
        (scaled(fast_sigmoid(4.0), 3.0), 3, 3 * 2 / 4),
    ],
)
@pytest.mark.usefixtures("float64")
def test_height_and_area_are_the_documented_ones(surrogate, height, area):
    far = jnp.array([-1e9, 1e9])
    np.testing.assert_allclose(surrogate.slope(jnp.zeros(1)), height, rtol=1e-15)
    low, high = surrogate.primitive(far)
    np.testing.assert_allclose(high - low, area, rtol=1e-6)
    np.testing.assert_allclose(surrogate.slope(U), surrogate.slope(-U))  # it is even,
    half = (low + high) / 2  # so half of what the twin fires, it fires below the threshold
    np.testing.assert_allclose(surrogate.primitive(jnp.zeros(1)), half, rtol=1e-6)
    assert (surrogate.slope(U) <= height).all()


@pytest.mark.parametrize(
    ("surrogate", "slopes"),
    [
        # snnTorch and SpikingJelly
        (fast_sigmoid(25.0), {0.1: 0.08163265306122448, 0.5: 0.0054869684499314125}),
        (arctan(2.0), {0.1: 0.9101698376462755, 0.5: 0.288400439142001}),
        # Spyx 1.0.0's arctan(2) and sinabs 3.1.3's SingleExponential(0.5)
        (SPYX, {0.0: 0.3183098861837907, 0.1: 0.22821443751011294,
                0.5: 0.029284403961554434, 1.0: 0.007863693914495441}),
        (exponential(0.5), {0.0: 2.0, 0.1: 1.6374615061559636, 0.5: 0.7357588823428847,
                            1.0: 0.2706705664732254}),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("float64")
def test_slopes_have_the_values_of_other_libraries(surrogate, slopes):
    u, wanted = np.array([*slopes]), [*slopes.values()]
    np.testing.assert_allclose(surrogate.slope(u), wanted, rtol=1e-14)
    np.testing.assert_allclose(surrogate.slope(-u), wanted, rtol=1e-14)


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
        (lambda: exponential(0.0), "width must be > 0, got 0.0"),
        (lambda: scaled(triangle(), -1.0), "factor must be > 0, got -1.0"),
    ],
)
def test_bad_arguments_are_refused_by_name(make, match):
    with pytest.raises(ValueError, match=match):
        make()
