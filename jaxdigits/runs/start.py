"""A training that goes on from the params of another run, as for fine-tuning.

    config = config_from("runs/fields", epochs=5, learning_rate=6e-4)
    run_job(config, train, test, folder)

The configuration has the folder of that run, and the digest of its params.  Batch norms gather
their statistics from the training data after each epoch, so only params are taken over.
"""

import hashlib
from os import PathLike
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits.errors import RunError
from jaxdigits.layer import Params
from jaxdigits.runs.config import Config, Start
from jaxdigits.runs.folder import load_run, template_of
from jaxdigits.runs.network_options import network_options
from jaxdigits.runs.usual import chosen_options, config_for
from jaxdigits.tree import named_leaves, require_same_leaves


def config_from(
    folder: str | PathLike[str], data: str | None = None, **settings: Any
) -> Config:
    """The configuration of a training that goes on from the run in `folder`.

    Args:
      data, settings: as for `config_for`.  Options of the network that are not in them are
        those of the run; everything else is usual for the network and the data.

    Raises:
      RunError: if the run cannot be read, or has another number of networks or other params.
      ValueError: as `config_for`.
    """
    folder = Path(folder).expanduser().absolute()
    run = load_run(folder)
    options = options_after(run.config, settings.get("options", {}))
    start = Start(str(folder), _digest(run.params))
    settings |= {"options": options, "start": start}
    if run.config.graph is not None:
        settings["graph"] = run.config.graph
    config = config_for(run.config.network, data, **settings)
    start_params(config)
    return config


def options_after(before: Config, options: Any) -> dict[str, Any]:
    """The options of a network that goes on from a run, with changes, without classes."""
    neuron = before.options.get("neuron")
    chosen = dict(before.options)
    if options.get("neuron", neuron) != neuron:
        chosen = chosen_options(before, network_options(before.network, options["neuron"]))
    chosen.pop("classes", None)
    return chosen | dict(options)


def start_params(config: Config) -> Params | None:
    """Read the params that a configuration starts from, [seeds, ...] of several; None without.

    Raises:
      RunError: if they are not there, have changed, or are those of another network.
    """
    if config.start is None:
        return None
    folder, seeds = Path(config.start.folder), config.seeds
    if not folder.is_dir():
        raise RunError(f"{folder}: the start of this run is not there; bring it back")
    run = load_run(folder)
    if _digest(run.params) != config.start.digest:
        raise RunError(f"{folder} has changed since the training began: bring its params back")
    if run.config.seeds not in (1, seeds):
        raise RunError(
            f"{folder} has {run.config.seeds} networks: pass seeds={run.config.seeds}"
        )
    params = run.params
    if run.config.seeds < seeds:
        params = jax.tree.map(lambda a: jnp.broadcast_to(a, (seeds, *a.shape)), params)
    try:
        require_same_leaves(params, template_of(config)["params"], "its params")
    except ValueError as error:
        raise RunError(
            f"{folder} is no start of this network: {error}; {_remedy(run.config, config)}"
        ) from error
    return params


def _remedy(before: Config, config: Config) -> str:
    """Return a line on the first difference of two configurations that params may have."""
    if before.network != config.network:
        return f"it is of {before.network}: choose that network"
    old, new = ({"gradient": c.gradient} | dict(c.options) for c in (before, config))
    changes = {name: value for name, value in old.items() if new.get(name) != value}
    if "classes" in changes:
        count = new["classes"]
        return f"it has {old['classes']} classes, not {count}: start from a run of {count}"
    if not changes:
        return f"it reads inputs of {before.features}: choose such data"
    shown = [f"{name}={value}" for name, value in changes.items()]
    return f"it has {', '.join(shown)}: leave out {' and '.join(changes)}"


def _digest(params: Params) -> str:
    digest = hashlib.sha256()
    for name, leaf in named_leaves(params).items():
        digest.update(name.encode() + np.asarray(leaf).tobytes())
    return digest.hexdigest()[:16]
