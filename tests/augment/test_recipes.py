"""Augmentations compose, and each example's depends on its own key alone."""

from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.augment import (
    AUGMENTS,
    affine,
    brightness,
    compose,
    elastic,
    invert,
    one_of,
    sometimes,
)
from jaxdigits.data import digits

B = 200
KEYS = jax.random.split(jax.random.key(5), B)
IMAGES = jnp.asarray(digits()[0].inputs[:B])
FLOATS = IMAGES.astype(jnp.float32) / 255
RECIPES = pytest.mark.parametrize("name", AUGMENTS)
TRACES = Counter()


def program(name):
    """The compiled augmentation; `TRACES` counts how often JAX reads its code."""

    def augment(key, image):
        TRACES[name, key.shape, image.shape, image.dtype] += 1
        return AUGMENTS[name](key, image)

    return jax.jit(augment)


PROGRAMS = {name: program(name) for name in AUGMENTS}


@RECIPES
def test_a_recipe_makes_other_images_in_range(name):
    y = PROGRAMS[name](KEYS, IMAGES)
    assert y.shape == IMAGES.shape
    assert y.dtype == jnp.float32
    assert y.min() >= -1e-6
    assert y.max() <= 1 + 1e-6
    changed = (jnp.abs(y - FLOATS) > 1e-3).any((1, 2))
    assert changed.mean() > 0.9


@RECIPES
def test_an_example_depends_on_its_own_key_alone(name):
    augment = PROGRAMS[name]
    whole = augment(KEYS, IMAGES)
    back = augment(KEYS[::-1], IMAGES[::-1])[::-1]
    part = augment(KEYS[40:43], IMAGES[40:43])
    assert np.allclose(back, whole, atol=1e-5)
    assert np.allclose(part, whole[40:43], atol=1e-5)
    assert not np.allclose(augment(jnp.roll(KEYS, -1), IMAGES), whole, atol=1e-2)


@RECIPES
def test_pixels_may_be_bytes_or_floats(name):
    augment = PROGRAMS[name]
    assert np.allclose(augment(KEYS, IMAGES), augment(KEYS, FLOATS), atol=1e-5)


@RECIPES
def test_one_key_is_split_for_the_batch(name):
    augment, key = PROGRAMS[name], jax.random.key(9)
    split = augment(jax.random.split(key, B), IMAGES)
    assert np.allclose(augment(key, IMAGES), split, atol=1e-5)


@RECIPES
def test_one_program_serves_all_steps(name):
    for i in range(3):
        PROGRAMS[name](jax.random.split(jax.random.key(i), B), IMAGES)
    assert TRACES[name, KEYS.shape, IMAGES.shape, IMAGES.dtype] == 1


def test_compose_goes_from_left_to_right():
    darker = lambda key, image: image / 2
    y = compose(invert(), darker)(KEYS, IMAGES)
    assert np.allclose(y, (1 - FLOATS) / 2)
    assert np.allclose(compose()(KEYS, IMAGES), FLOATS)


def test_each_part_of_a_composition_draws_its_own_numbers():
    seen = []

    def look(key, image):
        seen.append(jax.random.key_data(key))
        return image

    compose(look, look)(KEYS, IMAGES)
    assert not (seen[0] == seen[1]).all(1).any()


def test_sometimes_is_for_its_share_of_the_examples():
    y = sometimes(0.25, invert())(KEYS, IMAGES)
    inverted = np.isclose(y, 1 - FLOATS).all((1, 2))
    same = np.isclose(y, FLOATS).all((1, 2))
    assert (inverted ^ same).all()
    assert 0.15 < inverted.mean() < 0.35
    assert np.allclose(sometimes(0.0, invert())(KEYS, IMAGES), FLOATS)
    assert np.allclose(sometimes(1.0, invert())(KEYS, IMAGES), 1 - FLOATS)


def test_one_of_takes_each_equally_often():
    choices = [lambda key, image, i=i: jnp.full_like(image, i / 4) for i in range(4)]
    taken = np.asarray(one_of(*choices)(KEYS, IMAGES))[:, 0, 0]
    counts = np.unique(taken, return_counts=True)[1]
    assert len(counts) == 4
    assert counts.min() > B / 8


@pytest.mark.parametrize(
    ("key", "images", "message"),
    [
        (None, IMAGES, r"augmentation draws random numbers: pass a key"),
        (0, IMAGES, r"augmentation takes one typed key"),
        (KEYS[:3], IMAGES, r"got 3 keys for a batch of 200"),
        (KEYS, IMAGES[..., None], r"images must be \[B, H, W\], got shape"),
        (KEYS, IMAGES.astype(int), r"images are uint8 or float, got int"),
        (KEYS[:0], IMAGES[:0], r"there are no images in an array of shape \(0, 28, 28\)"),
    ],
)
def test_bad_input_is_refused(key, images, message):
    for augment in (AUGMENTS["robust"], brightness(), one_of(brightness())):
        with pytest.raises(ValueError, match=message):
            augment(key, images)


def test_a_displacement_is_not_taken_for_an_augmentation():
    for make in (affine, elastic):
        with pytest.raises(ValueError, match=r"\(\) is a displacement, .*: take warp\("):
            compose(make())(KEYS, IMAGES)


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="probability must be in"):
        sometimes(1.5, invert())
    with pytest.raises(ValueError, match="one_of needs an augmentation"):
        one_of()
