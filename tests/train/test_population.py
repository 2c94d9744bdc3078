"""A population is a sample of runs: each member is what `fit` trains, and disturbs nobody."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdigits.models import mlp
from jaxdigits.train import Hooks, Recipe, adamw, fit, fit_population

BUILD = partial(mlp, hidden=(8,), dropout_rate=0.25)
OPTIONS = dict(epochs=2, batch=32, ema=0.9)
UPDATES = 2 * 8
NOTHING = Hooks()
KEYS = jax.random.split(jax.random.key(0), 3)


def population(small, rates, keys=KEYS, hooks=NOTHING, **changes):
    options = dict(build=BUILD, optimizer=lambda rate: adamw(rate, UPDATES)) | OPTIONS
    rates = jax.tree.map(jnp.asarray, rates, is_leaf=lambda x: isinstance(x, list))
    return fit_population(Recipe(**(options | changes)), *small, keys, rates, hooks)


def weights(params, i=None):
    return [np.asarray(a if i is None else a[i]) for a in jax.tree.leaves(params)]


@pytest.fixture(scope="module")
def three(small):
    return population(small, [1e-2, 3e-2, 1e-2])


@pytest.mark.parametrize("i", [0, 1])
def test_a_member_is_what_fit_trains_with_its_key_and_learning_rate(small, three, i):
    # 1e-7 apart on the CPUs we saw; a spiking network would amplify that within an epoch.
    alone = fit(Recipe(BUILD, adamw([1e-2, 3e-2][i], UPDATES), **OPTIONS), *small, KEYS[i])
    assert three.best_epoch[i] == alone.best_epoch
    for a, b in zip(weights(three.params, i), weights(alone.params), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    for row, want in zip(three.history, alone.history, strict=True):
        for name in ("loss", "valid_loss", "valid_accuracy"):
            assert row[name][i] == pytest.approx(want[name], abs=1e-5), name


def test_all_members_are_watched_at_once(small):
    hooks = Hooks(watch=lambda state: {"steps": state.step.tolist()})
    watched = population(small, [1e-2, 3e-2, 1e-2], hooks=hooks)
    assert [row["steps"] for row in watched.history] == [[8] * 3, [16] * 3]


def test_every_member_has_its_own_key_and_its_own_best_epoch(three):
    assert three.valid_accuracy.shape == three.best_epoch.shape == (3,)
    accuracy = np.array([row["valid_accuracy"] for row in three.history])
    np.testing.assert_allclose(three.valid_accuracy, accuracy.max(0))
    assert not three.diverged.any()
    first, _, third = (weights(three.params, i)[0] for i in range(3))
    assert (first != third).mean() > 0.9, "equal rates, but different keys"


def test_a_diverging_member_is_marked_and_disturbs_nobody(small, three):
    traces, rows, built = [], [], []
    hooks = Hooks(report=lambda row: (rows.append(row), built.append(len(traces))))
    mixed = population(small, [1e-2, 1e30, jnp.inf], build=counting(traces), hooks=hooks)
    np.testing.assert_array_equal(mixed.diverged, [False, True, True])
    np.testing.assert_array_equal(mixed.best_epoch[1:], 0)
    for a, b in zip(weights(mixed.params, 0), weights(three.params, 0), strict=True):
        np.testing.assert_array_equal(a, b)
    assert all(np.isfinite(leaf).all() for leaf in weights(mixed.params))
    assert list(mixed.history) == rows
    assert len(rows) == 2
    assert built[0] == built[1], "one program for all epochs and members, as for `fit`"


def test_a_member_that_diverges_late_keeps_what_was_good(small):
    explosive = lambda rate: optax.sgd(lambda count: 0.1 + rate * (count >= 8))
    late = population(small, [0.0, 1e30], KEYS[:2], optimizer=explosive)
    np.testing.assert_array_equal(late.diverged, [False, True])
    np.testing.assert_array_equal(late.best_epoch[1], 1)
    assert all(np.isfinite(leaf).all() for leaf in weights(late.params))


def test_a_single_step_to_infinity_is_divergence_too(small):
    steep = dict(optimizer=optax.sgd, epochs=1, batch=256, ema=None)
    once = population(small, [0.1, 1e38], KEYS[:2], **steep)
    np.testing.assert_array_equal(once.diverged, [False, True])


def counting(traces):
    def make(**options):
        layer = BUILD(**options)

        def forward(*args):
            traces.append(1)
            return layer.forward(*args)

        return layer._replace(forward=forward)

    return make


@pytest.mark.parametrize("rates", [[1e-2] * 2, 1e-2, [[1e-2] * 3] * 3])
def test_hyperparameters_that_do_not_fit_the_members_are_refused(small, rates):
    with pytest.raises(ValueError, match="one entry per member, got shapes"):
        population(small, rates)


def test_one_key_is_no_population(small):
    with pytest.raises(ValueError, match="one entry per member"):
        population(small, [1e-2], keys=jax.random.key(0))


def test_sizes_are_checked_as_for_fit(small):
    with pytest.raises(ValueError, match="batch is 500, but there are 256"):
        population(small, [1e-2] * 3, batch=500)


@pytest.mark.parametrize(
    ("hyperparameters", "optimizer", "message"),
    [
        ({"threshold": [0.1, 50.0]}, lambda h: optax.sgd(0.1), r"\['threshold'\] changes no"),
        ({"rate": [0.1, 0.2], "decay": [0.0, 0.1]}, lambda h: optax.sgd(h["rate"]),
         r"s\['decay'\] changes no update"),
        ([0.1, 0.2], lambda h: (jnp.sin(h), optax.sgd(0.1))[1], "hyperparameters changes no"),
    ],
)  # fmt: skip
def test_a_hyperparameter_that_nothing_reads_is_refused_by_name(
    small, hyperparameters, optimizer, message
):
    with pytest.raises(ValueError, match=message):
        population(small, hyperparameters, KEYS[:2], optimizer=optimizer)


def test_an_optimizer_and_patience_are_for_one_network(small):
    with pytest.raises(ValueError, match="got an optimizer: write lambda h: optimizer"):
        population(small, (), optimizer=optax.sgd(0.1))
    with pytest.raises(ValueError, match="patience stops one network, not a population, got 2"):
        population(small, [1e-2] * 3, patience=2)
