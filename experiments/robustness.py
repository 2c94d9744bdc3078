"""Errors of networks on corrupted test images that were not in training.

    JAXDIGITS_DATA=FOLDER python experiments/robustness.py run [RECIPE ...]
    JAXDIGITS_DATA=FOLDER python experiments/robustness.py try RECIPE
    python experiments/robustness.py table

`run` takes networks of accuracy.py with one seed each, and trains them if necessary.  It tests
them on the nineteen corruptions of `jaxdigits.measure` at severities 1, 3 and 5, all on the
10,000 test images.  The results join robustness.json, and docs/images/robustness.png is drawn.
`try` does the same at severity 3, on the validation images: it balanced `--augment robust`.
"""

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from accuracy import RECIPES
from core import machine
from trained import config_of, join, load, trained

from jaxdigits.fast.flags import set_flags

RESULTS = Path(__file__).with_suffix(".json")
FIGURE = Path(__file__).parent.parent / "docs" / "images" / "robustness.png"
SEVERITIES = (1, 3, 5)
MIDDLE = 3
NETWORKS = {
    "MLP": 0, "SNN": 1, "SNN, adversarial without smoothing": 0, "conv SNN, rate-coded": 0,
    "CNN, augmented": 1, "CNN, robust": 0,
}  # fmt: skip
"""recipes, and which seed of each"""


def network_of(name: str) -> Path:
    """Return the folder of a recipe's network."""
    recipe = RECIPES[name]
    return trained(config_of(recipe.network, recipe.settings, NETWORKS.get(name, 0))).folder


def measure(
    folder: Path, data: Any, severities: tuple[int, ...]
) -> dict[str, dict[str, float]]:
    """Return a network's error by corruption and severity; "none" is for clean images."""
    import jax
    import numpy as np

    from jaxdigits.measure import robustness
    from jaxdigits.runs import load_run, predictor

    predict = predictor(load_run(folder))
    error = lambda right: round(1 - float(right), 4)
    clean = error(
        (predict(data.inputs[:] / np.float32(255))[0].argmax(-1) == data.label).mean()
    )
    found = robustness(predict, data, jax.random.key(0), severities=severities)
    errors = {
        corruption: {str(s): error(accuracies[0]) for s, accuracies in by_severity.items()}
        for corruption, by_severity in found.items()
    }
    return {"none": {str(s): clean for s in severities}} | errors


def by_kind(errors: dict[str, dict[str, float]], severity: int) -> dict[str, float]:
    """Return the mean error of each kind of corruption, and of all of them."""
    from jaxdigits.measure import CORRUPTIONS
    from jaxdigits.measure.corruptions import KINDS

    of = lambda names: statistics.mean(errors[name][str(severity)] for name in names)
    kinds = {k: of([n for n, c in CORRUPTIONS.items() if c.kind == k]) for k in KINDS}
    return {"none": errors["none"][str(severity)]} | kinds | {"all": of(CORRUPTIONS)}


def table(results: dict[str, Any]) -> str:
    """Return the errors by kind of corruption at the middle severity, as a Markdown table."""
    rows = {
        name: by_kind(results[name]["errors"], MIDDLE) for name in NETWORKS if name in results
    }
    if not rows:
        return ""
    kinds = list(next(iter(rows.values())))
    lines = [f"| error in % | {' | '.join(kinds)} |", "| --- |" + " ---: |" * len(kinds)]
    for name, row in rows.items():
        lines.append(f"| {name} | {' | '.join(f'{100 * row[k]:.2f}' for k in kinds)} |")
    return "\n".join(lines)


def worst(results: dict[str, Any], name: str = "CNN, robust", count: int = 5) -> str:
    """Return the corruptions that hurt a network most at the middle severity."""
    errors = {k: v[str(MIDDLE)] for k, v in results[name]["errors"].items()}
    order = sorted(errors, key=lambda k: -errors[k])[:count]
    return ", ".join(f"{k} {100 * errors[k]:.1f} %" for k in order)


def draw(results: dict[str, Any]) -> None:
    """Draw the mean error against severity, for each network."""
    import numpy as np

    from jaxdigits.plots import lines_figure

    severity = (0, *SEVERITIES)
    lines = {}
    for name in NETWORKS:
        if name in results:
            means = [by_kind(results[name]["errors"], s) for s in SEVERITIES]
            lines[name] = 100 * np.array([means[0]["none"], *(m["all"] for m in means)])
    figure = lines_figure(
        np.array(severity), lines, x_label="severity", y_label="mean error in %"
    )
    figure.savefig(FIGURE, dpi=110)


def main() -> None:
    todo, *names = sys.argv[1:] or [""]
    if todo == "table":
        print(table(load(RESULTS, {})))
    elif todo in ("run", "try") and set(names) <= set(RECIPES):
        set_flags()  # as `jaxdigits` sets them
        from jaxdigits.data import mnist
        from jaxdigits.runs import validation_split

        train, test = mnist()
        for name in names or NETWORKS:
            if todo == "try":
                errors = measure(network_of(name), validation_split(train)[1], (MIDDLE,))
                print(json.dumps({k: v[str(MIDDLE)] for k, v in errors.items()}, indent=1))
                print(name, by_kind(errors, MIDDLE))
            elif name not in load(RESULTS, {}):
                errors = measure(network_of(name), test, SEVERITIES)
                found = dict(machine=machine(), errors=errors)
                join(RESULTS, {}, lambda r, name=name, found=found: r.update({name: found}))
                print(name, by_kind(errors, MIDDLE), flush=True)
        if todo == "run":
            draw(load(RESULTS, {}))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
