"""Networks in evaluation: logits of a data set, and the statistics batch norms remember."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.sharding import Mesh

from jaxdigits.data.inputs import Inputs, count, take
from jaxdigits.layer import Layer, Params
from jaxdigits.layers import Statistics, batch_statistics
from jaxdigits.spikes import events, traces
from jaxdigits.train.sharding import device_count, each_its_share, over_devices
from jaxdigits.train.state import evaluation_keys

BATCH = 500  # examples at once; only memory and speed depend on it


def logits_of(
    network: Layer,
    params: Params,
    image: Inputs,
    key: Array,
    *,
    batch: int = BATCH,
    mesh: Mesh | None = None,
) -> tuple[Array, Array]:
    """The network's logits [N, K] on images [N, ...], and its firing rates [spiking layers].

    Images may be a dict of what each of its senses is given (`Inputs`).

    Rates are in spikes per neuron and step, or per neuron where spikes are times.

    Example n draws its spikes from `key` and n alone, so neither depends on `batch`.  The
    devices of `mesh` share the examples; None: one.
    Traceable; jit it with the network closed over.

    Raises:
      ValueError: without images.
    """
    n = count(image)
    if not n:
        raise ValueError("there are no images to evaluate")
    devices = device_count(mesh)
    batch = -(-min(batch, n) // devices) * devices
    # The last batch is filled up with repeats of its last example, which are dropped after.
    index = jnp.minimum(jnp.arange(-(-n // batch) * batch), n - 1).reshape(-1, batch)
    index = over_devices(mesh, index)

    def of_share(rows, params, image, key):
        keys = evaluation_keys(key, rows)
        logits, residual = network.forward(params, take(image, rows, keys), keys)
        share = len(rows)
        rates = [t.spikes.swapaxes(0, 1).reshape(share, -1).mean(1) for t in traces(residual)]
        rates += [found.spikes.reshape(share, -1).mean(1) for found in events(residual)]
        return logits, rates

    of_batch = lambda rows: each_its_share(mesh, of_share, whole=3)(rows, params, image, key)
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
    mesh: Mesh | None = None,
) -> tuple[Statistics, ...]:
    """The mean and variance that each batch norm of a training network remembers.

    One pass over the first `most` batches of the images [N, ...], as drawn for evaluation.
    The variance is that of all of them together: the mean of the batches' variances and the
    variance of their means.  Empty for a network without batch norm.  The devices of `mesh`
    share the examples, which must be a multiple of them.  Traceable.
    """
    batch = min(batch, count(image))
    batches = min(most, count(image) // batch)
    index = over_devices(mesh, jnp.arange(batches * batch).reshape(batches, batch))

    def of_batch(rows):
        keys = evaluation_keys(key, rows)
        _, residual = network.forward(params, take(image, rows, keys), keys)
        return batch_statistics(residual)

    total = lambda s: Statistics(s.mean.mean(0), s.variance.mean(0) + s.mean.var(0))
    return tuple(total(s) for s in jax.lax.map(of_batch, index))
