"""Normalisation, regularisation and learned time constants, compared one at a time.

    JAXDIGITS_DATA=FOLDER python experiments/comparisons.py run [QUESTION ...]
    python experiments/comparisons.py table

Each question of `QUESTIONS` compares networks that differ in one setting, over three seeds.
The answer is the accuracy on the 5,000 validation images, in the best epoch of each network:
these are choices, so they do not read the test set.  Answers join comparisons.json; a question
with answers there is not repeated.
"""

import json
import statistics
import sys
from pathlib import Path
from typing import Any, NamedTuple

from trained import config_of, join, load, trained

from jaxdigits.fast.flags import set_flags

RESULTS = Path(__file__).with_suffix(".json")
SEEDS = 3


class Question(NamedTuple):
    """Networks that differ in one setting."""

    network: str
    common: dict[str, Any]
    """settings and options that all have"""
    variants: dict[str, dict[str, Any]]


_CNN: dict[str, Any] = dict(channels=[8, 16, 32], hidden=[64], dropout_rate=0.0, epochs=6)
_SNN: dict[str, Any] = dict(hidden=[400], steps=6, precision="mixed", dropout_rate=0.0,
                            smoothing=0.0, epochs=6)  # fmt: skip
_CONV_SNN: dict[str, Any] = dict(channels=[8, 32], steps=4, precision="mixed",
                                 dropout_rate=0.0, smoothing=0.0, epochs=3)  # fmt: skip
_NORMS: dict[str, dict[str, Any]] = {
    "none": dict(norm=None), "batch": dict(norm="batch"), "layer": dict(norm="layer"),
    "group": dict(norm="group"),
}  # fmt: skip
_EACH = {"each image by itself, and batch": dict(norm="batch", scale="image")}
_PLAIN: dict[str, Any] = dict(dropout_rate=0.0, weight_decay=0.0, smoothing=0.0, ema=None)

QUESTIONS: dict[str, Question] = {
    "normalisation of a CNN": Question("cnn", _CNN, _NORMS | _EACH),
    "normalisation of an SNN": Question("snn", _SNN, _NORMS),
    "normalisation of a convolutional SNN": Question("conv_snn", _CONV_SNN, _NORMS),
    "regularisation of an MLP": Question(
        "mlp", dict(epochs=8) | _PLAIN,
        {
            "none": {}, "dropout 0.5": dict(dropout_rate=0.5),
            "input dropout 0.2": dict(input_dropout=0.2),
            "weight decay 0.05": dict(weight_decay=0.05), "smoothing 0.1": dict(smoothing=0.1),
            "average 0.999": dict(ema=0.999), "early stopping, 3 epochs": dict(patience=3),
            "one cycle": dict(schedule="one_cycle"), "constant rate": dict(schedule="constant"),
            "augmentation (shift)": dict(augment="shift"),
            "dropout, decay, smoothing, average": dict(
                dropout_rate=0.5, weight_decay=0.05, smoothing=0.1, ema=0.999
            ),
        },
    ),
    "a price on spikes": Question(
        "snn", _SNN,
        {f"λ = {price:g}": dict(rate_penalty=price) for price in (0, 0.1, 1.0, 10.0)},
    ),
    "learned constants": Question(
        "snn", _SNN,
        {
            "decay 0.95": {}, "decay 0.5": dict(decay=0.5),
            "decay learned from 0.95": dict(learn=["decay"]),
            "threshold learned": dict(learn=["threshold"]),
            "both learned": dict(learn=["decay", "threshold"]),
        },
    ),
}  # fmt: skip


def answer(question: Question, variant: str, seed: int) -> dict[str, Any]:
    """Train one network of a question and return its results."""
    config = config_of(question.network, question.common | question.variants[variant], seed)
    network = trained(config)
    best = network.record["best_epoch"]
    lines = (network.folder / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    rates = rows[best - 1]["firing_rates"]
    return dict(
        valid=network.record["valid"], loss=round(rows[best - 1]["valid_loss"], 4),
        epochs=len(rows), rate=round(statistics.mean(rates), 4) if rates else None,
        seconds=round(network.record["seconds"] / len(rows), 2),
        machine=network.record["machine"],
    )  # fmt: skip


def table(results: dict[str, Any], name: str) -> str:
    """Return the answers to one question, as a Markdown table."""
    answers = results[name]
    spiking = any(row["rate"] is not None for rows in answers.values() for row in rows)
    head = ["", "validation accuracy", "loss", *["spikes per step"] * spiking, "epochs"]
    lines = [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1)]
    for variant, rows in answers.items():
        valid = [100 * row["valid"] for row in rows]
        mean = lambda of, rows=rows: statistics.mean(row[of] for row in rows)
        cells = [variant, f"{statistics.mean(valid):.2f} ± {statistics.stdev(valid):.2f} %"]
        cells += [f"{mean('loss'):.4f}", *(f"{mean('rate'):.3f}" for _ in range(spiking))]
        lines.append(f"| {' | '.join(cells)} | {mean('epochs'):.0f} |")
    return "\n".join(lines)


def main() -> None:
    todo, *names = sys.argv[1:] or [""]
    if todo == "table":
        results = load(RESULTS, {})
        print("\n\n".join(f"{name}\n\n{table(results, name)}" for name in results))
    elif todo == "run" and set(names) <= set(QUESTIONS):
        set_flags()  # as `jaxdigits` sets them
        for name in names or QUESTIONS:
            question = QUESTIONS[name]
            for variant in question.variants:
                if variant not in load(RESULTS, {}).get(name, {}):
                    rows = [answer(question, variant, seed) for seed in range(SEEDS)]
                    add = lambda r, n=name, v=variant, rows=rows: r.setdefault(n, {}).update(
                        {v: rows}
                    )
                    join(RESULTS, {}, add)
                    print(name, variant, rows, flush=True)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
