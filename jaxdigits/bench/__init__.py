"""The benchmark: steps of the library, timed in turn with their matrix products alone."""

from jaxdigits.bench.allocator import keep_freed_memory
from jaxdigits.bench.timing import (
    floor_of,
    in_turn,
    load,
    machine,
    measure,
    processor,
    quartiles,
    report,
)
from jaxdigits.bench.workloads import WORKLOADS, Workload, select

__all__ = [
    "WORKLOADS",
    "Workload",
    "floor_of",
    "in_turn",
    "keep_freed_memory",
    "load",
    "machine",
    "measure",
    "processor",
    "quartiles",
    "report",
    "select",
]
