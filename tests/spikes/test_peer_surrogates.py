"""The surrogates of other libraries: their values, and that each is its primitive's slope."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.spikes import fast_sigmoid, triangle
from jaxdigits.spikes.peer_surrogates import exponential, scaled, spyx_arctan

U = [-1.0, -0.5, -0.1, 0.0, 0.1, 0.5, 1.0]
VALUES = {  # at U, of Spyx 1.0.0's arctan(2) and sinabs 3.1.3's SingleExponential(0.5)
    "spyx_arctan": [0.007863693914495441, 0.029284403961554434, 0.22821443751011294,
                    0.3183098861837907],
    "exponential": [0.2706705664732254, 0.7357588823428847, 1.6374615061559636, 2.0],
}  # fmt: skip
SURROGATES = {
    "exponential": exponential(0.5),
    "wide exponential": exponential(1.5),
    "spyx_arctan": spyx_arctan(2.0),
    "scaled": scaled(triangle(), 3.0),
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.usefixtures("float64")
def test_slopes_have_the_values_of_the_libraries(name):
    half = VALUES[name]
    slope = SURROGATES[name].slope(jnp.array(U))
    np.testing.assert_allclose(slope, half + half[-2::-1], rtol=1e-14)


@pytest.mark.parametrize("surrogate", SURROGATES.values(), ids=SURROGATES)
@pytest.mark.usefixtures("float64")
def test_the_slope_is_the_derivative_of_the_primitive(surrogate):
    u = jnp.linspace(-2.1, 2.1, 30)
    by_jax = jax.vmap(jax.grad(surrogate.primitive))(u)
    np.testing.assert_allclose(surrogate.slope(u), by_jax, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(surrogate.fire(u), u > 0)


@pytest.mark.usefixtures("float64")
def test_areas_are_the_documented_ones():
    area = lambda surrogate: float(jnp.diff(surrogate.primitive(jnp.array([-1e9, 1e9])))[0])
    assert area(exponential(0.5)) == area(exponential(3.0)) == 2
    np.testing.assert_allclose(area(spyx_arctan(3.0)), 1 / (3 * np.pi), rtol=1e-8)
    np.testing.assert_allclose(area(scaled(fast_sigmoid(4.0), 3.0)), 3 * 2 / 4, rtol=1e-8)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: exponential(0.0), "width must be > 0, got 0.0"),
        (lambda: scaled(triangle(), -1.0), "factor must be > 0, got -1.0"),
        (lambda: spyx_arctan(float("nan")), "k must be > 0, got nan"),
    ],
)
def test_bad_arguments_are_refused_by_name(make, match):
    with pytest.raises(ValueError, match=match):
        make()
