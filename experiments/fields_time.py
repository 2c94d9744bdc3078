"""Times of reading rows of digits: a field from its PNG, the parts of a batch, a folder."""

import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from core import machine
from PIL import Image

from jaxdigits.data import prepare_field
from jaxdigits.data.picture import read_grey
from jaxdigits.errors import DataError
from jaxdigits.reader import make_format, read_fields
from jaxdigits.runs import load_run
from jaxdigits.runs.answer import frames_of

FILES = 5000  # of the folder that the command reads
TURNS = 5


def timed(folder: Path, pictures: list[Path], amount: str) -> dict[str, Any]:
    """Return the times of a run.

    Args:
      pictures: of amounts; the first 256 are read.
      amount: the name of their format.
    """
    run = load_run(folder)
    format, logits, inside = make_format(amount), frames_of(run), [0.0]

    def network(ink: np.ndarray) -> np.ndarray:
        start = time.perf_counter()
        result = logits(ink)
        inside[0] += time.perf_counter() - start
        return result

    prepare = lambda paths: [prepare_field(read_grey(path)) for path in paths]
    read = partial(read_fields, network)
    with tempfile.TemporaryDirectory() as place:
        good = []
        for i, path in enumerate(pictures[:256]):
            png = Path(place) / f"{i}.png"
            Image.open(path).save(png)
            with suppress(DataError):
                prepare([png])
                good.append(png)
        one = lambda path: read(prepare([path]), format)
        for path in good[:40]:
            one(path)
        seconds = [_seconds(partial(one, path)) for path in good[:40]]
        prepared, parts = prepare(good), {"prepare": [], "network": [], "decode": []}
        read(prepared, format)
        for _ in range(TURNS):
            parts["prepare"].append(_seconds(partial(prepare, good)))
            inside[0] = 0.0
            both = _seconds(partial(read, prepared, format))
            parts["network"].append(inside[0])
            parts["decode"].append(both - inside[0])
        aba = make_format("aba")
        read(prepared, aba)
        checked = [_seconds(partial(read, prepared, aba)) for _ in range(TURNS)]
        whole = _seconds(partial(_read_folder, folder, good, amount, Path(place)))
    each = {name: float(np.median(turns)) / len(good) for name, turns in parts.items()}
    return dict(
        machine=machine(), one_ms=1e3 * float(np.median(seconds)), fields=len(good),
        ms_of_a_field={name: 1e3 * part for name, part in each.items()},
        fields_per_second=1 / sum(each.values()),
        files=FILES, files_per_second_of_the_command=FILES / whole,
        aba_without_preparation_per_second=len(good) / float(np.median(checked)),
    )  # fmt: skip


def _read_folder(run: Path, pictures: list[Path], amount: str, place: Path) -> None:
    """Let the command read FILES pictures, some of them more than once."""
    copies = place / "folder"
    copies.mkdir()
    for i in range(FILES):
        (copies / f"{i}.png").hardlink_to(pictures[i % len(pictures)])
    program = str(Path(sys.executable).with_name("jaxdigits"))
    answers = place / "csv"
    command = [program, "read", copies, "--run", run, "--format", amount, "--csv", answers]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode not in (0, 3):  # 3: some are refused
        raise RuntimeError(answer.stderr)


def _seconds(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
