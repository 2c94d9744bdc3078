"""Output for people and for machines: tables, JSON, the rows of training, TensorBoard."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def say(line: str = "", *, json_wanted: bool = False) -> None:
    """Print a line for people: on stdout, or on stderr if stdout is for a machine."""
    print(line, file=sys.stderr if json_wanted else sys.stdout, flush=True)


def say_note(line: str) -> None:
    """Print a remark on stderr, after the program's name."""
    print(f"jaxdigits: {printable(line)}", file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """Return a text with escapes for the signs that command a terminal."""
    return "".join(c if ord(c) > 159 or " " <= c <= "~" else repr(c)[1:-1] for c in text)


def say_json(value: dict[str, Any]) -> None:
    """Print one JSON object on one line."""
    from jaxdigits.runs.plain_files import finite

    print(json.dumps(finite(value)), flush=True)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return columns under their heads: the first to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    line = lambda row: "  ".join(
        cell.ljust(w) if i == 0 else cell.rjust(w)
        for i, (cell, w) in enumerate(zip(row, widths, strict=True))
    )
    return "\n".join(line(row).rstrip() for row in [head, *rows])


def percent(share: float) -> str:
    """Return a share as a percentage with two decimals."""
    return f"{100 * share:.2f} %"


def report_to(
    shows: Sequence[Callable[[Row], None]], note: Callable[[str], None]
) -> Callable[[Row], None]:
    """Return a function that calls `shows` with a row, and `note` once per kind of warning."""
    known: set[str] = set()

    def report(row: Row) -> None:
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
) -> Iterator[Callable[[Row], None]]:
    """Yield a function that shows each epoch's row: a bar on a terminal, plain lines in a pipe.

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

        def show(row: Row) -> None:
            bar.set_description("training", refresh=False)
            bar.set_postfix_str(_epoch(row), refresh=False)
            bar.update(row["epoch"] - bar.n)  # a resumed run starts with a later epoch

        yield show


@contextmanager
def tensorboard(folder: Path | None) -> Iterator[Callable[[Row], None]]:
    """Yield a function that writes a row's numbers for TensorBoard; without a folder, nothing.

    With several networks each has a curve, as `loss/0`; and so has each spiking layer.

    Raises:
      ImportError: without tensorboardX, with the line that installs it.
    """
    if folder is None:
        yield lambda row: None
        return
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise ImportError(
            'TensorBoard needs tensorboardX: pip install "jaxdigits[tensorboard]"'
        ) from error
    with ExitStack() as stack:
        writer: Any = None

        def write(row: Row) -> None:
            nonlocal writer
            epoch = row["epoch"]
            if writer is None:  # the run's folder must be empty before; purge a killed run's
                new = SummaryWriter(str(folder), purge_step=epoch)
                writer = stack.enter_context(new)
            for name, value in row.items():
                if name != "epoch":
                    _add_scalars(writer, name, value, epoch)
            for kind, line in row.get("warnings", {}).items():
                writer.add_text(f"warnings/{kind}", line, epoch)
            writer.flush()

        yield write


def _add_scalars(writer: Any, name: str, value: Any, epoch: int) -> None:
    """Write a number, or the numbers of a list by name and place, as "firing_rates/0"."""
    if isinstance(value, list | tuple):
        for i, each in enumerate(value):
            _add_scalars(writer, f"{name}/{i}", each, epoch)
    elif isinstance(value, int | float):
        writer.add_scalar(name, value, epoch)


def _epoch(row: Row) -> str:
    """Return loss, validation accuracy and firing rates, averaged over several networks."""
    mean = lambda v: sum(v) / len(v) if isinstance(v, list | tuple) else v
    text = f"loss {mean(row['loss']):.4f}  validation {percent(mean(row['valid_accuracy']))}"
    rates = row["firing_rates"]
    if rates and isinstance(rates[0], list):
        rates = [mean(member) for member in zip(*rates, strict=True)]
    if rates:
        text += "  firing " + " ".join(f"{rate:.3f}" for rate in rates)
    return f"{text}  {row['seconds']:.1f} s"
