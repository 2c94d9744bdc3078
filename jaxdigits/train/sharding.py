"""Training over many devices: where arrays lie, so that one program serves one and many.

A mesh has one axis, over the devices.  `fit` shards along it the numbers of a batch's examples;
params and data are on every device.  (The images are gathered by number, so sharding them would
save nothing: each device may need any of them.)  Each device makes the gradient of its share of
the batch, and the mean of these is the gradient.  Where a network mixes examples, as batch norm
does, XLA shares out the program of the whole batch instead, and adds up the devices' sums
wherever one runs over it: its statistics are those of the whole batch.  `fit_population` shards
the members, which have nothing to do with each other.

An example's spikes depend on its key alone, so they are the same for any number of devices,
and so are the batches.  The order in which sums are added up is not, hence neither are the last
bits of a gradient.
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
    """A mesh of so many devices; None: all, those of all processes.

    Raises:
      ValueError: if there are fewer, saying how to get more, or for less than all of those of
        several processes.
    """
    there = jax.device_count()
    devices = there if devices is None else devices
    if devices < 1:
        raise ValueError(f"devices must be >= 1, got {devices}")
    if devices > there:
        platform = jax.default_backend()
        more = ": jax_num_cpu_devices, set before JAX starts, makes more of a CPU"
        raise ValueError(
            f"devices is {devices}, but there {'is' if there == 1 else 'are'} {there} "
            f"({platform}){more if platform == 'cpu' else ''}"
        )
    if devices < there and jax.process_count() > 1:
        raise ValueError(
            f"{jax.process_count()} processes train on all of their {there} devices, "
            f"got devices {devices}"
        )
    # Auto: XLA finds the sharding of what is computed, so that layers need not know of it.
    return jax.make_mesh(
        (devices,), (AXIS,), axis_types=(AxisType.Auto,), devices=jax.devices()[:devices]
    )


def device_count(mesh: Mesh | None) -> int:
    """How many devices a mesh has; without one it is one."""
    return 1 if mesh is None else mesh.size


def local_device_count(mesh: Mesh | None) -> int:
    """How many of them are this process's."""
    return 1 if mesh is None else len(mesh.local_devices)


def check_shares(mesh: Mesh | None, batch: int, microbatch: int | None) -> None:
    """Raise a ValueError that names the argument, unless each device gets as many examples."""
    devices = device_count(mesh)
    for name, value in dict(batch=batch, microbatch=microbatch).items():
        if value is not None and value % devices:
            raise ValueError(f"{name} must be a multiple of the {devices} devices, got {value}")


def check_members(mesh: Mesh | None, members: int) -> None:
    """Raise a ValueError unless each device gets as many members of a population."""
    if members % device_count(mesh):
        raise ValueError(
            f"{members} networks are not shared out evenly to {device_count(mesh)} devices: "
            "choose a divisor"
        )


def everywhere(mesh: Mesh | None) -> NamedSharding | None:
    """The sharding of what each device has a whole copy of; None without a mesh."""
    return None if mesh is None else NamedSharding(mesh, PartitionSpec())


def by_member(mesh: Mesh | None) -> NamedSharding | None:
    """The sharding of a population's arrays [P, ...]; None without a mesh."""
    return None if mesh is None else NamedSharding(mesh, PartitionSpec(AXIS))


def place(tree: Any, sharding: NamedSharding | None) -> Any:
    """The arrays of a pytree as device arrays under that sharding.

    With several processes each gives the same values, and gets its part of the one array.
    """
    if sharding is None:
        return jax.tree.map(jnp.asarray, tree)
    return jax.tree.map(lambda a: _place(a, sharding), tree)


def over_devices(mesh: Mesh | None, rows: Array) -> Array:
    """`rows` [..., B], whose last axis is shared out to the devices.  Traceable."""
    if mesh is None:
        return rows
    spec = PartitionSpec(*[None] * (rows.ndim - 1), AXIS)
    return jax.lax.with_sharding_constraint(rows, NamedSharding(mesh, spec))


def each_its_share(mesh: Mesh | None, f: Callable, *, whole: int) -> Callable:
    """`f` of pytrees of arrays [B, ...], run by each device for its share of their B rows.

    The last `whole` arguments are the same for all.  What comes back has B rows, too.
    """
    if mesh is None:
        return f

    def shared_out(*args: Any) -> Any:
        own = [PartitionSpec(AXIS)] * (len(args) - whole)
        specs = (*own, *[PartitionSpec()] * whole)
        # The devices say nothing to each other in it, so there are no sums to be checked.
        return jax.shard_map(
            f, mesh=mesh, in_specs=specs, out_specs=PartitionSpec(AXIS), check_vma=False
        )(*args)

    return shared_out


def in_shares(mesh: Mesh | None, estimator: Estimator) -> Estimator:
    """The same estimate, of which each device makes that of its share of the batch.

    The same to rounding under the conditions of `in_parts`; the residual is (), too.
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
    """A pytree of which each of several processes has all numbers; all must ask for it."""
    if jax.process_count() == 1:
        return tree
    return jax.jit(lambda tree: tree, out_shardings=everywhere(mesh))(tree)


def any_process(flag: bool) -> bool:
    """Whether it is so in any process; all must ask."""
    return max(_of_all(int(flag))) > 0


def same_everywhere(value: int) -> bool:
    """Whether a number is the same in all processes; all must ask."""
    return len(set(_of_all(value))) == 1


def by_first_process(write: Callable[..., None]) -> Callable[..., None]:
    """`write`, which the first of several processes does for all."""

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
    """That number of each process."""
    if jax.process_count() == 1:
        return [value]
    return multihost_utils.process_allgather(np.array(value)).tolist()
