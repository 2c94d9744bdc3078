"""What each workaround of `jaxdigits/fast` gains: the benchmark with and without it, in turn.

    python experiments/workarounds.py [--seconds 30] [WORKLOAD ...]      measure
    python experiments/workarounds.py table                              as Markdown

For each workload of `jaxdigits bench`, its step is compiled as it is, and again without each
workaround.  Where that is another program, all of them take turns in one process, and the
ratio, without ÷ with, is taken turn by turn: above 1 the workaround gains.  There are three
ratios: of the time on the clock; of the processor's time, which other programs disturb less;
and of the fast turns, of which a tenth of all is faster.
Flags of XLA are options of the compiler here.  Results join workarounds.json as they come.
"""

import argparse
import ctypes
import json
import os
import re
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

RESULTS = Path(__file__).with_suffix(".json")
ALLOCATOR = "keep_freed_memory"
# What glibc comes to by itself once blocks of 32 MB are freed: TRIM_THRESHOLD, TOP_PAD,
# MMAP_THRESHOLD and MMAP_MAX of mallopt.
GLIBC = {-1: 1 << 26, -2: 1 << 17, -3: 1 << 25, -4: 1 << 16}
FEWEST = 5  # turns
FAST = 0.1  # the quantile of the times on the clock that stands for a quiet machine


def compiled_step(make: Callable[[], Any], options: dict[str, str]) -> tuple[Callable, str]:
    """(a workload's step, the text of its compiled program)."""
    import jax

    from jaxdigits.bench import programs

    texts = []

    def compiled(function, *args, donate=()):
        lowered = jax.jit(function, donate_argnums=tuple(donate)).lower(*args)
        program = lowered.compile(compiler_options={**options})
        text = program.as_text() or ""
        texts.append(re.split(r"^(?=%|ENTRY)", text, maxsplit=1, flags=re.MULTILINE)[1])
        return program, 0.0, 0

    with mock.patch.object(programs, "compiled", compiled):
        step = make().step
    return step, re.sub(r", metadata=\{[^}]*\}", "", texts[0])


def steps_of(name: str) -> dict[str, Callable]:
    """The steps of a workload: as it is, and without each workaround that it has."""
    from jaxdigits.bench import WORKLOADS
    from jaxdigits.fast.allocator import keep_freed_memory
    from jaxdigits.fast.flags import flags
    from jaxdigits.fast.switch import WORKAROUNDS, without

    make = WORKLOADS[name].program
    options = dict(flag.removeprefix("--").split("=") for flag in flags().split())
    step, text = compiled_step(make, options)
    mallopt = ctypes.CDLL(None).mallopt

    def step_without_memory():
        for option in GLIBC.items():
            mallopt(*option)
        step()
        keep_freed_memory()

    steps = {"": step, ALLOCATOR: step_without_memory}
    for workaround in (*WORKAROUNDS, *options):
        others = {k: v for k, v in options.items() if k != workaround}
        with without(workaround) if workaround in WORKAROUNDS else nullcontext():
            other, other_text = compiled_step(make, others)
        if other_text != text:
            steps[workaround] = other
    with without():
        steps["all but the allocator"] = compiled_step(make, {})[0]
    return steps


def measure(name: str, seconds: float) -> dict[str, Any]:
    """The quartiles of a workload's step, and its ratios by workaround."""
    from jaxdigits.bench import quartiles

    steps = steps_of(name)
    turns = {workaround: [] for workaround in steps}
    for _ in range(2):  # to warm up
        for step in steps.values():
            step()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(turns[""]) < FEWEST:
        for workaround, step in steps.items():
            clock, processor = time.perf_counter(), time.process_time()
            step()
            clock, processor = time.perf_counter() - clock, time.process_time() - processor
            turns[workaround].append((clock, processor))
    base = np.array(turns.pop(""))  # [turns, (clock, processor)]
    least = lambda times: np.quantile(times[:, 0], FAST)
    rows = {}
    for workaround, times in turns.items():
        times = np.array(times)
        ratios = {
            kind: quartiles(list(times[:, i] / base[:, i]))._asdict()
            for i, kind in enumerate(("clock", "processor"))
        }
        rows[workaround] = ratios | dict(fast=least(times) / least(base))
    return dict(
        turns=len(base), step_seconds=quartiles(list(base[:, 0]))._asdict(), ratios=rows
    )


def table() -> str:
    """A workaround a row, a workload a column, with the ratios' medians, as Markdown."""
    rows = json.loads(RESULTS.read_text())["workloads"]
    names = list(dict.fromkeys(n for row in rows.values() for n in row["ratios"]))
    cell = lambda row, n: f"{row['ratios'][n]['fast']:.2f}" if n in row["ratios"] else ""
    lines = [["", *rows], ["---", *["---:"] * len(rows)]]
    lines += [[n, *(cell(row, n) for row in rows.values())] for n in names]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Measure the workloads that are named, or print the table."""
    if sys.argv[1:] == ["table"]:
        print(table())
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("workloads", nargs="*")
    parser.add_argument("--seconds", type=float, default=30)
    asked = parser.parse_args()
    os.environ["JAX_PLATFORMS"] = "cpu"
    from jaxdigits.bench import WORKLOADS, keep_freed_memory, machine, select

    keep_freed_memory()
    unknown = select(asked.workloads, list(WORKLOADS))
    for name in asked.workloads or unknown:
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"workloads": {}}
        results["machine"] = machine()
        results["workloads"][name] = measure(name, asked.seconds)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        print(name, _short(results["workloads"][name]), flush=True)


def _short(row: dict[str, Any]) -> str:
    """The step in milliseconds, and of each workaround the three ratios."""
    medians = [
        f"{w}: {r['clock']['median']:.2f} {r['processor']['median']:.2f} {r['fast']:.2f}"
        for w, r in row["ratios"].items()
    ]
    return "\n    ".join([f"{1e3 * row['step_seconds']['median']:.2f} ms", *medians])


if __name__ == "__main__":
    main()
