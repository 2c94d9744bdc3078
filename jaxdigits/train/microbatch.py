"""How many examples of a batch a training step takes at a time.

On a CPU, arrays that leave the cache cost more than the arithmetic between the products.  A
step that takes its batch in parts, whose largest array stays near `CACHE`, has the same
gradient to rounding, needs less memory, and is faster.
"""

import math
from typing import Any

import jax
from jax import Array

from jaxdigits.layer import Layer, Params
from jaxdigits.layers import batch_statistics

CACHE = 5e6  # bytes of the largest array; of the powers of two, near the best on two cores
FEWEST = 4  # examples in a part: below, the products get small


def check_microbatch(microbatch: int | None, batch: int) -> None:
    """Raise a ValueError unless so many examples at a time make up a batch."""
    if microbatch is not None and (microbatch < 1 or batch % microbatch):
        raise ValueError(f"microbatch must divide the batch, {batch}, got {microbatch}")


def require_apart(network: Layer, params: Params, image: Array, keys: Array) -> None:
    """Raise a ValueError unless the network takes each example by itself."""
    if mixes_examples(network, params, image, keys):
        raise ValueError("microbatch is not for batch norm, which takes a batch as a whole")


def mixes_examples(network: Layer, params: Params, image: Array, keys: Array) -> bool:
    """Whether what becomes of an example depends on its batch, as batch norm makes it."""
    return bool(batch_statistics(jax.eval_shape(network.forward, params, image, keys)[1]))


def parts_of_step(network: Layer, params: Params, image: Array, keys: Array) -> int:
    """Into how many equal parts to cut a step on such images, to be quick on this device.

    One where parts would be another network: with batch norm, which mixes examples.
    """
    if jax.default_backend() != "cpu":
        return 1
    pass_of = jax.make_jaxpr(network.forward, return_shape=True)
    jaxpr, (_, kept) = pass_of(params, image, keys)
    # Not only what is kept: a convolution's output is larger than what pooling keeps of it.
    arrays = [out.aval for eqn in jaxpr.eqns for out in eqn.outvars]
    return 1 if batch_statistics(kept) else parts_that_fit(arrays, len(keys))


def parts_that_fit(arrays: Any, examples: int) -> int:
    """How often, as a power of two, the batch is cut until its largest array is small.

    Args:
      arrays: a pytree of arrays, or of their shapes: those of a pass over the batch.
    """
    sizes = [math.prod(a.shape) * a.dtype.itemsize for a in jax.tree.leaves(arrays)]
    largest, parts = max(sizes, default=0), 1
    while (
        largest > CACHE * parts
        and examples % (2 * parts) == 0
        and examples >= 2 * parts * FEWEST
    ):
        parts *= 2
    return parts
