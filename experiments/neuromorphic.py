"""Networks for chips: spiking, of few bits, of integers, converted, exported.

    JAXDIGITS_DATA=FOLDER python experiments/neuromorphic.py measure
    python experiments/neuromorphic.py table
    python experiments/neuromorphic.py smoke

`measure` trains on MNIST with three seeds: a spiking network 784-400-10 (rate code, 25 steps),
an MLP and a CNN of rectifiers (average pools), each chosen by its epoch on 5,000 validation
images.  Few bits go on from the floats, five epochs at half the learning rate.  Converted
networks choose the percentile of their units on the validation images.  A row is the accuracy
on all test images and the operations of an image, means over 500, zeros skipped.  Then each
float network is exported, and the files answer all test images beside it.

Results join neuromorphic.json as they come; a second call goes on where the first stopped.
`table` prints them and draws docs/images/front.png.  `smoke` does all of it with two seeds,
small networks and the built-in digits, and writes nothing outside a temporary folder.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from core import machine
from trained import join, load

from jaxdigits.cli.operations import count_operations
from jaxdigits.data import DATASETS
from jaxdigits.fast.flags import set_flags
from jaxdigits.measure import summarise
from jaxdigits.quantise import to_integers
from jaxdigits.runs import Config, Run, config_for, load_run, predict, run_job, validation_split
from jaxdigits.runs.answer import members_of
from jaxdigits.runs.converting import spiking_run
from jaxdigits.runs.export import export_run
from jaxdigits.runs.folder import read_result, write_result
from jaxdigits.runs.rounding import rounded_run
from jaxdigits.runs.start import config_from

PROJECT = Path(__file__).parent.parent
FIGURE = PROJECT / "docs" / "images" / "front.png"
KINDS = ("spikes, trained", "spikes, few bits", "spikes, converted", "rectifiers")
TABLE = "fp32"  # energies of the figure
EMPTY: dict[str, Any] = {"rows": {}, "exports": {}}


class Plan(NamedTuple):
    """The trainings and their sizes."""

    folder: Path = PROJECT / "runs" / "neuromorphic"
    results: Path = Path(__file__).with_suffix(".json")
    data: str = "mnist"
    seeds: tuple[int, ...] = (0, 1, 2)
    settings: dict[str, dict[str, Any]] = {  # noqa: RUF012  (nothing changes it)
        "snn": {"options": {"hidden": (400,)}},
        "mlp": {},
        "cnn": {"options": {"pool": "average"}},
    }
    tuned: dict[str, Any] = {"epochs": 5, "learning_rate": 1e-3}  # noqa: RUF012
    bits: tuple[int, ...] = (8, 4, 3, 2, 1)
    steps: dict[str, tuple[int, ...]] = {  # noqa: RUF012
        "mlp": (2, 4, 8, 16),
        "cnn": (4, 8, 16, 32),
    }

    def run(self, name: str, make: Callable[[], Config]) -> Run:
        """Return a run of this plan: trained now, unless it was."""
        folder = self.folder / name
        if not folder.is_dir() or read_result(folder) is None:
            shutil.rmtree(folder, ignore_errors=True)  # of a training that was stopped
            outcome = run_job(make(), *DATASETS[self.data](), folder)
            write_result(folder, {"seconds": outcome.seconds})
            print(f"{name}: trained in {outcome.seconds:.0f} s", flush=True)
        return load_run(folder)

    def floats(self, network: str, seed: int) -> Run:
        """Return a network with float weights."""
        settings = self.settings[network]
        make = lambda: config_for(network, self.data, seed=seed, **settings)
        return self.run(f"{network}-{seed}", make)

    def few(self, bits: int, seed: int) -> Run:
        """Return the spiking network trained on with weights of few bits."""
        start = self.folder / f"snn-{seed}"
        make = lambda: config_from(start, self.data, bits=bits, seed=seed, **self.tuned)
        return self.run(f"snn-{bits}-bits-{seed}", make)

    def rows(self) -> dict[str, tuple[str, Callable[[int], dict[str, Any]]]]:
        """Return name -> (kind, seed -> a result), floats before all that is made of them."""
        learned, test = DATASETS[self.data]()
        train, valid = validation_split(learned)
        spikes = lambda seed: self.floats("snn", seed)

        def measured(make):
            return lambda seed: measure(make(seed), test)

        rows = {"spiking 784-400-10": (KINDS[0], measured(spikes))}
        for b in self.bits:
            rows[f"{b} bit{'s' * (b > 1)}, trained"] = (
                KINDS[1],
                measured(lambda seed, b=b: self.few(b, seed)),
            )
        for b in self.bits[:-1]:
            of = lambda seed, b=b: rounded_run(spikes(seed), b, train.inputs)
            rows[f"{b} bits, rounded"] = KINDS[1], measured(of)
        integers = lambda seed: in_integers(spikes(seed), test)
        rows["integers: 8 bits, membranes 16"] = KINDS[1], integers
        for name, counts in self.steps.items():
            make = lambda seed, name=name: self.floats(name, seed)
            rows[name] = KINDS[3], measured(make)
            for n in counts:
                of = lambda seed, m=make, n=n: spiking_run(m(seed), n, train, valid)[0]
                rows[f"{name}, {n} steps"] = KINDS[2], measured(of)
        return rows


def measure(run: Run, test: Any) -> dict[str, Any]:
    """Return the accuracy of a run, and the operations that an image costs."""
    right = predict(run, test.inputs)[0].argmax(-1) == np.asarray(test.label)
    counts = count_operations(run, test)["network"]
    rest = {name: counts[name] for name in ("acs", "macs", "dense")}
    return dict(test=float(right.mean()), nJ=counts["energy_nJ"][TABLE], **rest)


def in_integers(run: Run, test: Any) -> dict[str, Any]:
    """Return the accuracy of a run in integers, and a report on each layer."""
    params, statistics, key = members_of(run)[0]
    network = run.config.build()(training=False, statistics=statistics)
    images, label = test.inputs.array, np.asarray(test.label)
    twin = to_integers(network, params, 8, images=images, label=label, key=key)
    assert twin.accuracy is not None
    layers = [layer._asdict() for layer in twin.layers]
    return dict(test=float(twin.accuracy[1]), before=float(twin.accuracy[0]), layers=layers)


def exported(run: Run, test: Any) -> dict[str, Any]:
    """Return how both kinds of files of a run answer the test set."""
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("onnx", "stablehlo"):
            path = Path(folder, kind)
            row = export_run(run, kind, path, test)._asdict()
            rows[kind] = {k: v for k, v in row.items() if k != "notes"}
            rows[kind]["bytes"] = path.stat().st_size
    return rows


def measure_all(plan: Plan) -> None:
    """Measure each row and each export of each seed that is not in the file yet."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    test = DATASETS[plan.data]()[1]
    jobs = {("rows", name): row for name, (_, row) in plan.rows().items()}
    for network in plan.settings:
        of = lambda seed, network=network: exported(plan.floats(network, seed), test)
        jobs["exports", network] = of
    for seed in map(str, plan.seeds):
        for (part, name), job in jobs.items():
            if seed not in load(plan.results, EMPTY)[part].get(name, {}):
                result = job(int(seed))
                print(seed, name, result, flush=True)

                def add(results, part=part, name=name, seed=seed, result=result):
                    results["machine"] = machine()
                    results[part].setdefault(name, {})[seed] = result

                join(plan.results, EMPTY, add)
                jax.clear_caches()


def table(results: dict[str, Any], plan: Plan) -> str:
    """Return accuracy and operations by row, beside the floats that a row is made of."""
    lines = [["network", "accuracy", "95 % interval", "to its floats", "AC", "MAC", "nJ"],
             ["---", *["---:"] * 6]]  # fmt: skip
    floats: list[float] = []
    for name, (kind, _) in plan.rows().items():
        seeds = list(results["rows"].get(name, {}).values())
        if not seeds:
            continue
        shares: list[float] = [100 * row["test"] for row in seeds]
        floats = shares if kind in (KINDS[0], KINDS[3]) else floats
        mean, gain = (
            summarise(np.array(shares)),
            np.subtract(shares, floats[: len(shares)]).mean(),
        )
        mid = lambda field, seeds=seeds: f"{np.mean([row[field] for row in seeds]):,.0f}"
        costs = [mid(f) if f in seeds[0] else "" for f in ("acs", "macs", "nJ")]
        interval = f"{mean.low:.2f} to {mean.high:.2f}"
        lines.append([name, f"{mean.mean:.2f} %", interval, f"{gain:+.2f}", *costs])
    return as_table(lines)


def table_of_exports(results: dict[str, Any]) -> str:
    """Return how files answer beside their runs."""
    lines = [["network", "file", "bytes", "answers that differ", "logits by up to",
              "spikes that differ"], ["---", "---", *["---:"] * 4]]  # fmt: skip
    for network, seeds in results["exports"].items():
        for kind in ("onnx", "stablehlo"):
            of = [row[kind] for row in seeds.values()]
            spikes = [str(r["spikes_differ"]) for r in of if r["spikes_differ"] is not None]
            differ = ", ".join(str(r["answers_differ"]) for r in of)
            logits = max(r["logits_differ"] for r in of)
            cells = [f"{of[0]['bytes']:,}", differ, f"{logits:.0e}", ", ".join(spikes)]
            lines.append([network, kind, *cells])
    return as_table(lines)


def as_table(lines: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def draw(results: dict[str, Any], plan: Plan, path: Path = FIGURE) -> None:
    """Draw the error against operations, and against the energy of their arithmetic."""
    from jaxdigits.plots import pareto_figure

    points: dict[str, list[tuple[float, ...]]] = {kind: [] for kind in KINDS}
    for name, (kind, _) in plan.rows().items():
        seeds = [row for row in results["rows"].get(name, {}).values() if "acs" in row]
        if seeds:
            mid = {
                f: float(np.mean([row[f] for row in seeds]))
                for f in ("acs", "macs", "nJ", "test")
            }
            error = max(100 * (1 - mid["test"]), 0.01)
            points[kind].append((mid["acs"] + mid["macs"], mid["nJ"], error))
    of_kind = {kind: np.array(sorted(rows)) for kind, rows in points.items() if rows}
    labels = "synaptic operations an image", "nJ an image, arithmetic of float32 in 45 nm"
    figure = pareto_figure(of_kind, x_labels=labels, y_label="test error in %")
    figure.savefig(path, dpi=110)


def main() -> None:
    command, plan = (sys.argv[1:] or ["table"])[0], Plan()
    with tempfile.TemporaryDirectory() as scratch:
        if command == "smoke":
            small = {"options": {"hidden": (16,)}, "epochs": 1, "batch": 64}
            spiking = small | {"options": {"hidden": (16,), "steps": 4}}
            plan = Plan(Path(scratch, "runs"), Path(scratch, "results.json"), "digits", (0, 1),
                        {"snn": spiking, "mlp": small}, {"epochs": 1, "batch": 64}, (8, 2),
                        {"mlp": (4,)})  # fmt: skip
        if command in ("measure", "smoke"):
            measure_all(plan)
        results = json.loads(plan.results.read_text())
        print(table(results, plan), table_of_exports(results), sep="\n\n")
        draw(results, plan, FIGURE if command != "smoke" else Path(scratch, "front.png"))


if __name__ == "__main__":
    set_flags()  # as `jaxdigits` sets them
    main()
