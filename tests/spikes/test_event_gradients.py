"""The adjoint of event-driven layers against JAX's implicit derivatives and differences."""

from importlib import import_module
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from jaxdigits.gradients import check
from jaxdigits.layer import serial
from jaxdigits.layers import dense
from jaxdigits.spikes.event_lif import event_dense, event_lif
from jaxdigits.spikes.event_neuron import EventNeuron, events
from jaxdigits.spikes.event_readout import first_spike, mean_potential

module = import_module("jaxdigits.spikes.event_lif")  # not the function of that name
END = 14.0
# τm, τs, and how strong an input makes neurons fire now and then
RATIOS = [(4.0, 2.0, 0.6), (4.0, 1.5, 0.6), (2.0, 2.0, 0.3), (2.0, 3.0, 0.3), (3.0, 2.999, 0.3)]
JUMPS = np.random.default_rng(2).normal(1.5, 2.5, (10, 4, 5))
DIRECTIONS, STEP = 120, 1e-6


def hidden(neuron, n, gain):
    return event_dense(n, neuron, duration=END, most=3, gain=gain)


def first(neuron):
    return event_lif(neuron, duration=END, most=4)


READOUTS = {
    "first spike": lambda neuron: (hidden(neuron, 3, 60.0), first_spike(2.0)),
    "mean potential": lambda neuron: (mean_potential(neuron, duration=END), dense(3, gain=9.0)),
}


def network(tau_m, tau_s, readout):
    """Three layers of neurons, or two and a membrane: [T, B, 5] -> [B, 3]."""
    neuron = EventNeuron(tau_m, tau_s)
    return serial(first(neuron), hidden(neuron, 6, 40.0), *READOUTS[readout](neuron))


def lively_params(layer):
    params, _ = layer.init(jax.random.key(0), JUMPS.shape[2:])
    return jax.tree.map(lambda p: jnp.asarray(np.where(p == 0, 1.5, p)), params)  # biases


def counts(residual):
    """How often each neuron of each layer fired."""
    return [found.spikes for found in events(residual)]


class Slopes(NamedTuple):
    """Slopes of a loss along many directions."""

    by_hand: np.ndarray
    by_jax: np.ndarray
    by_differences: np.ndarray
    kept: np.ndarray
    """bool: no neuron fired more or less often on either side than here"""


def slopes(layer, params, x):
    """Along random directions through all params and the input, and along single numbers."""
    numbers, shaped = ravel_pytree((params, jnp.asarray(x)))
    rng = np.random.default_rng(0)
    lines = rng.standard_normal((DIRECTIONS, numbers.size)) / np.sqrt(numbers.size)
    lines[DIRECTIONS // 2 :] = np.eye(numbers.size)[
        rng.choice(numbers.size, DIRECTIONS // 2, replace=False)
    ]

    def value(point):
        p, x = shaped(point)
        y, kept = layer.forward(p, x, None)
        return jnp.vdot(jnp.cos(jnp.arange(y.size)).reshape(y.shape), y), kept

    def everything(lines):
        (_, kept), by_jax = jax.value_and_grad(value, has_aux=True)(numbers)
        p, x = shaped(numbers)
        y = layer.forward(p, x, None)[0]
        y_bar = jnp.cos(jnp.arange(y.size)).reshape(y.shape)
        by_hand = ravel_pytree(layer.backward(p, kept, y_bar))[0]
        here = counts(kept)

        def along(line):
            (up, kept_up), (down, kept_down) = (
                value(numbers + s * line) for s in (STEP, -STEP)
            )
            same = [
                jnp.array_equal(there, now)
                for side in (kept_up, kept_down)
                for there, now in zip(counts(side), here, strict=True)
            ]
            return (up - down) / (2 * STEP), jnp.stack(same).all()

        quotient, same = jax.lax.map(along, lines)
        return here, Slopes(lines @ by_hand, lines @ by_jax, quotient, same)

    compiled = jax.jit(everything)
    here, found = jax.tree.map(np.asarray, compiled(jnp.asarray(lines)))
    assert all(0.3 < each.mean() < 4 for each in here), "a silent network passes any check"
    return found


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("tau_s", [2.0, 1.5])
def test_of_a_deep_network_along_many_directions(tau_s, readout, record_property):
    layer = network(4.0, tau_s, readout)
    found = slopes(layer, lively_params(layer), JUMPS)
    scale = np.abs(found.by_jax).max()
    np.testing.assert_allclose(found.by_hand, found.by_jax, rtol=0, atol=1e-10 * scale)
    record_property("kept", float(found.kept.mean()))  # what a worker can send
    assert found.kept.mean() >= 0.8
    off = np.abs(found.by_hand - found.by_differences)[found.kept]
    assert off.max() <= 1e-7 * scale


@pytest.mark.parametrize(("tau_m", "tau_s", "strength"), RATIOS)
def test_the_checker_agrees_for_any_time_constants(tau_m, tau_s, strength):
    neuron = EventNeuron(tau_m, tau_s)
    layer, rng = serial(first(neuron), hidden(neuron, 3, 1.0)), np.random.default_rng(0)
    weight = strength * rng.normal(1.5, 4.0, (5, 3))
    params = ((), {"weight": jnp.asarray(weight), "bias": jnp.ones(3)})
    residual = jax.jit(layer.forward)(params, jnp.asarray(strength * JUMPS), None)[1]
    assert all(0.5 < count.mean() < 2.5 for count in counts(residual))
    assert check(layer, params, strength * JUMPS).raise_if_bad().error < 1e-11


def missing_slope_of_the_time(neuron, found, t_bar):
    return (
        module_jumps(neuron, found, t_bar) * (found.current - neuron.threshold) / neuron.tau_m
    )


def sign_of_the_jump(neuron, found, t_bar):
    return -module_jumps(neuron, found, t_bar)


def no_reset(neuron, found, t_bar):
    slope = (found.current - neuron.threshold) / neuron.tau_m
    fired = np.arange(len(t_bar)).reshape(-1, 1, 1) < found.spikes
    return jnp.where(fired, -t_bar / jnp.where(fired, slope, 1), 0)


def ratio_of_the_time_constants(neuron, found, t_bar):
    return module_jumps(neuron, found, t_bar) * neuron.tau_s / neuron.tau_m


def slope_after_the_spike(neuron, found, t_bar):
    later = found._replace(current=found.current + neuron.threshold)
    return module_jumps(neuron, later, t_bar)


def no_leak_between_spikes(neuron, found, t_bar):
    return module_jumps(neuron, found._replace(times=0 * found.times), t_bar)


module_jumps = module._jumps_of_p
MISTAKES = [
    missing_slope_of_the_time, sign_of_the_jump, no_reset, ratio_of_the_time_constants,
    slope_after_the_spike, no_leak_between_spikes,
]  # fmt: skip


@pytest.fixture(scope="module")
def right():
    """A layer that passes."""
    layer = first(EventNeuron(4.0, 2.0))
    assert check(layer, (), JUMPS, differences=None).ok
    return layer


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_planted_mistake_at_a_spike_is_found(right, mistake, monkeypatch):
    monkeypatch.setattr(module, "_jumps_of_p", mistake)
    assert not check(right, (), JUMPS, differences=None).ok


def test_a_planted_mistake_in_the_time_of_an_input_is_found(monkeypatch):
    layer = hidden(EventNeuron(4.0, 2.0), 3, 60.0)
    params, _ = layer.init(jax.random.key(0), (5,))
    times = np.random.default_rng(0).uniform(0, END, (2, 4, 5))
    assert check(layer, params, times, differences=None).ok
    back_at = module._back_at
    swap = lambda *a: (back_at(*a)[0] * 2, back_at(*a)[1])
    monkeypatch.setattr(module, "_back_at", swap)
    report = check(layer, params, times, differences=None)
    assert not report.ok
    assert report.worst == "x"
