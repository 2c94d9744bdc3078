"""The basis of the augmentations: images as floats, and random numbers of each example."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits.keys import draw_bytes, per_example, require_key
from jaxdigits.layer import to_unit

Augment = Callable[[Array, Array], Array]
"""(key, images) -> images: one key, or one per example [B]; images [B, H, W], uint8 or float in
[0, 1], ink bright; returned as floats in [0, 1] of the same shape"""


def pixels_of(image: Array) -> Array:
    """Return images [B, H, W] as floats in [0, 1].

    Raises:
      ValueError: for another number of axes, no images, or a type other than uint8 or float.
    """
    image = jnp.asarray(image)
    if image.ndim != 3:
        raise ValueError(f"images must be [B, H, W], got shape {image.shape}")
    if not image.size:
        raise ValueError(f"there are no images in an array of shape {image.shape}")
    return to_unit(image)


def prepared(key: Array, image: Array, caller: str = "augmentation") -> tuple[Array, Array]:
    """Return one key per example [B], and `pixels_of` the images.

    Raises:
      ValueError: as `pixels_of`; and unless key is one typed key, or one per image.
    """
    image = pixels_of(image)
    return per_example(require_key(key, caller), len(image)), image


def uniform_of(keys: Array, count: int) -> Array:
    """Draw [B, count] in [0, 1): `count` numbers from the key of each example."""
    return jax.vmap(lambda key: jax.random.uniform(key, (count,)))(keys)


def uniform_field(keys: Array, shape: tuple[int, ...]) -> Array:
    """Draw [B, *shape] of 256 levels in (−1, 1), evenly: one random byte each."""
    level = draw_bytes(keys, len(keys), shape)
    return (2 * level.astype(jnp.result_type(float)) - 255) / 256


def gaussian(length: int, sigma: Array | float) -> Array:
    """Return matrices [..., length, length] that smooth a line of pixels, for sigma [...].

    Row i is the Gaussian of deviation sigma around pixel i, cut off at the ends of the line
    and then scaled to sum 1, so an even line stays even.  Sigma 0 changes nothing.
    """
    sigma = jnp.asarray(sigma)[..., None, None]
    i = jnp.arange(length)
    distance = i[:, None] - i
    weight = jnp.exp(-0.5 * (distance / jnp.maximum(sigma, 1e-2)) ** 2)
    return weight / weight.sum(-1, keepdims=True)
