"""`jaxdigits read`."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from jaxdigits.cli.parser import POSITIONAL, File
from jaxdigits.cli.pictures import (
    Answer,
    answers,
    listed,
    require_new_table,
    write_table,
)
from jaxdigits.cli.report import printable, say, say_json, say_note
from jaxdigits.errors import DataError, RunError, require_run

if TYPE_CHECKING:
    from jaxdigits.reader.read import Reading

BOX = Path(__file__).parent.parent / "box" / "fields"  # the run that comes with the package
HEAD = ("file", "text", "probability", "second", "second_probability", "reason")
UNSURE = "unsure"
REFUSED = 3  # exit code


@dataclass(frozen=True)
class Read:
    """Read a row of digits in each picture, whose format is known: an amount, a routing number.

    Print a line for each: its name, the digits as the format prints them, and the probability
    that they are right, in whole percent, rounded down.

      $ jaxdigits read cheque.png --format amount:0-999999
      $ jaxdigits read scans/ --format aba --max-error 0.01 --csv scans.csv
      $ jaxdigits formats

    Only strings of the format are answers, so it must have every string that may stand there.
    A checksum is a part of the search: the answer is the likeliest string that has it. A
    picture holds one row of digits, as PNG, JPEG, WebP, BMP, TIFF or GIF; uneven light, rules,
    boxes and specks are removed.

    A picture without an answer is "unsure", with the two likeliest strings, or "no answer",
    with the reason. A file that cannot be read is named and skipped; the exit code is then 1.
    Otherwise it is 3 if a picture has no answer.
    """

    fields: Annotated[tuple[Path, ...], "FIELD", POSITIONAL] = ()
    """Pictures of one row of digits each, folders of them, or - for a list of paths on
    stdin."""
    format: Annotated[str | None, "NAME"] = None
    """Format of all fields; `jaxdigits formats` lists them."""
    run_: Annotated[Path | None, "RUN"] = None
    """Folder of a run of `jaxdigits train columns --data fields` that shall read, in place of
    the network of the package."""
    max_error: float | None = None
    """Largest share of wrong answers, as 0.01. The answer is "unsure" below a probability that
    the run learned from its validation data."""
    csv: File = None
    """Write a table to this file instead: file, text ("unsure" if it is withheld), probability,
    second, second_probability, reason."""
    json: bool = False
    """Print one JSON object per line, with the next strings and the place of each digit."""

    def run(self) -> int:
        """Read the fields, and print a line for each, or write a table."""
        if not self.fields:
            raise ValueError("read needs a picture, got none")
        if self.format is None:
            raise ValueError("read needs --format NAME; `jaxdigits formats` lists the names")
        if self.csv and self.json:
            raise ValueError("--csv writes a table: leave out --json")
        from jaxdigits.reader.formats import make_format

        format = make_format(self.format)
        from jaxdigits.reader.read import read_fields
        from jaxdigits.runs.answer import frames_of
        from jaxdigits.runs.folder import load_run
        from jaxdigits.runs.promise import reading_limit

        folder = self.run_ or BOX
        if not self.run_ and not (BOX / "config.json").is_file():
            raise RunError(
                "the package has no network for fields: pass --run RUN, a run of `jaxdigits "
                "train columns --data fields`"
            )
        require_run(folder)
        run = load_run(folder)
        if not run.config.reads_fields:
            raise RunError(
                f"{folder} reads single digits, not fields: pass a run of `jaxdigits train "
                "columns --data fields`"
            )
        temperature, limit = reading_limit(folder, run, format, self.max_error)
        logits = frames_of(run)
        answer = lambda some: read_fields(
            logits, list(some), format, temperature=temperature, limit=limit
        )
        paths = listed(self.fields)
        require_new_table(self.csv, paths)
        with closing(answers(paths, _prepared, lambda one: one, answer)) as rows:
            return self._answer_all(rows)

    def _answer_all(self, rows: Iterable[Answer]) -> int:
        """Print a line for each picture, or write a table, and return the exit code."""
        if not self.csv:
            return max((self._show(row) for row in rows), key=_gravity, default=0)
        reasons: list[str | None] = []

        def cells(reading: "Reading") -> tuple[str | float, ...]:
            reasons.append(reading.refused)
            second = reading.others[0] if reading.others else ("", "")
            text = UNSURE if reading.refused else reading.text
            shown = ("", "") if not reading.digits else (text, reading.probability)
            return *shown, *second

        good, bad = write_table(self.csv, _with_reasons(rows), cells, HEAD)
        unsure = sum(map(bool, reasons))
        say(f"{good - unsure} answered, {unsure} without an answer, {bad} not read: {self.csv}")
        return 1 if bad else REFUSED if any(reasons) else 0

    def _show(self, row: Answer) -> int:
        """Print a line for a picture, and return the exit code of one like it."""
        from jaxdigits.reader.read import whole_percent

        path, reading, error = row
        if reading is None:
            say_note(error)
            if self.json:
                say_json({"file": str(path), "error": error})
            return 1
        if self.json:
            say_json({"file": str(path)} | _rounded(reading))
        elif not reading.refused:
            say(printable(f"{path}: {reading.text}   {whole_percent(reading.probability)}"))
        elif reading.digits:
            say(printable(f"{path}: unsure   {reading.refused.removeprefix('doubt: ')}"))
        else:
            say(printable(f"{path}: no answer   {reading.refused}"))
        return REFUSED if reading.refused else 0


def _prepared(path: Path) -> np.ndarray:
    """Return [1] a prepared field, or the DataError of its preparation.

    Raises:
      DataError: for a file that cannot be read.
    """
    from jaxdigits.data.field_ink import prepare_field
    from jaxdigits.data.picture import read_grey

    if path.is_dir():
        raise DataError(f"{path}: no picture in this folder; pass another")
    grey = read_grey(path)
    one = np.empty(1, object)
    try:
        one[0] = prepare_field(grey)
    except DataError as error:
        one[0] = error
    return one


def _gravity(code: int) -> int:
    """Return the rank of an exit code: a bad file outweighs a refusal."""
    return (0, REFUSED, 1).index(code)


def _with_reasons(rows: Any) -> Any:
    """Yield the answers, with the reason of a refusal in the place of an error."""
    for path, reading, error in rows:
        yield Answer(path, reading, (reading and reading.refused) or error)


def _rounded(reading: "Reading") -> dict[str, Any]:
    """Return a reading as a JSON object, with six decimals of probabilities.

    A string that is withheld is the first of the others.
    """
    withheld = [(reading.text, reading.probability)] if reading.refused and reading.text else []
    ranked = [*withheld, *reading.others]
    others = [dict(text=text, probability=round(p, 6)) for text, p in ranked]
    spans = [[round(x, 1) for x in span] for span in reading.spans]
    row = reading._asdict() | dict(
        probability=round(reading.probability, 6), others=others, spans=spans
    )
    return row | (dict(text=None, digits=None) if reading.refused else {})
