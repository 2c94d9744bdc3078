"""What `test_sharding` runs in a process of its own: eight devices on one CPU.

Prints one JSON object, of what came out on a mesh beside what came out without.
"""

import json
from dataclasses import replace
from functools import partial

import jax

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_disable_most_optimizations", True)

import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import optax  # noqa: E402

from jaxdigits.data import digits  # noqa: E402
from jaxdigits.models import mlp, snn  # noqa: E402
from jaxdigits.spikes import rate  # noqa: E402
from jaxdigits.train import Recipe, device_mesh, fit, fit_population  # noqa: E402
from jaxdigits.train.sharding import (  # noqa: E402
    each_its_share,
    everywhere,
    over_devices,
    place,
)
from jaxdigits.train.state import order_of_epoch, step_keys  # noqa: E402

KEY = jax.random.key(0)
BATCH = 32


def some_digits():
    train, test = digits()
    return train[:96], test[:50]


def furthest(tree, other):
    pairs = zip(jax.tree.leaves(tree), jax.tree.leaves(other), strict=True)
    return max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in pairs)


def trained(build, optimizer, mesh=None, **options):
    recipe = Recipe(build, optimizer, epochs=2, batch=BATCH, mesh=mesh, **options)
    return fit(recipe, *some_digits(), KEY)


def compared(build, optimizer, counts, **options):
    """The params after two epochs on so many devices, less those without a mesh."""
    alone = trained(build, optimizer, **options)
    moved = furthest(alone.state.params, jax.tree.map(jnp.zeros_like, alone.state.params))
    found = {"size": moved}
    for n in counts:
        shared = trained(build, optimizer, device_mesh(n), **options)
        found[str(n)] = dict(
            params=furthest(shared.state.params, alone.state.params),
            statistics=furthest((*shared.statistics, 0.0), (*alone.statistics, 0.0)),
            rates=furthest(
                [row["firing_rates"] for row in shared.history],
                [row["firing_rates"] for row in alone.history],
            )
            if alone.history[0]["firing_rates"]
            else 0.0,
            devices=len(jax.tree.leaves(shared.state.params)[0].sharding.device_set),
        )
    return found


def drawn(mesh):
    """The numbers of the examples of a batch and their spikes, shared out both ways."""
    image, key = place((some_digits()[0].inputs[:], KEY), everywhere(mesh))

    def spikes_of(rows, image, key):
        keys = step_keys(key, jnp.int32(3), rows)
        return rate(8).forward((), image[rows], keys)[0].swapaxes(0, 1)

    @partial(jax.jit, out_shardings=everywhere(mesh))
    def draw(image, key):
        rows = over_devices(mesh, order_of_epoch(key, jnp.int32(2), len(image))[:BATCH])
        shares = each_its_share(mesh, spikes_of, whole=2)(rows, image, key)
        return rows, shares, spikes_of(rows, image, key)

    return [np.asarray(a) for a in draw(image, key)]


def same_draws():
    alone = drawn(None)
    assert 0 < alone[1].mean() < 1
    assert (alone[1] == alone[2]).all()
    same = lambda n: all(
        (a == b).all() for a, b in zip(drawn(device_mesh(n)), alone, strict=True)
    )
    return {str(n): bool(same(n)) for n in (1, 2, 8)}


def population():
    keys = jax.random.split(KEY, 4)
    rates = jnp.array([0.1, 0.2, 0.1, 0.2])
    recipe = Recipe(partial(mlp, hidden=(8,)), optax.sgd, epochs=2, batch=BATCH)
    alone, shared = (
        fit_population(replace(recipe, mesh=mesh), *some_digits(), keys, rates)
        for mesh in (None, device_mesh(4))
    )
    return dict(
        params=furthest(shared.params, alone.params),
        epochs=shared.best_epoch.tolist() == alone.best_epoch.tolist(),
        apart=furthest(alone.params[2]["weight"][0], alone.params[2]["weight"][1]),
    )


def main():
    small = dict(hidden=(8,))
    print(
        json.dumps(
            dict(
                draws=same_draws(),
                mlp=compared(partial(mlp, **small), optax.sgd(0.1), (1, 8), ema=0.9),
                batch_norm=compared(partial(mlp, **small, norm="batch"), optax.sgd(0.1), (4,)),
                snn=compared(
                    partial(snn, **small, steps=4), optax.sgd(0.1), (2,), microbatch=8
                ),
                population=population(),
            )
        )
    )


if __name__ == "__main__":
    main()
