"""`fit`: it learns, repeats itself, keeps the best epoch, and stops when it should."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdigits.data import Dataset
from jaxdigits.gradients import by_autodiff, by_hand
from jaxdigits.losses import cross_entropy
from jaxdigits.models import mlp
from jaxdigits.train import Diverged, Hooks, Recipe, adamw, fit, logits_of

MLP = partial(mlp, hidden=(8,), dropout_rate=0.0)
EPOCHS, BATCH = 8, 16
NOTHING = Hooks()
KEY = jax.random.key(0)


def train(small, seed=0, build=MLP, optimizer=None, hooks=NOTHING, **options):
    options = dict(epochs=EPOCHS, batch=BATCH) | options
    updates = options["epochs"] * (256 // BATCH)
    recipe = Recipe(build, optimizer or adamw(1e-2, updates), **options)
    return fit(recipe, *small, jax.random.key(seed), hooks)


def same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def timeless(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


@pytest.fixture(scope="module")
def fitted(small):
    rows = []
    return train(small, ema=0.9, hooks=Hooks(report=rows.append)), rows


def test_it_learns_digits_from_bytes(small, fitted):
    assert small[0].inputs.array.dtype == np.uint8
    history = fitted[0].history
    assert history[-1]["loss"] < history[0]["loss"] / 3
    assert max(row["valid_accuracy"] for row in history) > 0.7
    logits, _ = logits_of(MLP(training=False), fitted[0].params, small[0].inputs, KEY)
    assert (np.argmax(logits, 1) == small[0].label).mean() > 0.75


def test_every_epoch_is_reported_as_it_stands_in_the_history(fitted):
    history = fitted[0].history
    assert list(history) == fitted[1]
    assert [row["epoch"] for row in history] == [*range(1, EPOCHS + 1)]
    names = {"epoch", "loss", "valid_loss", "valid_accuracy", "firing_rates", "seconds"}
    assert all(set(row) == names for row in history)
    assert fitted[0].state.step == EPOCHS * (256 // BATCH)


def test_what_is_watched_joins_the_row_of_its_epoch(small, fitted):
    watch = lambda state: {"step": int(state.step), "bias": float(state.params[-1]["bias"][0])}
    watched = train(small, ema=0.9, hooks=Hooks(watch=watch))
    assert [row["step"] for row in watched.history] == [16 * e for e in range(1, EPOCHS + 1)]
    assert watched.history[-1]["bias"] == float(watched.state.params[-1]["bias"][0])
    without = [
        {k: v for k, v in r.items() if k not in ("step", "bias")} for r in watched.history
    ]
    assert timeless(without) == timeless(fitted[0].history), "watching changes nothing"


def test_what_is_watched_hides_no_loss(small):
    hooks = Hooks(watch=lambda state: {"loss": 1.0})
    with pytest.raises(ValueError, match="watch returned 'loss', which each row has"):
        train(small, hooks=hooks)


def test_the_same_key_gives_the_same_bits_and_another_key_others(small, fitted):
    again, other = train(small, ema=0.9), train(small, 1, ema=0.9)
    same((again.params, again.best_epoch), (fitted[0].params, fitted[0].best_epoch))
    assert timeless(again.history) == timeless(fitted[0].history)
    assert timeless(other.history) != timeless(again.history)
    assert (
        np.asarray(other.params[2]["weight"]) != np.asarray(again.params[2]["weight"])
    ).all()


def test_the_epoch_of_the_highest_accuracy_is_kept_and_of_these_the_one_of_lowest_loss(small):
    few = small[0], small[1][:12]
    # Learn, touch up, spoil a little, spoil: the third to fifth epochs tie, the fourth is best.
    rates = jnp.array([0.05, 0.05, 0.05, 1e-5, -2e-5, -0.1])
    restless = dict(optimizer=optax.sgd(lambda count: rates[count // 16]), ema=None)
    whole = train(few, epochs=6, **restless)
    accuracy, loss = (
        [row[k] for row in whole.history] for k in ("valid_accuracy", "valid_loss")
    )
    assert max(accuracy) == accuracy[2] == accuracy[3] == accuracy[4] > accuracy[5]
    assert loss[3] < min(loss[2], loss[4])
    assert whole.best_epoch == 4
    same(whole.params, train(few, epochs=4, **restless).state.params)


def test_patience_stops_when_validation_stands_still(small):
    still = train(small, optimizer=optax.sgd(0.0), patience=3)
    assert (still.best_epoch, len(still.history)) == (1, 4)


def counting(build, traces):
    def make(**options):
        layer = build(**options)

        def forward(*args):
            traces.append(1)
            return layer.forward(*args)

        return layer._replace(forward=forward)

    return make


def test_all_epochs_are_one_compiled_program(small):
    traces = []
    train(small, build=counting(MLP, traces), epochs=4, optimizer=optax.sgd(0.1))
    # The first statistics; then, once for all epochs, what a step keeps (asked on a CPU only,
    # where a step may be cut), the step itself, statistics and validation.
    assert len(traces) == 4 + (jax.default_backend() == "cpu")


def test_by_hand_and_by_autodiff_train_alike(small):
    hand, auto = (
        train(small, estimator=estimator, epochs=1) for estimator in (by_hand, by_autodiff)
    )
    for a, b in zip(*map(jax.tree.leaves, (hand.params, auto.params)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_batch_norm_comes_with_its_statistics(small):
    build = partial(mlp, hidden=(8,), norm="batch", dropout_rate=0.0)
    fitted = train(small, build=build, epochs=3)
    network = build(training=False, statistics=fitted.statistics)
    logits, _ = logits_of(network, fitted.params, small[1].inputs, KEY)
    accuracy = (np.argmax(logits, 1) == small[1].label).mean()
    best = fitted.history[fitted.best_epoch - 1]["valid_accuracy"]
    assert accuracy == pytest.approx(best)
    assert accuracy > 0.5


def test_it_trains_in_64_bits(small, float64):
    network = lambda **o: mlp(hidden=(8,), **o)
    fitted = fit(Recipe(network, optax.sgd(0.1), epochs=2, batch=64), *small, KEY)
    assert {leaf.dtype for leaf in jax.tree.leaves(fitted.params)} == {np.dtype("float64")}


def test_divergence_is_one_line_and_carries_the_last_good_network(small):
    sane = optax.sgd(0.1)
    explosive = optax.sgd(lambda count: 0.1 + 1e30 * (count >= 40))  # in the third epoch
    with pytest.raises(Diverged, match="in epoch 3: lower the learning rate") as caught:
        train(small, optimizer=explosive)
    assert "\n" not in str(caught.value)
    good = caught.value.fit
    assert len(good.history) == 3
    whole = train(small, optimizer=sane, epochs=2)
    assert good.best_epoch == whole.best_epoch
    same(good.params, whole.params)


def test_a_single_step_to_infinity_is_divergence_too(small):
    with pytest.raises(Diverged, match="validation loss") as caught:
        train(small, optimizer=optax.sgd(1e38), epochs=1, batch=256)
    assert caught.value.fit.best_epoch == 0
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(caught.value.fit.params))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (dict(epochs=0), "epochs must be >= 1, got 0"),
        (dict(batch=0), "batch must be >= 1, got 0"),
        (dict(batch=257), "batch is 257, but there are 256"),
        (dict(patience=0), "patience must be >= 1, got 0"),
        (dict(epochs=1.5), "epochs must be a whole number, got 1.5"),
        (dict(batch=2.0), "batch must be a whole number, got 2.0"),
        (dict(patience=1.5), "patience must be a whole number, got 1.5"),
        (dict(microbatch=2.0), "microbatch must be a whole number, got 2.0"),
        (dict(estimator="by_hand"), "estimator must be a function, got 'by_hand'"),
        (dict(augment="shift"), "augment must be a function, got 'shift'"),
        (dict(updates_per_save=0), "updates_per_save must be >= 1, got 0"),
        (dict(ema=1.0), r"ema must be in \[0, 1\), got 1.0"),
        (dict(ema=float("nan")), "ema"),
    ],
)
def test_bad_sizes_are_refused_by_name(small, bad, message):
    with pytest.raises(ValueError, match=message):
        train(small, optimizer=optax.sgd(0.1), **bad)


def test_a_data_set_is_a_data_set(small):
    recipe = Recipe(MLP, optax.sgd(0.1), epochs=1)
    with pytest.raises(ValueError, match="valid must be a Dataset, got NoneType"):
        fit(recipe, small[0], None, KEY)  # pyright: ignore


def test_the_network_has_the_classes_of_the_data_unless_its_builder_says(small):
    shifted = [Dataset(data.inputs, data.label + 1) for data in small]
    recipe = Recipe(MLP, optax.sgd(0.1), epochs=1, batch=128)
    assert fit(recipe, *shifted, KEY).params[-1]["weight"].shape[1] == 11
    message = r"train has 11 classes \(labels up to 10\), and the network has 10 outputs"
    with pytest.raises(ValueError, match=message):
        fit(replace(recipe, build=partial(MLP, classes=10)), *shifted, KEY)


def uncalled(**changes):
    return lambda: Recipe(**dict(build=MLP, optimizer=optax.sgd(0.1), epochs=1) | changes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (uncalled(build=MLP()), "build must be a builder, as in .*, got a Layer"),
        (uncalled(loss=cross_entropy), r"got cross_entropy: call it, as in cross_entropy\(\)"),
        (uncalled(optimizer=optax.adam), r"got adam: call it, as in optax.adam\(1e-3\)"),
        (uncalled(optimizer=3), "optimizer must be an optax optimizer, got 3"),
    ],
)
def test_what_has_to_be_called_is_named(small, make, message):
    with pytest.raises(ValueError, match=message) as caught:
        fit(make(), *small, KEY)
    assert "\n" not in str(caught.value)
