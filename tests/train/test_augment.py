"""Training on augmented images: what changes, and what must not."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdigits.augment import AUGMENTS, invert
from jaxdigits.data import Dataset, digits
from jaxdigits.models import mlp
from jaxdigits.runs import Config
from jaxdigits.runs.config_json import from_json, to_json
from jaxdigits.train import Recipe, fit, fit_population, initial_state, train_step

KEY = jax.random.key(0)
TRAIN, TEST = (d[:256] for d in digits())
BUILD = partial(mlp, hidden=(8,), dropout_rate=0.25)  # which draws masks of its own
same = lambda a, b: jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), a, b))


def after_a_step(augment, train=TRAIN):
    recipe = Recipe(BUILD, optax.sgd(0.1), epochs=1, batch=32, augment=augment)
    state = initial_state(recipe, (28, 28), KEY)
    return jax.jit(partial(train_step, recipe))(state, train, jnp.arange(32))


def test_a_step_sees_the_augmented_images():
    inverted = Dataset(255 - TRAIN.inputs[:], TRAIN.label)
    augmented, loss = after_a_step(invert())
    wanted, its_loss = after_a_step(None, inverted)
    assert loss == its_loss  # a network sees bytes again, not floats near them
    assert same(augmented.params, wanted.params)
    assert not same(augmented.params, after_a_step(None)[0].params)


def test_images_that_are_floats_stay_as_fine_as_they_are():
    floats = Dataset(TRAIN.inputs[:] / np.float32(255), TRAIN.label)
    dim = lambda key, image: 0.5 * image  # exact, in whatever order a program computes
    dimmer = Dataset(np.float32(0.5) * floats.inputs[:], TRAIN.label)
    assert same(after_a_step(dim, floats)[0].params, after_a_step(None, dimmer)[0].params)


def test_the_networks_own_numbers_stay_the_same():
    """An augmentation that changes nothing leaves the masks as they were."""
    untouched = lambda key, image: image
    assert same(after_a_step(untouched)[0].params, after_a_step(None)[0].params)


def test_each_step_and_each_example_draws_anew():
    seen = []

    def look(key, image):
        jax.debug.callback(lambda data: seen.append(data), jax.random.key_data(key))
        return image

    build = partial(mlp, hidden=(4,))
    fit(Recipe(build, optax.sgd(0.1), epochs=2, batch=64, augment=look), TRAIN, TEST, KEY)
    jax.effects_barrier()
    keys = {tuple(row) for data in seen for row in np.asarray(data).tolist()}
    assert len(keys) == 2 * 256  # epochs × examples, all different


def test_validation_sees_the_images_as_they_are():
    blank = lambda key, image: jnp.zeros(image.shape)
    recipe = Recipe(partial(mlp, hidden=(4,)), optax.sgd(0.0), epochs=1)
    plain, blanked = (
        fit(replace(recipe, augment=augment), TRAIN, TEST, KEY) for augment in (None, blank)
    )
    assert blanked.history[0]["valid_loss"] == plain.history[0]["valid_loss"]
    assert blanked.history[0]["loss"] != plain.history[0]["loss"]


def test_a_member_of_a_population_trains_as_by_itself():
    build, augment = partial(mlp, hidden=(8,)), AUGMENTS["elastic"]
    recipe = Recipe(build, optax.sgd(0.1), epochs=2, batch=64, augment=augment)
    keys = jax.random.split(KEY, 2)
    members = replace(recipe, optimizer=lambda _: optax.sgd(0.1))
    many = fit_population(members, TRAIN, TEST, keys)
    one = fit(recipe, TRAIN, TEST, keys[1])
    close = lambda a, b: np.allclose(a[1], b, atol=1e-4)
    assert jax.tree.all(jax.tree.map(close, many.params, one.params))


def test_it_is_part_of_the_configuration():
    config = Config("mlp", "digits", 1, 8, 1e-3, augment="elastic")
    assert from_json(to_json(config)) == config
    assert config.augmentation() is not None
    assert Config("mlp", "digits", 1, 8, 1e-3).augmentation() is None
    with pytest.raises(ValueError, match=r"augment must be one of .*elastic.*, got 'wobble'"):
        Config("mlp", "digits", 1, 8, 1e-3, augment="wobble")
