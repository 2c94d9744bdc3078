"""Accuracies on MNIST, over seeds, with and without augmented images.

    JAXDIGITS_DATA=FOLDER python experiments/accuracy.py run RECIPE [SEED ...]
    JAXDIGITS_DATA=FOLDER python experiments/accuracy.py together RECIPE
    JAXDIGITS_DATA=FOLDER python experiments/accuracy.py try NETWORK [OPTION=VALUE ...]
    python experiments/accuracy.py table
    python experiments/accuracy.py curves

`run` trains a network of `RECIPES` for each seed: 55,000 images to learn from, 5,000 to choose
the epoch, and 10,000 that are read once, at the end.  It skips seeds that accuracy.json has
already.  `together` trains all seeds in one compiled program, which is faster on a GPU.  The
recipes were chosen by `try`, which trains as `run` does and never reads the test set.  All its
results, good or bad, are in accuracy_trials.json.  (If `try` has trained a recipe's settings
and seed, `run` reuses that network.)  `curves` draws docs/images/long.png, the learning curves
of the recipes for a GPU.
"""

import statistics
import sys
from ast import literal_eval
from pathlib import Path
from typing import Any, NamedTuple

from trained import accuracies, config_of, join, load, trained

from jaxdigits.fast.flags import set_flags

HERE = Path(__file__).parent
RESULTS, TRIALS = HERE / "accuracy.json", HERE / "accuracy_trials.json"
FIGURE = HERE.parent / "docs" / "images" / "long.png"


class Recipe(NamedTuple):
    """A row of the table."""

    network: str
    settings: dict[str, Any]
    """of `config_for`, in place of the defaults"""
    seeds: int
    published: str
    """published accuracies, in percent"""


_AUGMENTED: dict[str, Any] = dict(augment="elastic", dropout_rate=0.0, smoothing=0.0)

RECIPES: dict[str, Recipe] = {
    "MLP": Recipe(
        "mlp",
        dict(hidden=[1600, 1600], adversarial=0.1, dropout_rate=0.3, weight_decay=0.01,
             smoothing=0.0, precision="mixed", epochs=60),
        8,
        "98.4 plain, 98.9 to 99.06 with dropout or maxout",
    ),
    "MLP, augmented": Recipe(
        "mlp",
        _AUGMENTED | dict(hidden=[1000, 1000], weight_decay=0.01, precision="mixed", epochs=60),
        5,
        "99.30 (Simard 2003), 99.65 with 12 M parameters (Cireşan 2010)",
    ),
    "CNN": Recipe("cnn", dict(epochs=15), 1, "99.03"),
    "CNN, augmented": Recipe(
        "cnn",
        dict(channels=[32, 64, 128], hidden=[256], augment="elastic", smoothing=0.0,
             dropout_rate=0.4, epochs=40, kernel=5, precision="mixed"),
        3,
        "99.2 (LeNet-5), 99.7 to 99.8 best single network",
    ),
    "CNN with 3 × 3 kernels, augmented": Recipe(
        "cnn", dict(augment="elastic", epochs=20), 2, "none"
    ),
    "CNN, robust": Recipe(
        "cnn",
        dict(channels=[32, 64, 128], hidden=[256], augment="robust", adversarial=0.1,
             smoothing=0.0, dropout_rate=0.4, epochs=40, kernel=5, precision="mixed"),
        1,
        "none",
    ),
    "CNN under 10,000 parameters": Recipe(
        "cnn",
        dict(channels=[8, 16, 32], hidden=[], dropout_rate=0.0, smoothing=0.0, epochs=40,
             augment="affine"),
        3,
        "99.45, chosen on the test set",
    ),
    "SNN": Recipe(
        "snn",
        dict(hidden=[1000, 1000], steps=6, decay=0.5, dropout_rate=0.2, weight_decay=0.05,
             adversarial=0.1, precision="mixed", epochs=40),
        5,
        "93.9 to 98.9",
    ),
    "SNN, adversarial without smoothing": Recipe(
        "snn",
        dict(hidden=[1000, 1000], steps=6, decay=0.5, dropout_rate=0.1, weight_decay=0.01,
             adversarial=0.1, smoothing=0.0, precision="mixed", epochs=40),
        5,
        "the same",
    ),
    "SNN, dropout alone": Recipe(
        "snn",
        dict(hidden=[1000, 1000], steps=6, decay=0.5, dropout_rate=0.5, weight_decay=0.05,
             precision="mixed", epochs=40),
        3,
        "the same",
    ),
    "SNN, augmented": Recipe(
        "snn",
        _AUGMENTED | dict(hidden=[1000, 1000], steps=6, decay=0.5, weight_decay=0.01,
                          precision="mixed", epochs=50),
        5,
        "98.9 best known, fully connected",
    ),
    "conv SNN, direct": Recipe(
        "conv_snn",
        _AUGMENTED | dict(channels=[16, 64], steps=4, decay=0.5, precision="mixed", epochs=25),
        3,
        "99.50 (T = 5, 0.2 M parameters), 99.63 (13 M)",
    ),
    "conv SNN, rate-coded": Recipe(
        "conv_snn",
        _AUGMENTED | dict(channels=[16, 64], encoder="rate", steps=8, decay=0.5,
                          precision="mixed", epochs=10),
        1,
        "about 99.4",
    ),
    "MLP, augmented, long": Recipe(
        "mlp",
        _AUGMENTED | dict(hidden=[1500, 1500], adversarial=0.1, weight_decay=0.01,
                          precision="mixed", epochs=120),
        1,
        "99.65 with 12 M parameters (Cireşan 2010)",
    ),
    "CNN, augmented, long": Recipe(
        "cnn",
        _AUGMENTED | dict(channels=[64, 128, 256], hidden=[256], dropout_rate=0.4, kernel=5,
                          precision="mixed", epochs=60),
        1,
        "99.7 to 99.8 best single network",
    ),
    "SNN, augmented, long": Recipe(
        "snn",
        _AUGMENTED | dict(hidden=[1600, 1600], steps=8, decay=0.5, weight_decay=0.01,
                          precision="mixed", epochs=80),
        1,
        "98.9 best known, fully connected",
    ),
    "conv SNN, direct, long": Recipe(
        "conv_snn",
        _AUGMENTED | dict(channels=[32, 128], steps=5, decay=0.5, dropout_rate=0.2,
                          precision="mixed", epochs=50),
        2,
        "99.50 (T = 5, 0.2 M parameters), 99.63 (13 M)",
    ),
}  # fmt: skip


def run(name: str, seed: int, seeds: int = 1) -> None:
    """Train a recipe with each of its seeds from `seed` on, read the test set, and keep all."""
    from jaxdigits.data import mnist

    recipe = RECIPES[name]
    networks = trained(config_of(recipe.network, recipe.settings | {"seeds": seeds}, seed))
    reached = accuracies(networks, mnist()[1])
    rows = zip(reached, networks.records, strict=True)
    found = {str(record["seed"]): {"test": test} | record for test, record in rows}
    join(RESULTS, {}, lambda results: results.setdefault(name, {}).update(found))
    print(name, *(f"{100 * test:.2f}" for test in reached), flush=True)


def attempt(network: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Train with settings, and print the accuracy on validation data."""
    seed = settings.pop("seed", 0)
    record = trained(config_of(network, settings, seed)).record
    return {"network": network, "settings": settings} | record


def main() -> None:
    todo, *rest = sys.argv[1:] or [""]
    if todo == "table":
        print(table(load(RESULTS, {})))
    elif todo == "curves":
        draw(load(RESULTS, {}))
    elif todo == "run" and rest and rest[0] in RECIPES:
        set_flags()  # as `jaxdigits` sets them
        name, *seeds = rest
        for seed in map(int, seeds or range(RECIPES[name].seeds)):
            if str(seed) not in load(RESULTS, {}).get(name, {}):
                run(name, seed)
    elif todo == "together" and len(rest) == 1 and rest[0] in RECIPES:
        set_flags()
        run(rest[0], 0, RECIPES[rest[0]].seeds)
    elif todo == "try" and rest:
        set_flags()
        pairs = (given.split("=", 1) for given in rest[1:])
        found = attempt(rest[0], {k: _value(v) for k, v in pairs})
        join(TRIALS, [], lambda trials: trials.append(found))
        print(
            f"{100 * found['valid']:.2f} in epoch {found['best_epoch']}, {found['seconds']} s"
        )
    else:
        sys.exit(__doc__)


def table(results: dict[str, dict[str, Any]]) -> str:
    """Return the results as a Markdown table."""
    head = ("network", "test accuracy", "seeds", "validation", "parameters", "minutes", "on",
            "others")  # fmt: skip
    lines = [
        f"| {' | '.join(head)} |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- | --- |",
    ]
    for name, recipe in RECIPES.items():
        rows = list(results.get(name, {}).values())
        if rows:
            of = lambda name, rows=rows: [row[name] for row in rows]
            lines.append(
                f"| {name} | {spread(of('test'))} | {len(rows)} | {spread(of('valid'))} "
                f"| {rows[0]['parameters']:,} | {statistics.mean(of('seconds')) / 60:.1f} "
                f"| {' and '.join(sorted(set(map(_kind, of('machine')))))} "
                f"| {recipe.published} |"
            )
    return "\n".join(lines)


def draw(results: dict[str, dict[str, Any]], tenths: int = 10) -> None:
    """Draw the validation error of the long recipes in each tenth of their training."""
    import numpy as np

    from jaxdigits.plots import lines_figure

    lines = {}
    for name, rows in results.items():
        if name.endswith(", long"):
            curves = np.array([row["curve"] for row in rows.values()])
            parts = np.array_split(100 * (1 - curves.mean(0)), tenths)
            lines[f"{name}, {curves.shape[1]} epochs"] = np.array([p.mean() for p in parts])
    share = np.linspace(100 / tenths, 100, tenths)
    figure = lines_figure(
        share, lines, x_label="% of the epochs", y_label="validation error in %"
    )
    figure.savefig(FIGURE, dpi=110)


def spread(shares: list[float]) -> str:
    """Return mean and standard deviation, in percent."""
    deviation = f" ± {100 * statistics.stdev(shares):.2f}" if len(shares) > 1 else ""
    return f"{100 * statistics.mean(shares):.2f}{deviation} %"


def _kind(machine: str) -> str:
    """Return "CPU", or the name of the GPU."""
    return machine.split(",")[0].removeprefix("NVIDIA ") if "NVIDIA" in machine else "CPU"


def _value(text: str) -> Any:
    try:
        return literal_eval(text)
    except (ValueError, SyntaxError):
        return text


if __name__ == "__main__":
    main()
