"""Networks in evaluation: logits, and the statistics that batch norms remember."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.sharding import Mesh
from jax.typing import ArrayLike

from jaxdigits.data import as_inputs
from jaxdigits.layer import Layer, Params
from jaxdigits.layers import Statistics, batch_statistics
from jaxdigits.spikes import events, traces
from jaxdigits.train.sharding import device_count, each_its_share, over_devices
from jaxdigits.train.state import evaluation_keys

BATCH = 500  # examples at once; only memory and speed depend on it


def logits_of(
    network: Layer,
    params: Params,
    inputs: Any,
    key: Array,
    *,
    batch: int = BATCH,
    mesh: Mesh | None = None,
    first: ArrayLike = 0,
) -> tuple[Array, Array]:
    """Return the network's logits [N, K], or [N, T, K], and its firing rates [spiking layers].

    T frames are columns of a field.  Rates are in spikes per neuron and time step, or per
    neuron where spikes are times.  Example n draws its spikes from `key` and n alone, so
    neither depends on `batch`.
    Traceable; jit it with the network closed over.

    Args:
      inputs: `Inputs`, an array [N, ...], or a dict of arrays with one for each sense.
      batch: the most examples at a time.
      mesh: the devices that share the examples; None: one.
      first: the number of the first example, where the inputs are a part of more.

    Raises:
      ValueError: without inputs.
    """
    inputs, n = as_inputs(inputs), size_of(inputs)
    devices = device_count(mesh)
    batch = -(-min(batch, n) // devices) * devices
    # The last batch is filled up with repeats of its last example, which are dropped after.
    index = jnp.minimum(jnp.arange(-(-n // batch) * batch), n - 1).reshape(-1, batch)
    index = over_devices(mesh, index)

    def of_share(rows, params, inputs, key):
        keys = evaluation_keys(key, rows + first)
        logits, residual = network.forward(params, inputs.take(rows, keys), keys)
        share = len(rows)
        rates = [t.spikes.swapaxes(0, 1).reshape(share, -1).mean(1) for t in traces(residual)]
        rates += [layer.spikes.reshape(share, -1).mean(1) for layer in events(residual)]
        return logits, rates

    of_batch = lambda rows: each_its_share(mesh, of_share, whole=3)(rows, params, inputs, key)
    if len(index) > 1:
        logits, rates = jax.lax.map(of_batch, index)
    else:  # without a loop, which would slow down a single example
        logits, rates = jax.tree.map(lambda a: a[None], of_batch(index[0]))
    rates = jnp.array([each.ravel()[:n].mean() for each in rates])
    return logits.reshape(-1, *logits.shape[2:])[:n], rates


def size_of(inputs: Any) -> int:
    """Return the number of examples.

    Raises:
      ValueError: if there is none.
    """
    if not (n := as_inputs(inputs).size):
        raise ValueError("inputs must have at least one example, got none")
    return n


def gather_statistics(
    network: Layer,
    params: Params,
    inputs: Any,
    key: Array,
    *,
    batch: int = 128,
    most: int = 40,
    mesh: Mesh | None = None,
) -> tuple[Statistics, ...]:
    """Return the mean and variance that each batch norm of a training network remembers.

    One pass over the first `most` batches, with the keys of evaluation.  The variance is over
    all of their examples: the mean of the batches' variances and the variance of their means.
    Empty for a network without batch norm.  Traceable.

    Args:
      inputs: as for `logits_of`.
      mesh: the devices that share the examples of a batch, which must be a multiple of them.
    """
    inputs = as_inputs(inputs)
    batch = min(batch, inputs.size)
    batches = min(most, inputs.size // batch)
    index = over_devices(mesh, jnp.arange(batches * batch).reshape(batches, batch))

    def of_batch(rows):
        keys = evaluation_keys(key, rows)
        _, residual = network.forward(params, inputs.take(rows, keys), keys)
        return batch_statistics(residual)

    total = lambda s: Statistics(s.mean.mean(0), s.variance.mean(0) + s.mean.var(0))
    return tuple(total(s) for s in jax.lax.map(of_batch, index))
