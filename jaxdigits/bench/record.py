"""What was measured, as JSON: written, read again, compared."""

import json
import os
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxdigits.bench.products import floor, quickest
from jaxdigits.bench.timing import in_turn, quartiles
from jaxdigits.bench.workloads import Workload
from jaxdigits.runs.folder import write_json

SCHEMA, VERSION = "jaxdigits-bench", 1
LARGEST = 1 << 24  # bytes of a file that is read; ours have some thousand

Row = dict[str, Any]


class Change(NamedTuple):
    """What became of a workload; None where there is nothing to compare."""

    name: str
    old_seconds: float | None
    new_seconds: float | None
    old_ratio: float | None
    """to the floor, in the same process: what a busy machine changes least"""
    new_ratio: float | None


def measure(workload: Workload, *, repeats: int) -> Row:
    """A row: the step and its floor, timed in turn `repeats` times.

    All times are in seconds.  `ratio` has the quartiles of step ÷ floor, turn by turn.

    Raises:
      ValueError: unless repeats >= 1.
    """
    program, (parts, products) = workload.program(), floor_of(workload)
    step, least = in_turn([program.step, products], repeats=repeats)
    ratio = [s / f for s, f in zip(step, least, strict=True)]
    median = quartiles(step).median
    return dict(
        what=workload.what,
        step_seconds=quartiles(step)._asdict(),
        floor_seconds=quartiles(least)._asdict(),
        floor_parts=parts,
        ratio=quartiles(ratio)._asdict(),
        samples_per_second=workload.samples / median,
        flops_per_step=workload.flops,
        flops_per_second=workload.flops / median,
        compile_seconds=program.compile_seconds,
        program_bytes=program.memory,
        turns=dict(step=step, floor=least),
    )


def floor_of(workload: Workload) -> tuple[int, Callable[[], None]]:
    """The products of a workload, in as many parts of its batch as are quickest here."""
    floors = {
        parts: floor(workload.products(parts), repeat=parts * workload.repeat)
        for parts in workload.cuts
    }
    parts = quickest(floors) if len(floors) > 1 else 1
    return parts, floors[parts]


def machine() -> dict[str, Any]:
    """Where it runs: processor, cores, load, versions, device and XLA's flags."""
    import jax

    device = jax.devices()[0]
    return dict(
        processor=processor(),
        cores=os.cpu_count(),
        usable_cores=_usable_cores(),
        load_average=list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        python=platform.python_version(),
        jax=jax.__version__,
        platform=device.platform,
        device=device.device_kind,
        devices=jax.device_count(),
        xla_flags=os.environ.get("XLA_FLAGS", ""),
        compilation_cache=jax.config.values[
            "jax_compilation_cache_dir"
        ],  # None: compiled afresh
    )


def report(rows: Mapping[str, Row], *, repeats: int) -> dict[str, Any]:
    """The JSON object that holds such rows."""
    head = dict(schema=SCHEMA, version=VERSION, machine=machine(), repeats=repeats)
    return head | dict(rows=dict(rows))


def save(path: Path, result: Mapping[str, Any]) -> None:
    """Write a report, whole or not at all.

    Raises:
      OSError: if it cannot be written.
    """
    write_json(path, dict(result))


def load(path: Path) -> dict[str, Any]:
    """Read a report.

    Raises:
      OSError: if there is no such file, or it cannot be read.
      ValueError: if it is not a report, or one of another version, saying so.
    """
    with open(path, "rb") as file:
        text = file.read(LARGEST + 1)
    try:
        value = json.loads(text) if len(text) <= LARGEST else None
    except ValueError:
        value = None
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise ValueError(f"{path} is no result of `jaxdigits bench --json`")
    if value.get("version") != VERSION:
        raise ValueError(
            f"{path} has schema version {value.get('version')!r}; this program compares "
            f"version {VERSION}: measure again"
        )
    rows = value.get("rows")
    if not isinstance(rows, dict) or not all(map(_is_row, rows.values())):
        raise ValueError(f"{path} is damaged: it has a row without times")
    return value


def compare(old: Mapping[str, Row], new: Mapping[str, Row]) -> list[Change]:
    """What changed, for each workload of `new`, and of `old` where `new` lacks it."""
    names = [*new, *(name for name in old if name not in new)]
    get = lambda of, rows, name: of(rows[name]) if name in rows else None
    return [
        Change(name, get(seconds, old, name), get(seconds, new, name),
               get(_ratio, old, name), get(_ratio, new, name))
        for name in names
    ]  # fmt: skip


def seconds(row: Row) -> float | None:
    """The time that stands for a row: the median step, or all from a cold start."""
    if "step_seconds" in row:
        return row["step_seconds"]["median"]
    return row["cold_seconds"]["total"]


def _ratio(row: Row) -> float | None:
    return row["ratio"]["median"] if "ratio" in row else None


def _is_row(row: Any) -> bool:
    try:
        return isinstance(seconds(row), float) and isinstance(_ratio(row), float | None)
    except (KeyError, TypeError):
        return False


def _usable_cores() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def processor() -> str:
    """What the processor calls itself."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        named = [x for x in info.read_text().splitlines() if x.startswith("model name")]
        if named:
            return named[0].split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
