"""Accuracies and times of the default `jaxdigits train` commands.

    JAXDIGITS_DATA=FOLDER python experiments/core.py run [ROW ...]
    python experiments/core.py table

`run` starts each command of `COMMANDS` as a user would, one after another, and writes the
printed result to core.json; `table` prints that file as the first table of docs/results.md.
Each run chooses its epoch on 5,000 validation images and reads the test set once.  One run's
interval is Wilson's over the test images; the interval of several seeds is Student's.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_suffix(".json")
COMMANDS = {
    "digits": "train",
    "mlp": "train mlp --data mnist",
    "cnn": "train cnn --data mnist",
    "snn": "train snn --data mnist",
    "conv_snn": "train conv_snn --data mnist",
    "mlp, 8 seeds": "train mlp --data mnist --seeds 8",
}


def run(row: str) -> dict[str, Any]:
    """Run one command of the table and return its results."""
    program = Path(sys.executable).with_name("jaxdigits")
    with tempfile.TemporaryDirectory() as folder:
        command = [program, *COMMANDS[row].split(), "--out", f"{folder}/run", "--json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    del result["run"]
    return result | {"command": f"jaxdigits {COMMANDS[row]}", "machine": machine()}


def machine() -> str:
    """Return the processor and its cores, or the accelerator, and the version of JAX."""
    import jax

    from jaxdigits.bench import processor

    device = jax.devices()[0]
    name = f"{processor()}, {os.cpu_count()} cores"
    if device.platform != "cpu":
        name = device.device_kind
    return f"{name}, jax {jax.__version__}"


def table(results: dict[str, dict[str, Any]]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| command | test accuracy | 95 % interval | over | parameters | time |",
        "|---|---|---|---|---|---|",
    ]
    for r in results.values():
        low, high = r["test_interval"]
        spread = f" ± {100 * r['test_std']:.2f}" if r["test_std"] is not None else ""
        over = f"{len(r['test_accuracies'])} seeds" if spread else r["interval_over"]
        lines.append(
            f"| `{r['command']}` | {100 * r['test_accuracy']:.2f}{spread} % "
            f"| {100 * low:.2f} to {100 * high:.2f} % | {over} | {r['parameters']:,} "
            f"| {duration(r['seconds'])} |"
        )
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """Format seconds as seconds, or as minutes from 100 s on."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


def main() -> None:
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if sys.argv[1:2] == ["table"]:
        print(table(results))
        return
    for row in sys.argv[2:] or COMMANDS:
        results[row] = run(row)
        ordered = {name: results[name] for name in COMMANDS if name in results}
        RESULTS.write_text(json.dumps(ordered, indent=2) + "\n")


if __name__ == "__main__":
    main()
