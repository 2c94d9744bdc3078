"""The event-driven network: its gradient, its sizes, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.gradients import check_network
from jaxdigits.losses import cross_entropy
from jaxdigits.models.event_snn import event_snn
from jaxdigits.spikes.event_neuron import events
from jaxdigits.tree import parameter_count

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
IMAGE = np.where(RNG.random((5, 6, 6)) < 0.4, RNG.integers(1, 256, (5, 6, 6)), 0).astype("u1")
LABEL = np.arange(5) % 3
SMALL = dict(classes=3, steps=8, window=10.0, duration=20.0)


def params_of(network, size=(6, 6)):
    """Initial weights, and biases with which all layers fire."""
    params, _ = network.init(KEY, size)
    # One comes with every step, the others once.
    bias = lambda i, p: jnp.full_like(p["bias"], 0.75 if i == 2 else 6.0)
    return tuple(p | {"bias": bias(i, p)} if p else p for i, p in enumerate(params))


def run(network, image):
    options = {"xla_backend_optimization_level": 0}
    forward = jax.jit(lambda p, x: network.forward(p, x, KEY), compiler_options=options)
    return forward(params_of(network), jnp.asarray(image))


@pytest.mark.parametrize("output", ["potential", "first_spike"])
@pytest.mark.parametrize("hidden", [(6,), (6, 5)])
def test_the_gradient_is_that_of_all_witnesses(hidden, output):
    network = event_snn(hidden=hidden, output=output, **SMALL)
    report = check_network(
        network, cross_entropy(), params_of(network), (jnp.asarray(IMAGE), LABEL), KEY
    ).raise_if_bad()
    assert len(report.firing_rates) == len(hidden) + (output == "first_spike")
    assert all(0.2 < rate < 4 for rate in report.firing_rates)


def test_a_silent_network_does_not_pass_as_checked():
    network = event_snn(hidden=(6,), **SMALL)
    black = jnp.zeros((5, 6, 6), jnp.uint8)
    params, _ = network.init(KEY, (6, 6))
    report = check_network(network, cross_entropy(), params, (black, LABEL), KEY)
    assert "spiking layer 1 is silent" in report.reason


@pytest.mark.parametrize("output", ["potential", "first_spike"])
def test_it_reads_28_by_28_pixels_into_ten_logits(output):
    network = event_snn(output=output)
    params, shape = jax.eval_shape(lambda key: network.init(key, (28, 28))[0], KEY), (2, 28, 28)
    assert parameter_count(params) == 784 * 256 + 256 + 256 * 10 + 10
    logits, _ = jax.eval_shape(network.forward, params, jnp.zeros(shape, jnp.uint8), KEY)
    assert (logits.shape, logits.dtype) == ((2, 10), jnp.float32)


def test_at_the_start_many_neurons_fire_for_some_digit_and_few_often(digit_images):
    network = event_snn()
    params, _ = network.init(KEY, (28, 28))
    _, residual = jax.jit(network.forward)(params, digit_images, KEY)
    (found,) = events(residual)
    assert (np.asarray(found.spikes) > 0).any(0).mean() > 0.4
    assert 0.02 < found.spikes.mean() < 2


@pytest.fixture
def digit_images():
    from jaxdigits.data import digits

    return jnp.asarray(digits()[0].inputs[:128])


def test_pixels_as_bytes_and_as_floats_are_one_image():
    network = event_snn(hidden=(6,), **SMALL)
    wanted = run(network, IMAGE)[0]
    assert np.ptp(wanted) > 0.1
    np.testing.assert_allclose(run(network, IMAGE / np.float32(255))[0], wanted, rtol=1e-6)


def test_examples_know_nothing_of_each_other():
    network = event_snn(hidden=(6, 5), **SMALL)
    whole = run(network, IMAGE)[0]
    np.testing.assert_allclose(run(network, IMAGE[3:1:-1])[0], whole[3:1:-1], rtol=1e-5)


def test_dropout_is_of_training_only():
    options = dict(hidden=(6,), dropout_rate=0.5, **SMALL)
    plain = run(event_snn(hidden=(6,), **SMALL), IMAGE)[0]
    np.testing.assert_array_equal(run(event_snn(training=False, **options), IMAGE)[0], plain)
    assert np.abs(run(event_snn(**options), IMAGE)[0] - plain).max() > 0.01


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (dict(hidden=()), "at least one hidden layer"),
        (dict(output="rate"), "output must be one of potential, first_spike, got 'rate'"),
        (
            dict(output="first_spike", dropout_rate=0.1),
            "dropout_rate is for output='potential'",
        ),
        (dict(window=50.0), r"window must be in \(0, duration = 10\], got 50"),
        (dict(window=0.0), "window must be in"),
        (dict(duration=float("nan")), "window must be in"),
        (dict(tau_m=0.0), "tau_m must be > 0"),
        (dict(most=0), "most must be >= 1"),
        (dict(steps=0), "steps must be >= 1, got 0"),
        (dict(dropout_rate=1.0), "rate must be in"),
    ],
)
def test_bad_arguments_are_refused_by_name(options, match):
    with pytest.raises(ValueError, match=match):
        event_snn(**options)
