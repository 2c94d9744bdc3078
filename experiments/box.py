"""A small CNN that reads pictures and knows what is no digit.

    JAXDIGITS_DATA=FOLDER python experiments/box.py train SEED [EPOCHS]
    JAXDIGITS_DATA=FOLDER python experiments/box.py measure RUN
    JAXDIGITS_DATA=FOLDER python experiments/box.py serifs FILE EPOCHS SEED [SEED ...]

It learns from 55,000 images of MNIST, from 5,000 ones with a flag and a foot and 2,000 sevens
with a bar, drawn upon MNIST's, and from an eleventh class: 17,000 drawings that are no digit
(`strangers.py`).  The epoch is chosen on 5,000 images of MNIST and 1,000 other strangers, and
so are the temperature and the thresholds.  `measure` reads MNIST's test set, the symbols of
FOLDER/math_symbols, which no training and no choice of an epoch has seen, and photographs of
new drawings that are no digit.  It writes box.json.  `serifs` trains with and without the drawn
ones, and reads validation images, and the pictures of `experiments/pictures.py prepare FILE`,
with both.
"""

import gzip
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pictures import PAPER, PEN, prepared
from pictures import measure as measure_pictures
from PIL import Image
from strangers import DRAWN, LETTERS, strangers, with_bars, with_serifs

from jaxdigits.data import Dataset, mnist
from jaxdigits.measure import learn_doubt, probabilities, reliability, threshold
from jaxdigits.runs import config_for, load_run, predict, validation_split
from jaxdigits.runs.folder import Run, create_run, save_doubt, save_params
from jaxdigits.runs.job import fit_one
from jaxdigits.train import Hooks

RESULTS = Path(__file__).with_suffix(".json")
RUNS = Path(__file__).parent.parent / "runs" / "box"
STRANGER = 10
EACH = 150  # symbols or drawings of a kind


def data(seed: int, serifs: bool = True) -> tuple[Dataset, Dataset]:
    """Return (train, valid), with strangers as class 10 and, in training, drawn ones.

    Args:
      serifs: whether the drawn ones are among them; all other images stay the same.
    """
    rng = np.random.default_rng(seed)
    train, _ = validation_split(mnist()[0])
    image, label = np.asarray(train.inputs[:]), np.asarray(train.label)
    ones = image[label == 1]
    drawn = with_serifs(ones[rng.choice(len(ones), 5000, replace=False)], rng)
    sevens = image[label == 7]
    barred = with_bars(sevens[rng.choice(len(sevens), 2000, replace=False)], rng)
    other = strangers(image, 17000, seed + 1)
    drawn = drawn if serifs else drawn[:0]
    image = np.concatenate([image, drawn, barred, other])
    label = np.concatenate([label, np.repeat([1, 7, STRANGER], [len(drawn), 2000, len(other)])])
    return Dataset(image, label), validation(seed)


def validation(seed: int) -> Dataset:
    """Return MNIST's validation images, and strangers as class 10."""
    _, valid = validation_split(mnist()[0])
    image = np.asarray(valid.inputs[:])
    other = strangers(image, 1000, seed + 2)
    label = np.concatenate([np.asarray(valid.label), np.full(len(other), STRANGER)])
    return Dataset(np.concatenate([image, other]), label)


def train(folder: Path, seed: int, epochs: int, serifs: bool = True) -> None:
    """Train, and write the run with its doubt."""
    config = config_for(
        "cnn", "mnist", epochs=epochs, smoothing=0.0, augment="pictures", seed=seed,
        options=dict(channels=(12, 24, 48), hidden=(), dropout_rate=0.0, classes=11),
    )  # fmt: skip
    learn, valid = data(seed, serifs)
    create_run(folder, config)
    shown = ("epoch", "loss", "valid_accuracy", "seconds")
    report = lambda row: print({name: row[name] for name in shown}, flush=True)
    fitted = fit_one(config, learn, valid, Hooks(report=report))
    save_params(folder, fitted.params, fitted.statistics)
    save_doubt(folder, learn_doubt(predict(load_run(folder), valid.inputs), valid.label))


def _answers(run: Run, x: Any) -> np.ndarray:
    return predict(run, x)[0].argmax(1)


def compare_serifs(file: str, epochs: int, seed: int) -> dict[str, dict[str, Any]]:
    """Return what a network reads that learned from drawn ones, and one that did not."""
    rows, valid = {}, validation(seed)
    label = np.asarray(valid.label)
    drawn = with_serifs(valid.inputs[label == 1], np.random.default_rng(seed + 3))
    for arm, serifs in (("with", True), ("without", False)):
        folder = RUNS / f"{arm}-serifs-{seed}"
        if not (folder / "doubt.json").exists():  # else it has been trained
            train(folder, seed, epochs, serifs)
        answers = partial(_answers, load_run(folder))
        right = answers(valid.inputs) == label
        with np.load(file) as inputs:
            pictures = measure_pictures(str(folder), inputs)
        wrong = {kind: 100 * (1 - np.mean(x)) for kind, x in pictures["kinds"].items()}
        rows[arm] = dict(
            epochs=epochs, digits=float(right[label != STRANGER].mean()),
            strangers=float(right[label == STRANGER].mean()),
            drawn=float((answers(drawn) == 1).mean()), wrong=wrong,
            right=pictures["right"], truth=pictures["truth"],
        )  # fmt: skip
    return rows


SYMBOLS = [*"0123456789", "+", "-", "dot", "/", "w", "x", "y", "z"]


def symbols() -> dict[str, np.ndarray]:
    """Return every tenth picture of each symbol, prepared: {symbol: [150, 28, 28]}."""
    folder = Path(os.environ["JAXDIGITS_DATA"]) / "math_symbols"
    read = lambda name: gzip.decompress((folder / name).read_bytes())
    image = np.frombuffer(read("images-idx3-ubyte.gz"), np.uint8, offset=16)
    label = np.frombuffer(read("labels-idx1-ubyte.gz"), np.uint8, offset=8)
    image = image.reshape(-1, 28, 28)
    return {
        name: np.stack([prepared(picture) for picture in image[label == i][::10]])
        for i, name in enumerate(SYMBOLS)
    }


def on_paper(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a photograph [320, 320] of ink [H, W], 0 to 1, in the middle of light paper."""
    h, w = (round(200 * n / max(ink.shape)) for n in ink.shape)
    large = Image.fromarray((255 * ink).astype(np.uint8)).resize((w, h))
    sheet = Image.new("L", (320, 320))
    sheet.paste(large, ((320 - w) // 2, (320 - h) // 2))
    grain = rng.normal(0, 2, (320, 320))
    return (PAPER - (PAPER - PEN) * np.asarray(sheet) / 255 + grain).astype(np.uint8)


def drawings(digits: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Return photographs of each kind of drawing, prepared: {kind: [at most 150, 28, 28]}.

    The preparation refuses the others: no ink, or large pieces side by side.
    """
    rng = np.random.default_rng(seed)
    sheets = {
        name: [prepared(on_paper(draw(digits, rng, LETTERS), rng)) for _ in range(EACH)]
        for name, draw in DRAWN.items()
    }
    return {
        name: np.stack(images)[[image.any() for image in images]]
        for name, images in sheets.items()
    }


def measure(folder: str) -> dict:
    """Return the calibration on MNIST's test set, and the share of each symbol refused."""
    run = load_run(folder)
    doubt = run.doubt
    assert doubt is not None
    _, valid = validation_split(mnist()[0])
    reading = lambda x: probabilities(predict(run, x), doubt.temperature)
    sure = lambda p: np.where(p.argmax(1) == STRANGER, 0, p.max(1))
    limit = float(np.quantile(sure(reading(valid.inputs)), 0.02))
    test = mnist()[1]
    p, label = reading(np.asarray(test.inputs[:])), np.asarray(test.label)
    right = p.argmax(1) == label
    refused = lambda x: int((sure(reading(x)) <= limit).sum()) if len(x) else 0
    row: dict[str, Any] = dict(
        temperature=doubt.temperature, test_accuracy=float(right.mean()),
        among_digits=float((p[:, :STRANGER].argmax(1) == label).mean()),
        calibration_error=reliability(p.max(1), right).error, keeps_98_percent=limit,
        promises={},
        refused={
            name: refused(x) / len(x) for name, x in symbols().items()
        },
        drawn={
            name: (EACH - len(x) + refused(x)) / EACH
            for name, x in drawings(np.asarray(test.inputs[:]), 7).items()
        },
    )  # fmt: skip
    for promise in (0.01, 0.005):
        if (least := threshold(doubt, promise)) is not None:
            given = p.max(1) > least
            row["promises"][str(promise)] = dict(
                threshold=least,
                coverage=float(given.mean()),
                error=float(1 - right[given].mean()),
            )
    return row


def table(row: dict[str, Any]) -> str:
    """Return the share of each symbol that is refused, and of each kind of drawing."""
    share = {name: f"{100 * x:.0f}" for name, x in row["refused"].items()}
    lines = [["symbol", *share], ["---", *["---:"] * len(share)]]
    lines += [["refused, in %", *share.values()], [], ["drawing", "refused, in %"]]
    lines += [["---", "---:"], *([name, f"{100 * x:.0f}"] for name, x in row["drawn"].items())]
    return "\n".join(f"| {' | '.join(line)} |" if line else "" for line in lines)


if __name__ == "__main__":
    what, *args = sys.argv[1:]
    if what == "train":
        number = int(args[0])
        train(RUNS / f"cnn-{number}", number, int(args[1]) if args[1:] else 50)
    elif what == "serifs":
        results = json.loads(RESULTS.read_text())
        for seed in args[2:]:
            of_seed = {seed: compare_serifs(args[0], int(args[1]), int(seed))}
            results["serifs"] = results.get("serifs", {}) | of_seed
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    else:
        measured = json.loads(RESULTS.read_text()) | measure(args[0])
        RESULTS.write_text(json.dumps(measured, indent=1) + "\n")
        print(table(measured))
