"""Steps to be timed: compiled ahead, on data that is on the device, new inputs at each call.

Training steps are the library's own `train_step` with Adam; inference is `logits_of`.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from jaxdigits.bench.images import batches, synthetic
from jaxdigits.layer import Layer
from jaxdigits.spikes import traces
from jaxdigits.train import Recipe, TrainState, initial_state, logits_of, train_step

EXAMPLES = 2048  # that training draws its batches from
BATCHES = 8  # different ones, taken in turn
RATE = 1e-3
SHAPE = (28, 28)
DENSITY = 0.13  # of random input spikes, as of MNIST's pixels


class Program(NamedTuple):
    """A compiled step."""

    step: Callable[[], None]
    """do the next step, and wait for its result"""
    compile_seconds: float
    """to trace, lower and compile it"""
    memory: int
    """bytes that the compiled program needs: arguments, results and what is between"""


def compiled(function: Callable, *args: Any, donate: Sequence[int] = ()) -> tuple:
    """(the program for such arguments, seconds, bytes).

    Args:
      donate: positions of the arguments whose memory the results take over.
    """
    clock = time.perf_counter()
    program = jax.jit(function, donate_argnums=tuple(donate)).lower(*args).compile()
    seconds = time.perf_counter() - clock
    need: Any = program.memory_analysis()  # None where the device cannot tell
    parts = ("argument_size_in_bytes", "output_size_in_bytes", "temp_size_in_bytes")
    memory = sum(getattr(need, part, 0) for part in parts)
    return program, seconds, memory - getattr(need, "alias_size_in_bytes", 0)


def training(network: Layer, batch: int, *, microbatch: int | None = None) -> Program:
    """One training step: encode, forward, backward, Adam; `microbatch` is that of `fit`."""
    state = jax.jit(partial(_start, network, RATE))(jax.random.key(0))
    data, rows = synthetic(EXAMPLES), cycle(batches(EXAMPLES, batch, BATCHES))
    step_of = partial(_train, network, RATE, microbatch=microbatch)
    program, seconds, memory = compiled(step_of, state, data, next(rows), donate=(0,))

    def step() -> None:
        nonlocal state
        state, loss = program(state, data, next(rows))
        jax.block_until_ready((state, loss))

    return Program(step, seconds, memory)


def inference(network: Layer, batch: int) -> Program:
    """Images to digits."""
    params, _ = jax.jit(lambda key: network.init(key, SHAPE))(jax.random.key(0))
    pool = [
        (synthetic(batch, seed=i).inputs, jax.random.key(i))
        for i in range(2 if batch > 1 else 8)
    ]
    inputs = cycle(pool)

    def predict(params, images, key):
        return logits_of(network, params, images, key)[0].argmax(-1)

    program, seconds, memory = compiled(predict, params, *next(inputs))
    return Program(lambda: _wait(program(params, *next(inputs))), seconds, memory)


def forward(network: Layer, shape: tuple[int, ...]) -> Program:
    """Spikes [T, B, n] through a network: its output, and the potentials that it keeps."""
    params, inputs = _layer_inputs(network, shape)

    def run(params, x):
        y, residual = network.forward(params, x, None)
        return y, [t.v for t in traces(residual)]

    program, seconds, memory = compiled(run, params, next(inputs))
    return Program(lambda: _wait(program(params, next(inputs))), seconds, memory)


def backward(network: Layer, shape: tuple[int, ...]) -> Program:
    """A slope [T, B, n] back through a network, to its params: the input wants none."""
    params, inputs = _layer_inputs(network, shape)
    run = jax.jit(lambda params, x: network.forward(params, x, None))
    kept = []
    for i in range(2):
        y, residual = run(params, next(inputs))
        kept.append((residual, jax.random.normal(jax.random.key(i), y.shape)))
    backs = cycle(kept)
    back = lambda params, residual, y_bar: network.backward(params, residual, y_bar)[0]
    program, seconds, memory = compiled(back, params, *next(backs))
    return Program(lambda: _wait(program(params, *next(backs))), seconds, memory)


def population(network: Layer, batch: int, members: int) -> Program:
    """One training step of `members` networks, on the same batch, each at its own rate."""
    rates, keys = _rates(members), jax.random.split(jax.random.key(0), members)
    state = jax.jit(jax.vmap(partial(_start, network)))(rates, keys)
    data, rows = synthetic(EXAMPLES), cycle(batches(EXAMPLES, batch, BATCHES))
    step_of = jax.vmap(partial(_train, network), (0, 0, None, None))
    program, seconds, memory = compiled(step_of, rates, state, data, next(rows), donate=(1,))

    def step() -> None:
        nonlocal state
        state, loss = program(rates, state, data, next(rows))
        jax.block_until_ready((state, loss))

    return Program(step, seconds, memory)


def one_by_one(network: Layer, batch: int, members: int) -> Program:
    """What `population` does, as a loop over the networks, waiting only at its end."""
    rates, keys = list(_rates(members)), jax.random.split(jax.random.key(0), members)
    start = jax.jit(partial(_start, network))
    states = [start(rate, key) for rate, key in zip(rates, keys, strict=True)]
    data, rows = synthetic(EXAMPLES), cycle(batches(EXAMPLES, batch, BATCHES))
    step_of = partial(_train, network)
    program, seconds, memory = compiled(
        step_of, rates[0], states[0], data, next(rows), donate=(1,)
    )

    def step() -> None:
        chosen = next(rows)
        for i, rate in enumerate(rates):
            states[i], _ = program(rate, states[i], data, chosen)
        jax.block_until_ready(states)

    return Program(step, seconds, memory)


def _recipe(network: Layer, rate: float | Array, **options: Any) -> Recipe:
    build = lambda training, statistics=(): network
    return Recipe(build, optax.adam(rate), epochs=1, **options)


def _start(network: Layer, rate: float | Array, key: Array) -> TrainState:
    return initial_state(_recipe(network, rate), SHAPE, key)


def _train(network: Layer, rate: float | Array, state, data, rows, *, microbatch=None):
    recipe = _recipe(network, rate, batch=len(rows), microbatch=microbatch)
    return train_step(recipe, state, data, rows)


def _rates(members: int) -> Array:
    return jnp.logspace(-4, -2, members)


def _layer_inputs(network: Layer, shape: tuple[int, ...]):
    """(params, spikes [T, B, m] without end)."""
    params, _ = network.init(jax.random.key(0), shape[-1:])
    random = np.random.default_rng(0)
    pool = [random.random(shape, np.float32) < DENSITY for _ in range(2)]
    return params, cycle([jnp.asarray(spikes, jnp.float32) for spikes in pool])


def _wait(result: Any) -> None:
    jax.block_until_ready(result)
