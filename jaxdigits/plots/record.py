"""What a run's folder says about its training, for a report."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from jaxdigits.runs.folder import RunError

DRAWN = "loss", "valid_loss", "valid_accuracy"  # what each row of metrics.jsonl needs
TOLD = "test_accuracy", "test_interval", "interval_over", "parameters", "seconds", "best_epoch"


class Record(NamedTuple):
    """A run's files but its params, as JSON values."""

    head: Mapping[str, Any]
    """of config.json: format, versions, device, config"""
    history: Sequence[Mapping[str, Any]]
    """of metrics.jsonl, a row an epoch; none if there is no such file"""
    result: Mapping[str, Any]
    """of result.json; empty if the run was stopped before it had one"""


def read_record(folder: Path) -> Record:
    """Read the record of a run that `load_run` reads.

    Raises:
      RunError: for a file that is not what training writes, naming it.
    """
    metrics, result = folder / "metrics.jsonl", folder / "result.json"
    return Record(
        _read(folder / "config.json", _object),
        _read(metrics, _rows) if metrics.exists() else (),
        _read(result, _result) if result.exists() else {},
    )


def facts(record: Record) -> dict[str, str]:
    """What matters most about a run, by name, each in a few words."""
    config, result = record.head["config"], record.result
    found = {"networks": str(config["seeds"])} if config["seeds"] > 1 else {}
    if result:
        low, high = (f"{100 * share:.2f}" for share in result["test_interval"])
        found["test accuracy"] = f"{100 * result['test_accuracy']:.2f} %"
        found[f"95 % interval over {result['interval_over']}"] = f"{low}–{high} %"
        found["parameters"] = f"{result['parameters']:,}"
        found["training"] = f"{result['seconds']:.0f} s"
    found["epochs"] = f"{len(record.history)} of {config['epochs']}"
    return found | {"gradient": config["gradient"]}


def tables(record: Record) -> dict[str, list[list[str]]]:
    """Metrics, configuration and environment, each as rows under a head."""
    config = dict(record.head["config"])
    options = config.pop("options")
    settings = [[k, _text(v)] for k, v in config.items()]
    settings += [[f"{config['network']}: {k}", _text(v)] for k, v in options.items()]
    head = record.head
    environment = [[k, _text(v)] for k, v in head.get("versions", {}).items()]
    environment += [["device", _text(head.get("device"))]]
    drawn_by = {name: version(name) for name in ("jaxdigits", "matplotlib")}
    environment += [[f"{name}, which drew this", v] for name, v in drawn_by.items()]
    found = {}
    if record.history:
        names = list(dict.fromkeys(name for row in record.history for name in row))
        rows = [[_text(row.get(name)) for name in names] for row in record.history]
        found["Metrics of each epoch"] = [[name.replace("_", " ") for name in names], *rows]
    named = ["what", "value"]
    return found | {
        "Configuration": [named, *settings],
        "Environment": [named, *environment],
    }


def _read(path: Path, parse) -> Any:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be used: {' '.join(str(error).split())}") from error


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    return value


def _rows(text: str) -> list[dict[str, Any]]:
    rows = [_object(line) for line in text.splitlines()]
    for n, row in enumerate(rows, start=1):
        _require(DRAWN, row, f"line {n}")
    return rows


def _result(text: str) -> dict[str, Any]:
    found = _object(text)
    _require(TOLD, found, "it")
    return found


def _require(names: Sequence[str], found: Mapping[str, Any], what: str) -> None:
    for name in names:
        if name not in found:
            raise ValueError(f"{what} has no {name!r}")


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(_text, value))
    if isinstance(value, dict):
        return ", ".join(f"{k} {_text(v)}" for k, v in value.items())
    return (
        f"{value:.4g}" if isinstance(value, float) else "none" if value is None else str(value)
    )
