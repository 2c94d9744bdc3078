"""The search against its targets: oracles, trials per CPU hour, winners, claims, host's share.

    python experiments/search.py smoke                     a minute: each part on a tiny search
    python experiments/search.py kills [--count 50]        SIGKILLs: journal, winner, by bytes
    python experiments/search.py rate [NETWORK ...]        trials per CPU hour, against loops
    python experiments/search.py digits [--minutes 10]     five searches of mlp, cnn, snn each
    python experiments/search.py mnist                     mlp, 10 and 60 minutes
    python experiments/search.py claims [--count 20]       claimed and corrected, minus the test
    python experiments/search.py symbols                   math_symbols of JAXDIGITS_DATA
    python experiments/search.py front                     accuracy against operations, snn
    python experiments/search.py beside [PROGRAM ...]      ours, Optuna, Ray Tune, three seeds
    python experiments/search.py share                     the host's share of a search's time
    python experiments/search.py table                     results as Markdown, and the figure

Each result joins search.json as it comes, and a part that is there is not measured again.
Folders of searches are in --folder, where a stopped one goes on.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

import numpy as np
from core import machine
from search_beside import PROGRAMS
from search_speed import rate, share
from search_tables import draw_curves, tables

from jaxdigits.data.idx import read_idx
from jaxdigits.measure import wilson
from jaxdigits.search.finals import last_score
from jaxdigits.search.journal import read_journal
from jaxdigits.search.pareto import front_ranks
from jaxdigits.search.records import trials_of

RESULTS = Path(__file__).with_suffix(".json")
FIGURE = Path(__file__).parent.parent / "docs" / "images" / "search.png"
PROGRAM = (sys.executable, "-c", "from jaxdigits.cli import main; main()")
NETWORKS = ("mlp", "cnn", "snn")
TINY = ("--hidden", "8", "--learning-rate", "1e-3..3e-2:log", "--longest", "3")
SYMBOLS = (*"0123456789+-./wxyz",)


class Book:
    """search.json: results by part and key, each written as it comes."""

    def __init__(self, path: Path, folder: Path):
        self.path, self.folder = path, folder
        self.rows = json.loads(path.read_text()) if path.exists() else {}

    def measure(self, part: str, key: str, make: Callable[[], Any]) -> Any:
        """Return a result, which is measured only once."""
        rows = self.rows.setdefault(part, {})
        if key not in rows:
            rows[key] = make()
            self.rows["machine"] = machine()
            self.path.write_text(json.dumps(self.rows, indent=1) + "\n")
        print(part, key, json.dumps(rows[key])[:200], flush=True)
        return rows[key]


def command(*args: Any) -> list[str]:
    """Return a command line of jaxdigits."""
    return [*PROGRAM, *map(str, args)]


def searched(book: Book, name: str, *args: Any) -> dict[str, Any]:
    """Run a search in a folder of that name, or go on with it; return result and seconds."""
    folder = book.folder / name
    again = (folder / "journal.jsonl").exists()
    own = ("--resume", folder) if again else (*args, "--out", folder)
    clock, before = time.perf_counter(), getrusage(RUSAGE_CHILDREN)
    done = subprocess.run(
        command("search", *own, "--json"), stdout=subprocess.PIPE, text=True, check=True
    )
    after = getrusage(RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    result = json.loads(done.stdout.splitlines()[-1])
    del result["run"]  # a path of this machine
    return result | dict(wall=round(time.perf_counter() - clock, 1), cpu=round(cpu, 1))


def killed(book: Book, name: str, count: int, args: tuple) -> dict[str, Any]:
    """Kill a search at random moments, go on each time, and compare it with an unkilled one."""
    whole, mine = book.folder / f"{name}-whole", book.folder / name
    searched(book, whole.name, *args)
    draw, kills = random.Random(0), 0
    while not (mine / "result.json").exists():
        own = (
            ("--resume", mine) if (mine / "journal.jsonl").exists() else (*args, "--out", mine)
        )
        process = subprocess.Popen(command("search", *own), stdout=subprocess.DEVNULL)
        if kills >= count:
            process.wait()
            continue
        time.sleep(draw.uniform(2.0, 9.0))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
    same = lambda path: (whole / path).read_bytes() == (mine / path).read_bytes()
    params = [np.load(place / "best" / "params.npz") for place in (whole, mine)]
    equal = all(np.array_equal(params[0][name], params[1][name]) for name in params[0].files)
    return dict(kills=kills, journal=same("journal.jsonl"), winner=equal)


def beside(program: str, minutes: float, seed: int) -> dict[str, Any]:
    """Return the curve of a search by one of three programs, in a process of its own."""
    script = Path(__file__).with_name("search_beside.py")
    command = [sys.executable, script, program, str(minutes), str(seed)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def front_of(folder: Path) -> list[dict[str, Any]]:
    """Return the trials of a search that no other beats in both, and the first default."""
    trials = trials_of(read_journal(folder)[1]).values()
    able = [trial for trial in trials if trial.last]
    losses = np.array([[-last_score(t).accuracy, t.operations] for t in able])
    on_front = front_ranks(losses) == 0
    rows = []
    for trial, on in zip(able, on_front, strict=True):
        if on or trial.default:
            accuracy, images = last_score(trial).accuracy, len(trial.right)
            interval = wilson(round(accuracy * images), images)
            rows.append(dict(default=trial.default, on_front=bool(on), accuracy=accuracy,
                             interval=interval, operations=trial.operations,
                             settings=trial.settings))  # fmt: skip
    return sorted(rows, key=lambda row: row["operations"])


def default_of(network: str, data: str, seeds: int = 5) -> dict[str, Any]:
    """Return the test accuracies of a network's hand-tuned default."""
    args = ("train", network, "--data", data, "--seeds", seeds, "--json")
    done = subprocess.run(command(*args), stdout=subprocess.PIPE, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    return {name: result[name] for name in ("test_accuracy", "test_interval", "seconds")}


def smoke(book: Book) -> None:
    """Run each part once, as small as it can be."""
    args = ("mlp", *TINY, "--epochs", 24)
    book.measure("smoke", "search", lambda: searched(book, "smoke", *args))
    book.measure("smoke", "kills", lambda: killed(book, "smoke-kills", 1, args))
    book.measure("smoke", "rate", lambda: rate("mlp", 200))
    book.measure("smoke", "share", lambda: share("mlp", 200))
    for program in ("ours", "optuna"):  # Ray is not among the test's programs
        book.measure("smoke", program, lambda: beside(program, 0.2, 0))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--count", type=int, default=None)
    parser.add_argument("--folder", type=Path, default=Path("runs/search"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    book = Book(args.results, args.folder)
    PARTS[args.part](book, args)


def _digits(book: Book, args: Any) -> None:
    for network in args.names or NETWORKS:
        book.measure("default", network, lambda: default_of(network, "digits"))
        for seed in range(args.count or 5):
            name = f"digits-{network}-{seed}"
            own = (network, "--minutes", args.minutes, "--seed", seed)
            book.measure("digits", name, lambda: searched(book, name, *own))


def _mnist(book: Book, args: Any) -> None:
    for minutes in (10, 60):
        own = ("mlp", "--data", "mnist", "--minutes", minutes)
        book.measure("mnist", str(minutes), lambda: searched(book, f"mnist-{minutes}", *own))


def _claims(book: Book, args: Any) -> None:
    for seed in range(args.count or 20):
        own = ("mlp", "--epochs", 400, "--seed", seed)
        book.measure("claims", str(seed), lambda: searched(book, f"claims-{seed}", *own))


def _symbols(book: Book, args: Any) -> None:
    source = Path(os.environ["JAXDIGITS_DATA"]) / "math_symbols"
    image, label = (read_idx(source / f"{n}-ubyte.gz") for n in ("images-idx3", "labels-idx1"))
    place = book.folder / "symbols.npz"
    np.savez(place, image=255 - image, label=np.array(SYMBOLS)[label])  # light on dark
    own = ("--data", place, "--minutes", args.minutes)
    book.measure("symbols", "auto", lambda: searched(book, "symbols", *own))


def _front(book: Book, args: Any) -> None:
    own = ("snn", "--minutes", args.minutes, "--goal", "front")
    make = lambda: searched(book, "front", *own) | {"front": front_of(book.folder / "front")}
    book.measure("front", "snn", make)


def _kills(book: Book, args: Any) -> None:
    count = args.count or 50
    own = ("mlp", *TINY, "--epochs", 500 * count)  # long enough for all of them
    book.measure("kills", str(count), lambda: killed(book, "kills", count, own))


def _rates(book: Book, args: Any) -> None:
    for network in args.names or NETWORKS:
        book.measure("rate", network, lambda: rate(network))


def _share(book: Book, args: Any) -> None:
    for network in args.names or NETWORKS:
        book.measure("share", network, lambda: share(network))


def _beside(book: Book, args: Any) -> None:
    for seed in range(args.count or 3):
        for name in args.names or PROGRAMS:
            key = f"{name}, {args.minutes:g} minutes, seed {seed}"
            book.measure("beside", key, lambda: beside(name, args.minutes, seed))


def _table(book: Book, args: Any) -> None:
    print(*tables(book.rows), sep="\n\n")
    if "beside" in book.rows:
        draw_curves(book.rows["beside"]).savefig(FIGURE, dpi=110)


PARTS: dict[str, Callable[[Book, Any], None]] = {
    "smoke": lambda book, args: smoke(book),
    "kills": _kills,
    "rate": _rates,
    "digits": _digits,
    "mnist": _mnist,
    "claims": _claims,
    "symbols": _symbols,
    "front": _front,
    "beside": _beside,
    "share": _share,
    "table": _table,
}
if __name__ == "__main__":
    main()
