"""W9: the time from a command to a network that is right about 98 or 99 % of MNIST.

A fresh process imports the library, reads MNIST, and trains as `jaxdigits train` does, until
an epoch ends with the accuracy on the 5,000 validation images.  The parts:

    import      starting Python and importing
    data        reading and splitting MNIST
    compile     tracing, lowering and compiling, as JAX reports it; what is nested counts once
    training    the rest
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import jax
from pooch import os_cache

from jaxdigits.bench.record import Row
from jaxdigits.data import mnist
from jaxdigits.data.mnist import FILES
from jaxdigits.runs import config_for
from jaxdigits.runs.job import fit_one, validation_split
from jaxdigits.train.snapshot import Hooks

MEMORY_SHARE = ".2"  # of a GPU's memory: this process may hold the rest


class Goal(NamedTuple):
    """What is trained, and until when."""

    network: str
    accuracy: float
    """on the validation images"""
    epochs: int
    """of the schedule: the fewer, the sooner the learning rate is small"""
    what: str


GOALS = {
    "W9-snn": Goal("snn", 0.98, 8, "default SNN, cold start to 98 % on MNIST's validation"),
    "W9-cnn": Goal("cnn", 0.99, 4, "default CNN, cold start to 99 % on MNIST's validation"),
}


class Reached(Exception):
    """Training is good enough."""


def measure_cold(name: str, folder: Path) -> Row:
    """The row of a name of `GOALS`, measured in a process of its own.

    Raises:
      RuntimeError: if that process fails, with its last line.
    """
    environment = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    environment["XLA_PYTHON_CLIENT_MEM_FRACTION"] = MEMORY_SHARE
    program = "from jaxdigits.bench import cold; cold.main()"
    command = [sys.executable, "-c", program, name, str(folder), repr(time.time())]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        last = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        raise RuntimeError(f"{name} failed in its process: {last}")
    return json.loads(done.stdout.splitlines()[-1])


def mnist_folder(given: Path | None) -> Path | None:
    """The folder that has MNIST's files, without downloading any; None if there is none."""
    base = os.environ.get("JAXDIGITS_DATA")
    places = [Path(base, "mnist"), Path(base)] if base else []
    places = [given] if given else [*places, Path(os_cache("jaxdigits"), "mnist")]
    has = lambda place, name: (place / name).exists() or (place / f"{name}.gz").exists()
    return next((p for p in places if all(has(p, name) for name in FILES)), None)


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """The length of the union of intervals (start, end)."""
    total, reach = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reach))
        reach = max(reach, end)
    return total


def train_until(goal: Goal, folder: Path, start: float) -> Row:
    """Train in this process, and return the row.

    Args:
      start: seconds since 1970 at which the command was given.
    """
    imported = time.time()
    spans: list[tuple[float, float]] = []

    def listen(event: str, duration_secs: float, **kwargs: Any) -> None:
        if event.startswith("/jax/core/compile/"):
            spans.append((time.time() - duration_secs, time.time()))

    jax.monitoring.register_event_duration_secs_listener(listen)
    train, valid = validation_split(mnist(folder)[0])
    loaded, accuracies = time.time(), []

    def look(row: dict[str, Any]) -> None:
        accuracies.append(row["valid_accuracy"])
        if accuracies[-1] >= goal.accuracy:
            raise Reached

    with suppress(Reached):
        fit_one(
            config_for(goal.network, "mnist", epochs=goal.epochs), train, valid, Hooks(look)
        )
    end, compiling = time.time(), covered(spans)
    return dict(
        what=goal.what,
        reached=accuracies[-1] >= goal.accuracy,
        goal=goal.accuracy,
        valid_accuracies=accuracies,
        schedule_epochs=goal.epochs,
        cold_seconds={
            "total": end - start, "import": imported - start, "data": loaded - imported,
            "compile": compiling, "training": end - loaded - compiling,
        },
        peak_rss_bytes=peak_rss(),
    )  # fmt: skip


def peak_rss() -> int:
    """Bytes of memory that this process had at most."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux's getrusage still counts the process that this one came from
        peak = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM:"))
        return 1024 * int(peak.split()[1])
    import resource  # not there on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """The process that `measure_cold` starts: print the row as one JSON object."""
    name, folder, start = sys.argv[1:]
    print(json.dumps(train_until(GOALS[name], Path(folder), float(start))))
