"""One command for a machine with a GPU or a TPU: some eight minutes, one JSON.

    JAXDIGITS_DATA=FOLDER python experiments/accelerator.py            writes accelerator.json
    python experiments/accelerator.py --table
    python experiments/accelerator.py --smoke      all of it, small, on a CPU; writes nothing

The parts, in the order of what a reader wants to know first; each row joins the JSON when it is
measured, a second call goes on where the first was cut off, and no row begins after the limit:

    recurrences  LIF neurons, forward and backward: a scan, blocks of 5 to 25 steps, the kernel
    networks     the training step of W1 and of W2 in each of these forms
    epoch        an epoch of MNIST, after compilation: the default SNN with 512 hidden neurons
    workloads    W1 to W8, each in turn with its floor
    populations  a step of 8 to 512 networks 784-128-10
    cold         W9: from a command to 98 % (SNN) and 99 % (CNN) of MNIST's validation images
    peer         SpikingJelly's fused neurons on PyTorch, where both are installed
    tests        the device's tests
"""

import importlib.util
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from jaxdigits.bench import WORKLOADS, in_turn, machine, quartiles
from jaxdigits.bench import measure as measure_workload
from jaxdigits.bench.programs import compiled, training
from jaxdigits.bench.workloads import DECAY, perceptron, spiking
from jaxdigits.fast import scan
from jaxdigits.fast.kernel import has_kernels
from jaxdigits.fast.switch import for_platform, platform, without
from jaxdigits.runs.plain_files import write_json
from jaxdigits.spikes import lif

HERE = Path(__file__).parent
RESULTS = Path(__file__).with_suffix(".json")
LIMIT = 420.0  # seconds
MEMBERS = (8, 32, 128, 512)
TESTS, QUICK = ("tests/fast", "tests/spikes/test_lif.py"), ("tests/fast/test_threefry.py",)
Row = dict[str, Any]
Rows = dict[str, Callable[[], Row]]
"""{name: function that measures it}"""


def recurrences(small: bool) -> Rows:
    """Time each form of a recurrence: T, dtype and neurons as published comparisons have."""
    sizes = ((3, 16),) if small else tuple(itertools.product((25, 100, 500), (512, 16_384)))
    grid = [(size, jnp.float32) for size in sizes]
    grid += [(size, jnp.bfloat16) for size in sizes if small or size[0] == 100]
    return {
        f"{way}, T = {steps}, n = {n}, {dtype.__name__}": partial(
            times_of_forms,
            partial(neurons, (steps, 16, n), dtype, way == "backward"),
            small,
            dtype == jnp.float32,
        )
        for (steps, n), dtype in grid
        for way in ("forward", "backward")
    }


def networks(small: bool) -> Rows:
    """Time a training step of whole networks in each form of their neurons' recurrences."""
    sizes = {"W1": ((784, 512, 10), 25, 128), "W2": ((784, 1000, 1000, 10), 50, 256)}
    if small:
        sizes = {"W1": ((784, 8, 10), 3, 4)}
    step = lambda sizes, steps, batch: training(spiking(sizes, steps), batch).step
    return {
        name: partial(times_of_forms, partial(step, *size), small)
        for name, size in sizes.items()
    }


def times_of_forms(
    make: Callable[[], Callable[[], Any]], small: bool, kernel: bool = True
) -> Row:
    """Time a step in each form that this device has; `make` compiles the step."""
    programs, kind = {}, "gpu" if platform() == "cpu" else platform()
    for block in (1, 5, 10, 25):
        with ExitStack() as stack:
            stack.callback(setattr, scan, "UNROLL", scan.UNROLL)
            scan.UNROLL = {kind: block}
            stack.enter_context(for_platform(kind))
            stack.enter_context(without("kernel"))
            jax.clear_caches()
            programs[f"blocks of {block}"] = make()
    if kernel and has_kernels():
        jax.clear_caches()
        programs["kernel"] = make()
    times = in_turn(list(programs.values()), repeats=2 if small else 10)
    return {form: quartiles(each)._asdict() for form, each in zip(programs, times, strict=True)}


def neurons(shape: tuple[int, ...], dtype: Any, back: bool) -> Callable[[], Any]:
    """Compile LIF neurons alone, forward or backward: no product hides their recurrence."""
    layer, x = lif(decay=DECAY), jax.random.uniform(jax.random.key(0), shape, dtype)
    forward = lambda x: layer.forward((), x, None)
    if back:
        y, residual = jax.jit(forward)(x)
        run, args = lambda residual, y: layer.backward((), residual, y)[1], (residual, y)
    else:
        run, args = forward, (x,)
    program = compiled(run, *args)[0]
    return lambda: jax.block_until_ready(program(*args))


def workloads(small: bool) -> Rows:
    """Time each workload beside its floor, which takes the batch whole."""

    def row(name: str) -> Row:
        whole = replace(WORKLOADS[name], cuts=(1,))
        row = measure_workload(whole, repeats=2 if small else 20)
        form = "kernel" if has_kernels() else f"blocks of {scan.UNROLL.get(platform(), 1)}"
        del row["turns"]
        return row | {"recurrence": form}

    return {name: partial(row, name) for name in (("W7-mlp-1",) if small else WORKLOADS)}


def populations(small: bool) -> Rows:
    """Time a step of many networks in one program."""

    def row(members: int) -> Row:
        program = training(perceptron((784, 128, 10)), 128, members=members)
        (times,) = in_turn([program.step], repeats=2 if small else 10)
        return quartiles(times)._asdict()

    return {str(members): partial(row, members) for members in ((2,) if small else MEMBERS)}


def epoch(small: bool) -> Rows:
    """Time the epochs of the default SNN after the first, which compiles."""
    from jaxdigits.data import digits, mnist
    from jaxdigits.runs import config_for, fit_one, validation_split

    def row() -> Row:
        data = "digits" if small else "mnist"
        train, valid = validation_split((digits if small else mnist)()[0])
        hidden = (16,) if small else (512,)
        config = config_for("snn", data, epochs=3 if small else 12, options={"hidden": hidden})
        history = fit_one(config, train, valid).history
        seconds = [row["seconds"] for row in history[1:]]
        return quartiles(seconds)._asdict() | {"valid": history[-1]["valid_accuracy"]}

    return {"snn": row}


def cold(small: bool) -> Rows:
    """Measure W9, each network in a process of its own."""
    if small:
        return {}
    sys.path.insert(0, str(HERE / "benchmark"))
    from cold import GOALS, measure_cold  # pyright: ignore[reportMissingImports]

    return {name: partial(measure_cold, name) for name in GOALS}


def peer(small: bool) -> Rows:
    """Time SpikingJelly's fused neuron, forward and backward, as published: n = 16,384."""
    if small or importlib.util.find_spec("spikingjelly") is None:
        return {}

    def row(steps: int, backend: str) -> Row:
        import torch  # pyright: ignore[reportMissingImports]
        from spikingjelly.activation_based import (  # pyright: ignore[reportMissingImports]
            neuron,
        )

        layer = neuron.LIFNode(step_mode="m", backend=backend).cuda()
        x = torch.rand(steps, 16, 16_384, device="cuda", requires_grad=True)

        def step() -> None:
            layer.reset()
            layer(x).sum().backward()
            torch.cuda.synchronize()

        return quartiles(in_turn([step], repeats=10)[0])._asdict()

    backends = itertools.product((25, 100, 500), ("cupy", "torch"))
    return {f"T = {steps}, {name}": partial(row, steps, name) for steps, name in backends}


def tests(small: bool) -> Rows:
    """Run the device's tests in processes of their own."""

    def row(place: str) -> Row:
        command = [sys.executable, "-m", "pytest", "-q", "-n", "0", str(HERE.parent / place)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        lines = done.stdout.strip().splitlines()
        failed = [line.split()[1] for line in lines if line.startswith("FAILED")]
        return dict(passed=done.returncode == 0, failed=failed, last=lines[-1])

    return {place: partial(row, place) for place in (QUICK if small else TESTS)}


PARTS: dict[str, Callable[[bool], Rows]] = {
    f.__name__: f
    for f in (recurrences, networks, epoch, workloads, populations, cold, peer, tests)
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
        print(tables(json.loads(RESULTS.read_text())))
        return
    small, start = "--smoke" in sys.argv, time.perf_counter()
    results: Row = {}
    if not small and RESULTS.exists():
        results = json.loads(RESULTS.read_text())
    here = machine()
    if (before := results.get("machine", here))["device"] != here["device"]:
        sys.exit(f"{RESULTS} is of {before['device']}: move it away first")
    results |= dict(machine=here, clocks=clocks())
    for part, rows_of in PARTS.items():
        rows = results.setdefault("parts", {}).setdefault(part, {})
        for name, measure in rows_of(small).items():
            if name in rows or time.perf_counter() - start > LIMIT:
                continue
            clock = time.perf_counter()
            try:
                rows[name] = measure()
            except Exception as error:  # the other rows have answers of their own
                if small:
                    raise
                print(f"{part}, {name} failed: {error}", flush=True)
                continue
            print(f"{part}, {name}: {time.perf_counter() - clock:.1f} s", flush=True)
            if not small:
                write_json(RESULTS, results)
    print(tables(results))


def tables(results: Row) -> str:
    """Return the results as Markdown."""
    parts, ms = results["parts"], lambda seconds: f"{1e3 * seconds:.3f}"
    lines = [
        "| milliseconds | blocks of 1 | 5 | 10 | 25 | kernel | kernel is |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, row in {**parts.get("recurrences", {}), **parts.get("networks", {})}.items():
        middle = [time["median"] for time in row.values()]
        cells = [ms(time) for time in middle]
        if "kernel" in row:
            cells.append(f"{min(middle[:-1]) / middle[-1]:.2f} ×")
        lines.append(f"| {name} | {' | '.join(cells + [''] * (6 - len(cells)))} |")
    lines += [
        "",
        "| workload | ms | its products alone, ms | ratio | examples per second | TFLOP/s |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, row in parts.get("workloads", {}).items():
        middles = [row[key]["median"] for key in ("step_seconds", "floor_seconds", "ratio")]
        lines.append(
            f"| {name} | {ms(middles[0])} | {ms(middles[1])} | {middles[2]:.2f} "
            f"| {row['samples_per_second']:,.0f} | {row['flops_per_second'] / 1e12:.2f} |"
        )
    if populations := parts.get("populations"):
        lines += ["", f"| networks in a step | {' | '.join(populations)} |"]
        lines.append(f"| --- |{' ---: |' * len(populations)}")
        lines.append(f"| ms | {' | '.join(ms(r['median']) for r in populations.values())} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
