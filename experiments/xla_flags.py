"""XLA's options for products on a CPU: steps of the benchmark, and their floors, with each.

    python experiments/xla_flags.py            measure, into xla_flags.json
    python experiments/xla_flags.py table      as Markdown

Each option has a process of its own, one after another: the machine's mood moves them by up to
a quarter.  Options join those that `jaxdigits` sets; the last fusion type counts.  Another
version of jax (`peers/.venv/newest/bin/python experiments/xla_flags.py`) has the first three.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
from core import machine

from jaxdigits import bench
from jaxdigits.fast.flags import set_flags
from jaxdigits.runs.plain_files import write_json

RESULTS = Path(__file__).with_suffix(".json")
WORKLOADS, REPEATS = ("W1-T25", "W5", "W6", "W7-mlp-1"), 7
FIRST = "0.10.2"  # the version with all options
FUSION, TYPE = "--xla_cpu_experimental_ynn_fusion_type=", "LIBRARY_FUSION_TYPE_"
OPTIONS = {
    "those of `jaxdigits`": "",
    "products fused (`DOT`)": f"{FUSION}{TYPE}DOT",
    "the newer convolutions (`INDIVIDUAL_CONVOLUTION`)":
        f"{FUSION}{TYPE}INDIVIDUAL_DOT,{TYPE}INDIVIDUAL_CONVOLUTION",
    "no fusion types": FUSION,
    "oneDNN": "--xla_cpu_use_onednn=true",
    "XNNPACK": "--xla_cpu_use_xnnpack=true",
    "Eigen with one thread": "--xla_cpu_multi_thread_eigen=false",
    "vectors of 512 bits": "--xla_cpu_prefer_vector_width=512",
}  # fmt: skip


def measure_here() -> dict[str, list[float]]:
    """Return [step, floor], the medians in milliseconds, of each workload in this process."""
    rows = {}
    for name in WORKLOADS:
        workload = bench.WORKLOADS[name]
        _, floor = bench.floor_of(workload)
        times = bench.in_turn([workload.program().step, floor], repeats=REPEATS)
        rows[name] = [1e3 * bench.quartiles(each).median for each in times]
    return rows


def measure_with(option: str) -> dict[str, list[float]]:
    """Return `measure_here` of a process with an option."""
    env = os.environ | {"XLA_FLAGS": f"{os.environ['XLA_FLAGS']} {option}".strip()}
    command = [sys.executable, __file__, "here"]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def table(results: dict[str, Any]) -> str:
    """Return step and floor, in milliseconds, with each option, as Markdown."""
    rows = [["options: step; floor, ms", *WORKLOADS], ["---", *["---:"] * len(WORKLOADS)]]
    for version, of in results.items():
        for option, each in of["options"].items():
            name = option if version == FIRST else f"jax {version}: {option}"
            rows.append([name, *("{:.3g}; {:.3g}".format(*each[w]) for w in WORKLOADS)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    if sys.argv[1:] == ["table"]:
        print(table(json.loads(RESULTS.read_text())))
    elif sys.argv[1:] == ["here"]:
        print(json.dumps(measure_here()))
    else:
        set_flags()  # as `jaxdigits` sets them
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        mine = results.setdefault(jax.__version__, {"machine": machine(), "options": {}})
        for name in [*OPTIONS][: None if jax.__version__ == FIRST else 3]:
            mine["options"][name] = measure_with(OPTIONS[name])
            write_json(RESULTS, results)
        print(table(results))


if __name__ == "__main__":
    main()
