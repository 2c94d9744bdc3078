"""The benchmark: steps of the library, timed in turn with their matrix products alone."""

from jaxdigits.bench.timing import floor_of as floor_of
from jaxdigits.bench.timing import in_turn as in_turn
from jaxdigits.bench.timing import load as load
from jaxdigits.bench.timing import machine as machine
from jaxdigits.bench.timing import measure as measure
from jaxdigits.bench.timing import processor as processor
from jaxdigits.bench.timing import quartiles as quartiles
from jaxdigits.bench.timing import report as report
from jaxdigits.bench.workloads import WORKLOADS as WORKLOADS
from jaxdigits.bench.workloads import Workload as Workload
from jaxdigits.bench.workloads import select as select
from jaxdigits.fast.allocator import keep_freed_memory as keep_freed_memory
