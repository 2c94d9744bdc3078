"""Without the workarounds everything runs the plain way: the same spikes, else to rounding."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdigits.data import Dataset
from jaxdigits.fast.switch import WORKAROUNDS, uses, without
from jaxdigits.gradients import by_hand
from jaxdigits.layer import serial
from jaxdigits.layers import conv2d, dense, flatten
from jaxdigits.losses import cross_entropy
from jaxdigits.models import snn
from jaxdigits.spikes import lif, rate, traces
from jaxdigits.train import Recipe, initial_state
from jaxdigits.train.epoch import train_step

KEY = jax.random.key(0)


def both_ways(layer, shape):
    """(y, residual, params̄, x̄) of a layer as a function of arrays, and such arrays."""
    features = shape[-3:] if len(shape) > 3 else shape[-1:]
    params, _ = layer.init(KEY, features)
    x = jax.random.normal(KEY, shape)

    def run(params, x):
        y, kept = layer.forward(params, x, None)
        y_bar = jnp.cos(jnp.arange(float(y.size))).reshape(y.shape)
        return y, kept, layer.backward(params, kept, y_bar)

    return run, (params, x)


def spiking():
    """The gradient of a spiking network by hand, and its input."""
    network = snn(hidden=(8,), steps=3, dropout_rate=0.0)
    params, _ = network.init(KEY, (28, 28))
    image = jax.random.randint(KEY, (4, 28, 28), 0, 256).astype(jnp.uint8)
    estimate = by_hand(network, cross_entropy())
    run = lambda params, image: estimate(
        params, (image, jnp.arange(4)), jax.random.split(KEY, 4)
    )
    return run, (params, image)


def training():
    """A training step, and its state."""
    network = serial(flatten(2), dense(65), dense(10))
    recipe = Recipe(lambda **_: network, optax.sgd(0.1), epochs=1, batch=4)
    state = initial_state(recipe, (4, 4), KEY)
    data = Dataset(jax.random.normal(KEY, (8, 4, 4)), jnp.arange(8))
    return lambda state: train_step(recipe, state, data, jnp.arange(4)), (state,)


# What runs, and the workarounds that its program shows.
RUNS = {
    "dense": (lambda: both_ways(dense(65), (5, 8)), {"barrier dense", "sum as product"}),
    "a narrow dense": (lambda: both_ways(dense(3), (5, 8)), {"narrow transposed"}),
    "a single row": (lambda: both_ways(dense(65), (1, 8)), {"row in pieces"}),
    "mixed precision": (
        lambda: both_ways(dense(5, precision="mixed"), (6, 8)),
        {"bfloat16 rewritten"},
    ),
    "conv2d": (
        lambda: both_ways(conv2d(4), (2, 6, 5, 3)),
        {"bands", "conv weight by hand", "barrier conv"},
    ),
    "lif": (lambda: both_ways(lif(), (6, 3, 5)), {"in place"}),
    "random spikes": (
        lambda: (
            lambda x: rate(3).forward((), x, jax.random.split(KEY, 2)),
            (jnp.ones((2, 6)),),
        ),
        {"threefry"},
    ),
    "the gradient of a spiking network": (spiking, {"in place", "threefry", "barrier dense"}),
    "a training step": (training, {"barrier epoch"}),
}


@pytest.mark.parametrize("name", RUNS)
def test_the_plain_way_is_another_program_with_the_same_result(name):
    make, shown = RUNS[name]
    run, args = make()
    program = jax.jit(lambda *args: run(*args))
    fast, text = program(*args), str(program.trace(*args).jaxpr)
    with without():
        plain, plain_text = program(*args), str(program.trace(*args).jaxpr)
    assert "optimization_barrier" not in plain_text
    assert "platform_index" not in plain_text
    for workaround in shown - ({"in place"} if jax.default_backend() != "cpu" else set()):
        with without(workaround):
            assert str(program.trace(*args).jaxpr) != text, workaround
    spikes = lambda result: [t.spikes for t in traces(result)]
    jax.tree.map(np.testing.assert_array_equal, spikes(plain), spikes(fast))
    for ours, theirs in zip(*map(numbers, (plain, fast)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def numbers(tree):
    """The leaves of a tree, keys as numbers."""
    is_key = lambda a: jnp.issubdtype(a.dtype, jax.dtypes.prng_key)
    return [jax.random.key_data(a) if is_key(a) else a for a in jax.tree.leaves(tree)]


def test_a_jitted_function_keeps_both_ways_apart():
    run = jax.jit(lambda: uses("sum as product") + 0)
    assert run() == 1
    with without("sum as product"):
        assert run() == 0
        assert uses("bands")
        with without("bands"):
            assert not uses("sum as product")
        with without():
            assert not any(map(uses, WORKAROUNDS))
    assert run() == 1


def test_an_unknown_workaround_is_refused():
    with pytest.raises(ValueError, match=r"unknown workaround 'magic': choose from .*bands"):
        without("magic")


def test_the_environment_switches_all_off():
    program = (
        "from jaxdigits.fast import switch as s; print(sorted(filter(s.uses, s.WORKAROUNDS)))"
    )
    environment = os.environ | {"JAXDIGITS_FAST": "0"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert done.stdout == "[]\n", done.stderr
