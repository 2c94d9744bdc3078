"""Accuracy against synaptic operations: networks of spikes, of few bits, converted, and ANNs.

    JAXDIGITS_DATA=FOLDER python experiments/neuromorphic_front.py run [NAME ...]
    python experiments/neuromorphic_front.py table
    python experiments/neuromorphic_front.py smoke

The networks are those of quantise.py (`train`) and of converting.py (`train`), with three seeds
each: run these first.  A row is the test accuracy of all seeds, and the operations of the first
on 500 test images, zeros skipped for all.  `run` adds rows to neuromorphic_front.json and draws
docs/images/front.png; `table` prints the rows.  `smoke` does it with small networks on the
built-in digits, and writes nothing.
"""

import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from converting import RUNS, SEEDS, STEPS
from core import machine
from quantise import BITS, config_of_bits
from trained import join, load, trained

from jaxdigits.cli.operations import count_operations
from jaxdigits.data import DATASETS
from jaxdigits.fast.flags import set_flags
from jaxdigits.runs import Run, config_for, load_run, predict, run_job, validation_split
from jaxdigits.runs.converting import spiking_run

RESULTS = Path(__file__).with_suffix(".json")
FIGURE = Path(__file__).parent.parent / "docs" / "images" / "front.png"
KINDS = ("spikes, trained", "spikes, few bits", "spikes, converted", "rectifiers")
TABLE = "fp32"  # energies of the figure
Runs = Callable[[], Iterator[Run]]


def networks(folder: Path = RUNS) -> dict[str, tuple[str, Runs]]:
    """Return name -> (kind, () -> the runs of all seeds)."""
    of = lambda name: [folder / f"{name}-{seed}" for seed in SEEDS]
    rows: dict[str, tuple[str, Runs]] = {}
    for bits in BITS:
        kind = KINDS[0] if bits == 32 else KINDS[1]
        rows[f"snn 400, {bits} bits"] = kind, lambda bits=bits: _of_bits(bits)
    rows["snn 800"] = KINDS[0], lambda: map(load_run, of("snn"))
    for network, counts in STEPS.items():
        rows[network] = KINDS[3], lambda network=network: map(load_run, of(network))
        for steps in counts:
            make = lambda network=network, steps=steps: _converted(of(network), steps)
            rows[f"{network}, {steps} steps"] = KINDS[2], make
    return rows


def _of_bits(bits: int) -> Iterator[Run]:
    yield load_run(trained(config_of_bits(bits)).folder)


def _converted(folders: list[Path], steps: int) -> Iterator[Run]:
    for run in map(load_run, folders):
        learned, valid = validation_split(DATASETS[run.config.data]()[0])
        yield spiking_run(run, steps, learned, valid)[0]


def measure(kind: str, runs: Iterator[Run]) -> dict[str, Any]:
    """Return the accuracy of all networks of some runs, and the operations of the first."""
    accuracies, counts = [], None
    for run in runs:
        test = DATASETS[run.config.data]()[1]
        right = predict(run, test.inputs).argmax(-1) == np.asarray(test.label)
        accuracies += right.mean(-1).tolist()
        counts = counts or count_operations(run, test)
    assert counts is not None
    ops = counts["network"]
    return dict(
        kind=kind, test=accuracies, acs=ops["acs"], macs=ops["macs"], dense=ops["dense"],
        energy_nJ=ops["energy_nJ"], images=counts["examples"], machine=machine(),
    )  # fmt: skip


def table(results: dict[str, Any]) -> str:
    """Return the rows as Markdown, by kind."""
    lines = ["| network | | accuracy, mean of seeds | AC | MAC | with zeros | nJ, fp32 |",
             "| --- | --- | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    for kind in KINDS:
        for name, row in results.items():
            if row["kind"] == kind:
                numbers = (f"{row[key]:,.0f}" for key in ("acs", "macs", "dense"))
                share = f"{100 * statistics.mean(row['test']):.2f} %"
                cells = [name, kind, share, *numbers, f"{row['energy_nJ'][TABLE]:.0f}"]
                lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(results: dict[str, Any], path: Path = FIGURE) -> None:
    """Draw the error against operations, and against the energy of their arithmetic."""
    from jaxdigits.plots import pareto_figure

    cells = lambda row: (
        row["acs"] + row["macs"], row["energy_nJ"][TABLE],
        max(100 * (1 - statistics.mean(row["test"])), 0.01),
    )  # fmt: skip
    points = {
        kind: np.array(sorted(cells(r) for r in results.values() if r["kind"] == kind))
        for kind in KINDS
    }
    labels = "synaptic operations an image", "nJ an image, arithmetic of float32 in 45 nm"
    points = {kind: rows for kind, rows in points.items() if len(rows)}
    figure = pareto_figure(points, x_labels=labels, y_label="test error in %")
    figure.savefig(path, dpi=110)


def smoke() -> None:
    """Measure a small network of each kind on the built-in digits."""
    data, settings = DATASETS["digits"](), dict(epochs=1, batch=64)
    with tempfile.TemporaryDirectory() as folder:
        runs = {}
        for name, network, more in (
            ("snn", "snn", dict(options=dict(hidden=(16,), steps=4))),
            ("snn, 2 bits", "snn", dict(options=dict(hidden=(16,), steps=4), bits=2)),
            ("mlp", "mlp", dict(options=dict(hidden=(16,)))),
        ):
            place = Path(folder, name)
            run_job(config_for(network, "digits", **settings, **more), *data, place)
            runs[name] = load_run(place)
        spikes = next(_converted([Path(folder, "mlp")], 4))
        of = zip(KINDS, [runs["snn"], runs["snn, 2 bits"], spikes, runs["mlp"]], strict=True)
        results = {
            f"{run.config.network}, {kind}": measure(kind, iter([run])) for kind, run in of
        }
        print(table(results))
        draw(results, Path(folder, "front.png"))


def main() -> None:
    command, *names = sys.argv[1:] or ["table"]
    if command == "smoke":
        smoke()
        return
    if command == "run":
        for name, (kind, runs) in networks().items():
            if not names or name in names:
                row = measure(kind, runs())
                print(name, row, flush=True)
                join(RESULTS, {}, lambda results, n=name, row=row: results.update({n: row}))
        draw(load(RESULTS, {}))
    print(table(load(RESULTS, {})))


if __name__ == "__main__":
    set_flags()  # as `jaxdigits` sets them
    main()
