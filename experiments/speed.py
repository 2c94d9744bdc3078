"""Cost and gain of the levers of speed: accuracy, memory, starts, time outside programs.

    JAXDIGITS_DATA=FOLDER python experiments/speed.py COMMAND

    mixed     784-512-10, T = 25, in full and in mixed precision, as by `jaxdigits train snn
              --data mnist --hidden 512 --epochs 8 --seeds 5 --precision ...`: 55,000 / 5,000 /
              10,000 images, the epoch chosen by validation, the test set read once
    memory    the memory of the compiled training step of W2 against T: the batch whole, with
              the options that keep less, and in the parts that a step chooses by default
    epochs    the share of `jaxdigits train NETWORK --data mnist` that compiled programs take,
              between the ends of the first and the last epoch
    starts    help, a prediction and a training of an epoch, from the command to its end:
              without JAXDIGITS_CACHE, with an empty folder, and with the folder that the start
              before filled
    before    the same for commit 28fd180, in the same sitting: PYTHONPATH=ITS_CHECKOUT
    table     the results so far, as Markdown

Each result joins speed.json when it is ready.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from core import machine

from jaxdigits.fast.flags import set_flags

HERE = Path(__file__).parent
RESULTS = HERE / "speed.json"
SEEDS, EPOCHS = 5, 8
STEPS = (10, 25, 50, 100, 200)
STORED = {  # of W2; batch norm is not in it
    "whole batch": dict(microbatch=256),
    "whole batch, spikes as bits": dict(microbatch=256, storage="bit"),
    "whole batch, spikes as bits, encoder again": dict(
        microbatch=256, storage="bit", recompute=True
    ),
    "in parts": dict(),
}
TIMED = {"mlp": 4, "snn": 3, "conv_snn": 3}  # epochs
ROUNDS = 3
STARTED = ("--help", "train snn --help", "predict one.png", "train --epochs 1")
STARTS = ("no cache", "empty cache", "second start")
BEFORE = "starts before"


def mixed() -> None:
    """Train both precisions, and join their accuracies to the results."""
    from jaxdigits.data import mnist
    from jaxdigits.measure import score
    from jaxdigits.runs import config_for, run_job

    train, test = mnist()
    for precision in ("full", "mixed"):
        options = dict(hidden=[512], precision=precision)
        config = config_for("snn", "mnist", epochs=EPOCHS, seeds=SEEDS, options=options)
        report = lambda row: print(row["epoch"], row["valid_accuracy"], flush=True)
        with tempfile.TemporaryDirectory() as folder:
            outcome = run_job(config, train, test, Path(folder, "run"), report)
        scores = score(outcome.logits, test.label)
        found = dict(test=scores.test_accuracies, valid=outcome.valid_accuracy)
        put("mixed", precision, found | dict(best_epoch=outcome.best_epoch))


def memory() -> None:
    """Compile W2's training step for each number of time steps and each way to keep less."""
    from jaxdigits.bench import programs
    from jaxdigits.bench.workloads import spiking

    for name, given in STORED.items():
        options = dict(given)
        microbatch = options.pop("microbatch", None)
        needs = {}
        for steps in STEPS:
            network = spiking((784, 1000, 1000, 10), steps, **options)
            needs[steps] = programs.training(network, 256, microbatch=microbatch).memory
        put("memory", name, needs)


def epochs() -> None:
    """Train as the command line does, and time the gaps between the programs."""
    from jaxdigits.data import mnist
    from jaxdigits.runs import config_for, run_job

    train, test = mnist()
    for network, count in TIMED.items():
        ends, rows = [], []

        def report(row, ends=ends, rows=rows):
            ends.append(time.perf_counter())
            rows.append(row["seconds"])

        with tempfile.TemporaryDirectory() as folder:
            config = config_for(network, "mnist", epochs=count)
            run_job(config, train, test, Path(folder, "run"), report)
        share = sum(rows[1:]) / (ends[-1] - ends[0])
        put("epochs", network, dict(share=share, epoch_seconds=rows))


def starts(part: str = "starts") -> None:
    """Run each command in new processes: without a cache, with an empty and a full one."""
    from PIL import Image, ImageDraw

    seconds: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            picture = Image.new("L", (200, 200), 230)
            ImageDraw.Draw(picture).line([(90, 50), (105, 35), (105, 165)], fill=20, width=14)
            picture.save(Path(folder, "one.png"))
            for i, command in enumerate(STARTED):
                cached = {"JAXDIGITS_CACHE": str(Path(folder, f"cache-{i}"))}
                extras = ({}, cached, cached) if "--help" not in command else ({},)
                for case, extra in zip(STARTS, extras, strict=False):
                    name = f"jaxdigits {command}: {case}"
                    seconds.setdefault(name, []).append(_command(folder, command, extra))
    for name, times in seconds.items():
        put(part, name, dict(seconds=times, median=statistics.median(times)))


def _command(folder: str, command: str, extra: dict[str, str]) -> float:
    # Python stores the package's bytecode at the first start, unless a variable forbids it.
    without = "JAXDIGITS_CACHE", "PYTHONDONTWRITEBYTECODE"
    environment = {k: v for k, v in os.environ.items() if k not in without} | extra
    program = (sys.executable, "-c", "from jaxdigits.cli import main; main()")
    clock = time.perf_counter()
    subprocess.run(
        [*program, *command.split()], cwd=folder, env=environment, check=True,
        capture_output=True,
    )  # fmt: skip
    return time.perf_counter() - clock


def put(part: str, name: str, value: Any) -> None:
    """Join one result to the file."""
    results = load()
    results.setdefault(part, {})[name] = value
    results.setdefault("machine", {})[part] = machine()
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(part, name, value, flush=True)


def load() -> dict[str, Any]:
    """Return the results so far."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def table() -> str:
    """Return the tables of docs/benchmark.md that use these results."""
    results, parts = load(), []
    for part, rows in (("mixed", _mixed_rows), ("memory", _memory_rows),
                       ("epochs", _epoch_rows), ("starts", _start_rows)):  # fmt: skip
        if part in results:
            parts.append(rows(results[part]))
    return "\n\n".join(parts)


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    line = lambda cells: "| " + " | ".join(cells) + " |"
    return "\n".join([line(head), "| --- |" + " ---: |" * (len(head) - 1), *map(line, rows)])


def _mixed_rows(of: dict[str, Any]) -> str:
    spread = lambda a: f"{100 * statistics.mean(a):.2f} ± {100 * statistics.stdev(a):.2f} %"
    head = ["precision", "test accuracy, 5 seeds", "validation"]
    row = lambda r: [spread(r["test"]), spread(r["valid"])]
    return _markdown(head, [[name, *row(r)] for name, r in of.items()])


def _memory_rows(of: dict[str, Any]) -> str:
    head = ["MB of W2's training step", *(f"T = {t}" for t in STEPS)]
    row = lambda r: [f"{r[str(t)] / 1e6:,.0f}" for t in STEPS]
    return _markdown(head, [[name, *row(r)] for name, r in of.items()])


def _epoch_rows(of: dict[str, Any]) -> str:
    head = ["network", "seconds an epoch", "in compiled programs"]
    row = lambda r: [f"{_epoch_seconds(r):.1f}", f"{100 * r['share']:.2f} %"]
    return _markdown(head, [[name, *row(r)] for name, r in of.items()])


def _start_rows(of: dict[str, Any]) -> str:
    head = ["from the command to its end", "seconds", "all", "28fd180"]
    row = lambda r: [f"{r['median']:.2f}", ", ".join(f"{s:.2f}" for s in r["seconds"])]
    old = lambda name: f"{load()[BEFORE][name]['median']:.2f}"
    return _markdown(head, [[name, *row(r), old(name)] for name, r in of.items()])


def _epoch_seconds(row: dict[str, Any]) -> float:
    return statistics.median(row["epoch_seconds"][1:])  # the first has compiling in it


def main() -> None:
    commands = dict(mixed=mixed, memory=memory, epochs=epochs, starts=starts,
                    before=partial(starts, BEFORE))  # fmt: skip
    if len(sys.argv) != 2 or sys.argv[1] not in (*commands, "table"):
        sys.exit(__doc__)
    if sys.argv[1] == "table":
        print(table())
        return
    set_flags()  # as `jaxdigits` sets them
    commands[sys.argv[1]]()


if __name__ == "__main__":
    main()
