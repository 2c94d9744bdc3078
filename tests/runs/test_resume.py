"""A run that is resumed comes to the bits of one that was never stopped."""

from functools import partial

import jax
import numpy as np
import optax
import pytest

from jaxdigits.data import Dataset
from jaxdigits.models import mlp, snn
from jaxdigits.runs.checkpoint import checkpoints, load_checkpoint, save_checkpoint
from jaxdigits.train import Hooks, Recipe, fit, fit_population

KEY = jax.random.key(2)
NOTHING = Hooks()
EPOCHS, BATCH, EVERY = 2, 4, 3  # of 5 steps an epoch: two programs of 3 and of 2
NETWORKS = {
    "mlp": partial(mlp, hidden=(6,), norm="batch"),
    "snn": partial(snn, hidden=(8,), steps=3),
}  # one with batch statistics, one that draws spikes


def data(n, seed):
    """n made-up examples."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (n, 8, 8)).astype(np.uint8)
    return Dataset(image, np.arange(n, dtype=np.int32) % 10)


def trained(network, hooks=NOTHING, **options):
    sets = data(22, 0), data(9, 1)
    options = dict(epochs=EPOCHS, batch=BATCH, ema=0.5, updates_per_save=EVERY) | options
    return fit(Recipe(NETWORKS[network], optax.adam(0.01), **options), *sets, KEY, hooks)


def timeless(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


def same(a, b):
    """Bit for bit: what is not a number is the same as itself too."""
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
            x, y = map(jax.random.key_data, (x, y))
        assert np.asarray(x).tobytes() == np.asarray(y).tobytes()


def same_fits(got, wanted):
    same(got.state, wanted.state)
    same((got.params, got.statistics), (wanted.params, wanted.statistics))
    assert got.best_epoch == wanted.best_epoch
    assert timeless(got.history) == timeless(wanted.history)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_resumes_within_an_epoch_to_the_same_bits(network, tmp_path):
    save = partial(save_checkpoint, tmp_path, last=9)
    undisturbed = trained(network, Hooks(save=save))
    names = [path.name for path in checkpoints(tmp_path)]
    assert names == [f"step-{step:08d}.npz" for step in (10, 8, 5, 3)]
    load = partial(load_checkpoint, checkpoints(tmp_path)[1])
    resumed = trained(network, Hooks(resume=load))
    same_fits(resumed, undisturbed)


@pytest.fixture(scope="module")
def patient(tmp_path_factory):
    """(fit, folder, snapshots) of a training that patience ended, saved at each epoch."""
    folder, steps = tmp_path_factory.mktemp("patient"), []

    def save(now):
        save_checkpoint(folder, now, last=9)
        steps.append((len(now.history), int(now.state.step), now.losses.shape))

    return slow(save=save), folder, steps


def slow(**hooks):
    options = dict(epochs=9, patience=2, updates_per_save=None, ema=None)
    return trained("mlp", Hooks(**hooks), **options)


def test_patience_and_the_best_epoch_are_resumed_from_any_epoch(patient):
    undisturbed, folder, _ = patient
    assert 3 <= len(undisturbed.history) < 9, "or patience was not asked"
    for path in (checkpoints(folder)[0], checkpoints(folder)[2]):
        same_fits(slow(resume=partial(load_checkpoint, path)), undisturbed)


def test_without_updates_per_save_an_epoch_is_saved_once_and_whole(patient):
    undisturbed, _, steps = patient
    assert steps == [(e, 5 * e, (0,)) for e in range(1, len(undisturbed.history) + 1)]


def test_a_population_resumes_to_the_same_bits(tmp_path):
    sets = data(22, 0), data(9, 1)
    recipe = Recipe(NETWORKS["mlp"], optax.adam, epochs=EPOCHS, batch=BATCH,
                    updates_per_save=EVERY)  # fmt: skip

    def population(**hooks):
        keys, rates = jax.random.split(KEY, 2), np.array([0.01, 1e30], np.float32)
        return fit_population(recipe, *sets, keys, rates, Hooks(**hooks))

    undisturbed = population(save=partial(save_checkpoint, tmp_path, last=9))
    assert undisturbed.diverged.tolist() == [False, True], "one of them has to be remembered"
    again = population(resume=partial(load_checkpoint, checkpoints(tmp_path)[1]))
    same((again.params, again.statistics), (undisturbed.params, undisturbed.statistics))
    for name in ("valid_accuracy", "best_epoch", "diverged"):
        np.testing.assert_array_equal(getattr(again, name), getattr(undisturbed, name))
    assert str(timeless(again.history)) == str(timeless(undisturbed.history))  # it has NaN


def test_chunks_train_as_whole_epochs_do():
    whole, chunks = (trained("mlp", updates_per_save=every) for every in (None, EVERY))
    for a, b in zip(*map(jax.tree.leaves, (whole.params, chunks.params)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    losses = [[row["loss"] for row in fitted.history] for fitted in (whole, chunks)]
    np.testing.assert_allclose(*losses, rtol=1e-6)
