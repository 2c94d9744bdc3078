"""Augmentation: other images of the same digits, made on the device, inside the step.

An augmentation is a pure function of keys and images.  The change of an example depends on its
own key alone, as all random numbers of a step do; so it is the same in any batch.

    augment = compose(warp(affine(rotation=15), elastic()), sometimes(0.5, erase()))
    augment(jax.random.key(0), images)      [B, H, W] uint8, or floats in [0, 1] -> floats

`augment.warp` moves ink about, `augment.photometric` changes how dark it is.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits import checks
from jaxdigits.augment.photometric import (
    background,
    blur,
    brightness,
    contrast,
    erase,
    noise,
    pen,
)
from jaxdigits.augment.pixels import Augment, prepared, uniform_of
from jaxdigits.augment.warp import affine, elastic, warp
from jaxdigits.keys import fold_in, per_example


def compose(*augments: Augment) -> Augment:
    """Apply augmentations one after the other, each with keys of its own."""

    def augment(key, image):
        keys, image = prepared(key, image)
        for i, each in enumerate(augments):
            image = each(fold_in(keys, i), image)
        return image

    return augment


def sometimes(probability: float, augment: Augment) -> Augment:
    """Apply `augment` to a share `probability` of the examples; the others stay as they are.

    Raises:
      ValueError: unless 0 <= probability <= 1.
    """
    if checks.known(probability) and not 0 <= probability <= 1:
        raise ValueError(f"probability must be in [0, 1], got {probability}")

    def chosen(key, image):
        keys, image = prepared(key, image)
        chance = uniform_of(fold_in(keys, 0), 1)[:, 0]
        changed = augment(fold_in(keys, 1), image)
        return jnp.where((chance < probability)[:, None, None], changed, image)

    return chosen


def one_of(*augments: Augment) -> Augment:
    """Apply one of the augmentations to each example, all equally likely.

    All are computed, and one is taken.

    Raises:
      ValueError: for none.
    """
    if not augments:
        raise ValueError("one_of needs an augmentation to choose")

    def choose(key, image):
        keys, image = prepared(key, image)
        chance = uniform_of(fold_in(keys, len(augments)), 1)[:, 0]
        which = jnp.floor(len(augments) * chance).astype(jnp.int32)
        choices = [each(fold_in(keys, i), image) for i, each in enumerate(augments)]
        rows = [which == i for i in range(len(augments))]
        return jnp.select([row[:, None, None] for row in rows], choices)

    return choose


def of_senses(augments: Mapping[str, Callable[[Array, Any], Any]]) -> Callable:
    """Augment each sense in its own way: (key, {name: x [B, ...]}) -> {name: x [B, ...]}.

    Raises:
      ValueError: when called, for a sense without one, or one without a sense.
    """
    names = sorted(augments)

    def augment(key: Array, x: Mapping[str, Any]) -> dict[str, Any]:
        if names != sorted(x):
            raise ValueError(f"there are augmentations for {names}, and inputs for {sorted(x)}")
        return {name: augments[name](fold_in(key, i), x[name]) for i, name in enumerate(names)}

    return augment


def of_hands(picture: Augment, hand: Augment | None = None) -> Augment:
    """Change the pictures x [B, K, V, H, W] of K hands: a hand's all alike, then each alone.

    Slanted and bent alike, the pictures of a hand are those of another hand.

    Args:
      picture: changes each picture, after another pen has.
      hand: changes all pictures of a hand; None: slant, proportions and bends.
    """
    hand, picture = hand or _another_hand, compose(sometimes(0.8, pen(0.8)), picture)

    def augment(key, x):
        lead, images = x.shape[:3], x.reshape(-1, *x.shape[3:])
        own, each = (fold_in(per_example(key, len(x)), i) for i in range(2))
        own = jnp.repeat(_split(own, lead[1]), lead[2])
        return picture(_split(each, lead[1] * lead[2]), hand(own, images)).reshape(x.shape)

    return augment


def _split(keys: Array, count: int) -> Array:
    """Return [B · count] keys from keys [B]."""
    return jax.vmap(lambda key: jax.random.split(key, count))(keys).ravel()


# Of five strengths tried this was best for an MLP on validation images.
_handwriting = warp(affine(rotation=10, shift=1.5, scale=0.1, shear=0.1), elastic(alpha=20))
_another_hand = warp(affine(rotation=8, scale=0.2, shear=0.25), elastic(alpha=30.0, sigma=8.0))
_anywhere = warp(affine(rotation=20, shift=3, scale=0.3, shear=0.3), elastic(alpha=20))
_light = one_of(contrast(0.6), background(0.8), brightness(0.5))
_blots = one_of(erase(0.02, 0.2), erase(0.02, 0.1, stretch=100.0, ink=1.0))

AUGMENTS: dict[str, Augment] = {
    "shift": warp(affine(shift=2)),
    "affine": warp(affine(rotation=15, shift=2, scale=0.15, shear=0.15)),
    "elastic": _handwriting,
    "pictures": compose(
        warp(affine(rotation=10, shift=1, scale=0.1, shear=0.2), elastic(alpha=16)),
        sometimes(0.6, pen(0.9)),
        sometimes(0.2, blur(0.7)),
    ),
    "noisy": compose(_handwriting, sometimes(0.3, noise(0.8))),
    "robust": compose(
        _anywhere,
        sometimes(0.3, blur(2.5)),
        sometimes(0.5, compose(_light, sometimes(0.3, noise(0.6)))),
        sometimes(0.4, _blots),
    ),
}
"""Recipes by name, for `jaxdigits train --augment NAME`."""
