"""Microbatches: when a batch is cut, into how many, and that nothing else changes."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdigits.gradients import by_autodiff, by_hand
from jaxdigits.models import cnn, mlp, snn
from jaxdigits.runs import Config
from jaxdigits.runs.config import check_network
from jaxdigits.runs.config_json import from_json, to_json
from jaxdigits.train import Recipe, fit, fit_population
from jaxdigits.train.epoch import estimator_of
from jaxdigits.train.microbatch import CACHE, FEWEST, cuts_that_fit, microbatches

MLP = partial(mlp, hidden=(8,), dropout_rate=0.25)  # whose masks need the right keys
NORMED = partial(mlp, hidden=(8,), norm="batch")
KEY = jax.random.key(0)


def floats(n):
    return jax.ShapeDtypeStruct((n,), jnp.float32)


@pytest.mark.parametrize(
    ("largest", "examples", "count"),
    [(1, 64, 1), (CACHE, 64, 1), (1.01 * CACHE, 64, 2), (2 * CACHE, 64, 2),
     (2.01 * CACHE, 64, 4), (100 * CACHE, 64, 64 // FEWEST), (100 * CACHE, 60, 4),
     (100 * CACHE, 62, 2), (100 * CACHE, 63, 1), (100 * CACHE, 2 * FEWEST, 2),
     (100 * CACHE, 2 * FEWEST - 2, 1)],
)  # fmt: skip
def test_a_batch_is_halved_until_its_largest_array_is_small(largest, examples, count):
    kept = {"small": floats(3), "largest": (floats(int(largest) // 4),)}
    assert cuts_that_fit(kept, examples) == count
    assert examples % count == 0


def test_bytes_count_not_numbers():
    n = int(1.01 * CACHE)
    assert cuts_that_fit(jax.ShapeDtypeStruct((n // 2, 2), jnp.uint8), 64) == 2
    assert cuts_that_fit(jax.ShapeDtypeStruct((n // 8,), jnp.float32), 64) == 1
    assert cuts_that_fit((), 64) == 1


def count_of(network, batch=64):
    """Those of a step on so many images of 28 × 28, as shapes only."""
    image = jax.ShapeDtypeStruct((batch, 28, 28), jnp.uint8)
    keys = jax.eval_shape(lambda: jax.random.split(KEY, batch))
    params = jax.eval_shape(lambda: network.init(KEY, (28, 28))[0])
    return microbatches(network, params, image, keys)


def test_a_step_is_cut_by_its_largest_array():
    steps = int(CACHE / (64 * 784 * 4))  # whose spikes, four bytes each, just fit
    assert count_of(snn(hidden=(8,), steps=steps)) == 1
    assert count_of(snn(hidden=(8,), steps=steps + 1)) == 2
    assert count_of(snn(hidden=(8,), steps=2 * steps + 2)) == 4
    assert count_of(snn(hidden=(8,), steps=2 * steps + 2, recompute=True)) == 4  # it is made
    assert count_of(mlp(hidden=(8,))) == 1


def test_batch_norm_is_never_cut():
    wide = dict(channels=(128,), hidden=(8,))
    assert count_of(cnn(**wide, norm="layer")) > 1
    assert count_of(cnn(**wide, norm="batch")) == 1


def test_other_devices_are_not_cut_for(monkeypatch):
    network = cnn(channels=(128,), hidden=(8,), norm=None)
    assert count_of(network) > 1
    for device in ("gpu", "tpu"):
        monkeypatch.setattr(jax, "default_backend", lambda device=device: device)
        assert count_of(network) == 1


@pytest.fixture
def cut(monkeypatch):
    """The number of microbatches of each update."""
    asked = []

    def instead(estimator, count):
        asked.append(count)
        return estimator

    monkeypatch.setattr("jaxdigits.train.epoch.in_microbatches", instead)
    return asked


def chosen(small, estimator, microbatch, build=MLP):
    recipe = Recipe(build, optax.sgd(0.1), epochs=1, batch=32, estimator=estimator,
                    microbatch=microbatch)  # fmt: skip
    batch = small[0].inputs[:32], small[0].label[:32]
    params, _ = build(training=True).init(KEY, (28, 28))
    return estimator_of(recipe, params, batch, jax.random.split(KEY, 32))


def test_only_backpropagation_is_cut_without_being_asked(small, cut, monkeypatch):
    monkeypatch.setattr("jaxdigits.train.epoch.microbatches", lambda *args: 4)
    for estimator in (by_hand, by_autodiff):
        chosen(small, estimator, None)
    assert cut == [4, 4]
    chosen(small, lambda network, loss: by_hand(network, loss), None)
    assert cut == [4, 4]


def test_a_microbatch_that_is_given_is_what_is_taken(small, cut, monkeypatch):
    monkeypatch.setattr("jaxdigits.train.epoch.microbatches", lambda *args: 4)
    chosen(small, by_hand, 16)
    chosen(small, lambda network, loss: by_hand(network, loss), 1)
    assert cut == [2, 32]
    chosen(small, by_hand, 32)
    assert cut == [2, 32]
    chosen(small, by_hand, 32, NORMED)  # all at once, so there is nothing to refuse
    with pytest.raises(ValueError, match="microbatch is not for batch norm"):
        chosen(small, by_hand, 16, NORMED)


def test_training_in_microbatches_is_training(small):
    recipe = Recipe(MLP, optax.sgd(0.1), epochs=2, batch=32, ema=0.5)
    whole, cut = (fit(replace(recipe, microbatch=m), *small, KEY) for m in (None, 4))
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)
    jax.tree.map(close, cut.params, whole.params)
    for row, want in zip(cut.history, whole.history, strict=True):
        assert row["loss"] == pytest.approx(want["loss"], abs=1e-5)


def test_a_population_in_microbatches_is_a_population(small):
    keys, rates = jax.random.split(KEY, 2), jnp.array([0.1, 0.2])
    recipe = Recipe(MLP, optax.sgd, epochs=1, batch=32)
    run = lambda m: fit_population(replace(recipe, microbatch=m), *small, keys, rates)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)
    jax.tree.map(close, run(8).params, run(None).params)


@pytest.mark.parametrize("microbatch", [0, -4, 3, 64])
def test_what_does_not_divide_the_batch_is_refused_by_name(microbatch):
    match = (
        "microbatch must divide the batch, 32, got" if microbatch > 0 else "microbatch must be"
    )
    options = dict(epochs=1, batch=32, microbatch=microbatch)
    with pytest.raises(ValueError, match=match):
        Recipe(MLP, optax.sgd(0.1), **options)
    with pytest.raises(ValueError, match=match):
        Config("mlp", "digits", learning_rate=0.1, **options)


@pytest.mark.parametrize("microbatch", [2.0, True, "4"])
def test_a_configuration_wants_a_whole_number(microbatch):
    with pytest.raises(ValueError, match=f"must be a whole number, got {microbatch!r}"):
        Config("mlp", "digits", epochs=1, batch=8, learning_rate=0.1, microbatch=microbatch)


def test_a_configuration_refuses_microbatches_of_batch_norm():
    config = Config("mlp", "digits", epochs=1, batch=8, learning_rate=0.1, microbatch=8,
                    options={"norm": "batch"})  # fmt: skip
    check_network(config)
    with pytest.raises(ValueError, match="microbatch is not for batch norm"):
        check_network(replace(config, microbatch=4))


def test_a_configuration_keeps_its_microbatch():
    config = Config("mlp", "digits", epochs=1, batch=8, learning_rate=0.1, microbatch=4)
    values = to_json(config)
    assert values["microbatch"] == 4
    assert from_json(values) == config
