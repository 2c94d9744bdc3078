"""A run that `fit` trained in Python, written as the command line reads it."""

from os import PathLike
from pathlib import Path
from typing import Any

from jaxdigits.runs.config import Config
from jaxdigits.runs.folder import create_run, save_params, template_of, write_metrics
from jaxdigits.train.fit import Fit
from jaxdigits.tree import require_same_leaves


def save_run(fitted: Fit, config: Config, folder: str | PathLike[str]) -> None:
    """Write a run that `jaxdigits predict`, `evaluate` and `plot` read, and `load_run`.

    Args:
      fitted: the result of `fit`.
      config: of the same network: `config_for("mlp", options={"hidden": (16,)})`; for data of
        your own with `own=facts_of(train)` and `data` their folder, or any name.
      folder: a new folder, or an empty one.

    Raises:
      ValueError: if the params are not those of the configuration's network, or for a
        configuration of several seeds.
      RunError: if the folder is not empty or cannot be written.
    """
    if config.seeds != 1:
        raise ValueError(f"config must be of one network, got {config.seeds} seeds: seeds=1")
    tree: Any = {"params": fitted.params, "statistics": fitted.statistics}
    try:
        require_same_leaves(tree, template_of(config), "fitted")
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"fitted must be a network of config, {config.network} of {config.options}: {error}"
        ) from error
    folder = Path(folder)
    create_run(folder, config)
    write_metrics(folder, fitted.history)
    save_params(folder, fitted.params, fitted.statistics)
