"""Conventions: their names, how a time constant becomes a decay, and when a potential fires."""

import itertools
from dataclasses import FrozenInstanceError

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.spikes import sigmoid, soft_twin, triangle
from jaxdigits.spikes.convention import Convention, euler_decay, exact_decay, firing

V = jnp.array([-2.0, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5])
COUNTS = {  # of the potentials above, with θ = 1/2
    ("above", "one"): [0, 0, 0, 0, 0, 1, 1, 1, 1],
    ("at", "one"): [0, 0, 0, 0, 1, 1, 1, 1, 1],
    ("above", "several"): [0, 0, 0, 0, 0, 1, 1, 2, 2],
    ("at", "several"): [0, 0, 0, 0, 1, 1, 2, 2, 3],
}


@pytest.mark.parametrize(("fires", "spikes"), COUNTS)
def test_a_potential_fires_as_often_as_the_convention_says(fires, spikes):
    fire = firing(triangle(), Convention(fires=fires, spikes=spikes))
    np.testing.assert_array_equal(fire(V, jnp.array(0.5)), COUNTS[fires, spikes])
    assert fire(V.astype(jnp.bfloat16), jnp.array(0.5, jnp.bfloat16)).dtype == jnp.bfloat16


@pytest.mark.parametrize(("fires", "spikes"), COUNTS)
@pytest.mark.usefixtures("float64")
def test_jax_takes_the_slope_at_the_threshold_for_the_derivative(fires, spikes):
    surrogate, theta = sigmoid(2.0), jnp.array([0.5, 0.75, 1.0])
    fire = firing(surrogate, Convention(fires=fires, spikes=spikes))
    v = jnp.linspace(-1, 3, 12).reshape(4, 3)
    v_bar, theta_bar = jax.grad(lambda v, theta: fire(v, theta).sum(), (0, 1))(v, theta)
    slope = surrogate.slope(v - theta)
    np.testing.assert_allclose(v_bar, slope, rtol=1e-14)
    np.testing.assert_allclose(theta_bar, -slope.sum(0), rtol=1e-14)


@pytest.mark.parametrize(("fires", "spikes"), COUNTS)
def test_a_soft_twin_fires_its_primitive_in_every_convention(fires, spikes):
    twin = soft_twin(sigmoid(2.0))
    fire = firing(twin, Convention(fires=fires, spikes=spikes))
    np.testing.assert_array_equal(fire(V, jnp.array(0.5)), twin.primitive(V - 0.5))


def test_after_one_time_constant_an_eth_is_left():
    np.testing.assert_allclose(exact_decay(1.0), np.exp(-1), rtol=1e-15)
    np.testing.assert_array_equal(exact_decay([1 / np.log(2), np.inf]), [0.5, 1])
    np.testing.assert_array_equal(euler_decay([1.0, 2.0, 4.0, np.inf]), [0, 0.5, 0.75, 1])
    assert euler_decay(0.01, 0.001) == 0.9


def test_only_the_ratio_of_the_times_counts_and_steps_multiply():
    np.testing.assert_allclose(exact_decay(20.0, 2.0), exact_decay(0.01, 0.001), rtol=1e-15)
    np.testing.assert_allclose(exact_decay(5.0, 3.0), exact_decay(5.0) ** 3, rtol=1e-15)


def test_euler_is_the_exact_decay_to_first_order():
    dt = 0.5 ** np.arange(4, 9)
    error = exact_decay(1.0, dt) - euler_decay(1.0, dt)
    np.testing.assert_allclose(error / dt**2, 0.5, atol=0.03)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (
            lambda: Convention(reset="half"),
            "reset must be 'subtract', 'zero' or numbers, got 'half'",
        ),
        (lambda: Convention(reset=float("nan")), "reset"),
        (
            lambda: Convention(reset_step="now"),
            "reset_step must be one of next, same, got 'now'",
        ),
        (lambda: Convention(fires="below"), "fires must be one of above, at, got 'below'"),
        (lambda: Convention(spikes="two"), "spikes must be one of one, several, got 'two'"),
        (
            lambda: Convention(spike_from="next"),
            "spike_from must be one of new, old, got 'next'",
        ),
        (lambda: Convention(differentiate_reset="no"), "differentiate_reset must be one of"),
        (lambda: Convention(normalise=2), "normalise must be one of False, True, got 2"),
        (lambda: Convention(gain=0.0), "gain must be > 0, got 0.0"),
        (lambda: Convention(gain=float("inf")), "gain"),
        (
            lambda: Convention(gain=[1.0, 2.0]),
            "gain must be a number or a tuple of numbers, got",
        ),
        (lambda: exact_decay(0.0), "tau must be > 0, got 0.0"),
        (lambda: exact_decay(1.0, -1.0), "dt must be > 0, got -1.0"),
        (lambda: euler_decay([2.0, 0.5]), "dt <= tau"),
        (lambda: euler_decay(float("nan")), "tau"),
    ],
)
def test_bad_values_are_refused_by_name(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_a_convention_is_a_value():
    assert (
        len({Convention(*c) for c in itertools.product(("subtract", 0.0), ("next", "same"))})
        == 4
    )
    assert Convention() == Convention(
        "subtract", "next", "above", "one", "new", False, 1.0, False
    )
    with pytest.raises(FrozenInstanceError):
        Convention().gain = 2.0  # type: ignore[misc]
