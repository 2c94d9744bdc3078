"""Weights of few bits, and integer neurons, on MNIST: 784-400-10, rate code, 25 steps.

    JAXDIGITS_DATA=FOLDER python experiments/quantise.py train [BITS ...]
    JAXDIGITS_DATA=FOLDER python experiments/quantise.py integers
    python experiments/quantise.py table
    python experiments/quantise.py smoke

`train` trains three networks for each number of bits, straight through the rounding (32 is
floats), and reads the test set once.  `integers` rounds the networks of floats without more
training, and computes them with 8-bit weights and 16-bit membranes on all 10,000 test images.
Both write quantise.json; `table` prints it.  `smoke` runs both on the built-in digits, and
writes nothing.
"""

import json
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
from core import machine
from trained import accuracies, join, trained

from jaxdigits.data import DATASETS
from jaxdigits.measure import summarise
from jaxdigits.quantise import to_integers
from jaxdigits.runs import Config, config_for, load_run, predict
from jaxdigits.runs.job import members_of
from jaxdigits.runs.rounding import rounded_run

RESULTS = Path(__file__).with_suffix(".json")
BITS = (32, 8, 4, 3, 2, 1)
ROUNDED = (8, 4, 3, 2)


def config_of_bits(bits: int, data: str = "mnist", **settings: Any) -> Config:
    """Return the configuration of three networks with weights of that many bits."""
    options = dict(hidden=(400,), steps=25) | settings.pop("options", {})
    few = None if bits == 32 else bits
    return config_for("snn", data, bits=few, seeds=3, options=options, **settings)


def train(config: Config) -> dict[str, Any]:
    """Train a configuration, unless it was, and test it."""
    networks = trained(config)
    test = DATASETS[config.data]()[1]
    valid = [record["valid"] for record in networks.records]
    return dict(test=accuracies(networks, test), valid=valid, machine=machine())


def integers(config: Config) -> dict[str, Any]:
    """Round the networks of floats, and compute them in integers, on all test images."""
    run, (learned, test) = load_run(trained(config).folder), DATASETS[config.data]()
    right = lambda r: (predict(r, test.inputs).argmax(-1) == test.label).mean(-1).tolist()
    rounding = {str(b): right(rounded_run(run, b, learned.inputs)) for b in ROUNDED}
    rows = []
    for params, statistics, key in members_of(run):
        network = run.config.build()(training=False, statistics=statistics)
        images, label = test.inputs.array, np.asarray(test.label)
        twin = to_integers(network, params, 8, images=images, label=label, key=key)
        layers = [layer._asdict() for layer in twin.layers]
        before, after = twin.accuracy or (None, None)
        rows.append(dict(before=before, after=after, layers=layers))
        jax.clear_caches()
    return dict(rounded=rounding, integers=rows, images=len(test.label), machine=machine())


def table(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    floats = np.array(results.get("32", {}).get("test", [np.nan] * 3))

    def line(name, values):
        s, gain = summarise(values), np.mean(np.array(values) - floats)
        low, high = (f"{100 * share:.2f}" for share in (s.low, s.high))
        return (
            f"| {name} | {100 * s.mean:.2f} % | {low} to {high} % | {100 * gain:+.2f} points |"
        )

    lines = ["| weights | accuracy | 95 % interval | against floats |", "|---|---|---|---|"]
    for bits in (b for b in BITS if str(b) in results):
        name = "floats" if bits == 32 else f"{bits} bits, trained"
        lines.append(line(name, results[str(bits)]["test"]))
    if rest := results.get("integers"):
        for bits, values in rest["rounded"].items():
            lines.append(line(f"{bits} bits, rounded", values))
        after = [row["after"] for row in rest["integers"]]
        lines.append(line("integers, 8 bits, membranes 16", after))
    return "\n".join(lines)


def main() -> None:
    command, *arguments = sys.argv[1:] or ["table"]
    if command == "train":
        for bits in map(int, arguments or BITS):
            row = train(config_of_bits(bits))
            join(RESULTS, {}, lambda results, b=bits, row=row: results.update({str(b): row}))
    elif command == "integers":
        row = integers(config_of_bits(32))
        join(RESULTS, {}, lambda results: results.update(integers=row))
    elif command == "smoke":
        small: dict[str, Any] = dict(
            data="digits", epochs=2, options=dict(hidden=(40,), steps=8)
        )
        results = {str(b): train(config_of_bits(b, **small)) for b in (32, 2)}
        print(table(results | {"integers": integers(config_of_bits(32, **small))}))
    else:
        print(table(json.loads(RESULTS.read_text())))


if __name__ == "__main__":
    main()
