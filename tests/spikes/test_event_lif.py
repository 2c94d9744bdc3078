"""Event-driven layers against hand arithmetic, small steps, and laws of time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.spikes.event_lif import event_dense, event_lif
from jaxdigits.spikes.event_neuron import EventNeuron

pytestmark = pytest.mark.usefixtures("float64")

NEURON = EventNeuron(4.0, 2.0)
OTHER = EventNeuron(3.0, 2.0)
END = 14.0
RNG = np.random.default_rng(2)
JUMPS = RNG.normal(1.0, 1.8, (10, 4, 5))
TIMES = np.where(RNG.random((2, 4, 6)) < 0.8, RNG.uniform(0, END, (2, 4, 6)), END)
EXACT = dict(rtol=0, atol=1e-12)


def run(layer, x, params=()):
    """(y, residual), by one compiled program."""
    forward = jax.jit(lambda p, x: layer.forward(p, x, None))
    return jax.tree.map(np.asarray, forward(params, jnp.asarray(x)))


def back(layer, kept, y_bar, params=()):
    """(params_bar, x_bar), by one compiled program."""
    backward = jax.jit(layer.backward)
    return jax.tree.map(np.asarray, backward(params, kept, jnp.asarray(y_bar)))


def grid(neuron=NEURON, **options):
    return event_lif(neuron, **dict(duration=END, most=4) | options)


def weighted(n=3, neuron=NEURON, **options):
    layer = event_dense(n, neuron, **dict(duration=END, gain=60.0) | options)
    params, _ = layer.init(jax.random.key(1), TIMES.shape[-1:])
    return layer, params | ({"bias": jnp.array([2.0, -1.0, 4.0])} if "bias" in params else {})


def stepped(neuron, at, jumps, end, h=1e-3):
    """Spike times of one neuron, in steps of the length h that are exact between events."""
    decay_v, decay_i = np.exp(-h / neuron.tau_m), np.exp(-h / neuron.tau_s)
    gain = neuron.tau_s * (decay_v - decay_i) / (neuron.tau_m - neuron.tau_s)
    arrival, v, i, spikes = (
        dict(zip(np.round(at / h).astype(int), jumps, strict=True)),
        0,
        0,
        [],
    )
    for step in range(round(end / h)):
        i += arrival.get(step, 0)
        before, v, i = v, decay_v * v + gain * i, decay_i * i
        if v > neuron.threshold:
            share = (neuron.threshold - before) / (v - before)
            spikes.append((step + share) * h)
            rest = (1 - share) * h
            v = i * np.exp(rest / neuron.tau_s) * rest / neuron.tau_m  # from 0, to first order
    return spikes


# With θ = 3 and x = e^(−t/τm): j (x − x²) = 3.  j = 361/16 fires at x = 16/19, leaving I = 16,
# which fires again at x = 3/4, as 16 (3/4 − 9/16) = 3, leaving I = 9: 9 x (1 − x) < 3.
TWICE, SLOW = 361 / 16, EventNeuron(8.0, 4.0, threshold=3.0)


def test_spike_times_and_currents_match_hand_arithmetic():
    times, (found, _) = run(grid(SLOW, most=3), [[[TWICE, -TWICE, 11.9, 16.0]]])
    first, second = 8 * np.log(19 / 16), 8 * np.log(4 / 3)
    np.testing.assert_allclose(times[:, 0, 0], [first, first + second, END], **EXACT)
    np.testing.assert_allclose(found.current[:, 0, 0], [16, 9, 0], **EXACT)
    np.testing.assert_array_equal(found.spikes, [[2, 0, 0, 1]])
    np.testing.assert_array_equal(times[:, 0, 1:3], END)
    np.testing.assert_allclose(times[0, 0, 3], second, **EXACT)


def test_the_gradient_of_a_first_spike_matches_hand_arithmetic():
    # x − x² = 3/j at x = 3/4, so (1 − 2x) dx = −3/j² dj, and dt = −τm dx/x = −(τm/32) dj
    layer = grid(SLOW, most=1)
    _, kept = run(layer, [[[16.0]]])
    np.testing.assert_allclose(back(layer, kept, np.ones((1, 1, 1)))[1], -1 / 4, **EXACT)


def test_the_gradient_of_a_second_spike_matches_hand_arithmetic():
    layer = grid(SLOW, most=2)
    _, kept = run(layer, [[[TWICE]]])
    x, y = 16 / 19, 3 / 4
    dx = -3 / TWICE**2 / (1 - 2 * x)
    di = x**2 + 2 * TWICE * x * dx  # of the current that is left, j x²
    dy = -3 / 16**2 * di / (1 - 2 * y)
    jumps_bar = back(layer, kept, [[[0.0]], [[1.0]]])[1]
    np.testing.assert_allclose(jumps_bar, -8 * (dx / x + dy / y), **EXACT)


@pytest.mark.parametrize("neuron", [NEURON, OTHER])
def test_spike_times_are_those_of_a_simulation_in_small_steps(neuron):
    times, (found, _) = run(grid(neuron, most=12), JUMPS)
    assert 1 < found.spikes.mean() < 5
    assert found.spikes.max() < 12
    at, checked = np.arange(10.0), 0
    for b, n in np.ndindex(2, 5):
        spikes = stepped(neuron, at, JUMPS[:, b, n], END)
        assert len(spikes) == found.spikes[b, n]
        np.testing.assert_allclose(times[: len(spikes), b, n], spikes, atol=1e-5)
        checked += len(spikes)
    assert checked > 10


def test_input_spikes_are_jumps_by_their_weights():
    """On a grid, `event_dense` is the product with the weights, then `event_lif`."""
    fired = RNG.random((8, 4, 6)) < 0.15
    fired[:, :, 0] = np.arange(8)[:, None] % 4 == 1  # one input fires twice
    times = np.full((2, 4, 6), END)
    for b, m in np.ndindex(4, 6):
        at = np.flatnonzero(fired[:, b, m])[:2]
        fired[:, b, m] = np.isin(np.arange(8), at)
        times[: len(at), b, m] = at
    layer, params = weighted()
    y, kept = run(layer, times, params)
    jumps = (fired @ params["weight"]).at[0].add(params["bias"])
    y_grid, kept_grid = run(grid(), jumps)
    np.testing.assert_allclose(y, y_grid, **EXACT)
    assert 0.3 < kept[0].spikes.mean() < 4
    y_bar = np.cos(np.arange(y.size)).reshape(y.shape)
    grads, _ = back(layer, kept, y_bar, params)
    _, jumps_bar = back(grid(), kept_grid, y_bar)
    weight_bar = np.einsum("tbm,tbn->mn", fired, jumps_bar)
    np.testing.assert_allclose(grads["weight"], weight_bar, rtol=1e-9)
    np.testing.assert_allclose(grads["bias"], jumps_bar[0].sum(0), rtol=1e-9)


@pytest.mark.parametrize("neuron", [NEURON, OTHER])
def test_later_input_is_later_output(neuron):
    times, _ = run(grid(neuron, duration=40.0), JUMPS)
    later = np.concatenate([np.zeros((3, 4, 5)), JUMPS])
    times_later, _ = run(grid(neuron, duration=43.0), later)
    assert (times < 40).mean() > 0.2
    np.testing.assert_allclose(times_later, times + 3, **EXACT)


def test_time_has_no_unit_of_its_own():
    times, _ = run(grid(), JUMPS)
    slow = EventNeuron(8 * NEURON.tau_m, 8 * NEURON.tau_s)
    slow_times, _ = run(grid(slow, dt=8.0, duration=8 * END), JUMPS)
    np.testing.assert_allclose(slow_times, 8 * times, **EXACT)


def test_potential_has_no_unit_of_its_own():
    times, _ = run(grid(), JUMPS)
    strong = EventNeuron(NEURON.tau_m, NEURON.tau_s, threshold=8.0)
    np.testing.assert_allclose(run(grid(strong), 8 * JUMPS)[0], times, **EXACT)


def test_a_finer_grid_of_the_same_input_changes_nothing():
    fine = np.zeros((20, 4, 5))
    fine[::2] = JUMPS
    y, kept = run(grid(), JUMPS)
    y_fine, kept_fine = run(grid(dt=0.5), fine)
    np.testing.assert_allclose(y_fine, y, **EXACT)
    ones = np.ones_like(y)
    fine_bar, coarse_bar = back(grid(dt=0.5), kept_fine, ones)[1], back(grid(), kept, ones)[1]
    np.testing.assert_allclose(fine_bar[::2], coarse_bar, rtol=1e-9)


def test_without_input_nobody_fires_and_nothing_learns():
    y, kept = run(grid(), np.zeros((10, 4, 5)))
    assert (y == END).all()
    assert not kept[0].spikes.any()
    assert not back(grid(), kept, np.ones_like(y))[1].any()
    layer, params = weighted(bias=False)
    y, kept = run(layer, np.full((2, 4, 6), END), params)
    assert (y == END).all()
    grads, times_bar = back(layer, kept, np.ones_like(y), params)
    assert not grads["weight"].any()
    assert not times_bar.any()


def test_input_that_never_came_has_no_gradient():
    layer, params = weighted()
    y, kept = run(layer, TIMES, params)
    times_bar = back(layer, kept, np.ones_like(y), params)[1]
    assert not times_bar[TIMES == END].any()
    assert np.abs(times_bar).max() > 0
    beyond = np.where(TIMES == END, 2 * END, TIMES)
    np.testing.assert_array_equal(run(layer, beyond, params)[0], y)


def test_examples_know_nothing_of_each_other():
    for x, layer, params in ((JUMPS, grid(), ()), (TIMES, *weighted())):
        whole = run(layer, x, params)[0]
        assert len(np.unique(whole)) > 5
        np.testing.assert_allclose(run(layer, x[:, 2:3], params)[0], whole[:, 2:3], **EXACT)
        np.testing.assert_allclose(run(layer, x[:, ::-1], params)[0], whole[:, ::-1], **EXACT)


def test_the_order_of_the_inputs_means_nothing():
    layer, params = weighted()
    y, _ = run(layer, TIMES, params)
    swapped = params | {"weight": params["weight"][::-1]}
    np.testing.assert_allclose(run(layer, TIMES[::-1, :, ::-1], swapped)[0], y, **EXACT)


def test_a_neuron_is_followed_for_as_many_spikes_as_wanted_and_then_is_silent():
    many, _ = run(grid(most=8), JUMPS)
    few, (found, _) = run(grid(most=2), JUMPS)
    assert (many[2] < END).any()
    np.testing.assert_array_equal(few, many[:2])
    assert found.spikes.max() == 2


def test_any_axes_lie_between_spikes_and_neurons():
    for x, layer, params in ((JUMPS, grid(), ()), (TIMES, *weighted())):
        y, kept = run(layer, x, params)
        square = x.reshape(len(x), 2, 2, -1)
        y_square, kept_square = run(layer, square, params)
        np.testing.assert_allclose(y_square.reshape(y.shape), y, **EXACT)
        grads, x_bar = back(layer, kept, y, params)
        grads_square, x_bar_square = back(layer, kept_square, y_square, params)
        np.testing.assert_allclose(x_bar_square.reshape(x.shape), x_bar, **EXACT)
        jax.tree.map(np.testing.assert_allclose, grads, grads_square)
    one = run(grid(), JUMPS[:, 0])[0]
    np.testing.assert_allclose(one, run(grid(), JUMPS)[0][:, 0], **EXACT)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: grid(dt=0.0), "dt must be > 0 and finite, got 0"),
        (lambda: grid(duration=-1.0), "duration must be > 0"),
        (lambda: grid(most=0), "most must be >= 1, got 0"),
        (lambda: run(grid(dt=2.0), JUMPS), r"duration must be > 18 \(the last step\), got 14"),
        (lambda: event_dense(0, duration=1.0), "n must be >= 1, got 0"),
        (lambda: event_dense(3, duration=1.0, gain=0.0), "gain must be > 0, got 0"),
        (lambda: event_dense(3, duration=0.0), "duration must be > 0"),
        (lambda: event_dense(3, duration=1.0, most=0), "most must be >= 1"),
        (
            lambda: weighted()[0].init(jax.random.key(0), (2, 3)),
            r"of shape \(m,\), got \(2, 3\)",
        ),
    ],
)
def test_bad_arguments_are_refused_by_name(make, match):
    with pytest.raises(ValueError, match=match):
        make()
