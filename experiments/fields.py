"""Rows of digits: how many are read, with and without a format, and what is promised.

    JAXDIGITS_DATA=FOLDER python experiments/fields.py train NETWORK SEED [EPOCHS]
    JAXDIGITS_DATA=FOLDER python experiments/fields.py doubt RUN
    JAXDIGITS_DATA=FOLDER python experiments/fields.py synthetic NAME RUN [COUNT]
    JAXDIGITS_DATA=FOLDER python experiments/fields.py tune RUN FOLDER_OF_NEW_RUN [EPOCHS]
    JAXDIGITS_DATA=FOLDER python experiments/fields.py cheques NAME RUN
    JAXDIGITS_DATA=FOLDER python experiments/fields.py tesseract
    JAXDIGITS_DATA=FOLDER python experiments/fields.py time RUN
    JAXDIGITS_DATA=FOLDER python experiments/fields.py box RUN
    python experiments/fields.py table

`train` makes a run, as `jaxdigits train NETWORK --data fields` does: the epoch, the temperature
and the thresholds come from a twelfth of the writers of MNIST's training file, which no step
saw.  `synthetic` reads fields by the writers of MNIST's test file, nine digits with the
checksum 3-7-1, 4,000 of each style or COUNT.  `cheques` reads the fifth of orand_car_a whose
names' SHA-256 is a multiple of 5, under the format amount:0-9999999; `tune` goes on with a run
on the others, of which a fifth chooses the epoch and the thresholds.  `box` writes the run that
the package has.  Results are added to fields.json.
"""

import csv
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from core import machine
from jax import Array
from jax.tree_util import register_dataclass
from PIL import Image

from jaxdigits.augment import compose, sometimes
from jaxdigits.augment.photometric import blur, pen
from jaxdigits.augment.warp import affine, elastic, warp
from jaxdigits.data import Dataset, Style, fields, prepare_field
from jaxdigits.data.fields import WEIGHTS, WIDTH, with_checksums, with_texts
from jaxdigits.data.picture import read_grey
from jaxdigits.errors import DataError
from jaxdigits.fast.flags import set_flags
from jaxdigits.losses import ctc
from jaxdigits.measure import Doubt, measure_promise, reliability, threshold, wilson
from jaxdigits.reader import make_format, read_fields
from jaxdigits.reader.automaton import weighted_sum
from jaxdigits.reader.confidence import answers_of, learn_reading_doubt
from jaxdigits.reader.formats import digits
from jaxdigits.runs import config_for, config_from, load_run, predict, run_job, validation_split
from jaxdigits.runs.answer import frames_of
from jaxdigits.runs.folder import create_run, save_doubt, save_params
from jaxdigits.runs.job import Checkpointing, doubt_of, finish_run, predictor
from jaxdigits.train import Hooks, Recipe, fit
from jaxdigits.train.optimizer import adamw
from jaxdigits.tree import named_leaves

RESULTS = Path(__file__).with_suffix(".json")
RUNS = Path(__file__).parent.parent / "runs" / "fields"
BOX = Path(__file__).parent.parent / "jaxdigits" / "box" / "fields"
COUNT = 4000
CHECKSUM = weighted_sum(WEIGHTS, 10)
STYLES = {
    "free": Style(touching=0.0, boxed=0.0),
    "boxed": Style(touching=0.0, boxed=1.0),
    "touching": Style(touching=1.0, boxed=0.0),
    "all": Style(),
}
SEEDS = 3
KINDS = ("greedy", "length_known", "checksum")
AMOUNT = "amount:0-9999999"
PROMISES = (0.01, 0.001)
FILES = 5000  # of the folder that the command reads
TURNS = 5


def train(network: str, seed: int, epochs: int | None) -> None:
    """Train a run on synthetic fields, or continue its training where it stopped."""
    more = {} if epochs is None else {"epochs": epochs}
    config = config_for(network, "fields", seed=seed, **more)
    learn, test = fields(texts=(66_000, 100))
    folder = RUNS / f"{network}-{seed}"
    shown = ("epoch", "loss", "valid_accuracy", "seconds")
    report = lambda row: print({name: row[name] for name in shown}, flush=True)
    files = Checkpointing(resume=(folder / "config.json").is_file())
    outcome = run_job(config, learn, test, folder, report, checkpointing=files)
    finish_run(folder, {"seconds": outcome.seconds, "parameters": outcome.parameters})


def doubt(folder: Path) -> None:
    """Learn the doubt of a run again, from its validation writers."""
    run = load_run(folder)
    _, valid = validation_split(fields(texts=(66_000, 100))[0])
    learned = doubt_of(run.config, predictor(run), valid)
    save_doubt(folder, learned)
    print(learned.temperature, [threshold(learned, p) for p in PROMISES])


def synthetic(folder: Path, count: int = COUNT) -> dict[str, Any]:
    """Return the shares of right strings of a run, by style, and its promises."""
    run = load_run(folder)
    _, test = fields(texts=(12, count))
    row: dict[str, Any] = {
        "fields": count,
        "parameters": sum(map(np.size, jax.tree.leaves(run.params))),
    }
    for style, look in STYLES.items():
        texts = np.asarray(with_checksums(test, count, seed=1).label)
        rows = with_texts(test, texts, look)
        logits = predict(run, rows.inputs)[0]
        automata = {"length known": digits(9), "checksum": CHECKSUM}
        answers = {
            kind: answers_of(logits, texts, automaton, run.temperature)
            for kind, automaton in automata.items()
        }
        greedy = np.asarray(ctc().right(jnp.asarray(logits), texts))
        confidence, right = answers["checksum"]
        row[style] = dict(
            greedy=shares(greedy), length_known=shares(answers["length known"][1]),
            checksum=shares(right), calibration_error=reliability(confidence, right).error,
        )  # fmt: skip
        if style == "all" and run.doubt:
            row["promised, checksum"] = promises(run.doubt._replace(steps=run.doubt.checked),
                                             confidence, right)  # fmt: skip
    logits = predict(run, test.inputs)[0]
    confidence, right = answers_of(logits, test.label, digits(1, 12), run.temperature)
    row["any length"] = dict(
        greedy=shares(ctc().right(jnp.asarray(logits), test.label)), best=shares(right),
        calibration_error=reliability(confidence, right).error,
    )  # fmt: skip
    if run.doubt:
        row["promised, any length"] = promises(run.doubt, confidence, right)
    return row


def shares(right: Any) -> list[float]:
    """Return the share of right ones, and its 95 % interval."""
    right = np.asarray(right)
    return [float(right.mean()), *wilson(int(right.sum()), len(right))]


def promises(learned: Doubt, confidence: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    """Return how the promises of a doubt are held; None where it makes none."""
    row = {str(p): measure_promise(learned, p, confidence, right) for p in PROMISES}
    return {name: promise and promise._asdict() for name, promise in row.items()}


def cheque_rows() -> dict[str, list[tuple[Path, str]]]:
    """Return the pictures of cheque amounts and their digits: train, valid and test."""
    folder = Path(os.environ["JAXDIGITS_DATA"]) / "orand_car_a"
    parts: dict[str, list[tuple[Path, str]]] = {"train": [], "valid": [], "test": []}
    with open(folder / "labels.csv", newline="") as file:
        for row in csv.DictReader(file):
            number = int(hashlib.sha256(row["file"].encode()).hexdigest(), 16)
            part = "test" if number % 5 == 0 else "valid" if number // 5 % 5 == 0 else "train"
            parts[part].append((folder / "images" / row["file"], row["digits"]))
    return parts


def cheques(folder: Path, part: str = "test") -> dict[str, Any]:
    """Return the share of amounts of real cheques that a run reads rightly."""
    run, rows = load_run(folder), cheque_rows()[part]
    prepared: list[Any] = []
    for path, _ in rows:
        try:
            prepared.append(prepare_field(read_grey(path)))
        except DataError as error:
            prepared.append(error)
    read = partial(read_fields, frames_of(run), prepared, make_format(AMOUNT))
    readings = read(temperature=run.temperature)
    right = np.array([r.digits == text for r, (_, text) in zip(readings, rows, strict=True)])
    confidence = np.array([r.probability for r in readings])
    row: dict[str, Any] = dict(
        amounts=len(rows), right=shares(right),
        unprepared=sum(isinstance(p, DataError) for p in prepared),
        calibration_error=reliability(confidence, right).error,
    )  # fmt: skip
    if run.doubt:
        row["promised"] = promises(run.doubt, confidence, right)
    return row


@register_dataclass
@dataclass(frozen=True, eq=False)
class Mixed:
    """Stored fields, bent anew whenever they are taken, and drawn ones behind them."""

    stored: Any
    drawn: Any
    bend: bool = field(default=True, metadata=dict(static=True))

    @property
    def size(self) -> int:
        return len(self.stored) + self.drawn.size

    @property
    def shape(self) -> tuple[int, int]:
        return self.drawn.shape

    def take(self, rows: Array, keys: Array) -> Array:
        n = len(self.stored)
        image = jnp.asarray(self.stored)[jnp.minimum(rows, n - 1)]
        bent = jnp.round(255 * jnp.clip(BENT(keys, image), 0, 1)).astype(jnp.uint8)
        bent = bent if self.bend else image
        drawn = self.drawn.take(jnp.maximum(rows - n, 0), keys)
        return jnp.where((rows < n)[:, None, None], bent, drawn)


BENT = compose(
    warp(affine(rotation=0.7, shift=2, scale=0.1, shear=0.2), elastic(alpha=12)),
    sometimes(0.5, pen(0.7)),
    sometimes(0.2, blur(0.7)),
)
AGAIN, DRAWN_ROWS = 12, 6_000  # how often a cheque is taken in an epoch; drawn fields beside


def stored_cheques(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return prepared amounts [N, 32, 256], and their digits [N, 12]."""
    images, texts = [], []
    for path, text in cheque_rows()[part]:
        try:
            ink = prepare_field(read_grey(path)).ink
        except DataError as error:
            print(f"{path.name}: {error}")
            continue
        if ink.shape[1] > WIDTH:
            print(f"{path.name}: {ink.shape[1]} columns")
            continue
        images.append(np.pad(ink, ((0, 0), (0, WIDTH - ink.shape[1]))))
        texts.append([*map(int, text), *[-1] * (12 - len(text))])
    return np.stack(images), np.array(texts, np.int32)


def tune(folder: Path, out: Path, epochs: int) -> None:
    """Go on with a run on cheques and drawn fields; validation cheques choose the epoch."""
    run = load_run(folder)
    image, text = stored_cheques("train")
    drawn, _ = validation_split(fields(texts=(DRAWN_ROWS, 100))[0])
    image, text = np.tile(image, (AGAIN, 1, 1)), np.tile(text, (AGAIN, 1))
    learn = Dataset(Mixed(image, drawn.inputs), np.concatenate([text, drawn.label]),
                    strings=True)  # fmt: skip
    v_image, v_text = stored_cheques("valid")
    one = drawn[:1]  # both data sets have the same arrays
    valid = Dataset(Mixed(v_image, one.inputs, bend=False),
                    np.concatenate([v_text, one.label]), strings=True)  # fmt: skip
    updates = epochs * (len(learn) // 32)
    config = config_from(
        folder, "fields", epochs=epochs, batch=32, learning_rate=6e-4, weight_decay=0.02,
        ema=0.99, seed=run.config.seed,
    )  # fmt: skip
    recipe = Recipe(config.build(), adamw(6e-4, updates, weight_decay=0.02), epochs=epochs,
                    batch=32, loss=ctc(), ema=0.99)  # fmt: skip
    report = lambda row: print(
        {k: row[k] for k in ("epoch", "loss", "valid_accuracy")}, flush=True
    )
    key, hooks = jax.random.key(run.config.seed), Hooks(report=report)
    fitted = fit(recipe, learn, valid, key, hooks, start=run.params)
    create_run(out, config)
    save_params(out, fitted.params, fitted.statistics)
    tuned = load_run(out)
    save_doubt(out, learn_reading_doubt(predict(tuned, v_image)[0], v_text, None))


def tesseract() -> dict[str, Any]:
    """Return the shares of the same fields that Tesseract reads: digits only, one line."""
    row: dict[str, Any] = {"version": _tesseract("--version").split("\n")[0]}
    _, test = fields(texts=(12, COUNT))
    for style, look in STYLES.items():
        texts = np.asarray(with_checksums(test, COUNT, seed=1).label)[:200]
        rows = with_texts(test, texts, look)
        keys = jax.random.split(jax.random.key(0), len(texts))
        ink = np.asarray(jax.jit(lambda x, k: x.take(jnp.arange(200), k))(rows.inputs, keys))
        right = [_by_tesseract(255 - image) == "".join(map(str, text))
                 for image, text in zip(ink, texts, strict=True)]  # fmt: skip
        row[style] = shares(right)
    pictures = cheque_rows()["test"]
    right = [_by_tesseract(np.asarray(Image.open(path).convert("L"))) == text
             for path, text in pictures]  # fmt: skip
    return row | {"cheques": shares(right)}


def _by_tesseract(grey: np.ndarray) -> str:
    """Return the digits that Tesseract reads in a picture, four times as large."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "field.png"
        image = Image.fromarray(np.pad(grey, 8, mode="edge"))
        image.resize((4 * image.width, 4 * image.height), Image.Resampling.BICUBIC).save(path)
        text = _tesseract(str(path), "stdout", "--psm", "7", "-c",
                          "tessedit_char_whitelist=0123456789")  # fmt: skip
    return "".join(text.split())


def _tesseract(*args: str) -> str:
    answer = subprocess.run(["tesseract", *args], capture_output=True, text=True, check=True,
                            env=os.environ | {"OMP_THREAD_LIMIT": "1"})  # fmt: skip
    return answer.stdout


def timed(folder: Path) -> dict[str, Any]:
    """Return the time of a field from its PNG, of the parts of a batch, and of a folder."""
    run, rows = load_run(folder), cheque_rows()["train"]
    format, logits, inside = make_format(AMOUNT), frames_of(run), [0.0]

    def network(ink: np.ndarray) -> np.ndarray:
        start = time.perf_counter()
        result = logits(ink)
        inside[0] += time.perf_counter() - start
        return result

    prepare = lambda paths: [prepare_field(read_grey(path)) for path in paths]
    read = partial(read_fields, network)
    with tempfile.TemporaryDirectory() as place:
        good = []
        for i, (path, _) in enumerate(rows[:256]):
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
        whole = _seconds(partial(_read_folder, folder, good, Path(place)))
    each = {name: float(np.median(turns)) / len(good) for name, turns in parts.items()}
    return dict(
        machine=machine(), one_ms=1e3 * float(np.median(seconds)), fields=len(good),
        ms_of_a_field={name: 1e3 * part for name, part in each.items()},
        fields_per_second=1 / sum(each.values()),
        files=FILES, files_per_second_of_the_command=FILES / whole,
        aba_without_preparation_per_second=len(good) / float(np.median(checked)),
    )  # fmt: skip


def _read_folder(run: Path, pictures: list[Path], place: Path) -> None:
    """Let the command read FILES pictures, some of them more than once."""
    copies = place / "folder"
    copies.mkdir()
    for i in range(FILES):
        (copies / f"{i}.png").hardlink_to(pictures[i % len(pictures)])
    program = str(Path(sys.executable).with_name("jaxdigits"))
    answers = place / "csv"
    command = [program, "read", copies, "--run", run, "--format", AMOUNT, "--csv", answers]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode not in (0, 3):  # 3: some are refused
        raise RuntimeError(answer.stderr)


def _seconds(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def box(folder: Path) -> None:
    """Write the run of the package: params in 16 bits."""
    run = load_run(folder)
    BOX.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "doubt.json"):
        (BOX / name).write_bytes((folder / name).read_bytes())
    tree = {"params": run.params, "statistics": run.statistics}
    arrays = {name: np.asarray(leaf) for name, leaf in named_leaves(tree).items()}
    small = {name: a.astype(np.float16) if a.ndim > 1 else a for name, a in arrays.items()}
    np.savez(BOX / "params.npz", allow_pickle=False, **small)
    print((BOX / "params.npz").stat().st_size, "bytes")


def tables(results: dict[str, Any]) -> list[str]:
    """Return the tables of the page."""
    return [table(results), table_of_promises(results), table_of_cheques(results)]


def table(results: dict[str, Any]) -> str:
    """Return the share of right rows by style, in percent, with 95 % intervals."""
    lines = [
        ["run", "style", "best alignment", "length known", "checksum", "calibration error"]
    ]
    lines += [["---", "---", "---:", "---:", "---:", "---:"]]
    for name, row in results["synthetic"].items():
        of = f"{name}, {row['fields']:,} fields" if row.get("fields", COUNT) < COUNT else name
        for style in STYLES:
            each = row[style]
            shown = [_percent(each[k]) for k in KINDS]
            lines.append([of, style, *shown, f"{100 * each['calibration_error']:.1f}"])
    seeds = [row for name, row in results["synthetic"].items() if name.startswith("columns-")]
    for style in STYLES:
        means = [_spread([row[style][k][0] for row in seeds]) for k in KINDS]
        error = _spread([row[style]["calibration_error"] for row in seeds])
        lines.append([f"columns, {len(seeds)} seeds", style, *means, error])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _spread(shares: list[float]) -> str:
    return f"{100 * np.mean(shares):.1f} ± {100 * np.std(shares, ddof=1):.1f}"


def table_of_promises(results: dict[str, Any]) -> str:
    """Return how the promises of runs are kept, by writers that they never saw."""
    head = ["run", "fields", "promised", "answered, in %", "wrong", "their share, in %",
            "its bound of 95 %"]  # fmt: skip
    lines = [head, ["---", "---", *["---:"] * 5]]
    for name, row in results["synthetic"].items():
        for kind in ("any length", "checksum"):
            for promise, each in row.get(f"promised, {kind}", {}).items():
                most = f"{100 * float(promise):g} %"
                cells = ["not promised", "", "", ""]
                if each:
                    share = each["errors"] / max(each["answers"], 1)
                    coverage, bound = (
                        f"{100 * each['coverage']:.1f}",
                        f"{100 * each['bound']:.2f}",
                    )
                    cells = [coverage, f"{each['errors']}", f"{100 * share:.2f}", bound]
                lines.append([name, kind, most, *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def table_of_cheques(results: dict[str, Any]) -> str:
    """Return the share of amounts of real cheques, and those answered at 1 %."""
    lines = [["run", "right", "answered at 1 %", "of them wrong"], ["---", *["---:"] * 3]]
    for name, row in results["cheques"].items():
        promise = (row.get("promised") or {}).get("0.01")
        shown = ["none promised", ""]
        if promise:
            shown = [f"{100 * promise['coverage']:.1f}", f"{promise['errors']}"]
        lines.append([name, _percent(row["right"]), *shown])
    for kind in ("", "-tuned"):
        seeds = [results["cheques"].get(f"columns-{seed}{kind}") for seed in range(SEEDS)]
        shares = [row["right"][0] for row in seeds if row]
        lines.append([f"columns{kind}, {len(shares)} seeds", _spread(shares), "", ""])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _percent(share: list[float]) -> str:
    return "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * x for x in share))


def record(kind: str, name: str | None, row: Any) -> None:
    """Add a result to fields.json."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if name is None:
        results[kind] = row
    else:
        results.setdefault(kind, {})[name] = row
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(row, indent=1))


if __name__ == "__main__":
    set_flags()  # as `jaxdigits` sets them
    what, *args = sys.argv[1:]
    if what == "train":
        train(args[0], int(args[1]), int(args[2]) if args[2:] else None)
    elif what == "doubt":
        doubt(Path(args[0]))
    elif what == "tune":
        tune(Path(args[0]), Path(args[1]), int(args[2]) if args[2:] else 6)
    elif what == "synthetic":
        record(what, args[0], synthetic(Path(args[1]), *map(int, args[2:])))
    elif what == "cheques":
        record(what, args[0], cheques(Path(args[1])))
    elif what == "tesseract":
        record(what, None, tesseract())
    elif what == "time":
        record(what, None, timed(Path(args[0])))
    elif what == "box":
        box(Path(args[0]))
    else:
        every = json.loads(RESULTS.read_text())
        print(*tables(every), sep="\n\n")
