"""Plain files of a run, JSON and arrays: written whole, and read without executing anything."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from jaxdigits.data.files import replace_file, require_stored
from jaxdigits.errors import RunError

LARGEST_JSON = 1 << 20  # bytes; a configuration has some hundred


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn an `OSError` inside into a `RunError` that names the folder."""
    try:
        yield
    except OSError as error:
        raise RunError(f"cannot write {folder}: {error.strerror or error}") from error


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, atomically."""
    text = json.dumps(finite(value), indent=2, ensure_ascii=False) + "\n"
    replace_file(path, lambda file: file.write(text.encode()))


def finite(value: Any) -> Any:
    """Return `value` with None for infinity and NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def read_json(path: Path) -> Any:
    """Read a JSON file of at most `LARGEST_JSON` bytes."""
    with open(path, "rb") as file:
        text = file.read(LARGEST_JSON + 1)
    if len(text) > LARGEST_JSON:
        raise ValueError("it is too large")
    return json.loads(text)


def read_npz(path: Path, most: int) -> dict[str, np.ndarray]:
    """Read all arrays of an archive of at most `most` bytes, after comparing its checksums.

    Damaged files raise a dozen types of errors.  Objects are rejected, never unpickled.
    """
    require_stored(path, most)  # before anything is read
    archive: Any = np.load(path, allow_pickle=False)
    with archive:
        if name := archive.zip.testzip():  # NumPy alone may stop before the checksum
            raise ValueError(f"the checksum of {name} is wrong")
        return {name: archive[name] for name in archive.files}


def in_one_line(error: Exception) -> str:
    """Return an error's message in one line; the error's name if it has none."""
    return " ".join(str(error).split()) or type(error).__name__
