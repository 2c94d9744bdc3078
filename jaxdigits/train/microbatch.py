"""The number of examples of a batch that an update takes at a time.

On a CPU, arrays that leave the cache cost more than the arithmetic between the products.  So an
update takes its batch in microbatches, whose largest array stays near `CACHE`.  It has the same
gradient to rounding, needs less memory, and is faster.
"""

import math
from typing import Any

import jax
from jax import Array

from jaxdigits.fast.switch import platform
from jaxdigits.layer import Layer, Params
from jaxdigits.layers import batch_statistics

CACHE = 5e6  # bytes of the largest array; of the powers of two, near the best on two cores
FEWEST = 4  # examples in a microbatch: below, the products get small


def check_microbatch(microbatch: int | None, batch: int) -> None:
    """Raise a ValueError unless the microbatch divides the batch."""
    if microbatch is not None and (microbatch < 1 or batch % microbatch):
        raise ValueError(f"microbatch must divide the batch, {batch}, got {microbatch}")


def require_apart(network: Layer, params: Params, inputs: Any, keys: Array) -> None:
    """Raise a ValueError unless the network treats each example independently."""
    if mixes_examples(network, params, inputs, keys):
        raise ValueError("microbatch is not for batch norm, which takes a batch as a whole")


def mixes_examples(network: Layer, params: Params, inputs: Any, keys: Array) -> bool:
    """Return whether the output of an example depends on its batch, as with batch norm."""
    return bool(batch_statistics(jax.eval_shape(network.forward, params, inputs, keys)[1]))


def microbatches(network: Layer, params: Params, inputs: Any, keys: Array) -> int:
    """Return the number of equal microbatches that makes an update quick on this device.

    One for a network with batch norm, which mixes examples.
    """
    if platform() != "cpu":
        return 1
    pass_of = jax.make_jaxpr(network.forward, return_shape=True)
    jaxpr, (_, residual) = pass_of(params, inputs, keys)
    # Not only the residual: a convolution's output is larger than its pooled residual.
    arrays = [out.aval for eqn in jaxpr.eqns for out in eqn.outvars]
    return 1 if batch_statistics(residual) else cuts_that_fit(arrays, len(keys))


def cuts_that_fit(arrays: Any, examples: int) -> int:
    """Return into how many, a power of two, to cut a batch until its largest array is small.

    Args:
      arrays: a pytree of the arrays of a pass over the batch, or of their shapes.
    """
    sizes = [math.prod(a.shape) * a.dtype.itemsize for a in jax.tree.leaves(arrays)]
    largest, count = max(sizes, default=0), 1
    while (
        largest > CACHE * count
        and examples % (2 * count) == 0
        and examples >= 2 * count * FEWEST
    ):
        count *= 2
    return count
