"""One command for a machine with a GPU or a TPU: under eight minutes, one JSON.

    JAXDIGITS_DATA=FOLDER python experiments/accelerator.py            writes accelerator.json
    python experiments/accelerator.py --table
    python experiments/accelerator.py --smoke      all of it, small, on a CPU; writes nothing

The parts, in the order of what a reader wants to know first; a second call goes on where the
first was cut off, and a part that would not end in time is left for it:

    tests        the device's tests
    workloads    W1 to W8, each in turn with its floor
    recurrences  LIF neurons, forward and backward: a scan, blocks of 5 to 25 steps, the kernel
    populations  a step of 8 to 512 networks 784-128-10
    epoch        an epoch of W1's network on MNIST, after compilation
    cold         W9: from a command to 98 % (SNN) and 99 % (CNN) of MNIST's validation images
    peer         SpikingJelly's fused neurons on PyTorch, where both are installed
"""

import importlib.util
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from jaxdigits.bench import WORKLOADS, in_turn, machine, quartiles
from jaxdigits.bench import measure as measure_workload
from jaxdigits.bench.programs import compiled, training
from jaxdigits.bench.workloads import DECAY, perceptron
from jaxdigits.fast import scan
from jaxdigits.fast.kernel import has_kernels
from jaxdigits.fast.switch import for_platform, platform, with_kernel
from jaxdigits.runs.folder import write_json
from jaxdigits.spikes import lif

HERE = Path(__file__).parent
RESULTS = Path(__file__).with_suffix(".json")
LIMIT = 460.0  # seconds
TESTS = ("tests/fast", "tests/spikes/test_lif.py", "tests/fast/test_threefry.py")
Row = dict[str, Any]


def tests(small: bool) -> Row:
    """Run the device's tests in a process of their own."""
    places = [str(HERE.parent / place) for place in (TESTS[-1:] if small else TESTS)]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", *places]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150)
    return dict(passed=done.returncode == 0, last=done.stdout.strip().splitlines()[-1])


def workloads(small: bool) -> Row:
    """Time each workload beside its floor."""
    names = ("W7-mlp-1",) if small else tuple(WORKLOADS)
    rows = {}
    for name in names:
        rows[name] = measure_workload(WORKLOADS[name], repeats=2 if small else 20)
        rows[name].pop("turns")
    return rows


def recurrences(small: bool) -> Row:
    """Time each form of a recurrence: T, dtype and neurons as published comparisons have."""
    rows, sizes = {}, ((3, 16),) if small else itertools.product((25, 100, 500), (512, 16_384))
    for (steps, n), dtype in itertools.product(sizes, (jnp.float32, jnp.bfloat16)):
        for back in (False, True):
            programs = forms((steps, 16, n), dtype, back)
            times = in_turn([step for step, _ in programs.values()], repeats=2 if small else 10)
            way = "backward" if back else "forward"
            rows[f"{way}, T = {steps}, n = {n}, {dtype.__name__}"] = {
                form: quartiles(each)._asdict() | {"compile": programs[form][1]}
                for form, each in zip(programs, times, strict=True)
            }
    return rows


def forms(shape: tuple[int, ...], dtype: Any, back: bool) -> dict[str, tuple]:
    """Return (step, seconds to compile) of LIF neurons, in each form that this device has."""
    programs, kind = {}, "gpu" if platform() == "cpu" else platform()
    for block in (1, 5, 10, 25):
        with ExitStack() as stack:
            stack.callback(setattr, scan, "UNROLL", scan.UNROLL)
            scan.UNROLL = {kind: block}
            stack.enter_context(for_platform(kind))
            programs[f"blocks of {block}"] = neurons(shape, dtype, back)
    if has_kernels():
        with with_kernel():
            programs["kernel"] = neurons(shape, dtype, back)
    return programs


def neurons(shape: tuple[int, ...], dtype: Any, back: bool) -> tuple:
    """Compile LIF neurons alone, forward or backward: no product hides their recurrence."""
    jax.clear_caches()
    layer, x = lif(decay=DECAY), jax.random.uniform(jax.random.key(0), shape, dtype)
    forward = lambda x: layer.forward((), x, None)
    if back:
        y, residual = jax.jit(forward)(x)
        run, args = lambda residual, y: layer.backward((), residual, y)[1], (residual, y)
    else:
        run, args = forward, (x,)
    program, seconds, _ = compiled(run, *args)
    return lambda: jax.block_until_ready(program(*args)), round(seconds, 2)


def populations(small: bool) -> Row:
    """Time a step of many networks in one program."""
    rows = {}
    for members in (2,) if small else (8, 32, 128, 512):
        program = training(perceptron((784, 128, 10)), 128, members=members)
        (times,) = in_turn([program.step], repeats=2 if small else 10)
        rows[str(members)] = quartiles(times)._asdict()
    return rows


def epoch(small: bool) -> Row:
    """Time the epochs of W1's network after the first, which compiles."""
    from jaxdigits.data import digits, mnist
    from jaxdigits.runs import config_for, fit_one, validation_split

    data = "digits" if small else "mnist"
    train, valid = validation_split((digits if small else mnist)()[0])
    hidden = (16,) if small else (512,)
    config = config_for("snn", data, epochs=3 if small else 6, options={"hidden": hidden})
    history = fit_one(config, train, valid).history
    seconds = [row["seconds"] for row in history[1:]]
    return dict(seconds=quartiles(seconds)._asdict(), valid=history[-1]["valid_accuracy"])


def cold(small: bool) -> Row:
    """Measure W9, each network in a process of its own."""
    if small:
        return {}
    sys.path.insert(0, str(HERE / "benchmark"))
    from cold import GOALS, measure_cold  # pyright: ignore[reportMissingImports]

    return {name: measure_cold(name) for name in GOALS}


def peer(small: bool) -> Row:
    """Time SpikingJelly's fused neuron, forward and backward, as published: n = 16,384."""
    if importlib.util.find_spec("spikingjelly") is None:
        return dict(skipped="spikingjelly is not installed")
    import torch  # pyright: ignore[reportMissingImports]
    from spikingjelly.activation_based import (  # pyright: ignore[reportMissingImports]
        neuron,
    )

    if not torch.cuda.is_available():
        return dict(skipped="PyTorch finds no GPU")
    rows = {}
    for steps in (25, 100, 500):
        layer = neuron.LIFNode(step_mode="m", backend="cupy").cuda()
        x = torch.rand(steps, 16, 16_384, device="cuda", requires_grad=True)

        def step(layer=layer, x=x):
            layer.reset()
            layer(x).sum().backward()
            torch.cuda.synchronize()

        rows[str(steps)] = quartiles(in_turn([step], repeats=10)[0])._asdict()
    return rows


PARTS: dict[str, Callable[[bool], Row]] = {
    f.__name__: f for f in (tests, workloads, recurrences, populations, epoch, cold, peer)
}


def clocks() -> str | None:
    """Return the clocks that NVIDIA's own tool tells; None without it."""
    query = "name,clocks.sm,clocks.mem,clocks.max.sm,power.limit,driver_version"
    try:
        command = ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=20
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return None


def main() -> None:
    if "--table" in sys.argv:
        print(table(json.loads(RESULTS.read_text())))
        return
    small, start = "--smoke" in sys.argv, time.perf_counter()
    results: Row = dict(parts={})
    if not small and RESULTS.exists():
        results = json.loads(RESULTS.read_text())
    results |= dict(machine=machine(), clocks=clocks())
    for name, part in PARTS.items():
        if name in results["parts"] or time.perf_counter() - start > LIMIT:
            continue
        clock = time.perf_counter()
        try:
            row = part(small)
        except Exception as error:  # the other parts have answers of their own
            if small:
                raise
            print(f"{name} failed: {error}", flush=True)
            continue
        results["parts"][name] = dict(rows=row, seconds=round(time.perf_counter() - clock, 1))
        print(f"{name}: {time.perf_counter() - clock:.0f} s", flush=True)
        if not small:
            write_json(RESULTS, results)
    print(table(results))


def table(results: Row) -> str:
    """Return the forms of a recurrence as Markdown, in milliseconds, the best one first."""
    rows = results["parts"].get("recurrences", {}).get("rows", {})
    lines = [
        "| recurrence | best portable form | ms | kernel, ms | kernel is |",
        "|---|---|---|---|---|",
    ]
    for name, times in rows.items():
        middle = {form: 1e3 * time["median"] for form, time in times.items()}
        kernel = middle.pop("kernel", None)
        best = min(middle, key=middle.__getitem__)
        rest = (
            ("", "") if kernel is None else (f"{kernel:.3f}", f"{middle[best] / kernel:.2f} ×")
        )
        lines.append(f"| {name} | {best} | {middle[best]:.3f} | {' | '.join(rest)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
