"""Networks of rectifiers as spiking networks, and exports beside their runs: MNIST, 3 seeds.

    JAXDIGITS_DATA=FOLDER python experiments/converting.py train
    JAXDIGITS_DATA=FOLDER python experiments/converting.py convert
    JAXDIGITS_DATA=FOLDER python experiments/converting.py export
    python experiments/converting.py table

`train` makes the runs: an MLP as `jaxdigits train mlp --data mnist`, a CNN with average pooling
and batch norm, and an SNN.  `convert` takes units from 1,000 training images, chooses the
percentile on the 5,000 validation images at each number of steps, and reads the test set once
with it.  `export` writes ONNX and StableHLO files, which answer the test set beside their runs.
"""

import json
import platform
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits.convert import convert, spiking
from jaxdigits.data import mnist
from jaxdigits.fast.flags import set_flags
from jaxdigits.fold import folded
from jaxdigits.runs import config_for, finish_run, load_run, predict, run_job, validation_split
from jaxdigits.runs.export import export_run
from jaxdigits.runs.folder import read_result
from jaxdigits.train import logits_of

RESULTS = Path(__file__).with_suffix(".json")
RUNS = Path(__file__).parent.parent / "runs" / "converting"
SEEDS = (0, 1, 2)
NETWORKS: dict[str, dict[str, Any]] = {
    "mlp": {},
    "cnn": dict(options=dict(pool="average")),
    "snn": {},
}
STEPS = {"mlp": (2, 4, 8, 16), "cnn": (4, 8, 16, 32)}
PERCENTILES = (97.0, 99.0, 99.9, 100.0)
UNITS = 1000  # training images whose activations give the units


def train() -> None:
    """Train each network with each seed, unless its run is there."""
    learn, test = mnist()
    for network, settings in NETWORKS.items():
        for seed in SEEDS:
            folder = RUNS / f"{network}-{seed}"
            if folder.is_dir() and read_result(folder) is not None:
                continue
            config = config_for(network, "mnist", seed=seed, **settings)
            outcome = run_job(config, learn, test, folder)
            finish_run(folder, {"seconds": outcome.seconds})
            print(folder.name, f"{outcome.seconds:.0f} s", flush=True)


def converted(network: str, seed: int) -> dict[str, Any]:
    """Return the accuracy of a run, and of it in spikes, by the number of steps."""
    run = load_run(RUNS / f"{network}-{seed}")
    learn, test = mnist()
    learn, valid = validation_split(learn)
    rectifiers = run.config.build()(training=False, statistics=run.statistics)
    image = np.asarray(
        learn.inputs.take(jnp.arange(UNITS), jax.random.split(jax.random.key(0), UNITS))
    )
    params = {p: convert(rectifiers, run.params, image, percentile=p) for p in PERCENTILES}
    row: dict[str, Any] = {"ann": accuracy(predict(run, test.inputs)[0], test.label)}
    for steps in STEPS[network]:
        net = spiking(folded(rectifiers), steps=steps)
        answer = jax.jit(partial(logits_of, net, batch=100))
        key = jax.random.key(seed)
        shares = {
            p: accuracy(answer(params[p], valid.inputs, key)[0], valid.label) for p in params
        }
        best = max(shares, key=shares.__getitem__)
        logits, rates = answer(params[best], test.inputs, key)
        share = accuracy(logits, test.label)
        row[str(steps)] = dict(
            percentile=best, accuracy=share, rates=np.asarray(rates).tolist()
        )
        print(network, seed, steps, row["ann"], row[str(steps)], flush=True)
    return row


def accuracy(logits: Any, label: Any) -> float:
    """Return the share of right answers."""
    return float((np.asarray(logits).argmax(-1) == np.asarray(label)).mean())


def exported(network: str, seed: int) -> dict[str, Any]:
    """Return how both kinds of files of a run answer the test set."""
    run, test = load_run(RUNS / f"{network}-{seed}"), mnist()[1]
    row = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("onnx", "stablehlo"):
            path = Path(folder) / kind
            row[kind] = export_run(run, kind, path, test)._asdict()
            row[kind]["bytes"] = path.stat().st_size
    print(network, seed, row, flush=True)
    return row


def table(results: dict[str, Any]) -> str:
    """Return the mean accuracy of converted networks, and its distance from the ANN's."""
    lines = [["network", "steps", "accuracy, in %", "ANN", "difference, in points"]]
    lines += [["---", "---:", "---:", "---:", "---:"]]
    for network, steps in STEPS.items():
        rows = [results["convert"][f"{network}-{seed}"] for seed in SEEDS]
        for number in steps:
            share = np.array([[100 * r[str(number)]["accuracy"], 100 * r["ann"]] for r in rows])
            gap = share[:, 0] - share[:, 1]
            cells = [
                f"{share[:, i].mean():.2f} ± {share[:, i].std(ddof=1):.2f}" for i in (0, 1)
            ]
            each = ", ".join(f"{g:+.2f}" for g in gap)
            lines.append([network, str(number), *cells, f"{gap.mean():+.2f} ({each})"])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def table_of_exports(results: dict[str, Any]) -> str:
    """Return how files answer beside their runs."""
    lines = [["network", "file", "bytes", "answers that differ", "logits by up to",
              "spikes that differ"], ["---", "---", *["---:"] * 4]]  # fmt: skip
    for network in NETWORKS:
        rows = [results["export"][f"{network}-{seed}"] for seed in SEEDS]
        for kind in ("onnx", "stablehlo"):
            of = [row[kind] for row in rows]
            spikes = [str(r["spikes_differ"]) for r in of if r["spikes_differ"] is not None]
            differ = ", ".join(str(r["answers_differ"]) for r in of)
            logits = max(r["logits_differ"] for r in of)
            cells = [f"{of[0]['bytes']:,}", differ, f"{logits:.0e}", ", ".join(spikes)]
            lines.append([network, kind, *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def record(kind: str, names: Any, measure: Any) -> None:
    """Add the results of each run to converting.json, as they come."""
    for network in names:
        for seed in SEEDS:
            results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
            results["machine"] = f"{platform.machine()}, jax {jax.__version__}"
            results.setdefault(kind, {})[f"{network}-{seed}"] = measure(network, seed)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    set_flags()  # as `jaxdigits` sets them
    command = sys.argv[1]
    if command == "train":
        train()
    elif command == "convert":
        record("convert", STEPS, converted)
    elif command == "export":
        record("export", NETWORKS, exported)
    else:
        every = json.loads(RESULTS.read_text())
        print(table(every), table_of_exports(every), sep="\n\n")
