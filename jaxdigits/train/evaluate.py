"""Networks in evaluation: logits of a data set, and the statistics batch norms remember."""

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits.data.inputs import Inputs, count, take
from jaxdigits.layer import Layer, Params
from jaxdigits.layers import Statistics, batch_statistics
from jaxdigits.spikes import events, traces
from jaxdigits.train.state import evaluation_keys

BATCH = 500  # examples at once; only memory and speed depend on it


def logits_of(
    network: Layer, params: Params, image: Inputs, key: Array, *, batch: int = BATCH
) -> tuple[Array, Array]:
    """The network's logits [N, K] on images [N, ...], and its firing rates [spiking layers].

    Images may be a dict of what each of its senses is given (`Inputs`).

    Rates are in spikes per neuron and step, or per neuron where spikes are times.

    Example n draws its spikes from `key` and n alone, so neither depends on `batch`.
    Traceable; jit it with the network closed over.

    Raises:
      ValueError: without images.
    """
    n = count(image)
    if not n:
        raise ValueError("there are no images to evaluate")
    batch = min(batch, n)
    # The last batch is filled up with repeats of its last example, which are dropped after.
    index = jnp.minimum(jnp.arange(-(-n // batch) * batch), n - 1).reshape(-1, batch)

    def of_batch(rows):
        keys = evaluation_keys(key, rows)
        logits, residual = network.forward(params, take(image, rows, keys), keys)
        rates = [t.spikes.swapaxes(0, 1).reshape(batch, -1).mean(1) for t in traces(residual)]
        rates += [found.spikes.reshape(batch, -1).mean(1) for found in events(residual)]
        return logits, rates

    if len(index) > 1:
        logits, rates = jax.lax.map(of_batch, index)
    else:  # without a loop, whose cost one image by itself would notice
        logits, rates = jax.tree.map(lambda a: a[None], of_batch(index[0]))
    rates = jnp.array([each.ravel()[:n].mean() for each in rates])
    return logits.reshape(-1, logits.shape[-1])[:n], rates


def gather_statistics(
    network: Layer,
    params: Params,
    image: Inputs,
    key: Array,
    *,
    batch: int = 128,
    most: int = 40,
) -> tuple[Statistics, ...]:
    """The mean and variance that each batch norm of a training network remembers.

    One pass over the first `most` batches of the images [N, ...], as drawn for evaluation.
    The variance is that of all of them together: the mean of the batches' variances and the
    variance of their means.  Empty for a network without batch norm.  Traceable.
    """
    batch = min(batch, count(image))
    batches = min(most, count(image) // batch)
    index = jnp.arange(batches * batch).reshape(batches, batch)

    def of_batch(rows):
        keys = evaluation_keys(key, rows)
        _, residual = network.forward(params, take(image, rows, keys), keys)
        return batch_statistics(residual)

    total = lambda s: Statistics(s.mean.mean(0), s.variance.mean(0) + s.mean.var(0))
    return tuple(total(s) for s in jax.lax.map(of_batch, index))
