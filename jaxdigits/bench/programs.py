"""Steps to be timed: compiled ahead, on data that is on the device, new inputs at each call.

Training steps are the library's own `train_step` with Adam; inference is `logits_of`.  Images
are random: they take a step as long as MNIST's, and a benchmark of speed needs no real digits.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import cycle
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from jaxdigits.data import Dataset
from jaxdigits.layer import Layer
from jaxdigits.spikes import traces
from jaxdigits.train import Recipe, TrainState, initial_state, logits_of, train_step

EXAMPLES = 2048  # of the training set
BATCHES = 8  # different ones, taken in turn
RATE = 1e-3
SHAPE = (28, 28)
DENSITY = 0.13  # of random input spikes, as of MNIST's pixels
EDGE = 4  # pixels at each edge that are always empty
LIT = 0.19  # share of pixels with ink
SPREAD = 5.5  # pixels: the ink's standard deviation around the centre


class Program(NamedTuple):
    """A compiled step."""

    step: Callable[[], None]
    """does the next step, and waits for its result"""
    compile_seconds: float
    """for tracing, lowering and compiling"""
    memory: int
    """bytes of the compiled program: arguments, results and temporaries"""


def training(
    network: Layer, batch: int, *, microbatch: int | None = None, members: int | None = None
) -> Program:
    """Build one training step: encode, forward, backward, Adam.

    Args:
      microbatch: as for `fit`.
      members: number of networks that train on the same batch, each at its own rate.
    """
    rates, keys = jnp.float32(RATE), jax.random.key(0)
    start, step_of = partial(_start, network), partial(_train, network, microbatch=microbatch)
    if members:
        rates, keys = _rates(members), jax.random.split(keys, members)
        start, step_of = jax.vmap(start), jax.vmap(step_of, (0, 0, None, None))
    state = jax.jit(start)(rates, keys)
    data, rows = synthetic(EXAMPLES), cycle(batches(EXAMPLES, batch, BATCHES))
    program, seconds, memory = compiled(step_of, rates, state, data, next(rows), donate=(1,))

    def step() -> None:
        nonlocal state
        state, loss = program(rates, state, data, next(rows))
        jax.block_until_ready((state, loss))

    return Program(step, seconds, memory)


def inference(network: Layer, batch: int) -> Program:
    """Build a step from images to digits."""
    params, _ = jax.jit(lambda key: network.init(key, SHAPE))(jax.random.key(0))
    count = 2 if batch > 1 else 8
    inputs = [(synthetic(batch, seed=i).inputs, jax.random.key(i)) for i in range(count)]

    def predict(params, images, key):
        return logits_of(network, params, images, key)[0].argmax(-1)

    return _repeated(predict, params, inputs)


def forward(network: Layer, shape: tuple[int, ...]) -> Program:
    """Build a step from spikes [T, B, n] to a network's output and its potentials."""

    def run(params, x):
        y, residual = network.forward(params, x, None)
        return y, [t.v for t in traces(residual)]

    params, inputs = _layer_inputs(network, shape)
    return _repeated(run, params, [(x,) for x in inputs])


def backward(network: Layer, shape: tuple[int, ...]) -> Program:
    """Build a step from a slope [T, B, n] back to a network's params."""
    params, inputs = _layer_inputs(network, shape)
    run = jax.jit(lambda params, x: network.forward(params, x, None))
    slopes = []
    for i, x in enumerate(inputs):
        y, residual = run(params, x)
        slopes.append((residual, jax.random.normal(jax.random.key(i), y.shape)))
    back = lambda params, residual, y_bar: network.backward(params, residual, y_bar)[0]
    return _repeated(back, params, slopes)


def one_by_one(network: Layer, batch: int, members: int) -> Program:
    """Build `training` of members as a loop over the networks, which waits only at its end."""
    rates, keys = list(_rates(members)), jax.random.split(jax.random.key(0), members)
    start = jax.jit(partial(_start, network))
    states = [start(rate, key) for rate, key in zip(rates, keys, strict=True)]
    data, rows = synthetic(EXAMPLES), cycle(batches(EXAMPLES, batch, BATCHES))
    args = rates[0], states[0], data, next(rows)
    program, seconds, memory = compiled(partial(_train, network), *args, donate=(1,))

    def step() -> None:
        batch_rows = next(rows)
        for i, rate in enumerate(rates):
            states[i], _ = program(rate, states[i], data, batch_rows)
        jax.block_until_ready(states)

    return Program(step, seconds, memory)


def compiled(function: Callable, *args: Any, donate: Sequence[int] = ()) -> tuple:
    """Return (the program for such arguments, seconds to compile it, its bytes)."""
    clock = time.perf_counter()
    program = jax.jit(function, donate_argnums=tuple(donate)).lower(*args).compile()
    seconds = time.perf_counter() - clock
    need: Any = program.memory_analysis()  # None on some devices
    parts = ("argument_size_in_bytes", "output_size_in_bytes", "temp_size_in_bytes")
    memory = sum(getattr(need, part, 0) for part in parts)
    return program, seconds, memory - getattr(need, "alias_size_in_bytes", 0)


def synthetic(examples: int, *, seed: int = 0) -> Dataset:
    """Return random images uint8 [examples, 28, 28] and labels, on the device.

    About as many pixels are lit as in MNIST (19 %), as brightly in the mean (0.13 of white),
    most of them near the centre and none at the edges.
    """
    random = np.random.default_rng(seed)
    distance = np.arange(28) - 13.5
    chance = np.exp(-(distance[:, None] ** 2 + distance**2) / (2 * SPREAD**2))
    chance[(abs(distance) > 14 - EDGE)[:, None] | (abs(distance) > 14 - EDGE)] = 0
    chance = np.minimum(0.95, chance * (LIT * chance.size / chance.sum()))
    shape = (examples, 28, 28)
    lit = random.random(shape, np.float32) < chance
    # The mean of u^0.46, u uniform, is 0.68: 0.13 / 0.19.
    level = np.rint(255 * random.random(shape, np.float32) ** 0.46)
    label = random.integers(0, 10, examples)
    image = np.where(lit, level, 0).astype(np.uint8)
    return Dataset(jnp.asarray(image), jnp.asarray(label, jnp.int32))


def batches(examples: int, batch: int, count: int, *, seed: int = 0) -> list[jax.Array]:
    """Draw `count` batches of different examples: int32 indices [batch], on the device.

    Raises:
      ValueError: if there are fewer examples than a batch has.
    """
    if batch > examples:
        raise ValueError(f"batch is {batch}, but there are {examples} examples")
    random = np.random.default_rng(seed)
    return [jnp.asarray(random.permutation(examples)[:batch], jnp.int32) for _ in range(count)]


def _repeated(function: Callable, params: Any, inputs: Iterable[tuple]) -> Program:
    """Build a step that takes the next of a few inputs at each call."""
    args = cycle(inputs)
    program, seconds, memory = compiled(function, params, *next(args))
    step = lambda: jax.block_until_ready(program(params, *next(args)))
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


def _layer_inputs(network: Layer, shape: tuple[int, ...]) -> tuple[Any, list[Array]]:
    """Return (params, two arrays of spikes [T, B, m])."""
    params, _ = network.init(jax.random.key(0), shape[-1:])
    random = np.random.default_rng(0)
    spikes = [random.random(shape, np.float32) < DENSITY for _ in range(2)]
    return params, [jnp.asarray(x, jnp.float32) for x in spikes]
