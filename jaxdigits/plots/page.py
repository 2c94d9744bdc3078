"""A run as one web page: figures, metrics, configuration and environment, nothing to fetch.

The page is a single file without scripts, from the template page.html.  Its figures have the
page's own colours, so they suit a light and a dark browser, paper and a phone.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from jaxdigits.plots.of_network import Drawing
from jaxdigits.plots.style import svg
from jaxdigits.runs.folder import RunError

CURVES = "loss", "valid_loss", "valid_accuracy"  # in each row of metrics.jsonl
RESULTS = "test_accuracy", "test_interval", "interval_over"  # in each result.json


class Record(NamedTuple):
    """A run's files but its params, as JSON values."""

    head: Mapping[str, Any]
    """of config.json: format, versions, device, config"""
    history: Sequence[Mapping[str, Any]]
    """of metrics.jsonl, a row an epoch; empty if there is no such file"""
    result: Mapping[str, Any]
    """of result.json; empty if the run was stopped before its end"""


def read_record(folder: Path) -> Record:
    """Read the record of a run that `load_run` reads.

    Raises:
      RunError: for a file that training does not write, naming it.
    """
    metrics, result = folder / "metrics.jsonl", folder / "result.json"
    return Record(
        _read(folder / "config.json", _object),
        _read(metrics, _rows) if metrics.exists() else (),
        _read(result, lambda text: _object(text, RESULTS)) if result.exists() else {},
    )


def page(
    title: str,
    summary: str,
    record: Record,
    drawings: Sequence[Drawing],
    operations: tuple[Sequence[str], Sequence[Sequence[str]], str] | None = None,
) -> str:
    """Return the page as text; all but the figures is escaped.

    Args:
      title, summary: of the run.
      record: its files.
      drawings: its figures.
      operations: head, rows and note of a table of operations; None leaves it out.

    Raises:
      ImportError: without jinja2, saying how to install it.
    """
    config = dict(record.head["config"])
    options = config.pop("options")
    drawn_by = {f"{name}, for this page": version(name) for name in ("jaxdigits", "matplotlib")}
    columns = list(dict.fromkeys(name for row in record.history for name in row))
    return template("page.html").render(
        title=title,
        summary=summary,
        facts=facts(record),
        drawings=drawings,
        operations=operations,
        svg=svg,
        columns=columns,
        epochs=[[row.get(name) for name in columns] for row in record.history],
        config=config | {f"{config['network']}: {k}": v for k, v in options.items()},
        environment=record.head.get("versions", {})
        | {"device": record.head.get("device")}
        | drawn_by,
    )


def template(name: str) -> Any:
    """Return a template of this folder, which escapes all but figures.

    Raises:
      ImportError: without jinja2, saying how to install it.
    """
    try:
        from jinja2 import Environment, FileSystemLoader
    except ImportError as error:
        raise ImportError('reports need jinja2: pip install "jaxdigits[plots]"') from error
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True
    )
    templates.filters["in_words"] = _in_words
    return templates.get_template(name)


def facts(record: Record) -> dict[str, str]:
    """Return the most important facts of a run by name, each in a few words."""
    config, result = record.head["config"], record.result
    words = {"networks": str(config["seeds"])} if config["seeds"] > 1 else {}
    if result:
        low, high = (f"{100 * share:.2f}" for share in result["test_interval"])
        words["test accuracy"] = f"{100 * result['test_accuracy']:.2f} %"
        words[f"95 % interval over {result['interval_over']}"] = f"{low}–{high} %"
        if "parameters" in result:
            words["parameters"] = f"{result['parameters']:,}"
        if "seconds" in result:  # without, nothing was trained
            words["training"] = f"{result['seconds']:.0f} s"
    words["epochs"] = f"{len(record.history)} of {config['epochs']}"
    return words | {"gradient": config["gradient"]}


def _read(path: Path, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be used: {' '.join(str(error).split())}") from error


def _object(text: str, names: Sequence[str] = (), place: str = "it") -> dict[str, Any]:
    """Parse a JSON object that has all of `names`."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    for name in names:
        if name not in value:
            raise ValueError(f"{place} has no {name!r}")
    return value


def _rows(text: str) -> list[dict[str, Any]]:
    lines = enumerate(text.splitlines(), start=1)
    return [_object(line, CURVES, f"line {n}") for n, line in lines]


def _in_words(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(_in_words, value))
    if isinstance(value, dict):
        return ", ".join(f"{k} {_in_words(v)}" for k, v in value.items())
    if isinstance(value, float):
        return f"{value:.4g}"
    return "none" if value is None else str(value)
