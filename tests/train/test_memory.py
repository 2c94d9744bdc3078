"""Memory: what a program needs is known before it runs, and said if it is too much."""

from functools import partial

import jax
import jax.numpy as jnp
import optax
import pytest

from jaxdigits.models import mlp, snn
from jaxdigits.train import DoesNotFit, Hooks, Recipe, fit, memory

GB = 10**9


def test_the_need_is_what_lies_between_and_what_comes_out():
    def large(x):  # 2¹⁶ numbers for each that goes in
        return jnp.sort(jnp.outer(x, x).ravel()).reshape(256, 256) @ x

    compiled = jax.jit(large).lower(jnp.ones(256)).compile()
    assert 4 * 2**16 <= memory.bytes_needed(compiled) <= 16 * 2**16


def test_what_takes_the_place_of_an_argument_needs_nothing():
    x = jnp.ones(2**16)
    needed = lambda **kwargs: memory.bytes_needed(
        jax.jit(lambda x: x + 1, **kwargs).lower(x).compile()
    )
    assert needed() - needed(donate_argnums=0) >= 4 * 2**16


def test_too_large_is_one_line_that_says_what_to_change():
    with pytest.raises(DoesNotFit) as caught:
        memory.require_room(12 * GB, 8 * GB)
    said = str(caught.value)
    assert "12.00 GB" in said
    assert "8.00 GB are free" in said
    assert "smaller batch or microbatch, fewer steps" in said
    assert "\n" not in said
    memory.require_room(8 * GB, 8 * GB)
    memory.require_room(12 * GB, None)


def test_fit_says_so_before_it_trains(small, monkeypatch):
    monkeypatch.setattr(memory, "bytes_free", lambda devices: 1000)
    rows, recipe = [], Recipe(partial(mlp, hidden=(8,)), optax.sgd(0.1), epochs=1)
    with pytest.raises(DoesNotFit, match=r"needs 0\.\d\d GB of memory besides the data"):
        fit(recipe, *small, jax.random.key(0), Hooks(report=rows.append))
    assert rows == []


def test_a_small_batch_needs_less_for_validation_too(small, monkeypatch):
    needed = []
    monkeypatch.setattr(memory, "require_room", lambda need, free: needed.append(need))
    for batch in (64, 4):
        build = partial(snn, hidden=(64,), steps=30)
        recipe = Recipe(build, optax.sgd(0.1), epochs=1, batch=batch)
        fit(recipe, *small, jax.random.key(0))
    assert needed[1] < 0.5 * needed[0]


def test_it_is_compiled_once():
    traces = []

    @jax.jit
    def double(x):
        traces.append(1)
        return 2 * x

    run = memory.within_memory(double)
    assert [float(run(jnp.float32(x))) for x in range(3)] == [0.0, 2.0, 4.0]
    assert len(traces) == 1


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of 8 GiB of which 6 are available."""
    (tmp_path / "meminfo").write_text(
        f"MemTotal: {8 << 20} kB\nMemAvailable:    {6 << 20} kB\nBuffers: 1 kB\n"
    )
    monkeypatch.setattr(memory, "MEMORY", tmp_path / "meminfo")


def test_devices_of_a_cpu_share_what_the_machine_has(machine):
    assert memory.bytes_free() == 6 << 30
    assert memory.bytes_free(4) == (6 << 30) // 4


class Device:
    """A GPU, as far as its memory goes."""

    def __init__(self, stats):
        self.memory_stats = lambda: stats


def test_a_gpu_says_what_it_has(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    full = Device({"bytes_limit": 10, "bytes_in_use": 7})
    monkeypatch.setattr(
        jax, "local_devices", lambda: [Device({"bytes_limit": 9, "bytes_in_use": 0}), full]
    )
    assert memory.bytes_free() == 9
    assert memory.bytes_free(2) == 3
    monkeypatch.setattr(jax, "local_devices", lambda: [Device(None)])
    assert memory.bytes_free() is None


def test_nobody_knows_where_the_machine_does_not_say(machine, monkeypatch):
    monkeypatch.setattr(memory, "MEMORY", memory.MEMORY.with_name("none"))
    assert memory.bytes_free() is None
