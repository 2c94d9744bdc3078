"""Output for people and for machines: tables, a progress bar, JSON on the last line."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any


def say(line: str = "", *, json_wanted: bool = False) -> None:
    """Print a line for people: on stdout, or on stderr if stdout is for a machine."""
    print(line, file=sys.stderr if json_wanted else sys.stdout, flush=True)


def say_note(line: str) -> None:
    """Print a line on stderr that is not what the command was asked for."""
    print(f"jaxdigits: {line}", file=sys.stderr, flush=True)


def say_json(value: dict[str, Any]) -> None:
    """Print one JSON object on one line."""
    from jaxdigits.runs.folder import finite

    print(json.dumps(finite(value)), flush=True)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns under their heads: the first to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    line = lambda row: "  ".join(
        cell.ljust(w) if i == 0 else cell.rjust(w)
        for i, (cell, w) in enumerate(zip(row, widths, strict=True))
    )
    return "\n".join(line(row).rstrip() for row in [head, *rows])


def percent(share: float) -> str:
    """A share as a percentage with two decimals."""
    return f"{100 * share:.2f} %"


def noticing(
    shows: Sequence[Callable[[dict[str, Any]], None]], note: Callable[[str], None]
) -> Callable[[dict[str, Any]], None]:
    """What calls all of `shows` with a row, and `note` with each kind of warning once."""
    known: set[str] = set()

    def report(row: dict[str, Any]) -> None:
        for show in shows:
            show(row)
        for kind, line in row.get("warnings", {}).items():
            if kind not in known:
                known.add(kind)
                note(f"epoch {row['epoch']}: {line}")

    return report


@contextmanager
def epoch_reporter(
    epochs: int, json_wanted: bool, *, quiet: bool = False
) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A function that shows each epoch's row: a bar on a terminal, plain lines in a pipe.

    The bar's line ends with the context, however training ends.  `quiet` shows nothing.
    """
    if quiet:
        yield lambda row: None
        return
    if not sys.stderr.isatty():
        yield lambda row: say(
            f"epoch {row['epoch']}/{epochs}  {_epoch(row)}", json_wanted=json_wanted
        )
        return
    from tqdm import tqdm

    with tqdm(total=epochs, unit="epoch", desc="compiling", dynamic_ncols=True) as bar:

        def show(row):
            bar.set_description("training", refresh=False)
            bar.set_postfix_str(_epoch(row), refresh=False)
            bar.update(row["epoch"] - bar.n)  # the first of a resumed run is a later one

        yield show


def _epoch(row: dict[str, Any]) -> str:
    """Loss, validation accuracy and firing rates; of several networks, the mean of each."""
    mean = lambda v: sum(v) / len(v) if isinstance(v, list | tuple) else v
    text = f"loss {mean(row['loss']):.4f}  validation {percent(mean(row['valid_accuracy']))}"
    rates = row["firing_rates"]
    if rates and isinstance(rates[0], list):
        rates = [mean(member) for member in zip(*rates, strict=True)]
    if rates:
        text += "  firing " + " ".join(f"{rate:.3f}" for rate in rates)
    return f"{text}  {row['seconds']:.1f} s"
