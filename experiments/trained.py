"""Trainings that experiments share: each runs once, and is kept in runs/experiments.

Each configuration has a folder of its own, named after its settings.  The folder is a run as
`jaxdigits train` writes it.  Its network learned from 55,000 images, chose its epoch on 5,000
others and has not read the test set; `record.json` has its history.  After a change of the
library that moves numbers, remove runs/experiments.
"""

import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Callable
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxdigits.data import DATASETS, Dataset
from jaxdigits.runs import Config, config_for, load_run, predict, validation_split
from jaxdigits.runs.config_json import to_json
from jaxdigits.runs.folder import append_metrics, create_run, save_params
from jaxdigits.runs.job import _train
from jaxdigits.runs.plain_files import write_json
from jaxdigits.train import Hooks
from jaxdigits.tree import parameter_count

FOLDER = Path(__file__).parent.parent / "runs" / "experiments"


class Trained(NamedTuple):
    """A trained network, or several in one program, and the record of the training."""

    folder: Path
    records: list[dict[str, Any]]
    """of each network: seed, best_epoch, valid, curve (the validation accuracy of each epoch),
    parameters, seconds (its share of the program's), machine, cores, together (how many)"""

    @property
    def record(self) -> dict[str, Any]:
        """Return the record of the first network."""
        return self.records[0]


def config_of(network: str, settings: dict[str, Any], seed: int, data: str = "mnist") -> Config:
    """Return the configuration; settings that are not given are the network's defaults."""
    known = Config.__dataclass_fields__
    own = {k: v for k, v in settings.items() if k in known}
    options = {k: v for k, v in settings.items() if k not in known}
    return config_for(network, data, **own, options=options, seed=seed)


Data = Callable[[], tuple[Dataset, Dataset]]


def trained(config: Config, data: Data | None = None, named: str = "") -> Trained:
    """Return the networks of a configuration: trained now, or kept from an earlier time.

    Args:
      data: () -> (train, test), if it is not the configuration's data, and `named` its name.
    """
    from core import machine

    text = json.dumps(to_json(config), sort_keys=True) + named
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    folder = FOLDER / f"{config.network}-{digest}"
    kept = folder / "record.json"
    if kept.exists():
        return Trained(folder, json.loads(kept.read_text()))
    if folder.exists():  # of a training that was stopped
        for file in folder.iterdir():
            file.unlink()
    train, valid = validation_split((data or DATASETS[config.data])()[0])
    create_run(folder, config)
    clock, curve = time.perf_counter(), []

    def report(row):
        append_metrics(folder, row)
        curve.append(np.round(np.atleast_1d(row["valid_accuracy"]), 4).tolist())
        loss, valid = np.mean(row["loss"]), 100 * np.mean(curve[-1])
        print(f"{row['epoch']:3d} {loss:.4f} {valid:.2f}", flush=True)

    params, statistics, valid_, best, _ = _train(
        config, train, valid, Hooks(report), None, None
    )
    save_params(folder, params, statistics)
    facts = dict(
        parameters=parameter_count(params) // config.seeds,
        seconds=round((time.perf_counter() - clock) / config.seeds, 1),
        machine=machine(), cores=len(os.sched_getaffinity(0)), together=config.seeds,
    )  # fmt: skip
    records = [
        dict(seed=config.seed + i, best_epoch=epoch, valid=round(accuracy, 4),
             curve=[row[i] for row in curve]) | facts
        for i, (epoch, accuracy) in enumerate(zip(best, valid_, strict=True))
    ]  # fmt: skip
    write_json(kept, records)
    return Trained(folder, records)


def accuracies(networks: Trained, data: Dataset) -> list[float]:
    """Return the share of a data set's images that each network reads right."""
    logits = predict(load_run(networks.folder), data.inputs)
    return (logits.argmax(-1) == np.asarray(data.label)).mean(-1).tolist()


def accuracy(network: Trained, data: Dataset) -> float:
    """Return the accuracy of the first network."""
    return accuracies(network, data)[0]


def step_of(config: Config) -> Callable[[], None]:
    """Return a training step of 128 images, as a function that waits for its result."""
    from jaxdigits.bench.programs import batches, synthetic
    from jaxdigits.train import Recipe, adamw, initial_state, train_step

    recipe = Recipe(
        config.build(), adamw(1e-3, 1000), epochs=1, ema=0.99, augment=config.augmentation()
    )
    data, state = synthetic(2048), initial_state(recipe, (28, 28), jax.random.key(0))
    program = jax.jit(partial(train_step, recipe), donate_argnums=0)
    order = cycle(batches(2048, 128, 8))

    def run() -> None:
        nonlocal state
        state, loss = program(state, data, next(order))
        jax.block_until_ready((state, loss))

    run()
    return run


def load(path: Path, empty: Any) -> Any:
    """Return the content of a file of results."""
    return json.loads(path.read_text()) if path.exists() else empty


def join(path: Path, empty: Any, add: Callable[[Any], None]) -> None:
    """Add to a file of results, which another process may extend at the same time."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        add(results := load(path, empty))
        text = json.dumps(results, indent=1, ensure_ascii=False)
        path.write_text(re.sub(r"\n\s+(?=[\d\]])", " ", text) + "\n")  # a curve is a line
