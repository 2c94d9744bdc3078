"""A neuron between events: its flow is the matrix exponential, its crossing the first."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

from jaxdigits.spikes.event_neuron import EventNeuron, potential_after, psi, time_to_fire

pytestmark = pytest.mark.usefixtures("float64")

RATIOS = [(2.0, 1.0), (3.0, 1.0), (1.5, 1.5), (1.0, 2.0), (0.7, 3.1), (2.0, 1.999999)]
ratios = pytest.mark.parametrize(("tau_m", "tau_s"), RATIOS)
RNG = np.random.default_rng(0)
V, J = RNG.uniform(-3, 1, 4000), RNG.uniform(-4, 20, 4000)  # below θ = 1


@ratios
def test_the_flow_is_the_matrix_exponential(tau_m, tau_s):
    neuron = EventNeuron(tau_m, tau_s)
    for t in (0.0, 1e-6, 0.3, 2.0, 15.0):
        exact = expm(t * np.array([[-1 / tau_m, 1 / tau_m], [0, -1 / tau_s]]))
        np.testing.assert_allclose(psi(neuron, jnp.asarray(t)), exact[0, 1], rtol=1e-9)
        v = potential_after(neuron, jnp.asarray(-0.5), jnp.asarray(2.0), jnp.asarray(t))
        np.testing.assert_allclose(v, exact[0] @ [-0.5, 2.0], rtol=1e-9, atol=1e-15)


@ratios
def test_a_neuron_fires_where_its_potential_first_meets_the_threshold(tau_m, tau_s):
    neuron = EventNeuron(tau_m, tau_s)
    t = np.asarray(time_to_fire(neuron, jnp.asarray(V), jnp.asarray(J)))
    fires = np.isfinite(t)
    assert 0.2 < fires.mean() < 0.8
    at = potential_after(neuron, V[fires], J[fires], t[fires])
    np.testing.assert_allclose(at, 1, atol=1e-13)
    share = np.linspace(0, 1, 500, endpoint=False)[:, None]
    before = potential_after(neuron, V[fires], J[fires], share * t[fires])
    assert (before < 1 + 1e-13).all()
    late = np.linspace(0, 5 * max(tau_m, tau_s), 500)[:, None]
    assert (potential_after(neuron, V[~fires], J[~fires], late) < 1).all()


def test_newton_finds_the_roots_of_the_quadratic():
    # A hair from τm = 2 τs, where x = e^(−t/τm) solves (V + J) x − J x² = 1
    t = time_to_fire(EventNeuron(2.0, np.nextafter(1.0, 2.0)), jnp.asarray(V), jnp.asarray(J))
    exact = time_to_fire(EventNeuron(2.0, 1.0), jnp.asarray(V), jnp.asarray(J))
    fires = np.isfinite(exact)
    np.testing.assert_array_equal(np.isfinite(t), fires)
    a, i = (V + J)[fires], J[fires]
    x = (a + np.sqrt(a**2 - 4 * i)) / (2 * i)
    np.testing.assert_allclose(t[fires], -2 * np.log(x), atol=1e-12)
    np.testing.assert_allclose(exact[fires], -2 * np.log(x), atol=1e-12)


@ratios
@pytest.mark.parametrize("excess", [1e-3, 1e-6, 1e-9])
def test_a_membrane_that_only_touches_is_found_on_one_side(tau_m, tau_s, excess):
    neuron = EventNeuron(tau_m, tau_s)
    # From V = 0, dψ/dt = 0 where V = I: at ln(τm/τs) / (1/τs − 1/τm)
    same = tau_m == tau_s
    top = tau_m if same else np.log(tau_m / tau_s) / (1 / tau_s - 1 / tau_m)
    i = np.exp(top / tau_s) * np.array([1 - excess, 1 + excess])
    below, t = np.asarray(time_to_fire(neuron, jnp.zeros(2), jnp.asarray(i)))
    assert below == np.inf
    np.testing.assert_allclose(t, top - np.sqrt(2 * tau_m * tau_s * excess), rtol=0.05)
    np.testing.assert_allclose(potential_after(neuron, jnp.zeros(()), i[1], t), 1, atol=1e-12)


def test_what_cannot_fire_does_not():
    neuron = EventNeuron(2.0, 1.0)
    v = jnp.array([0.0, 0.0, 0.9, -50.0, 0.5, 0.999, -1.0])
    i = jnp.array([0.0, -9.0, 0.95, 4.5, 1.0, 1.0, -0.5])
    assert np.isinf(time_to_fire(neuron, v, i)).all()


def test_a_potential_that_rounding_put_above_the_threshold_fires_at_once():
    for tau_s in (1.0, 0.9):
        t = time_to_fire(EventNeuron(2.0, tau_s), jnp.asarray(1 + 1e-15), jnp.asarray(3.0))
        assert t == 0


@ratios
def test_in_float32_a_crossing_is_found_to_its_last_digits(tau_m, tau_s):
    neuron = EventNeuron(tau_m, tau_s)
    v, i = jnp.asarray(V, jnp.float32), jnp.asarray(J, jnp.float32)
    t = time_to_fire(neuron, v, i)
    assert t.dtype == jnp.float32
    fires = np.isfinite(t)
    at = potential_after(neuron, V[fires], J[fires], np.asarray(t, float)[fires])
    np.testing.assert_allclose(at, 1, atol=1e-5)


@pytest.mark.parametrize("name", ["tau_m", "tau_s", "threshold"])
@pytest.mark.parametrize("bad", [0.0, -1.0, float("inf"), float("nan")])
def test_bad_constants_are_refused_by_name(name, bad):
    with pytest.raises(ValueError, match=f"{name} must be > 0 and finite"):
        EventNeuron(**{name: bad})


def test_its_numbers_are_constants_of_a_program():
    neuron = EventNeuron(3.0, 1.0)
    both = jax.jit(lambda v, i: time_to_fire(neuron, v, i))
    t, eager = both(V, J), time_to_fire(neuron, jnp.asarray(V), jnp.asarray(J))
    np.testing.assert_array_equal(np.isfinite(t), np.isfinite(eager))
    np.testing.assert_allclose(t, eager, rtol=0, atol=1e-12)  # a program rounds its own way
