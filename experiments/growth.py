"""Time and memory of a training step as its work grows, and the cost of integers.

    python experiments/growth.py [PART ...]    measures, and joins growth.json
    python experiments/growth.py table

`steps`, `batch` and `width` grow the SNN of W1 (784-512-10, T = 25, batch 128); `members` grows
a population of MLPs 784-128-10, batch 128.  Each part times its sizes in turn in one process,
after a warm-up and without compiling.  A slope is of the straight line through the logarithms:
1 where twice the work takes twice the time.  `integers` times the inference of an SNN
784-512-10 with the library's own neurons: with floats, with weights rounded to 8 bits, and in
whole numbers (8-bit weights, 16-bit potentials).  `table` prints Markdown and draws
docs/images/growth.png.
"""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from core import machine

from jaxdigits.bench import in_turn, quartiles
from jaxdigits.bench.programs import SHAPE, Program, compiled, synthetic, training
from jaxdigits.bench.workloads import perceptron, spiking
from jaxdigits.fast.flags import set_flags
from jaxdigits.models import snn
from jaxdigits.plots import lines_figure
from jaxdigits.quantise import rounded, to_integers
from jaxdigits.runs.plain_files import write_json
from jaxdigits.train import logits_of

RESULTS = Path(__file__).with_suffix(".json")
FIGURE = Path(__file__).parent.parent / "docs" / "images" / "growth.png"
REPEATS = 9
READ = (1, 500)  # images of an inference


def _w1(steps: int = 25, batch: int = 128, width: int = 512) -> Program:
    return training(spiking((784, width, 10), steps), batch)


def _members(members: int) -> Program:
    return training(perceptron((784, 128, 10)), 128, members=members)


AXES: dict[str, tuple[str, tuple[int, ...], Callable[[int], Program]]] = {
    "steps": ("T", (16, 64, 256, 1024), lambda n: _w1(steps=n)),
    "batch": ("batch", (16, 64, 256, 1024), lambda n: _w1(batch=n)),
    "width": ("hidden neurons", (64, 256, 1024, 4096), lambda n: _w1(width=n)),
    "members": ("networks in a step", (1, 4, 16, 64), _members),
}


def grow(axis: str) -> dict[str, Any]:
    """Return the quartiles of each size's seconds, and the bytes of its program."""
    _, sizes, make = AXES[axis]
    programs = [make(size) for size in sizes]
    times = in_turn([program.step for program in programs], repeats=REPEATS)
    rows = zip(sizes, times, programs, strict=True)
    return {str(n): quartiles(t)._asdict() | {"bytes": p.memory} for n, t, p in rows}


def integers() -> dict[str, Any]:
    """Return the quartiles of the seconds of an inference, by images and numbers."""
    network = snn(hidden=(512,), dropout_rate=0.0)
    params, _ = network.init(jax.random.key(0), SHAPE)
    twin = to_integers(network, params)
    ways = {
        "float": (network, params),
        "weights of 8 bits": (network, rounded(params, 8)),
        "integers": (twin.network, twin.params),
    }
    rows = {}
    for batch in READ:
        images = synthetic(batch).inputs
        steps = [partial(_read, *_reader(*way, images)) for way in ways.values()]
        times = in_turn(steps, repeats=REPEATS)
        rows[str(batch)] = {n: quartiles(t)._asdict() for n, t in zip(ways, times, strict=True)}
    return rows


def _reader(network: Any, params: Any, images: Any) -> tuple:
    key = jax.random.key(0)
    read = lambda params, images: logits_of(network, params, images, key)[0].argmax(-1)
    return compiled(read, params, images)[0], params, images


def _read(program: Any, params: Any, images: Any) -> None:
    jax.block_until_ready(program(params, images))


def slope(sizes: list[int], values: list[float]) -> float:
    """Return the slope of the straight line through the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def tables(results: dict[str, Any]) -> list[str]:
    """Return the tables as Markdown: of growth, and of integers."""
    growth = [
        "| grows | sizes | ms | slope | memory, MB | slope |",
        "| --- | --- | --- | ---: | --- | ---: |",
    ]
    for axis, (name, _, _) in AXES.items():
        sizes = list(map(int, results[axis]))
        seconds, memory = (
            [row[k] for row in results[axis].values()] for k in ("median", "bytes")
        )
        ms, mb = [1e3 * n for n in seconds], [n / 1e6 for n in memory]
        cells = [name, _listed(sizes), _listed(ms), f"{slope(sizes, seconds):.2f}"]
        cells += [_listed(mb), f"{slope(sizes, memory):.2f}"]
        growth.append(f"| {' | '.join(cells)} |")
    head = list(results["integers"][str(READ[0])])
    cost = [f"| images | {', ms | '.join(head)}, ms |", f"| ---: |{' ---: |' * len(head)}"]
    for images, row in results["integers"].items():
        times = [f"{1e3 * row[name]['median']:.2f}" for name in head]
        cost.append(f"| {images} | {' | '.join(times)} |")
    return ["\n".join(growth), "\n".join(cost)]


def _listed(numbers: list) -> str:
    return "; ".join(f"{n:,.0f}" if n >= 100 else f"{n:.3g}" for n in numbers)


def draw(results: dict[str, Any]) -> None:
    """Draw the time of a step as its work grows, both relative to the smallest."""
    lines = {}
    for axis, (name, sizes, _) in AXES.items():
        seconds = np.array([row["median"] for row in results[axis].values()])
        lines[f"{name}, from {sizes[0]}"] = seconds / seconds[0]
    growth = np.array(AXES["steps"][1]) / AXES["steps"][1][0]
    lines["time as work"] = growth
    figure = lines_figure(growth, lines, x_label="work", y_label="time", log=True)
    figure.savefig(FIGURE, dpi=110)


def main() -> None:
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if sys.argv[1:] == ["table"]:
        print(*tables(results), sep="\n\n")
        draw(results)
        return
    set_flags()  # as `jaxdigits` sets them
    parts = {axis: partial(grow, axis) for axis in AXES} | {"integers": integers}
    for name in sys.argv[1:] or parts:
        results[name] = parts[name]()
        print(name, results[name], flush=True)
        write_json(RESULTS, results | {"machine": machine()})


if __name__ == "__main__":
    main()
