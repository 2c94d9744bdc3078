"""Images that take a step as long as MNIST's: a benchmark of speed needs no real digits."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits.data import Dataset

EDGE = 4  # pixels at each edge that are always empty
LIT = 0.19  # share of pixels with ink
SPREAD = 5.5  # pixels: the ink's standard deviation around the centre


def synthetic(examples: int, *, seed: int = 0) -> Dataset:
    """Random images uint8 [examples, 28, 28] and labels, on the device.

    About as many pixels are lit as in MNIST (19 %), as brightly in the mean (0.13 of white),
    most of them near the centre and none at the edges.
    """
    random = np.random.default_rng(seed)
    distance = np.arange(28) - 13.5
    chance = np.exp(-(distance[:, None] ** 2 + distance**2) / (2 * SPREAD**2))
    inside = np.zeros((28, 28))
    inside[EDGE:-EDGE, EDGE:-EDGE] = 1
    chance = chance * inside
    chance = np.minimum(0.95, chance * (LIT * chance.size / chance.sum()))
    shape = (examples, 28, 28)
    lit = random.random(shape, np.float32) < chance
    # The mean of u^0.46, u uniform, is 0.68: 0.13 / 0.19.
    level = np.rint(255 * random.random(shape, np.float32) ** 0.46)
    label = random.integers(0, 10, examples)
    image = np.where(lit, level, 0).astype(np.uint8)
    return Dataset(jnp.asarray(image), jnp.asarray(label, jnp.int32))


def batches(examples: int, batch: int, count: int, *, seed: int = 0) -> list[jax.Array]:
    """`count` draws of `batch` different examples: [batch] int32 indices, on the device.

    Raises:
      ValueError: if there are fewer examples than a batch has.
    """
    if batch > examples:
        raise ValueError(f"batch is {batch}, but there are {examples} examples")
    random = np.random.default_rng(seed)
    draw = lambda: random.permutation(examples)[:batch]
    return [jnp.asarray(draw(), jnp.int32) for _ in range(count)]
