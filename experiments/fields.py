"""Rows of digits: how many are read, with and without a format, and what is promised.

    JAXDIGITS_DATA=FOLDER python experiments/fields.py train NETWORK SEED [EPOCHS]
    JAXDIGITS_DATA=FOLDER python experiments/fields.py doubt RUN
    JAXDIGITS_DATA=FOLDER python experiments/fields.py synthetic NAME RUN [COUNT]
    JAXDIGITS_DATA=FOLDER python experiments/fields.py tune RUN FOLDER_OF_NEW_RUN [EPOCHS]
    JAXDIGITS_DATA=FOLDER python experiments/fields.py cheques NAME RUN
    JAXDIGITS_DATA=FOLDER python experiments/fields.py surest NAME RUN PARTS
    JAXDIGITS_DATA=FOLDER python experiments/fields.py tesseract
    JAXDIGITS_DATA=FOLDER python experiments/fields.py time RUN
    JAXDIGITS_DATA=FOLDER python experiments/fields.py box RUN
    python experiments/fields.py table

`train` makes a run, as `jaxdigits train NETWORK --data fields` does (or one of `VARIANTS`): the
epoch, the temperature and the thresholds come from a twelfth of the writers of MNIST's training
file, which no step saw.  `synthetic` reads fields by the writers of MNIST's test file, nine
digits with the checksum 3-7-1, 4,000 of each style or COUNT.  `cheques` reads the fifth of
orand_car_a whose names' SHA-256 is a multiple of 5, under the format amount:0-9999999; `tune`
goes on with a run on the others, of which a fifth chooses the epoch and the thresholds.
`surest` looks at the surest answers to those others.  `box` writes the run that the package
has.  Results are added to fields.json.
"""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tesseract
from fields_cheques import CONTRADICTED, SURE, cheque_rows, tune
from fields_tables import COUNT, STYLES, tables
from fields_time import timed
from PIL import Image

from jaxdigits.data import fields, prepare_field
from jaxdigits.data.fields import WEIGHTS, with_checksums, with_texts
from jaxdigits.data.picture import read_grey
from jaxdigits.errors import DataError
from jaxdigits.fast.flags import set_flags
from jaxdigits.losses import ctc
from jaxdigits.measure import Doubt, measure_promise, reliability, threshold, wilson
from jaxdigits.quantise import quantise
from jaxdigits.reader import make_format, read_fields
from jaxdigits.reader.automaton import weighted_sum
from jaxdigits.reader.confidence import answers_of
from jaxdigits.reader.formats import digits
from jaxdigits.runs import config_for, load_run, predict, run_job, validation_split
from jaxdigits.runs.answer import frames_of, predictor
from jaxdigits.runs.folder import SCALE, save_doubt
from jaxdigits.runs.job import Checkpointing, doubt_of, finish_run
from jaxdigits.tree import named_leaves

RESULTS = Path(__file__).with_suffix(".json")
RUNS = Path(__file__).parent.parent / "runs" / "fields"
BOX = Path(__file__).parent.parent / "jaxdigits" / "box" / "fields"
CHECKSUM = weighted_sum(WEIGHTS, 10)
AMOUNT = "amount:0-9999999"
PROMISES = (0.01, 0.001)
VARIANTS = {
    "wide": ("columns", dict(channels=(16, 32, 96, 96), context=(96, 96), dropout_rate=0.1)),
}
"""networks with other options than their defaults"""


def train(network: str, seed: int, epochs: int | None) -> None:
    """Train a run on synthetic fields, or continue its training where it stopped."""
    more = {} if epochs is None else {"epochs": epochs}
    name, options = VARIANTS.get(network, (network, {}))
    config = config_for(name, "fields", seed=seed, options=options, **more)
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


def cheques(folder: Path) -> dict[str, Any]:
    """Return the share of amounts of real cheques that a run reads rightly."""
    run, rows = load_run(folder), cheque_rows()["test"]
    readings, right, confidence = _read_cheques(run, rows)
    row: dict[str, Any] = dict(
        amounts=len(rows), right=shares(right),
        unread=sum(not reading.digits for reading in readings),
        calibration_error=reliability(confidence, right).error,
    )  # fmt: skip
    if run.doubt:
        row["promised"] = promises(run.doubt, confidence, right)
    return row


def surest(folder: Path, parts: str) -> dict[str, Any]:
    """Return the wrong ones among the surest answers to cheques that are not in the test.

    Args:
      parts: of the cheques, as "train+valid".
    """
    run, rows = load_run(folder), [row for p in parts.split("+") for row in cheque_rows()[p]]
    readings, right, confidence = _read_cheques(run, rows)
    sure = np.argsort(-confidence)[: round(SURE * len(rows))]
    wrong = {rows[i][0].name: readings[i].digits for i in sure if not right[i]}
    known = [name for name, digits in wrong.items() if CONTRADICTED.get(name) == digits]
    return dict(pictures=len(rows), right=float(right.mean()), surest=len(sure),
                wrong=wrong, contradicted=known)  # fmt: skip


def _read_cheques(run: Any, rows: list[tuple[Path, str]]) -> tuple[list, Any, Any]:
    """Return (readings, whether each is right, their probabilities) of amounts."""
    prepared: list[Any] = []
    for path, _ in rows:
        try:
            prepared.append(prepare_field(read_grey(path)))
        except DataError as error:
            prepared.append(error)
    read = partial(read_fields, frames_of(run), prepared, make_format(AMOUNT))
    readings = read(temperature=run.temperature)
    right = np.array([r.digits == text for r, (_, text) in zip(readings, rows, strict=True)])
    return readings, right, np.array([r.probability for r in readings])


def by_tesseract() -> dict[str, Any]:
    """Return the shares of the same fields that Tesseract reads: digits only, one line."""
    row: dict[str, Any] = {"version": tesseract.version()}
    _, test = fields(texts=(12, COUNT))
    for style, look in STYLES.items():
        texts = np.asarray(with_checksums(test, COUNT, seed=1).label)[:200]
        rows = with_texts(test, texts, look)
        keys = jax.random.split(jax.random.key(0), len(texts))
        ink = np.asarray(jax.jit(lambda x, k: x.take(jnp.arange(200), k))(rows.inputs, keys))
        right = [tesseract.read(255 - image) == "".join(map(str, text))
                 for image, text in zip(ink, texts, strict=True)]  # fmt: skip
        row[style] = shares(right)
    pictures = cheque_rows()["test"]
    right = [tesseract.read(np.asarray(Image.open(path).convert("L"))) == text
             for path, text in pictures]  # fmt: skip
    return row | {"cheques": shares(right)}


def box(folder: Path) -> None:
    """Write the run of the package: weights in 8 bits, a scale for each output."""
    run = load_run(folder)
    BOX.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "doubt.json"):
        (BOX / name).write_bytes((folder / name).read_bytes())
    tree = {"params": run.params, "statistics": run.statistics}
    arrays = {name: np.asarray(leaf) for name, leaf in named_leaves(tree).items()}
    for name in [name for name, array in arrays.items() if array.ndim > 1]:
        whole = quantise(jnp.asarray(arrays[name]), 8)
        arrays[name] = np.asarray(whole.levels, np.int8)
        arrays[name + SCALE] = np.asarray(whole.scale)
    np.savez(BOX / "params.npz", allow_pickle=False, **arrays)
    print((BOX / "params.npz").stat().st_size, "bytes")


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
    elif what == "surest":
        record(what, args[0], surest(Path(args[1]), args[2]))
    elif what == "tesseract":
        record(what, None, by_tesseract())
    elif what == "time":
        pictures = [path for path, _ in cheque_rows()["train"]]
        record(what, None, timed(Path(args[0]), pictures, AMOUNT))
    elif what == "box":
        box(Path(args[0]))
    else:
        every = json.loads(RESULTS.read_text())
        print(*tables(every), sep="\n\n")
