"""Pictures read in a second: prepared by one process, and by `jaxdigits predict FOLDER`.

    python experiments/preparing.py [--pictures 5000]

PNGs of the built-in digits, dark on white paper, enlarged to each size, so nothing has to be
downloaded.  The time of `predict` is that of the whole program, with its start, the network
and a table at the end; with one process that reads, and with two.  Writes preparing.json.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path

from core import machine
from PIL import Image

from jaxdigits.data import digits, read_picture

RESULTS = Path(__file__).with_suffix(".json")
SIDES = (28, 40, 56, 80, 100)
PREDICT = (
    "from jaxdigits.cli import main; from jaxdigits import workers; workers.MOST = {}; main()"
)


def rate(count: int, action: Callable[[], object]) -> dict[str, float]:
    """Return pictures a second, by the clock and by all processors, and the load before."""
    load = os.getloadavg()[0]
    whose = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    used = lambda: sum(sum(resource.getrusage(who)[:2]) for who in whose)
    clock, processor = time.perf_counter(), used()
    action()
    seconds = time.perf_counter() - clock
    return dict(clock=count / seconds, processor=count / (used() - processor), load=load)


def measure(side: int, count: int) -> dict[str, dict[str, float]]:
    """Return the rates of a side: of `read_picture`, and of `predict` with 1 and 2 readers."""
    image = 255 - digits()[0].inputs[:]
    with tempfile.TemporaryDirectory() as folder:
        scans = Path(folder, "scans")
        scans.mkdir()
        paths = [scans / f"{i:05}.png" for i in range(count)]
        for path, each in zip(paths, islice(cycle(image), count), strict=True):
            Image.fromarray(each).resize((side, side), Image.Resampling.BICUBIC).save(path)
        read_picture(paths[0])  # imports
        rows = {"read_picture": rate(count, lambda: [read_picture(path) for path in paths])}
        for readers in (1, 2):
            args = ["predict", str(scans), "--csv", str(Path(folder, "table.csv"))]
            command = [sys.executable, "-c", PREDICT.format(readers), *args]
            rows[f"predict, {readers}"] = rate(count, lambda c=command: subprocess.run(c))
    return rows


def table(results: dict) -> str:
    """Return pictures a second for each side, by the clock."""
    lines = ["| side | `read_picture` | `predict`, one reads | two read |"]
    lines += ["| ---: | ---: | ---: | ---: |"]
    for side, rows in results["sides"].items():
        rates = [f"{row['clock']:,.0f}" for row in rows.values()]
        lines.append(f"| {side} | {' | '.join(rates)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=5000, help="of each size")
    number = parser.parse_args().pictures
    measured = dict(
        machine=machine(), pictures=number, sides={str(s): measure(s, number) for s in SIDES}
    )
    RESULTS.write_text(json.dumps(measured, indent=1) + "\n")
    print(table(measured))
