"""The benchmark: steps of the library beside the matrix products they cannot do without."""

from jaxdigits.bench.allocator import keep_freed_memory as keep_freed_memory
from jaxdigits.bench.cold import GOALS as GOALS
from jaxdigits.bench.cold import Goal as Goal
from jaxdigits.bench.cold import measure_cold as measure_cold
from jaxdigits.bench.cold import mnist_folder as mnist_folder
from jaxdigits.bench.products import Product as Product
from jaxdigits.bench.products import conv_products as conv_products
from jaxdigits.bench.products import dense_products as dense_products
from jaxdigits.bench.products import floor as floor
from jaxdigits.bench.programs import Program as Program
from jaxdigits.bench.record import Change as Change
from jaxdigits.bench.record import compare as compare
from jaxdigits.bench.record import floor_of as floor_of
from jaxdigits.bench.record import load as load
from jaxdigits.bench.record import machine as machine
from jaxdigits.bench.record import measure as measure
from jaxdigits.bench.record import report as report
from jaxdigits.bench.record import save as save
from jaxdigits.bench.timing import Quartiles as Quartiles
from jaxdigits.bench.timing import in_turn as in_turn
from jaxdigits.bench.timing import quartiles as quartiles
from jaxdigits.bench.workloads import WORKLOADS as WORKLOADS
from jaxdigits.bench.workloads import Workload as Workload
from jaxdigits.bench.workloads import select as select
