"""The common part of the peers on JAX: one jitted function a step, its state donated.

A peer gives `params` (a pytree) and `apply(params, x) -> logits`, with x as `encode` makes it.
"""

import time
from importlib.metadata import version
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

SNN_WORKLOADS = ["W1-T25", "W1-T100", "W2", "W3", "W4-forward", "W4-backward", "W7-snn-1",
                 "W7-snn-10000"]  # fmt: skip
ANN_WORKLOADS = ["W5", "W6", "W7-mlp-1", "W7-mlp-10000"]


def encode(spec, image, key):
    """Turn uint8 images [B, 28, 28] into the input; spikes use 8 random bits a pixel."""
    if spec["kind"] == "snn":
        x = image.reshape(len(image), -1)
        bits = jax.random.bits(key, (spec["steps"], *x.shape), jnp.uint8)
        return (bits < x).astype(jnp.float32)
    x = image.astype(jnp.float32) / 255
    return x.reshape(len(x), -1) if spec["kind"] == "mlp" else x[..., None]


def prepare(spec, image, label, params, apply):
    """Return a function that does one step of the spec's mode and returns its seconds."""
    modes = {"train": _train, "infer": _infer, "forward": _one_way, "backward": _one_way}
    if spec["mode"] in ("forward", "backward"):
        return _one_way(spec, params, apply)
    return modes[spec["mode"]](spec, jnp.asarray(image), jnp.asarray(label), params, apply)


def _train(spec, image, label, params, apply):
    optimizer = optax.adam(1e-3)

    def loss(params, rows, key):
        logits = apply(params, encode(spec, image[rows], key))
        return optax.softmax_cross_entropy_with_integer_labels(logits, label[rows]).mean()

    def update(params, state, rows, key):
        key, now = jax.random.split(key)
        value, grads = jax.value_and_grad(loss)(params, rows, now)
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state, key, value

    update = jax.jit(update, donate_argnums=(0, 1, 3))
    carried = params, optimizer.init(params), jax.random.key(0)
    draw = _draws(spec, len(image))

    def step():
        nonlocal carried
        rows = draw()
        clock = time.perf_counter()
        params, state, key, value = update(carried[0], carried[1], rows, carried[2])
        jax.block_until_ready((params, value))
        seconds = time.perf_counter() - clock
        carried = params, state, key
        return seconds

    return step


def _infer(spec, image, label, params, apply):
    part = spec.get("part", spec["batch"])

    @jax.jit
    def predict(params, image, key):
        digits = lambda a: apply(params, encode(spec, a[0], a[1])).argmax(-1)
        if part == len(image):
            return digits((image, key))
        parts = image.reshape(-1, part, *image.shape[1:])
        return jax.lax.map(digits, (parts, jax.random.split(key, len(parts)))).reshape(-1)

    draw, keys = _draws(spec, len(image)), jax.random.split(jax.random.key(0), 8)
    keys = [keys[i] for i in range(8)]
    calls = 0

    def step():
        nonlocal calls
        calls += 1
        x = jax.block_until_ready(image[draw()])
        clock = time.perf_counter()
        jax.block_until_ready(predict(params, x, keys[calls % 8]))
        return time.perf_counter() - clock

    return step


def _one_way(spec, params, apply):
    shape = (spec["steps"], spec["batch"], spec["sizes"][0])
    random = np.random.default_rng(0)
    inputs = [jnp.asarray(random.random(shape) < 0.13, jnp.float32) for _ in range(2)]
    forward = jax.jit(lambda params, x: jax.vjp(lambda p: apply(p, x), params))
    backward = jax.jit(lambda pull, y_bar: pull(y_bar))
    calls = 0

    def step():
        nonlocal calls
        calls += 1
        x, slope = inputs[calls % 2], None
        clock = time.perf_counter()
        y, pull = jax.block_until_ready(forward(params, x))
        seconds = time.perf_counter() - clock
        if spec["mode"] == "forward":
            return seconds
        slope = jax.block_until_ready(jnp.asarray(random.random(y.shape), jnp.float32))
        clock = time.perf_counter()
        jax.block_until_ready(backward(pull, slope))
        return time.perf_counter() - clock

    return step


def _draws(spec, examples: int):
    random = np.random.default_rng(0)
    return lambda: jnp.asarray(random.permutation(examples)[: spec["batch"]], jnp.int32)


def inputs_of(spec, arrays) -> Any:
    """Return the shared inputs of a check, in the layout of `encode`."""
    x = jnp.asarray(arrays["x"])
    if spec["kind"] == "snn":
        return x
    return x.reshape(len(x), -1) if spec["kind"] == "mlp" else x[..., None]


def layers_of(arrays):
    """Return [(weight, bias)] of the shared arrays, in JAX's layout: HWIO and [m, n]."""
    count = sum(name.startswith("weight") for name in arrays)
    return [(jnp.asarray(arrays[f"weight{i}"]), jnp.asarray(arrays[f"bias{i}"]))
            for i in range(count)]  # fmt: skip


def describe(package: str, configuration: str, workloads: list[str], **more: Any) -> dict:
    """Describe a participant on JAX."""
    versions = {name: version(name) for name in dict.fromkeys([package, "jax", "optax"])}
    return dict(
        versions=versions, configuration=configuration, workloads=workloads, neuron=None,
        shrinks=False,
    ) | more  # fmt: skip
