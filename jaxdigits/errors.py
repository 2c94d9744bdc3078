"""Errors that a command prints as one line; importing this file needs no JAX."""

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any


class DataError(ValueError):
    """A file or a download that failed: one line, with the file, the problem and the remedy."""


class RunError(Exception):
    """A run folder that cannot be written or read: one line, with its name and the remedy."""


class DoesNotFit(RuntimeError):
    """Training needs more memory than the device has; the message says what to change."""


class Diverged(RuntimeError):
    """The loss became infinite or not a number; `fit` holds the network from before."""

    def __init__(self, message: str, fit: Any):
        super().__init__(message)
        self.fit = fit


def import_extra(module: str, extra: str, use: str) -> ModuleType:
    """Import a module of an extra, for `use` that needs it.

    Raises:
      ImportError: without the module, with the line that installs it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        text = f'{use} {name}: pip install "jaxdigits[{extra}]"'
        raise ImportError(text) from error


def require_run(folder: Path) -> None:
    """Check that a folder holds a run.

    Raises:
      RunError: without the folder, or without `config.json` in it, as for a search.
    """
    remedy = "create one with `jaxdigits train`"
    if not folder.is_dir():
        raise RunError(f"{folder}: no such folder; {remedy}")
    if (folder / "best" / "config.json").is_file():
        raise RunError(f"{folder} is a search: pass {folder / 'best'}, the run that it chose")
    if not (folder / "config.json").is_file():
        raise RunError(f"{folder} is not a run folder (no config.json); {remedy}")
