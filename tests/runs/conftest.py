"""Runs on disk that nobody had to train."""

import jax
import jax.numpy as jnp
import pytest

from jaxdigits.runs import Config, Run
from jaxdigits.runs.folder import create_run, save_params
from jaxdigits.train import gather_statistics


@pytest.fixture(scope="session")
def make_run(small):
    """A function that writes a run of an untrained network with batch norm to a folder."""

    def make(folder, seeds=1):
        config = Config(
            "mlp", "digits", epochs=1, batch=8, learning_rate=1e-3, seeds=seeds,
            options={"hidden": [4], "norm": "batch"},
        )  # fmt: skip
        network = config.build()(training=True)
        members = []
        for seed in range(seeds):
            key = jax.random.key(seed)
            params, _ = network.init(key, (28, 28))
            image = small[0].inputs[: 16 + seed]
            members.append((params, gather_statistics(network, params, image, key, batch=8)))
        tree = members[0] if seeds == 1 else jax.tree.map(lambda *a: jnp.stack(a), *members)
        create_run(folder, config)
        save_params(folder, *tree)
        return Run(config, *tree)

    return make
