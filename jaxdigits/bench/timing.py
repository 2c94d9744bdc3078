"""Timing in turn, so the ratio of two times survives a busy machine; results as JSON."""

import json
import math
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxdigits.bench.products import floor, quickest
from jaxdigits.bench.workloads import Workload

SCHEMA, VERSION = "jaxdigits-bench", 1
LARGEST = 1 << 24  # bytes of a file that is read; ours have some thousand
BLOCK = 0.02  # seconds; shorter steps are timed several at once
MOST = 1000  # steps in a block
WARM_UP = 2

Row = dict[str, Any]


class Quartiles(NamedTuple):
    """The quartiles of some numbers: the middle half lies between `low` and `high`."""

    low: float
    median: float
    high: float


def quartiles(values: Sequence[float]) -> Quartiles:
    """Return the quartiles, with linear interpolation between neighbours."""
    return Quartiles(*(float(q) for q in np.quantile(values, (0.25, 0.5, 0.75))))


def in_turn(
    steps: Sequence[Callable[[], None]], *, repeats: int, block: float = BLOCK
) -> list[list[float]]:
    """Return the seconds per call of each function, [functions][repeats]: A B A B ...

    Each turn calls one function for about `block` seconds, or once if it takes longer.  All are
    called before, so nothing is compiled, and the memory is there.

    Args:
      steps: functions that wait for their own result.

    Raises:
      ValueError: unless repeats >= 1.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be >= 1, got {repeats}")
    counts = []
    for step in steps:
        seconds = [_seconds_per_call(step, 1) for _ in range(WARM_UP)][-1]
        counts.append(max(1, min(MOST, math.ceil(block / max(seconds, 1e-9)))))
    turns = [[_seconds_per_call(s, n) for s, n in zip(steps, counts, strict=True)]
             for _ in range(repeats)]  # fmt: skip
    return [list(times) for times in zip(*turns, strict=True)]


def measure(workload: Workload, *, repeats: int) -> Row:
    """Time a step and its floor in turn `repeats` times, and return the row.

    All times are in seconds.  `ratio` has the quartiles of step ÷ floor, turn by turn.

    Raises:
      ValueError: unless repeats >= 1.
    """
    program, (parts, products) = workload.program(), floor_of(workload)
    step, least = in_turn([program.step, products], repeats=repeats)
    median = quartiles(step).median
    return dict(
        what=workload.title,
        step_seconds=quartiles(step)._asdict(),
        floor_seconds=quartiles(least)._asdict(),
        floor_parts=parts,
        ratio=quartiles([s / f for s, f in zip(step, least, strict=True)])._asdict(),
        samples_per_second=workload.samples / median,
        flops_per_step=workload.flops,
        flops_per_second=workload.flops / median,
        compile_seconds=program.compile_seconds,
        program_bytes=program.memory,
        turns=dict(step=step, floor=least),
    )


def floor_of(workload: Workload) -> tuple[int, Callable[[], None]]:
    """Return (parts, floor): the number of parts of the batch with the quickest products."""
    floors = {
        parts: floor(workload.products(parts), repeat=parts * workload.repeat)
        for parts in workload.cuts
    }
    parts = quickest(floors) if len(floors) > 1 else 1
    return parts, floors[parts]


def machine() -> dict[str, Any]:
    """Return processor, cores, load, versions, device and XLA's flags."""
    device, affinity = jax.devices()[0], getattr(os, "sched_getaffinity", None)
    return dict(
        processor=processor(),
        cores=os.cpu_count(),
        usable_cores=len(affinity(0)) if affinity else os.cpu_count(),
        load_average=list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        python=platform.python_version(),
        jax=jax.__version__,
        platform=device.platform,
        device=device.device_kind,
        devices=jax.device_count(),
        xla_flags=os.environ.get("XLA_FLAGS", ""),
        compilation_cache=jax.config.values["jax_compilation_cache_dir"],  # None: none
    )


def processor() -> str:
    """Return the name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def report(rows: Mapping[str, Row], *, repeats: int) -> dict[str, Any]:
    """Return the JSON object of a measurement."""
    head = dict(schema=SCHEMA, version=VERSION, machine=machine(), repeats=repeats)
    return head | dict(rows=dict(rows))


def load(path: Path) -> dict[str, Any]:
    """Read a report.

    Raises:
      OSError: if there is no such file, or it cannot be read.
      ValueError: if it is no report, or a report of another version.
    """
    with open(path, "rb") as file:
        text = file.read(LARGEST + 1)
    try:
        value = json.loads(text) if len(text) <= LARGEST else None
    except ValueError:
        value = None
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise ValueError(f"{path} is not a result of `jaxdigits bench --json`")
    if value.get("version") != VERSION:
        raise ValueError(
            f"{path} has schema version {value.get('version')!r}, not {VERSION}: measure again"
        )
    try:
        rows = [row for row in value["rows"].values() if "cold_seconds" not in row]
        complete = all(row[k]["median"] > 0 for row in rows for k in ("step_seconds", "ratio"))
    except (AttributeError, KeyError, TypeError):
        complete = False
    if not complete:
        raise ValueError(f"{path} is damaged: a row has no times")
    return value


def _seconds_per_call(step: Callable[[], None], count: int) -> float:
    clock = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - clock) / count
