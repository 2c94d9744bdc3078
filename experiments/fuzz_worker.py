"""The process in which a reader of `experiments/fuzz.py` reads, and its report.

It may take 1 GB of addresses more than at its start.  With guidance, it counts the lines of
Python that no earlier input led to: lines of this package, Pillow, NumPy and zipfile.
"""

import hashlib
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from fuzz_files import RECORDINGS

MEMORY = 1 << 30  # bytes of addresses, beyond those of the process without a file
PATIENCE = 30.0  # seconds on the clock
GUIDED = ("/jaxdigits/data/", "/PIL/", "/zipfile.py", "/numpy/lib/")


class Read(NamedTuple):
    """The result of one input."""

    outcome: str
    """read, refused, or the name of an error that is not the package's own"""
    said: str
    seconds: float
    """of a core"""
    peak: int
    """bytes beyond the process's own"""
    new: int
    """lines and errors that no input led to before"""


def opener(name: str, folder: Path) -> Callable[[], Any]:
    """Return the function that reads the input."""
    from jaxdigits import data
    from jaxdigits.runs import load_run

    path = place(name, folder)
    module = lambda of: import_module(f"jaxdigits.data.{of}")
    if name.endswith("of a run"):
        return partial(load_run, folder)
    if name == "archive of recordings":
        digests = {n: hashlib.sha256(c).hexdigest()[:32] for n, c in RECORDINGS.items()}
        fsdd: Any = module("fsdd")
        fsdd._manifest = lambda: digests
        return partial(_fetched, fsdd, path, folder)
    readers: dict[str, Callable] = {
        "IDX, gzipped or not": data.read_idx, "table of digits": module("digits")._read,
        "WAV, FLAC, OGG": data.read_sound, "PNG, JPEG": data.read_picture,
        "N-MNIST": data.read_nmnist, "SHD": data.read_shd,
    }  # fmt: skip
    return partial(readers[name], path)


def _fetched(fsdd: Any, archive: Path, folder: Path) -> None:
    """Unpack an archive as `fsdd` does; errors name it as they name a mirror's archive."""
    from jaxdigits.data import DataError
    from jaxdigits.data.archive import BROKEN

    try:
        with tempfile.TemporaryDirectory(dir=folder) as target:
            fsdd._unpack(archive, Path(target))
    except (OSError, ValueError, *BROKEN) as error:
        said = str(error) if isinstance(error, DataError) else type(error).__name__
        raise DataError(f"{archive}: {said}") from error


def place(name: str, folder: Path) -> Path:
    """Return the path of a reader's input; for a run, one of the files in its folder."""
    return folder / (name.split()[0] if name.endswith("of a run") else "input")


def worker(name: str, folder: Path, guided: bool, pipe: Any) -> None:
    """Read one input after the other; the parent sends only that there is an input.

    The first input is good: reading it imports and allocates everything that is needed once.
    """
    from jaxdigits.data import DataError
    from jaxdigits.runs import RunError

    read = opener(name, folder)
    read()
    most = _memory("VmSize") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    seen: set[Any] = set()
    pipe.send("ready")
    while pipe.recv():
        reached: set[Any] = set()
        Path("/proc/self/clear_refs").write_text("5")  # the peak is from here on
        before, clock = _memory("VmRSS"), time.process_time()
        if guided:
            sys.settrace(partial(_traced, reached))
        try:
            read()
            outcome, said = "read", ""
        except (DataError, RunError) as error:
            outcome, said = "refused", str(error)
        except Exception as error:
            outcome, said = type(error).__name__, str(error)
        sys.settrace(None)
        seconds, peak = time.process_time() - clock, _memory("VmHWM") - before
        reached.add((outcome, "".join(c for c in said if not c.isdigit())))
        new, seen = len(reached - seen), seen | reached
        pipe.send(Read(outcome, said, seconds, peak, new))


def _traced(reached: set[Any], frame: Any, event: str, arg: Any) -> Any:
    file = frame.f_code.co_filename
    if not any(part in file for part in GUIDED):
        return None

    def line(frame: Any, event: str, arg: Any) -> Any:
        reached.add((file, frame.f_lineno))
        return line

    return line


def _memory(field: str) -> int:
    rows = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(row for row in rows if row.startswith(field)).split()[1])


class Process(NamedTuple):
    """A worker, and the pipe to it."""

    process: Any
    pipe: Any


def started(name: str, folder: Path, guided: bool, good: bytes) -> Process:
    """Return a new worker, which has read the good file."""
    place(name, folder).write_bytes(good)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=worker, args=(name, folder, guided, theirs), daemon=True)
    process.start()
    theirs.close()
    ours.recv()
    return Process(process, ours)


def asked(of: Process) -> Read:
    """Return the result of the input in the worker's folder."""
    try:
        of.pipe.send(True)
        if of.pipe.poll(PATIENCE):
            return of.pipe.recv()
    except (EOFError, OSError):
        of.process.join()
        return Read("crash", f"signal {-of.process.exitcode}", 0.0, 0, 0)
    of.process.kill()
    return Read("hang", "", PATIENCE, 0, 0)
