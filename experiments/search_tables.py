"""The tables of `search.py`, as Markdown."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from jaxdigits.plots import lines_figure

NAMES = dict(
    ours="jaxdigits: Sobol", elites="jaxdigits: elites", tpe="jaxdigits: TPE",
    optuna="Optuna: TPE, Hyperband", asha="Ray Tune: ASHA",
)  # fmt: skip
SHOWN = (1, 2, 3, 5)  # minutes


def tables(results: dict[str, Any]) -> list[str]:
    """Return Markdown: the searches and their luck, and the speed of their trials."""
    percent = lambda share: f"{100 * share:.2f}"
    lines = [
        "| searches | number | trials | test, % | hand-tuned default, % | claimed − test "
        "| corrected − test |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, rows in searches(results).items():
        test = [row["test_accuracy"] for row in rows]
        default = results.get("default", {}).get(name.removeprefix("digits, "))
        trials = round(float(np.mean([row["trials"] for row in rows])))
        claimed = [row["claimed"] - row["test_accuracy"] for row in rows]
        corrected = [row["corrected"]["value"] - row["test_accuracy"] for row in rows]
        usual = percent(default["test_accuracy"]) if default else ""
        cells = [name, len(rows), trials, mean_of(test), usual]
        cells += [mean_of(claimed, "+.2f"), mean_of(corrected, "+.2f")]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    speed = [
        "| trials | an hour of processor | × a loop of `fit` | × a loop that compiles once "
        "| a tick, ms | outside of programs, % |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for network, row in results.get("rate", {}).items():
        times = [row["lanes"] / row[loop] for loop in ("loop_of_fit", "loop_once")]
        share = results["share"][network]
        cells = [network, f"{row['lanes']:.0f}", f"{times[0]:.1f}", f"{times[1]:.2f}"]
        cells += [f"{share['tick_ms']:.0f}", f"{100 * share['host']:.1f}"]
        speed.append(f"| {' | '.join(cells)} |")
    parts = ["\n".join(lines), "\n".join(speed)]
    default = results.get("default", {}).get("mlp", {}).get("test_accuracy")
    more = dict(claims=lambda rows: _luck(rows, default), beside=_beside, front=_front)
    return [*parts, *(make(results[part]) for part, make in more.items() if part in results)]


def _luck(searches: dict[str, Any], default: float) -> str:
    """Return the numbers of equal searches, and those of the default, which nothing chose."""
    rows = list(searches.values())
    fresh = lambda row, which: next(
        np.mean(final["accuracy"]) for final in row["fresh"] if which(row, final)
    )
    numbers = {
        "claimed": [row["claimed"] for row in rows],
        "corrected": [row["corrected"]["value"] for row in rows],
        "trained anew, on validation images":
            [fresh(row, lambda row, f: f["trial"] == row["winner"]) for row in rows],
        "the default trained anew, on validation images":
            [fresh(row, lambda row, f: f["default"]) for row in rows],
        "on test images": [row["test_accuracy"] for row in rows],
    }  # fmt: skip
    lines = [f"| {len(rows)} searches | accuracy, % |", "| --- | ---: |"]
    lines += [f"| {name} | {mean_of(values)} |" for name, values in numbers.items()]
    lines.append(f"| the default on test images | {100 * default:.2f} |")
    return "\n".join(lines)


def _front(searches: dict[str, Any]) -> str:
    """Return the front of accuracy and operations, and the hand-tuned default."""
    lines = [
        "| trial | neurons | steps | operations an image | validation, % | 95 % interval |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in searches["snn"]["front"]:
        own, (low, high) = row["settings"], row["interval"]
        name = "hand-tuned default" if row["default"] else "on the front"
        hidden = ", ".join(map(str, own["hidden"]))
        cells = [name, hidden, own["steps"], f"{row['operations'] / 1e3:,.0f} thousand"]
        cells += [f"{100 * row['accuracy']:.2f}", f"{100 * low:.2f} to {100 * high:.2f}"]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _beside(curves: dict[str, Any]) -> str:
    """Return the accuracy of several programs by the minutes that they searched."""
    lines = [
        f"| search | seeds | trials | epochs | {' | '.join(f'{m} min' for m in SHOWN)} |",
        "| --- |" + " ---: |" * (3 + len(SHOWN)),
    ]
    for name, rows in _programs(curves).items():
        best = np.array([best_by(row["curve"], SHOWN) for row in rows])
        numbers = [f"{np.mean([row[n] for row in rows]):.0f}" for n in ("trials", "epochs")]
        cells = [name, len(rows), *numbers, *map(mean_of, best.T.tolist())]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _programs(curves: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the results of all seeds, by the program's name."""
    rows = {
        long: [row for key, row in curves.items() if key.startswith(f"{short},")]
        for short, long in NAMES.items()
    }
    return {name: seeds for name, seeds in rows.items() if seeds}


def best_by(curve: list[list[float]], minutes: ArrayLike) -> np.ndarray:
    """Return the best accuracy by each of the minutes, NaN before the first."""
    seconds, accuracy = np.array(curve).T
    done = np.searchsorted(seconds, 60 * np.asarray(minutes), "right")
    return np.append(np.nan, accuracy)[done]


def draw_curves(curves: dict[str, Any]) -> Any:
    """Draw the best validation accuracy of three programs against minutes: a Figure."""
    minutes = np.arange(1, SHOWN[-1] + 1)
    mean = lambda rows: np.mean([best_by(row["curve"], minutes) for row in rows], 0)
    lines = {name: 100 * mean(rows) for name, rows in _programs(curves).items()}
    return lines_figure(minutes, lines, x_label="minutes", y_label="validation accuracy, %")


def searches(results: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the results of the parts that ended with a winner, by what was searched."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for name, row in results.get("digits", {}).items():
        groups.setdefault(f"digits, {name.split('-')[1]}", []).append(row)
    for minutes, row in results.get("mnist", {}).items():
        groups[f"MNIST, mlp, {minutes} minutes"] = [row]
    if "symbols" in results:
        groups["math_symbols, auto"] = [results["symbols"]["auto"]]
    if "front" in results:
        groups["digits, front of snn"] = [results["front"]["snn"]]
    if "claims" in results:
        groups["digits, mlp, 400 epochs"] = list(results["claims"].values())
    return groups


def mean_of(shares: list[float], form: str = ".2f") -> str:
    """Return the mean in percent, with the standard error of several."""
    error = 100 * np.std(shares, ddof=1) / len(shares) ** 0.5 if len(shares) > 1 else None
    return f"{100 * np.mean(shares):{form}}" + (f" ± {error:.2f}" if error is not None else "")
