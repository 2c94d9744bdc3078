"""A run on disk: a folder of plain files.  Reading them executes nothing.

    config.json      the configuration, and the versions and the device that ran it
    graph.nir        the network, where it is an imported graph
    metrics.jsonl    one JSON object an epoch, written as the epoch ends
    checkpoints/     in training: the snapshots for `--resume` (`jaxdigits.runs.checkpoint`)
    params.npz       the best epoch's params and statistics, named by path; with several
                     seeds every array has a leading axis, one entry per seed; one in 8 bits
                     has its scales beside it
    doubt.json       the temperature and the thresholds that validation data teach
    result.json      the accuracy on the test set, and the seconds that training took

Files are written whole beside their place and then moved there, so a full disk or a crash
leaves the earlier file.
"""

import json
import os
import platform
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits.data.catalogue import blank
from jaxdigits.data.files import replace_file
from jaxdigits.errors import RunError, require_run
from jaxdigits.layer import Params
from jaxdigits.layers import Statistics
from jaxdigits.measure.calibration import HOTTEST, Doubt, Step
from jaxdigits.runs.config import Config
from jaxdigits.runs.config_json import from_json, to_json
from jaxdigits.runs.graph import GRAPH
from jaxdigits.runs.plain_files import (
    finite,
    in_one_line,
    read_json,
    read_npz,
    write_json,
    writing,
)
from jaxdigits.train.evaluate import gather_statistics
from jaxdigits.train.sharding import by_first_process
from jaxdigits.tree import named_leaves, require_same_leaves

FORMAT = 1
MEND = "bring the file back as training wrote it, or train again"
LARGEST_PARAMS = 4 << 30  # bytes, uncompressed
SCALE = ".scale"  # behind the name of an array of whole numbers: its scale


class Run(NamedTuple):
    """A run, as read from its folder."""

    config: Config
    params: Params
    statistics: tuple[Statistics, ...]
    doubt: Doubt | None = None
    """None where training has not ended"""

    @property
    def temperature(self) -> float:
        """The temperature of the run's probabilities; 1 without a doubt."""
        return self.doubt.temperature if self.doubt else 1.0


@by_first_process
def create_run(folder: Path, config: Config) -> None:
    """Make the folder and write `config.json`.

    Raises:
      RunError: if the folder is not empty or cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        require_empty(folder)
        versions = {"python": platform.python_version(), "jax": jax.__version__}
        head = {"format": FORMAT, "versions": versions, "device": jax.devices()[0].device_kind}
        if config.graph is not None:
            shutil.copyfile(config.graph.path, folder / GRAPH)
            config = replace(config, graph=config.graph._replace(path=GRAPH))
        write_json(folder / "config.json", head | {"config": to_json(config)})


def require_empty(folder: Path) -> None:
    """Raise a `RunError` if the folder is there and not empty."""
    if folder.is_dir() and any(folder.iterdir()):
        raise RunError(f"{folder} is not empty: choose another folder, or remove it first")


@by_first_process
def append_metrics(folder: Path, row: dict[str, Any]) -> None:
    """Add a line to `metrics.jsonl`.

    Raises:
      RunError: if it cannot be written.
    """
    with writing(folder), open(folder / "metrics.jsonl", "a") as file:
        file.write(json.dumps(finite(row)) + "\n")


@by_first_process
def write_metrics(folder: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write `metrics.jsonl` with these rows alone, atomically.

    Raises:
      RunError: if it cannot be written; an earlier file is then still there.
    """
    text = "".join(json.dumps(finite(row)) + "\n" for row in rows)
    with writing(folder):
        replace_file(folder / "metrics.jsonl", lambda file: file.write(text.encode()))


def write_result(folder: Path, result: dict[str, Any]) -> None:
    """Write `result.json`, atomically.

    Raises:
      RunError: if it cannot be written.
    """
    with writing(folder):
        write_json(folder / "result.json", result)


def read_result(folder: Path) -> dict[str, Any] | None:
    """Read `result.json`; return None for a run that is not finished, or a damaged file."""
    try:
        result = read_json(folder / "result.json")
    except (OSError, ValueError, RecursionError):
        return None
    return result if isinstance(result, dict) else None


@by_first_process
def save_params(folder: Path, params: Params, statistics: tuple[Statistics, ...]) -> None:
    """Write `params.npz`, atomically.

    Raises:
      RunError: if it cannot be written; an earlier file is then still there.
    """
    leaves = named_leaves({"params": params, "statistics": statistics})
    arrays: Any = {name: np.asarray(leaf) for name, leaf in leaves.items()}
    with writing(folder):
        replace_file(folder / "params.npz", lambda file: np.savez(file, **arrays))


@by_first_process
def save_doubt(folder: Path, doubt: Doubt) -> None:
    """Write `doubt.json`, atomically.

    Raises:
      RunError: if it cannot be written.
    """
    rows = lambda steps: [step._asdict() for step in steps]
    values = {"temperature": doubt.temperature, "steps": rows(doubt.steps)}
    values |= {"checked": rows(doubt.checked)} if doubt.checked else {}
    with writing(folder):
        write_json(folder / "doubt.json", values)


def load_run(folder: str | os.PathLike[str]) -> Run:
    """Read a run's configuration, params and doubt.

    Raises:
      RunError: if a file is missing or damaged, or the params belong to another network.
    """
    folder = Path(folder)
    config, template = _read_config(folder)
    arrays = _read_params(folder / "params.npz", template)
    leaves = [jnp.asarray(arrays[name]) for name in named_leaves(template)]
    tree = jax.tree.unflatten(jax.tree.structure(template), leaves)
    return Run(config, tree["params"], tree["statistics"], _read_doubt(folder / "doubt.json"))


def load_config(folder: str | os.PathLike[str]) -> Config:
    """Read the configuration of a run, which may have no params yet.

    Raises:
      RunError: as `load_run`.
    """
    return _read_config(Path(folder))[0]


def _read_config(folder: Path) -> tuple[Config, Any]:
    """Return a run's configuration, and the template of its params."""
    require_run(folder)
    try:
        head = read_json(folder / "config.json")
        if not isinstance(head, dict) or head.get("format") != FORMAT:
            raise ValueError(f"this version reads run format {FORMAT} only")
        values = head.get("config")
        if isinstance(values, dict) and isinstance(values.get("graph"), dict):
            values["graph"]["path"] = str(folder.absolute() / GRAPH)  # wherever the folder is
        config = from_json(values)
        template = template_of(config)
    except Exception as error:  # an option of a wrong type can fail anywhere in a builder
        name = folder / "config.json"
        raise RunError(f"{name} cannot be used: {in_one_line(error)}; {MEND}") from error
    return config, template


def template_of(config: Config) -> Any:
    """Return the shapes and dtypes of the configuration's {"params", "statistics"}."""

    def make():
        key, network = jax.random.key(0), config.build()(training=True)
        features = config.features
        params, _ = network.init(key, features)
        statistics = gather_statistics(network, params, blank(features, 2), key)
        return {"params": params, "statistics": statistics}

    one = jax.eval_shape(make)
    if config.seeds == 1:
        return one
    member = lambda a: jax.ShapeDtypeStruct((config.seeds, *a.shape), a.dtype)
    return jax.tree.map(member, one)


def _read_params(path: Path, template: Any) -> dict[str, np.ndarray]:
    try:
        arrays = _in_floats(read_npz(path, LARGEST_PARAMS))
        require_same_leaves(arrays, template, "its params")
        for name, leaf in named_leaves(template).items():
            if arrays[name].dtype != leaf.dtype:
                raise ValueError(f"{name!r} is {arrays[name].dtype}, not {leaf.dtype}")
            if not np.isfinite(arrays[name]).all():
                raise ValueError(f"{name!r} is not finite")
    except FileNotFoundError as error:
        raise RunError(
            f"{path} is missing: the run stopped before its first epoch ended, or the file "
            "was removed"
        ) from error
    except Exception as error:  # zipfile and NumPy raise a dozen types on broken files
        raise RunError(f"{path} cannot be used: {in_one_line(error)}; {MEND}") from error
    return arrays


def _in_floats(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return arrays in floats: whole numbers in 8 bits times the scales beside them.

    Raises:
      ValueError: for a scale that fits no array of whole numbers in 8 bits.
    """
    floats = {}
    for name in [name for name in arrays if name + SCALE in arrays and SCALE not in name]:
        whole, scale = arrays.pop(name), arrays.pop(name + SCALE)
        if whole.dtype != np.int8 or scale.dtype.kind != "f" or scale.shape != whole.shape[-1:]:
            raise ValueError(
                f"{name!r} is {whole.dtype} of shape {whole.shape}, its scale {scale.dtype} of "
                f"shape {scale.shape}: it should be int8, with a scale of each of its last axis"
            )
        with np.errstate(over="ignore"):  # an infinite one is refused by name
            floats[name] = whole * scale
    return arrays | floats


def _read_doubt(path: Path) -> Doubt | None:
    """Return the doubt of a run; None without the file."""
    if not os.path.lexists(path):
        return None
    try:
        if not path.is_file():
            raise ValueError("it is not a file")
        values = read_json(path)
        temperature, steps = values["temperature"], values["steps"]
        if type(temperature) is not float or not 1 / HOTTEST <= temperature <= HOTTEST:
            raise ValueError(f"temperature must be from {1 / HOTTEST} to {HOTTEST}")
        rows = lambda steps: tuple(Step(**step) for step in steps)
        doubt = Doubt(temperature, rows(steps), rows(values.get("checked", ())))
        for step in doubt.steps + doubt.checked:
            counts = type(step.errors) is type(step.answers) is int
            if not (counts and 0 <= step.errors <= step.answers < 1 << 40):
                raise ValueError(f"{step} has no numbers of errors and answers")
            if type(step.threshold) is not float or not 0 <= step.threshold <= 1:
                raise ValueError(f"{step} has no threshold from 0 to 1")
        if not steps:
            raise ValueError("it has no steps")
    except Exception as error:  # values of a wrong type can fail anywhere
        raise RunError(
            f"{path} cannot be used: {in_one_line(error)}; without the file the run still reads"
        ) from error
    return doubt
