"""Readers of files against files that were spoiled, or made to do harm.

    python experiments/fuzz.py run      every reader, 61,000 inputs, ten minutes; or only the
                                        named readers, by their first word
    python experiments/fuzz.py table    the table of docs/untrusted-files.md

Each reader runs in a process of its own, which may take 1 GB of addresses more than at its
start, and is ended after 30 seconds.  fuzz.json has the results: how many inputs were read and
how many rejected, the processes that died, inputs over 5 s of core time, and errors that are
not one line of the package's own with the file's name.  Inputs that failed are kept in
runs/fuzz.  If an input leads to a new line of Python or to a new error, it is spoiled further:
coverage guides the search.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import fuzz_bombs as bombs
import fuzz_files as files
import numpy as np
from core import machine
from fuzz_inputs import as_it_is, in_gzip, in_pixels, in_png, in_zip, spoiled, spoiled_json
from fuzz_worker import MEMORY, Read, asked, place, started

HERE = Path(__file__).parent
RESULTS = HERE / "fuzz.json"
FAILED = HERE.parent / "runs" / "fuzz"
SLOW = 5.0  # seconds of a core that are too many
SEED = 0
COUNTED = ("inputs", "read", "refused", "crashes", "slow", "over_1_GB", "not_one_line")


class Reader(NamedTuple):
    """The reader of a format, and its inputs."""

    changed: int
    """inputs, besides the good ones and the bombs"""
    good: Callable[[Path], Any]
    """(a run's folder) -> small files to spoil"""
    bombs: Callable[[Path], Any]
    wraps: tuple[Callable, ...] = (as_it_is,)
    spoil: Callable[[np.random.Generator, bytes, Sequence[bytes]], bytes] = spoiled
    """(generator, file, others of its kind) -> another one"""
    guided: bool = True
    """whether new lines of Python guide the search"""


def without_run(make: Callable) -> Callable[[Path], Any]:
    return lambda folder: make()


READERS: dict[str, Reader] = {
    "IDX, gzipped or not": Reader(
        8000, without_run(files.idx_files), without_run(bombs.idx_bombs), (as_it_is, in_gzip)
    ),
    "table of digits": Reader(
        2000, without_run(files.csv_files), without_run(bombs.csv_bombs), (as_it_is, in_gzip)
    ),
    "archive of recordings": Reader(
        5000, without_run(files.archives), without_run(bombs.archive_bombs), (as_it_is, in_zip)
    ),
    "WAV, FLAC, OGG": Reader(12000, without_run(files.sounds), without_run(bombs.sound_bombs)),
    "PNG, JPEG": Reader(
        14000, without_run(files.pictures), without_run(bombs.picture_bombs),
        (as_it_is, in_png, in_pixels),
    ),
    "N-MNIST": Reader(3000, without_run(files.event_files), without_run(bombs.event_bombs)),
    "SHD": Reader(9000, without_run(files.ear_files), without_run(bombs.ear_bombs)),
    "config.json of a run": Reader(
        4000, files.settings, bombs.settings_bombs, spoil=spoiled_json, guided=False
    ),
    "params.npz of a run": Reader(
        4000, files.params, bombs.params_bombs, (as_it_is, in_zip), guided=False
    ),
}  # fmt: skip


def inputs(reader: Reader, run: Path, rng: np.random.Generator) -> Any:
    """Yield the reader's inputs; send back after each whether it was new, as a guide."""
    pool = list(reader.good(run))
    good = list(pool)
    for content in chain(good, reader.bombs(run)):
        yield content
    for i in range(reader.changed):
        # Half of the time a good file: after many changes an input is soon no file at all.
        seed = (good if i % 2 else pool)[rng.integers(len(good if i % 2 else pool))]
        wrap = reader.wraps[rng.integers(len(reader.wraps))]
        change = lambda inner: reader.spoil(rng, inner, good)
        try:
            content = wrap(seed, change)
        except Exception:  # a spoiled file may not unpack
            content = change(seed)
        if (yield content[:1_000_000]):
            pool.append(content)
    yield None


def campaign(name: str, run: Path) -> dict[str, Any]:
    """Run all inputs of one reader."""
    reader, rng = READERS[name], np.random.default_rng([SEED, *name.encode()])
    found = dict.fromkeys(COUNTED, 0) | dict(slowest=0.0, peak=0)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for file in run.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        start = lambda: started(name, folder, reader.guided, next(iter(reader.good(run))))
        process, source = start(), inputs(reader, run, rng)
        content = next(source)
        while content is not None:
            place(name, folder).write_bytes(content)
            result = asked(process)
            if result.outcome in ("crash", "hang"):
                process = start()
            # Which of a run's files does not fit the other is for its reader to say.
            named = folder if name.endswith("of a run") else place(name, folder)
            if failed := judged(found, result, str(named)):
                keep(content, f"{name.split()[0].strip(',')}-{found['inputs']}", failed, result)
            content = source.send(result.new > 0 and not failed)
        process.process.kill()
    return found


def keep(content: bytes, name: str, failed: str, result: Read) -> None:
    """Write an input that failed to `FAILED`, with the failure."""
    FAILED.mkdir(parents=True, exist_ok=True)
    (FAILED / name).write_bytes(content)
    print(f"{name}: {failed}, {result}"[:400], flush=True)


def judged(found: dict[str, Any], result: Read, path: str) -> str:
    """Count a result, and return its failure."""
    known = dict(read="read", refused="refused", crash="crashes", hang="slow")
    key = known.get(result.outcome, "not_one_line")
    found["inputs"] += 1
    found[key] += 1
    found["slowest"] = round(max(found["slowest"], result.seconds), 2)
    found["peak"] = max(found["peak"], result.peak)
    faults = [] if key in ("read", "refused") else [key]
    if result.outcome == "refused" and ("\n" in result.said or path not in result.said):
        found["not_one_line"] += 1
        faults.append("not_one_line")
    if result.outcome != "hang" and result.seconds > SLOW:
        found["slow"] += 1
        faults.append("slow")
    if result.peak > MEMORY:
        found["over_1_GB"] += 1
        faults.append("over_1_GB")
    return ", ".join(faults)


def table(results: dict[str, Any]) -> str:
    """Return the results as a Markdown table, with their sum and the machine."""
    head = ["reader", "inputs", "read", "refused", "crashes", "over 5 s", "over 1 GB",
            "no single line", "slowest", "peak"]  # fmt: skip
    row = lambda name, of: [
        name, *(f"{of[k]:,}" for k in COUNTED), f"{of['slowest']:.1f} s",
        f"{of['peak'] / 1e6:,.0f} MB",
    ]  # fmt: skip
    readers = results["readers"]
    total: dict[str, Any] = {k: sum(of[k] for of in readers.values()) for k in COUNTED}
    total |= {k: max(of[k] for of in readers.values()) for k in ("slowest", "peak")}
    rows = [row(name, of) for name, of in readers.items()] + [row("all", total)]
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, *rows)]
    rule = "| --- |" + " ---: |" * (len(head) - 1)
    return "\n".join([lines[0], rule, *lines[1:], "", results["machine"]])


def make_run(folder: Path) -> None:
    """Write the run of an untrained network, to be spoiled."""
    import jax

    from jaxdigits.runs import Config
    from jaxdigits.runs.folder import create_run, save_params

    options = {"hidden": [4]}
    config = Config("mlp", "digits", epochs=1, batch=8, learning_rate=1e-3, options=options)
    params, _ = config.build()(training=True).init(jax.random.key(0), (28, 28))
    create_run(folder, config)
    save_params(folder, params, ())


def main() -> None:
    results: Any = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"readers": {}}
    match sys.argv[1:]:
        case ["run", *names]:
            chosen = [n for n in READERS if not names or n.split()[0].strip(",") in names]
            with tempfile.TemporaryDirectory() as folder:
                make_run(Path(folder, "run"))
                for name in chosen:
                    readers = results["readers"]
                    readers[name] = campaign(name, Path(folder, "run"))
                    print(name, readers[name], flush=True)
                    ordered = {n: readers[n] for n in READERS if n in readers}
                    results = dict(machine=machine(), readers=ordered)
                    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        case ["table"]:
            print(table(results))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
