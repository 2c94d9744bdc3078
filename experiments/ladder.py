"""Cost and accuracy of four networks at four sizes each.

    JAXDIGITS_DATA=FOLDER python experiments/ladder.py train [NETWORK ...]
    python experiments/ladder.py time
    python experiments/ladder.py table

`train` trains each size over `SEEDS` seeds, without augmentation: the epoch is chosen on 5,000
validation images, and each network reads the test set once.  `time` measures, on both cores and
with nothing else running, a training step of 128 images and the reading of 1,000.  Both join
ladder.json; `time` draws docs/images/ladder.png as well.
"""

import statistics
import sys
from pathlib import Path
from typing import Any

from core import machine
from trained import accuracy, config_of, join, load, step_of, trained

from jaxdigits.fast.flags import set_flags

RESULTS = Path(__file__).with_suffix(".json")
FIGURE = Path(__file__).parent.parent / "docs" / "images" / "ladder.png"
SEEDS, REPEATS, READ = 2, 7, 1000

_COMMON: dict[str, dict[str, Any]] = {
    "mlp": dict(epochs=15, dropout_rate=0.2),
    "cnn": dict(epochs=6, hidden=[], dropout_rate=0.2),
    "snn": dict(epochs=6, steps=6, precision="mixed", dropout_rate=0.0),
    "conv_snn": dict(epochs=3, steps=4, precision="mixed", dropout_rate=0.0),
}
SIZES: dict[str, list[dict[str, Any]]] = {
    "mlp": [dict(hidden=h) for h in ([32], [128], [512], [1024, 1024])],
    "cnn": [dict(channels=[n, 2 * n, 4 * n]) for n in (2, 4, 8, 16)],
    "snn": [dict(hidden=h) for h in ([32], [128], [512], [1024, 1024])],
    "conv_snn": [dict(channels=c) for c in ([2, 8], [4, 16], [8, 32], [12, 48])],
}


def rungs(network: str) -> dict[str, dict[str, Any]]:
    """Return the settings of a network's sizes, by name."""
    sizes = {"-".join(map(str, next(iter(size.values())))): size for size in SIZES[network]}
    return {name: _COMMON[network] | size for name, size in sizes.items()}


def learn(network: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Train a size with each seed; return its test accuracy and its counted cost."""
    from jaxdigits.data import mnist
    from jaxdigits.measure import cost

    nets = [trained(config_of(network, settings, seed)) for seed in range(SEEDS)]
    on_paper = cost(config_of(network, settings, 0).build()(training=True))
    reached = [accuracy(net, mnist()[1]) for net in nets]
    found = dict(test=reached, epochs=settings["epochs"], machine=machine())
    return found | on_paper._asdict()


def times() -> dict[str, dict[str, dict[str, float]]]:
    """Return milliseconds of a training step, and of an image among `READ`, sizes in turn."""
    from jaxdigits.bench import in_turn, keep_freed_memory

    keep_freed_memory()
    names = [(network, name) for network in SIZES for name in rungs(network)]
    steps = [step_of(config_of(n, rungs(n)[name], 0)) for n, name in names]
    reads = [read(config_of(n, rungs(n)[name], 0)) for n, name in names]
    found: dict[str, dict[str, dict[str, float]]] = {network: {} for network in SIZES}
    taken = in_turn(steps + reads, repeats=REPEATS)
    for i, (network, name) in enumerate(names):
        training, reading = (statistics.median(taken[j]) for j in (i, i + len(names)))
        found[network][name] = dict(step_ms=1e3 * training, read_ms=1e3 * reading / READ)
    return found


def read(config: Any):
    """Return the reading of `READ` images, as a function that waits for its result."""
    import jax

    from jaxdigits.bench.programs import synthetic
    from jaxdigits.train import gather_statistics, logits_of

    image, key = synthetic(READ).inputs[:], jax.random.key(0)
    network = config.build()(training=True)
    params, _ = network.init(key, (28, 28))
    seen = gather_statistics(network, params, image, key)
    evaluation = config.build()(training=False, statistics=seen)
    program = jax.jit(lambda params, image: logits_of(evaluation, params, image, key)[0])
    return lambda: jax.block_until_ready(program(params, image))


def table(results: dict[str, Any]) -> str:
    """Return the ladder as a Markdown table."""
    head = ["network", "parameters", "products (MAC) an image", "test accuracy",
            "training, ms a step", "epochs", "reading, ms an image"]  # fmt: skip
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    for network, sizes in results.items():
        for name, row in sizes.items():
            reached = " and ".join(f"{100 * a:.2f}" for a in row["test"])
            lines.append(
                f"| {network} {name} | {row['parameters']:,} "
                f"| {row['multiply_accumulates']:,} | {reached} % | {row['step_ms']:.1f} "
                f"| {row['epochs']} | {row['read_ms']:.4f} |"
            )
    return "\n".join(lines)


def draw(results: dict[str, Any]) -> None:
    """Draw accuracy against parameters, and against products."""
    import numpy as np

    from jaxdigits.plots import pareto_figure

    cells = lambda row: (
        row["parameters"],
        row["multiply_accumulates"],
        100 * (1 - statistics.mean(row["test"])),
    )
    points = {
        network: np.array([cells(row) for row in sizes.values()])
        for network, sizes in results.items()
    }
    figure = pareto_figure(points, x_labels=("parameters", "products (MAC) an image"),
                           y_label="test error in %")  # fmt: skip
    figure.savefig(FIGURE, dpi=110)


def main() -> None:
    todo, *names = sys.argv[1:] or [""]
    if todo == "table":
        print(table(load(RESULTS, {})))
    elif todo == "train" and set(names) <= set(SIZES):
        set_flags()  # as `jaxdigits` sets them
        for network in names or SIZES:
            for name, settings in rungs(network).items():
                if name not in load(RESULTS, {}).get(network, {}):
                    row = learn(network, settings)
                    join(
                        RESULTS,
                        {},
                        lambda r, n=network, s=name, row=row: r.setdefault(n, {}).update(
                            {s: row}
                        ),
                    )
                    print(network, name, row, flush=True)
    elif todo == "time":
        set_flags()
        taken = times()

        def add(results):
            for network, sizes in results.items():
                for name, row in sizes.items():
                    row.update(taken[network][name])

        join(RESULTS, {}, add)
        draw(load(RESULTS, {}))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
