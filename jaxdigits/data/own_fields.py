"""People's own rows of digits: a folder of pictures, and a table of the digits in each.

    FOLDER/labels.csv    columns `file` and `digits`; other columns are not read
    FOLDER/train.csv     the same, with a test set in FOLDER/test.csv

Files are named from the folder, or from its subfolder `images`.  Each picture is prepared as
`data.field_ink` says.  Without a test set, a fifth of the rows is set apart, always the same.
"""

import csv
from pathlib import Path

import numpy as np

from jaxdigits.data.dataset import Dataset, split
from jaxdigits.data.field_ink import FRAME, ROWS, prepare_field
from jaxdigits.data.files import read_file
from jaxdigits.data.own_facts import LEAST, SPLIT_SEED, TEST, Own, OwnData, digest_of
from jaxdigits.data.picture import read_grey
from jaxdigits.errors import DataError

TABLES = ("labels.csv", "train.csv")
COLUMNS = ("file", "digits")
MAX_BYTES = 1 << 26  # of a table
WIDEST = 1024  # columns of prepared ink: some forty digits
LONGEST = 40  # digits


def table_of(place: Path) -> Path | None:
    """Return the table of a folder of fields; None without one."""
    return next((place / name for name in TABLES if (place / name).is_file()), None)


def own_fields(place: Path) -> OwnData:
    """Read one's own rows of digits.

    Raises:
      DataError: naming the table, the line or the picture that does not fit.
    """
    table = table_of(place)
    if table is None:
        raise DataError(
            f"{place}: no {' or '.join(TABLES)} in it; write one of file and digits"
        )
    tables = [table]
    if table.name == "train.csv" and (place / "test.csv").is_file():
        tables.append(place / "test.csv")
    parts = [_read(place, each) for each in tables]
    width = max(ink.shape[1] for part in parts for ink, _ in part)
    longest = max(len(text) for part in parts for _, text in part)
    sets = [_dataset(part, width, longest) for part in parts]
    learn, notes = sets[0], []
    if len(learn) < LEAST:
        raise DataError(f"{table}: {len(learn)} rows to train on; {LEAST} are needed")
    if len(sets) > 1:
        check = sets[1]
    else:
        count = len(learn) // TEST
        learn, check = split(learn, (len(learn) - count, count), seed=SPLIT_SEED)
        notes.append(f"{place} has no test set: {count} of its rows are set apart")
    names = tuple("0123456789")
    own = Own((ROWS, width), names, False, digest_of(learn, check), strings=True)
    return OwnData(learn, check, own, tuple(notes))


def _dataset(part: list[tuple[np.ndarray, str]], width: int, longest: int) -> Dataset:
    ink = np.zeros((len(part), ROWS, width), np.uint8)
    text = np.full((len(part), longest), -1, np.int32)
    for n, (image, digits) in enumerate(part):
        ink[n, :, : image.shape[1]] = image
        text[n, : len(digits)] = [int(digit) for digit in digits]
    return Dataset(ink, text, strings=True)


def _read(place: Path, table: Path) -> list[tuple[np.ndarray, str]]:
    """Return the prepared ink and the digits of each row of a table."""
    rows, errors, fields = _rows(table), [], []
    for line, name, digits in rows:
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= LONGEST):
            raise DataError(
                f"{table}: line {line} has {digits!r}; write 1 to {LONGEST} digits, no more"
            )
        path = next((p for p in (place / name, place / "images" / name) if p.is_file()), None)
        if path is None:
            raise DataError(f"{table}: line {line} names {name}, which is not in {place}")
        try:
            ink = prepare_field(read_grey(path)).ink
            if ink.shape[1] > WIDEST or ink.shape[1] < 2 * FRAME * len(digits):
                raise DataError(f"{path}: {len(digits)} digits in {ink.shape[1]} columns")
            fields.append((ink, digits))
        except DataError as error:
            errors.append(error)
    if errors:
        raise DataError(
            f"{len(errors)} of {len(rows)} pictures cannot be read: mend them or take them out "
            f"of {table.name}; the first is {errors[0]}"
        )
    if not fields:
        raise DataError(
            f"{table}: no row in it; write a line of file and digits for each picture"
        )
    return fields


def _rows(table: Path) -> list[tuple[int, str, str]]:
    """Return (line, file, digits) of each row of a table."""
    try:
        text = read_file(table, MAX_BYTES).decode("utf-8-sig")
        reader = csv.DictReader(text.splitlines(), strict=True)
        names = reader.fieldnames or ()
        rows = [(reader.line_num, row["file"], row["digits"]) for row in reader
                if set(COLUMNS) <= set(names)]  # fmt: skip
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table}: not a table in UTF-8 ({error}); save it as CSV") from error
    if not set(COLUMNS) <= set(names):
        raise DataError(
            f"{table}: its first line must name the columns {' and '.join(COLUMNS)}"
        )
    return [(line, name or "", (digits or "").strip()) for line, name, digits in rows]
