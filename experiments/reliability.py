"""Reliability: killed runs, damaged files, and the cost of saving.

    python experiments/reliability.py kills [RUNS]
    python experiments/reliability.py faults
    JAXDIGITS_DATA=FOLDER python experiments/reliability.py saving
    python experiments/reliability.py table

`kills` trains a small network on the built-in digits in processes of its own.  Each process is
killed by SIGKILL at a random moment or step and started again with `--resume`, until the run is
finished.  The third kill of a run waits for a file that is being written.  RUNS runs (100) are
added to the finished runs, and each is compared with the undisturbed run, bit for bit.
`faults` changes one byte of a checkpoint, or cuts it, and reads it; then it continues from the
checkpoint before.  `saving` times a checkpoint of each default MNIST run beside its epoch.
The row of 200 epochs is of commit 034e006; tests/train/test_fit.py repeats its claim.  Results
are in reliability.json, and `table` prints the tables of docs/resuming.md.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from core import machine
from trained import join, load

RESULTS = Path(__file__).with_suffix(".json")
PROGRAM = "from jaxdigits.cli import main; main()"
SMALL = ("train", "mlp", "--hidden", "8", "--epochs", "40", "--updates-per-save", "4")
STEPS = 800  # of the small network
FAULTS = 500
KILLS = 4  # of a run at most, or one that is killed while it starts would never end
NETWORKS = ("mlp", "cnn", "snn", "conv_snn")


def kills(runs: int) -> None:
    """Kill and resume that many runs, and add each to the results when it ends."""
    with tempfile.TemporaryDirectory() as name:
        os.environ.setdefault("JAXDIGITS_CACHE", f"{name}/cache")
        for whole in (Path(name, "first"), Path(name, "whole")):  # the second has a cache
            clock, process = time.perf_counter(), start(*SMALL, "--out", whole)
            while process.poll() is None and not (whole / "checkpoints").exists():
                time.sleep(0.005)
            starting = time.perf_counter() - clock
            if process.wait():
                raise RuntimeError("the undisturbed run failed")
        for _ in range(runs):
            done = len(load(RESULTS, {}).get("kills", {}).get("runs", []))
            row = killed_run(Path(name, "run"), whole, random.Random(done), starting)
            _join("kills", lambda of: of.setdefault("runs", []).append(row))
            print(done + 1, row, flush=True)


def killed_run(run: Path, whole: Path, rng: random.Random, starting: float) -> dict[str, Any]:
    """Return the result of one run: its kills, their places, and whether its bits are right."""
    shutil.rmtree(run, ignore_errors=True)
    count, writing, damaged, code = 0, 0, 0, None
    while code != 0:
        begun = (run / "config.json").exists()
        if not begun:  # killed before there was a run
            shutil.rmtree(run, ignore_errors=True)
        process = start("train", "--resume", run) if begun else start(*SMALL, "--out", run)
        if count < KILLS:
            wait_to_kill(process, run, rng, starting, in_write=count % 3 == 2)
            process.kill()
        said = process.communicate()[1]
        damaged, code = damaged + ("damaged" in said), process.returncode
        if code == -9:
            count, writing = count + 1, writing + bool(_unfinished(run, process))
        elif code != 0:
            raise RuntimeError(said)
    same = dict(params=_arrays(run) == _arrays(whole), metrics=_rows(run) == _rows(whole),
                result=_result(run) == _result(whole))  # fmt: skip
    return dict(kills=count, while_writing=writing, damaged=damaged, same=same)


def wait_to_kill(
    process, run: Path, rng: random.Random, starting: float, in_write: bool
) -> None:
    """Wait for a random moment of the start or a random step; then for a file in writing."""
    target, moment = rng.uniform(_step(run), STEPS), rng.uniform(0, starting)
    at_start, clock = rng.random() < 0.25, time.perf_counter()
    waiting = lambda: time.perf_counter() - clock < moment if at_start else _step(run) < target
    while waiting() and process.poll() is None:
        time.sleep(0.001)
    if in_write:
        while process.poll() is None and not _unfinished(run, process):
            pass
    else:
        time.sleep(rng.uniform(0, 0.03))


def start(*args) -> subprocess.Popen:
    """Start the program with these arguments, as a process."""
    command = [sys.executable, "-c", PROGRAM, *map(str, args)]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def faults() -> None:
    """Read a checkpoint with each of `FAULTS` faults: found by name, harmless, or wrong."""
    from jaxdigits.runs.checkpoint import (
        Damaged,
        checkpoints,
        load_checkpoint,
        newest_snapshot,
        save_checkpoint,
    )

    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        run, other, starts = Path(name, "run"), Path(name, "other"), []
        run.mkdir()
        other.mkdir()
        fit_small(
            save=lambda now: save_checkpoint(run, now),
            resume=lambda start: (starts.append(start), start)[1],
        )
        newest, before = checkpoints(run)
        good, wanted = newest.read_bytes(), before.read_bytes()
        found = dict(byte=0, cut=0, harmless=0, fell_back=0)
        for i in range(FAULTS):
            place, kind = int(rng.integers(len(good))), ("byte", "cut")[i % 2]
            byte = bytes([good[place] ^ int(rng.integers(1, 256))])
            newest.write_bytes(good[:place] + (byte + good[place + 1 :]) * (kind == "byte"))
            try:
                load_checkpoint(newest, starts[0])
            except Damaged as error:
                found[kind] += str(error) == f"{newest} is damaged"
            lines: list[str] = []
            save_checkpoint(other, newest_snapshot(run, starts[0], lines.append))
            copy = checkpoints(other)[0]
            again = copy.read_bytes()
            copy.unlink()
            found["fell_back"] += again == wanted and len(lines) == 1
            found["harmless"] += again == good and not lines
    _join("faults", lambda of: of.update(found | dict(samples=FAULTS, size=len(good))))


def fit_small(**hooks: Any) -> None:
    """Three epochs of the small network, in this process."""
    from jaxdigits.data import digits
    from jaxdigits.runs import config_for, fit_one, validation_split
    from jaxdigits.train import Hooks

    config = config_for("mlp", "digits", epochs=3, options=dict(hidden=[8]))
    fit_one(config, *validation_split(digits()[0]), Hooks(**hooks))


def saving() -> None:
    """Time a checkpoint of each default run on MNIST, with the best params, beside an epoch."""
    for network in NETWORKS:
        with tempfile.TemporaryDirectory() as name:
            row = _saving_of(network, Path(name))
        _join("saving", lambda of: of.setdefault("networks", {}).update({network: row}))
        print(network, row, flush=True)


def _saving_of(network: str, run: Path) -> dict[str, float]:
    from jaxdigits.data import mnist
    from jaxdigits.runs import config_for, fit_one, validation_split
    from jaxdigits.runs.checkpoint import checkpoints, save_checkpoint
    from jaxdigits.runs.folder import save_params
    from jaxdigits.train import Hooks

    config = config_for(network, "mnist", epochs=2, schedule="constant")
    train, valid = validation_split(mnist()[0])
    seconds: list[float] = []

    def save(now):
        for _ in range(5):
            clock = time.perf_counter()
            save_params(run, now.best.params, now.best.statistics)
            save_checkpoint(run, now)
            seconds.append(time.perf_counter() - clock)

    fitted = fit_one(config, train, valid, Hooks(save=save))
    epoch = fitted.history[1]["seconds"]  # the first has compiled
    size = checkpoints(run)[0].stat().st_size
    return dict(epoch=epoch, saving=float(np.median(seconds)), megabytes=size / 1e6)


def table(results: dict[str, Any]) -> str:
    """Return the results as Markdown tables."""
    runs, found = results["kills"]["runs"], results["faults"]
    total = lambda name: sum(row[name] for row in runs)
    same = sum(all(row["same"].values()) for row in runs)
    kept, cut = results["memory"], found["samples"] // 2
    kills = f"{total('kills')} times by SIGKILL, {total('while_writing')} of them with a file"
    growth = 100 * (kept["most"] / kept["megabytes"] - 1)
    rows = {
        f"{len(runs)} runs, killed {kills} half written, and resumed": f"{same} of {len(runs)} "
        "with the params, metrics and result of the undisturbed run, bit for bit; "
        f"{total('damaged')} damaged checkpoints",
        f"one byte of a checkpoint changed, {found['samples'] - cut} times": f"{found['byte']} "
        f"detected, and the file named; {found['harmless']} read to the same bits",
        f"a checkpoint cut, {cut} times": f"{found['cut']} detected, and the file named",
        f"resumed from either, {found['samples']} times": f"{found['fell_back']} from the "
        f"checkpoint before, {found['harmless']} from itself, bit for bit",
        f"{kept['epochs']} epochs in one process": f"{kept['megabytes']:.0f} MB after "
        f"{kept['after']}, {growth:+.1f} % at most after that; the epoch compiled "
        f"{_times(kept['epoch_programs'])}, {kept['compiled_later']} programs after epoch 2",
    }
    lines = ["| test | result |", "|---|---|"]
    lines += [f"| {done} | {came} |" for done, came in rows.items()]
    lines += [
        "",
        "| default run on MNIST | checkpoint | saving, the best params too | epoch | share |",
        "|---|---|---|---|---|",
    ]
    for network, row in results["saving"]["networks"].items():
        lines.append(
            f"| {network} | {row['megabytes']:.1f} MB | {1000 * row['saving']:.0f} ms "
            f"| {row['epoch']:.1f} s | {100 * row['saving'] / row['epoch']:.1f} % |"
        )
    return "\n".join(lines)


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"


def _step(run: Path) -> int:
    """Return the step of the newest checkpoint."""
    files = (run / "checkpoints").glob("step-*.npz")
    return max((int(path.stem[5:]) for path in files), default=0)


def _unfinished(run: Path, process: subprocess.Popen) -> list[Path]:
    """Return files that this process has begun to write, without files of earlier processes."""
    begun = f".*.*-{process.pid}"
    return [*run.glob(begun), *(run / "checkpoints").glob(begun)]


def _arrays(run: Path) -> dict[str, bytes]:
    with np.load(run / "params.npz", allow_pickle=False) as file:
        return {name: file[name].tobytes() for name in file.files}


def _rows(run: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def _result(run: Path) -> dict[str, Any]:
    result = json.loads((run / "result.json").read_text())
    return {k: v for k, v in result.items() if k not in ("seconds", "run")}


def _join(name: str, add: Callable[[Any], None]) -> None:
    """Add to the results under that name."""
    join(RESULTS, {}, lambda results: add(results.setdefault(name, {"machine": machine()})))


def main() -> None:
    match sys.argv[1:]:
        case ["table"]:
            print(table(load(RESULTS, {})))
        case ["kills", *runs]:
            kills(int(runs[0]) if runs else 100)
        case ["faults"]:
            faults()
        case ["saving"]:
            saving()
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
