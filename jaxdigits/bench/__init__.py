"""The benchmark: steps of the library beside the matrix products they cannot do without."""

from jaxdigits.bench.cold import GOALS, Goal, measure_cold, mnist_folder
from jaxdigits.bench.products import Product, conv_products, dense_products, floor
from jaxdigits.bench.programs import Program
from jaxdigits.bench.record import (
    Change,
    compare,
    floor_of,
    load,
    machine,
    measure,
    report,
    save,
)
from jaxdigits.bench.timing import Quartiles, in_turn, quartiles
from jaxdigits.bench.workloads import WORKLOADS, Workload, select
from jaxdigits.fast.allocator import keep_freed_memory

__all__ = [
    "GOALS",
    "WORKLOADS",
    "Change",
    "Goal",
    "Product",
    "Program",
    "Quartiles",
    "Workload",
    "compare",
    "conv_products",
    "dense_products",
    "floor",
    "floor_of",
    "in_turn",
    "keep_freed_memory",
    "load",
    "machine",
    "measure",
    "measure_cold",
    "mnist_folder",
    "quartiles",
    "report",
    "save",
    "select",
]
