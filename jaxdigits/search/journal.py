"""The journal of a search: a line of JSON for each decision, and the states that wait.

    SEARCH/journal.jsonl               line 0 is the head: space, seed, data; then the records
    SEARCH/pool/records-00000012.npz   the trials that go on after twelve records

A line is on the disk before the search goes on.  Nothing in it depends on a clock, so a search
that was killed comes to the same bytes.  The states follow their record: if a process dies in
between, or a file is damaged, the journal is cut to the newest record that can go on.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxdigits.data.files import replace_file
from jaxdigits.errors import RunError
from jaxdigits.runs.plain_files import finite, read_npz, writing
from jaxdigits.tree import named_leaves, require_same_leaves

FORMAT = 1
FILE, POOL = "journal.jsonl", "pool"
LAST = 2  # files of states: the newest, and the one before it in case it is damaged
LARGEST = 16 << 30  # bytes
Record = dict[str, Any]
Pool = dict[int, Any]
"""by trial, its state in host memory"""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the folder of a search, which one process at a time may write.

    Raises:
      RunError: if another process holds it.
    """
    try:
        import fcntl

        place = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):  # no such lock, or no folder, which its reader says
        yield
        return
    try:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"{folder} is searched by another process: wait for its end, or stop it"
            ) from None
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(place)


def create_journal(folder: Path, head: Mapping[str, Any]) -> None:
    """Make the folder of a search, and write the head of its journal.

    Raises:
      RunError: if the folder has a journal, or cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            open(folder / FILE, "xb").close()  # of two processes one makes the file
        except FileExistsError:
            raise RunError(
                f"{folder} has a search: go on with --resume, or choose another folder"
            ) from None
    append_record(folder, {"format": FORMAT, "search": dict(head)}, 0)


def append_record(folder: Path, record: Record, line: int) -> None:
    """Write a record as that line of the journal, to the disk.

    Raises:
      RunError: if it cannot be written; the journal is then as before.
    """
    text = json.dumps(finite({"line": line, **record}), ensure_ascii=False) + "\n"
    path = folder / FILE
    before = path.stat().st_size if path.exists() else 0
    with writing(folder):
        try:
            with open(path, "ab") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            if path.exists():
                os.truncate(path, before)
            raise


def read_journal(folder: Path) -> tuple[dict[str, Any], list[Record]]:
    """Read (head, records); a last line that is not whole is passed over.

    Raises:
      RunError: without a journal, or for a journal that is damaged before its end, that lacks
        lines, or that two searches have written.
    """
    path = folder / FILE
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        remedy = "create one with `jaxdigits search`"
        raise RunError(f"{folder} has no {FILE} of a search; {remedy}") from error
    rows: list[Record] = []
    for i, line in enumerate(lines):
        row = _row(line)
        if row is None and i == len(lines) - 1:
            break
        _require_line(path, i, row)
        rows.append(row)  # pyright: ignore[reportArgumentType]
    if not rows:
        raise RunError(f"{path} has no head: begin a new search in another folder")
    head, *records = rows
    if head.get("format") != FORMAT or not isinstance(head.get("search"), dict):
        raise RunError(f"{path} cannot be used: this version reads journals of format {FORMAT}")
    return head["search"], [{k: v for k, v in r.items() if k != "line"} for r in records]


def require_same_search(
    folder: Path, head: Mapping[str, Any], other: Mapping[str, Any]
) -> None:
    """Check that a journal's head is that of this search.

    Raises:
      RunError: naming the first part that differs.
    """
    other = json.loads(json.dumps(finite(dict(other))))
    for name in [*other, *head]:
        if head.get(name) != other.get(name):
            raise RunError(
                f"{folder} is a search of another {name}: choose another folder, or remove it"
            )


def cut_journal(folder: Path, records: int) -> None:
    """Leave the head and that many records in the journal.

    Raises:
      RunError: if it cannot be written; the journal is then as before.
    """
    lines = (folder / FILE).read_bytes().splitlines(keepends=True)
    with writing(folder):
        whole = b"".join(lines[: 1 + records])
        replace_file(folder / FILE, lambda file: file.write(whole))


def save_pool(folder: Path, pool: Pool, records: int) -> None:
    """Write the states of the trials that go on after that many records.

    Raises:
      RunError: if they cannot be written; earlier files are then still there.
    """
    arrays: Any = {
        f"{trial}:{name}": np.asarray(leaf)
        for trial, state in pool.items() for name, leaf in named_leaves(state).items()
    }  # fmt: skip
    with writing(folder):
        (folder / POOL).mkdir(exist_ok=True)
        replace_file(pool_file(folder, records), lambda file: np.savez(file, **arrays))
        for old in sorted((folder / POOL).glob("records-*.npz"), reverse=True)[LAST:]:
            old.unlink()


def pool_file(folder: Path, records: int) -> Path:
    """Return the path of the states after that many records."""
    return folder / POOL / f"records-{records:08d}.npz"


def read_pool(folder: Path, records: int, trials: Sequence[int], like: Any) -> Pool | None:
    """Read the states of trials after that many records; None without a whole file.

    Args:
      like: a trial's state, for names, shapes and dtypes.
    """
    try:
        arrays = read_npz(pool_file(folder, records), LARGEST)
        return {trial: _state(arrays, trial, like) for trial in trials}
    except MemoryError:
        raise
    except Exception:  # zipfile and NumPy raise a dozen types on broken files
        return None


def _state(arrays: Mapping[str, np.ndarray], trial: int, like: Any) -> Any:
    names = named_leaves(like)
    own = {name: arrays[f"{trial}:{name}"] for name in names}
    require_same_leaves(own, names, "its arrays")
    if any(own[name].dtype != leaf.dtype for name, leaf in names.items()):
        raise ValueError("arrays of another dtype")
    return jax.tree.unflatten(jax.tree.structure(like), [own[name] for name in names])


def _row(line: bytes) -> Record | None:
    if not line.endswith(b"\n"):
        return None
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _require_line(path: Path, i: int, row: Record | None) -> None:
    again = "bring the file back as the search wrote it, or begin a new search"
    if row is None:
        raise RunError(f"{path} is damaged in line {i + 1}: {again}")
    if i and "search" in row:
        raise RunError(f"{path} has two searches, the second from line {i + 1} on: {again}")
    if (line := row.get("line")) != i:
        twice = isinstance(line, int) and line < i
        reason = "has two lines of one number, the second is" if twice else "is cut before"
        raise RunError(f"{path} {reason} line {i + 1}: {again}")
