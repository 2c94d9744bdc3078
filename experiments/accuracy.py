"""What networks reach on MNIST, over seeds, with augmented images and without.

    JAXDIGITS_DATA=FOLDER python experiments/accuracy.py run RECIPE [SEED ...]
    JAXDIGITS_DATA=FOLDER python experiments/accuracy.py try NETWORK [OPTION=VALUE ...]
    python experiments/accuracy.py table

`run` trains a network of `RECIPES` for each seed, as the command beside it would: 55,000 images
to learn from, 5,000 to choose the epoch, and 10,000 that are read once, at the end.  A seed
that is in accuracy.json already is not trained again.

The recipes were chosen by `try`, which trains as `run` does and never reads the test set: what
it found, good or bad, is in accuracy_trials.json.
"""

import json
import statistics
import sys
import tempfile
import time
from ast import literal_eval
from pathlib import Path
from typing import Any, NamedTuple

from core import machine

from jaxdigits.cli import _set_flags

HERE = Path(__file__).parent
RESULTS, TRIALS = HERE / "accuracy.json", HERE / "accuracy_trials.json"


class Recipe(NamedTuple):
    """A row of the table."""

    network: str
    settings: dict[str, Any]
    """of `config_for`, in place of the defaults"""
    seeds: int
    published: str
    """what others reach, in percent"""


RECIPES: dict[str, Recipe] = {
    "MLP": Recipe(
        "mlp",
        dict(epochs=60, hidden=[1200, 1200], dropout_rate=0.5, weight_decay=0.05),
        8,
        "98.4 plain, 98.9 to 99.06 with dropout or maxout",
    ),
    "MLP, augmented": Recipe(
        "mlp",
        dict(epochs=60, hidden=[800, 800], dropout_rate=0.2, smoothing=0.0, weight_decay=0.01,
             augment="elastic"),
        5,
        "99.30 (Simard 2003), 99.65 with 12 M parameters (Cireşan 2010)",
    ),
}  # fmt: skip


def config_of(network: str, settings: dict[str, Any], seed: int):
    """The configuration of a run; what is no setting of its own is the network's."""
    from jaxdigits.train import Config, config_for

    known = Config.__dataclass_fields__
    own = {k: v for k, v in settings.items() if k in known}
    options = {k: v for k, v in settings.items() if k not in known}
    return config_for(network, "mnist", **own, options=options, seed=seed)


def run(name: str, seed: int) -> dict[str, Any]:
    """Train a recipe with a seed, and read the test set."""
    from jaxdigits.data import mnist
    from jaxdigits.measure import score
    from jaxdigits.train import run_job

    recipe = RECIPES[name]
    config, (train, test) = config_of(recipe.network, recipe.settings, seed), mnist()
    curve = []
    with tempfile.TemporaryDirectory() as folder:
        report = lambda row: curve.append(row["valid_accuracy"])
        outcome = run_job(config, train, test, Path(folder, "run"), report)
    return dict(
        test=score(outcome.logits, test.label).test_accuracy, valid=outcome.valid_accuracy[0],
        best_epoch=outcome.best_epoch[0], parameters=outcome.parameters,
        seconds=round(outcome.seconds, 1), machine=machine(), curve=curve,
    )  # fmt: skip


def attempt(network: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Train with settings, and say what validation thinks of each epoch."""
    from jaxdigits.data import mnist
    from jaxdigits.train import fit_one, validation_split

    train, valid = validation_split(mnist()[0])
    config = config_of(network, settings, settings.pop("seed", 0))
    clock, curve = time.perf_counter(), []

    def report(row):
        curve.append(row["valid_accuracy"])
        print(f"{row['epoch']:3d} {row['loss']:.4f} {100 * curve[-1]:.2f}", flush=True)

    fitted = fit_one(config, train, valid, report)
    best = fitted.history[fitted.best_epoch - 1]
    return dict(
        network=network, settings=settings, seed=config.seed, best_epoch=fitted.best_epoch,
        valid=best["valid_accuracy"], valid_loss=best["valid_loss"], curve=curve,
        seconds=round(time.perf_counter() - clock, 1),
    )  # fmt: skip


def main() -> None:
    todo, *rest = sys.argv[1:] or [""]
    if todo == "table":
        print(table(load(RESULTS, {})))
    elif todo == "run" and rest and rest[0] in RECIPES:
        _set_flags()  # what `jaxdigits` sets
        name, *seeds = rest
        for seed in map(int, seeds or range(RECIPES[name].seeds)):
            results = load(RESULTS, {})
            if str(seed) not in results.get(name, {}):
                found = run(name, seed)
                results = load(RESULTS, {})
                results.setdefault(name, {})[str(seed)] = found
                RESULTS.write_text(json.dumps(results, indent=1) + "\n")
                print(name, seed, f"{100 * found['test']:.2f}", flush=True)
    elif todo == "try" and rest:
        _set_flags()
        pairs = (given.split("=", 1) for given in rest[1:])
        found = attempt(rest[0], {k: _value(v) for k, v in pairs})
        TRIALS.write_text(json.dumps([*load(TRIALS, []), found], indent=1) + "\n")
        print(
            f"{100 * found['valid']:.2f} in epoch {found['best_epoch']}, {found['seconds']} s"
        )
    else:
        sys.exit(__doc__)


def table(results: dict[str, dict[str, Any]]) -> str:
    """The results as a Markdown table."""
    head = "network", "test accuracy", "seeds", "validation", "parameters", "minutes", "others"
    lines = [
        f"| {' | '.join(head)} |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for name, recipe in RECIPES.items():
        rows = list(results.get(name, {}).values())
        if rows:
            of = lambda what, rows=rows: [row[what] for row in rows]
            lines.append(
                f"| {name} | {spread(of('test'))} | {len(rows)} | {spread(of('valid'))} "
                f"| {rows[0]['parameters']:,} | {statistics.mean(of('seconds')) / 60:.1f} "
                f"| {recipe.published} |"
            )
    return "\n".join(lines)


def spread(shares: list[float]) -> str:
    """Mean and standard deviation, in percent."""
    deviation = f" ± {100 * statistics.stdev(shares):.2f}" if len(shares) > 1 else ""
    return f"{100 * statistics.mean(shares):.2f}{deviation} %"


def load(path: Path, empty: Any) -> Any:
    """What is in a file of results."""
    return json.loads(path.read_text()) if path.exists() else empty


def _value(text: str) -> Any:
    try:
        return literal_eval(text)
    except (ValueError, SyntaxError):
        return text


if __name__ == "__main__":
    main()
