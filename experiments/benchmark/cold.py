"""W9: the time from a command to a network that reads 98 or 99 % of MNIST correctly.

    JAXDIGITS_DATA=FOLDER python experiments/benchmark/cold.py [W9-snn] [W9-cnn]

A fresh process imports the library, reads MNIST, and trains as `jaxdigits train` does, until
an epoch ends with the accuracy on the 5,000 validation images.  Its row joins bench.json.  The
parts of the time:

    import      starting Python and importing
    data        reading and splitting MNIST
    compile     tracing, lowering and compiling, as JAX reports it; nested parts count once
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

from jaxdigits.data import mnist
from jaxdigits.fast.flags import set_flags
from jaxdigits.runs import config_for, fit_one, validation_split
from jaxdigits.runs.plain_files import write_json
from jaxdigits.train import Hooks

BENCH = Path(__file__).with_name("bench.json")
DIGITS = 6  # of an accuracy, which is a float32
Row = dict[str, Any]


class Goal(NamedTuple):
    """A network, and the accuracy at which training ends."""

    network: str
    accuracy: float
    """on the validation images"""
    epochs: int
    """of the schedule: the fewer, the sooner the learning rate is small"""
    title: str


GOALS = {
    "W9-snn": Goal("snn", 0.98, 8, "default SNN, cold start to 98 % on MNIST's validation"),
    "W9-cnn": Goal("cnn", 0.99, 4, "default CNN, cold start to 99 % on MNIST's validation"),
}


class Reached(Exception):
    """Training is good enough."""


def measure_cold(name: str) -> Row:
    """Return the row of a goal, measured in a process of its own.

    Raises:
      RuntimeError: if that process fails, with its last line.
    """
    environment = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    command = [sys.executable, __file__, name, repr(time.time())]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise RuntimeError(f"{name} failed in its process: {last}")
    return json.loads(done.stdout.splitlines()[-1])


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Return the length of the union of intervals (start, end)."""
    total, reach = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reach))
        reach = max(reach, end)
    return total


def train_until(goal: Goal, start: float) -> Row:
    """Train in this process, and return the row.

    Args:
      start: seconds since 1970 at the command.
    """
    imported = time.time()
    spans: list[tuple[float, float]] = []

    def listen(event: str, duration_secs: float, **kwargs: Any) -> None:
        if event.startswith("/jax/core/compile/"):
            spans.append((time.time() - duration_secs, time.time()))

    jax.monitoring.register_event_duration_secs_listener(listen)
    train, valid = validation_split(mnist()[0])
    loaded, accuracies = time.time(), []

    def look(row: dict[str, Any]) -> None:
        accuracies.append(row["valid_accuracy"])
        if round(accuracies[-1], DIGITS) >= goal.accuracy:
            raise Reached

    with suppress(Reached):
        config = config_for(goal.network, "mnist", epochs=goal.epochs)
        fit_one(config, train, valid, Hooks(look))
    end, compiling = time.time(), covered(spans)
    return dict(
        what=goal.title,
        reached=round(accuracies[-1], DIGITS) >= goal.accuracy,
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
    """Return the peak memory of this process in bytes; Linux only."""
    status = Path("/proc/self/status").read_text()  # getrusage counts the parent process too
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return 1024 * int(peak.split()[1])


def main() -> None:
    """Measure the goals; in a process that `measure_cold` started, print a row."""
    args = sys.argv[1:]
    if len(args) == 2 and args[1] not in GOALS:
        print(json.dumps(train_until(GOALS[args[0]], float(args[1]))))
        return
    set_flags()  # of this process, and so of those it starts
    for name in args or GOALS:
        row = measure_cold(name)
        print(name, row)
        report = json.loads(BENCH.read_text())
        report["rows"][name] = row
        write_json(BENCH, report)


if __name__ == "__main__":
    main()
