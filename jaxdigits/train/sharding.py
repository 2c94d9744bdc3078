"""Training over many devices: the place of each array.  One program serves one and many.

A mesh has one axis, over the devices.  `fit` shards along it the numbers of a batch's examples;
params and data are on every device.  (Examples are gathered by number, so sharding them would
save nothing: each device may need any of them.)  Each device makes the gradient of its share of
the batch, and their mean is the gradient.  Where a network mixes examples, as batch norm does,
XLA shares the program of the whole batch instead and adds up the devices' sums, so the
statistics are over the whole batch.  `fit_population` shards the members, as these are
independent.

The spikes of an example depend on its key alone, so any number of devices has the same spikes
and the same batches.  The order of a sum depends on the number, and so do the last bits of a
gradient.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxdigits.gradients import Estimator

AXIS = "devices"


def device_mesh(devices: int | None = None) -> Mesh:
    """Return a mesh of that many devices; None: all devices of all processes.

    Raises:
      ValueError: if there are fewer, with the remedy, or if several processes do not use all
        of their devices.
    """
    available = jax.device_count()
    devices = available if devices is None else devices
    if devices < 1:
        raise ValueError(f"devices must be >= 1, got {devices}")
    if devices > available:
        platform = jax.default_backend()
        more = ": jax_num_cpu_devices, set before JAX starts, makes more of a CPU"
        raise ValueError(
            f"devices is {devices}, but there {'is' if available == 1 else 'are'} {available} "
            f"({platform}){more if platform == 'cpu' else ''}"
        )
    if devices < available and jax.process_count() > 1:
        raise ValueError(
            f"{jax.process_count()} processes train on all of their {available} devices, "
            f"got devices {devices}"
        )
    # Auto: XLA finds the sharding of each value, so layers need not know of it.
    return jax.make_mesh(
        (devices,), (AXIS,), axis_types=(AxisType.Auto,), devices=jax.devices()[:devices]
    )


def device_count(mesh: Mesh | None) -> int:
    """Return the number of devices of a mesh; 1 without a mesh."""
    return 1 if mesh is None else mesh.size


def local_device_count(mesh: Mesh | None) -> int:
    """Return the number of the mesh's devices that belong to this process."""
    return 1 if mesh is None else len(mesh.local_devices)


def check_shares(mesh: Mesh | None, batch: int, microbatch: int | None) -> None:
    """Raise a ValueError that names the argument, unless the devices get equal shares."""
    devices = device_count(mesh)
    for name, value in dict(batch=batch, microbatch=microbatch).items():
        if value is not None and value % devices:
            raise ValueError(f"{name} must be a multiple of the {devices} devices, got {value}")


def check_members(mesh: Mesh | None, members: int) -> None:
    """Raise a ValueError unless each device gets the same number of members."""
    if members % device_count(mesh):
        raise ValueError(
            f"{members} networks cannot be shared evenly by {device_count(mesh)} devices: "
            "choose a divisor"
        )


def everywhere(mesh: Mesh | None) -> NamedSharding | None:
    """Return the sharding of arrays that are whole on each device; None without a mesh."""
    return None if mesh is None else NamedSharding(mesh, PartitionSpec())


def by_member(mesh: Mesh | None) -> NamedSharding | None:
    """Return the sharding of a population's arrays [P, ...]; None without a mesh."""
    return None if mesh is None else NamedSharding(mesh, PartitionSpec(AXIS))


def place(tree: Any, sharding: NamedSharding | None) -> Any:
    """Put the arrays of a pytree on the devices, under that sharding.

    Several processes pass the same values, and each holds its share of the one array.
    """
    if sharding is None:
        return jax.tree.map(jnp.asarray, tree)
    return jax.tree.map(lambda a: _place(a, sharding), tree)


def over_devices(mesh: Mesh | None, rows: Array) -> Array:
    """Return `rows` [..., B] with the last axis shared by the devices.  Traceable."""
    if mesh is None:
        return rows
    spec = PartitionSpec(*[None] * (rows.ndim - 1), AXIS)
    return jax.lax.with_sharding_constraint(rows, NamedSharding(mesh, spec))


def each_its_share(mesh: Mesh | None, f: Callable, *, whole: int) -> Callable:
    """Let each device run `f` on its share of the B rows of the arguments' arrays.

    The last `whole` arguments are the same for all devices.  The results have B rows, too.
    """
    if mesh is None:
        return f

    def shared(*args: Any) -> Any:
        own = [PartitionSpec(AXIS)] * (len(args) - whole)
        specs = (*own, *[PartitionSpec()] * whole)
        # The devices exchange nothing in it, so there are no sums to be checked.
        return jax.shard_map(
            f, mesh=mesh, in_specs=specs, out_specs=PartitionSpec(AXIS), check_vma=False
        )(*args)

    return shared


def in_shares(mesh: Mesh | None, estimator: Estimator) -> Estimator:
    """Make the same estimate, each device for its share of the batch.

    The same to rounding under the conditions of `in_microbatches`; the residual is (), too.
    """
    if mesh is None:
        return estimator

    def of_share(batch, key, params):
        return jax.tree.map(lambda a: a[None], estimator(params, batch, key)[:2])

    def estimate(params, batch, key):
        shares = each_its_share(mesh, of_share, whole=1)(batch, key, params)
        loss, grads = jax.tree.map(lambda a: a.mean(0), shares)
        return loss, grads, ()

    return estimate


def on_each_process(tree: Any, mesh: Mesh | None) -> Any:
    """Return a pytree that is whole in each process.  Collective: each process must call it."""
    if jax.process_count() == 1:
        return tree
    return jax.jit(lambda tree: tree, out_shardings=everywhere(mesh))(tree)


def any_process(flag: bool) -> bool:
    """Return whether `flag` is true in any process.  Collective: each process must call it."""
    return max(_of_all(int(flag))) > 0


def same_everywhere(value: int) -> bool:
    """Return whether all processes pass the same number.  Collective."""
    return len(set(_of_all(value))) == 1


def by_first_process(write: Callable[..., None]) -> Callable[..., None]:
    """Let the first of several processes write for all."""

    @wraps(write)
    def write_once(*args: Any, **options: Any) -> None:
        if jax.process_index() == 0:
            write(*args, **options)

    return write_once


def _place(array: Any, sharding: NamedSharding) -> Array:
    if isinstance(array, Array) and jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        data = _place(np.asarray(jax.random.key_data(array)), sharding)
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(array))
    return jax.device_put(np.asarray(array), sharding)


def _of_all(value: int) -> list[int]:
    """Return the numbers of all processes."""
    if jax.process_count() == 1:
        return [value]
    return multihost_utils.process_allgather(np.array(value)).tolist()
