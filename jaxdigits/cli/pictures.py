"""Many pictures for `predict` and `read`: folders, lists on stdin, tables, limits."""

import csv
import io
import os
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxdigits.cli.report import say_note
from jaxdigits.errors import DataError
from jaxdigits.workers import read_each

AT_ONCE = 512  # pictures that are read before they are answered, in chunks


class Answer(NamedTuple):
    """The answer to one picture, or the reason that there is none."""

    path: Path
    probability: Any
    """[K], or a `Reading` of a field; None for a file that cannot be read"""
    error: str = ""


def listed(paths: Iterable[str | PathLike[str]]) -> list[Path]:
    """Return the pictures: files as they are, those in folders by name, and a list on stdin.

    Raises:
      DataError: for a list that names none.
    """
    pictures: list[Path] = []
    for path in map(Path, paths):
        if path == Path("-"):
            names = [name for name in sys.stdin.buffer.read().splitlines() if name.strip()]
            if not names or any(b"\0" in name for name in names):
                raise DataError("the list on stdin must have a path in each line")
            pictures += listed(os.fsdecode(name) for name in names if name != b"-")
        elif path.is_dir():
            inside = sorted(filter(_is_picture, path.rglob("[!.]*")))
            pictures += inside or [path]  # which its reader refuses by name
        else:
            pictures.append(path)
    return pictures


def holds_pictures(folder: Path) -> bool:
    """Return whether a folder itself has pictures, not those inside it as the plots of runs."""
    return any(map(_is_picture, folder.glob("[!.]*")))


def _is_picture(path: Path) -> bool:
    from jaxdigits.data.own_files import SUFFIXES

    return path.suffix.lower() in SUFFIXES and path.is_file()


def answers(
    paths: Sequence[Path],
    read: Callable[[Path], Any],
    inputs_of: Callable[[Any], Any],
    answer: Callable[[Any], Iterable[Any]],
) -> Generator[Answer, None, None]:
    """Yield an answer for each picture, in order; the network takes many at once.

    Args:
      read: returns a picture [H, W], or a prepared one, from a path, or raises a DataError; see
        `read_each`.
      inputs_of: returns the network's inputs [1, ...] of a picture.
      answer: returns probabilities [N, K] of inputs [N, ...], or other answers in order.
    """
    import jax

    with closing(read_each(read, paths)) as results:
        for start in range(0, len(paths), AT_ONCE):
            some = paths[start : start + AT_ONCE]
            rows = list(islice(results, len(some)))
            inputs = [inputs_of(row) for row in rows if not isinstance(row, DataError)]
            whole = jax.tree.map(lambda *a: np.concatenate(a), *inputs) if inputs else None
            shares = iter(answer(whole) if inputs else ())
            for path, row in zip(some, rows, strict=True):
                if isinstance(row, DataError):
                    yield Answer(path, None, str(row))
                else:
                    yield Answer(path, next(shares))


def write_table(
    file: Path,
    rows: Iterable[Answer],
    decide: Callable[[Any], Sequence[str | float]],
    head: Sequence[str] = ("file", "digit", "probability", "error"),
) -> tuple[int, int]:
    """Write a row for each picture to a .csv; return the numbers of answers and of errors.

    Args:
      decide: returns the cells of an answer, between the file and the error.
      head: of the columns.

    Raises:
      OSError, DataError: if the file cannot be written.
    """
    count = [0, 0]
    open(file, "a").close()  # fail now rather than at the end
    with io.StringIO(newline="") as out:
        table = csv.writer(out)
        table.writerow(head)
        for path, answer, error in rows:
            count[answer is None] += 1
            cells = [""] * (len(head) - 2) if answer is None else decide(answer)
            if answer is None:
                say_note(error)
            shown = [cell if isinstance(cell, str) else f"{cell:.4f}" for cell in cells]
            table.writerow([path, *shown, error])
        text = out.getvalue().encode("utf-8", errors="backslashreplace")
    try:
        file.write_bytes(text)
    except OSError as error:  # of a full disk it names no file
        raise DataError(f"cannot write {file}: {error.strerror}; pass another file") from error
    return count[0], count[1]


def require_new_table(file: Path | None, paths: Iterable[Path]) -> None:
    """Raise a ValueError for a table that would overwrite one of the pictures."""
    if file and file.exists() and any(p.exists() and file.samefile(p) for p in paths):
        raise ValueError(f"--csv would overwrite the picture {file}: name another file")
