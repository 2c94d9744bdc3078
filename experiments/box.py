"""A small CNN that reads pictures and knows what is no digit.

    JAXDIGITS_DATA=FOLDER python experiments/box.py train SEED [EPOCHS]
    JAXDIGITS_DATA=FOLDER python experiments/box.py measure RUN
    JAXDIGITS_DATA=FOLDER python experiments/box.py serifs FILE EPOCHS SEED [SEED ...]

It learns from 55,000 images of MNIST, from 5,000 ones with a flag and a foot and 2,000 sevens
with a bar, drawn upon MNIST's, and from an eleventh class: 15,000 drawings that are no digit
(`strangers`).  The epoch
is chosen on 5,000 images of MNIST and 1,000 other strangers, and so are the temperature and the
thresholds.  `measure` reads MNIST's test set, the symbols of FOLDER/math_symbols, which no
training and no choice of an epoch has seen, and photographs of new drawings that are no digit.
It writes box.json.  `serifs` trains with and
without the drawn ones, and reads validation images and the pictures of
`experiments/pictures.py prepare FILE` with both.
"""

import gzip
import json
import os
import sys
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from pictures import PAPER, PEN, prepared
from pictures import measure as measure_pictures
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from jaxdigits.data import Dataset, mnist
from jaxdigits.data.geometry import ink_to_mnist_geometry
from jaxdigits.measure import learn_doubt, probabilities, reliability, threshold
from jaxdigits.runs import config_for, load_run, predict, validation_split
from jaxdigits.runs.folder import Run, create_run, save_doubt, save_params
from jaxdigits.runs.job import fit_one
from jaxdigits.train import Hooks

RESULTS = Path(__file__).with_suffix(".json")
RUNS = Path(__file__).parent.parent / "runs" / "box"
STRANGER = 10
EACH = 150  # symbols or drawings of a kind
SIDE = 84  # pixels of a drawing before it is brought to 28
# Letters that no digit looks like, in print.
LETTERS = "ACEFGHJKMNPQRTUVWXYacdefhkmnprtuvwxy" + "+=*#&@?%$<>~^"
FONTS = (
    "DejaVuSans.ttf", "DejaVuSans-Oblique.ttf", "DejaVuSansMono.ttf", "DejaVuSerif.ttf",
    "DejaVuSerif-Italic.ttf", "cmss10.ttf", "cmtt10.ttf", "STIXGeneral.ttf",
    "STIXGeneralItalic.ttf",
)  # fmt: skip


def with_serifs(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return ones [N, 28, 28] with a flag, and half of them with a foot."""
    return np.stack([_serifs(image, rng) for image in images])


def _serifs(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    large = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    rows, columns = np.nonzero(np.asarray(large) > 100)
    top, bottom = rows.min(), rows.max()
    pen = int(np.clip(len(rows) / (bottom - top + 1), 4, 11))
    x_top, x_bottom = columns[rows <= top + 2].mean(), columns[rows >= bottom - 2].mean()
    height, draw = bottom - top, ImageDraw.Draw(large)
    angle, length = rng.uniform(0.25, 1.2), height * rng.uniform(0.2, 0.6)
    end = (x_top - length * np.sin(angle), top + length * np.cos(angle))
    draw.line([(x_top, top + pen / 2), end], fill=255, width=pen)
    if rng.random() < 0.5:
        half = height * rng.uniform(0.2, 0.5)
        draw.line([(x_bottom - half, bottom), (x_bottom + half, bottom)], fill=255, width=pen)
    return ink_to_mnist_geometry(np.asarray(large, np.float32))


def with_bars(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return sevens [N, 28, 28] with a short bar across the stem."""
    return np.stack([_barred(image, rng) for image in images])


def _barred(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    large = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    rows, columns = np.nonzero(np.asarray(large) > 100)
    top, height = rows.min(), rows.max() - rows.min()
    y = top + height * rng.uniform(0.42, 0.62)
    far = np.abs(rows - y)
    stem = columns[far <= max(2, far.min())]  # some sevens have a gap there
    pen, half = np.clip((np.ptp(stem) + 1) * 0.8, 4, 11), height * rng.uniform(0.15, 0.35)
    x, rise = stem.mean(), half * rng.normal(0, 0.2)
    ImageDraw.Draw(large).line(
        [(x - half, y + rise), (x + half, y - rise)], fill=255, width=int(pen)
    )
    return ink_to_mnist_geometry(np.asarray(large, np.float32))


def strangers(digits: np.ndarray, count: int, seed: int, letters: str = LETTERS) -> np.ndarray:
    """Return drawings [count, 28, 28] uint8 that are no digit, in MNIST's geometry.

    Printed letters and signs, bent by hand; two digits; digits turned, mirrored or in parts;
    scribbles, crosses, bars, blots, dots and noise.
    """
    rng = np.random.default_rng(seed)
    images = []
    while len(images) < count:
        kind = STRANGERS[int(rng.choice(len(STRANGERS), p=SHARES))]
        ink = kind(digits, rng, letters)
        if ink.max() > 0.3:
            images.append(ink_to_mnist_geometry(ink))
    return np.stack(images)


def _letter(digits, rng, letters):
    sheet = Image.new("L", (SIDE, SIDE))
    sign = letters[rng.integers(len(letters))]
    font = _font(int(rng.integers(len(FONTS))))
    ImageDraw.Draw(sheet).text((SIDE / 2, SIDE / 2), sign, 255, font=font, anchor="mm")
    ink = np.asarray(sheet, np.float32) / 255
    # One pen for all of the letter: thin the print, then widen it.
    depth = ndimage.distance_transform_edt(ink > 0.5)
    pen = rng.uniform(2.5, 7)
    ridge = depth >= np.maximum(ndimage.maximum_filter(depth, 3), 1)
    thin = ndimage.distance_transform_edt(~ridge) <= pen / 2
    return _bent(ndimage.gaussian_filter(thin.astype(np.float32), 1), rng)


@cache
def _font(i: int):
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(folder / FONTS[i], 60)


def _bent(ink, rng):
    """Displace ink smoothly, turn it a little and slant it."""
    dy, dx = ndimage.gaussian_filter(rng.uniform(-1, 1, (2, *ink.shape)), (0, 9, 9)) * 120
    y, x = np.mgrid[: ink.shape[0], : ink.shape[1]].astype(float)
    angle, slant = rng.normal(0, 0.12), rng.normal(0, 0.2)
    v, u = y - ink.shape[0] / 2, x - ink.shape[1] / 2
    rows = np.cos(angle) * v - np.sin(angle) * u + ink.shape[0] / 2 + dy
    columns = np.sin(angle) * v + np.cos(angle) * u + slant * v + ink.shape[1] / 2 + dx
    return ndimage.map_coordinates(ink, [rows, columns], order=1)


def _one(digits, rng):
    return digits[rng.integers(len(digits))].astype(np.float32) / 255


def _pair(digits, rng, letters):
    """Two or three digits side by side, near or touching."""
    parts = [_one(digits, rng) for _ in range(rng.integers(2, 4))]
    cropped = [part[:, part.any(0)] for part in parts]
    gap = int(rng.integers(-3, 6))
    width = sum(c.shape[1] for c in cropped) + gap * (len(cropped) - 1)
    sheet, at = np.zeros((28, max(width, 1)), np.float32), 0
    for part in cropped:
        part = part[:, : sheet.shape[1] - at]
        sheet[:, at : at + part.shape[1]] = np.maximum(sheet[:, at : at + part.shape[1]], part)
        at = max(at + part.shape[1] + gap, 0)
    return sheet


def _scribble(digits, rng, letters):
    """A few straight or bent strokes anywhere."""
    sheet = Image.new("L", (SIDE, SIDE))
    draw, pen = ImageDraw.Draw(sheet), int(rng.integers(4, 12))
    for _ in range(rng.integers(3, 7)):
        points = rng.uniform(8, SIDE - 8, (rng.integers(2, 4), 2))
        draw.line([tuple(p) for p in points], fill=255, width=pen, joint="curve")
    return ndimage.gaussian_filter(np.asarray(sheet, np.float32) / 255, 1)


def _cross(digits, rng, letters):
    """A plus or a times sign, or a bar across."""
    sheet = Image.new("L", (SIDE, SIDE))
    draw, pen = ImageDraw.Draw(sheet), int(rng.integers(4, 12))
    turn = rng.choice([0, np.pi / 4]) + rng.normal(0, 0.15)
    arms = [(turn, 1.0), (turn + np.pi / 2 + rng.normal(0, 0.1), rng.uniform(0.6, 1.4))]
    if rng.random() < 0.3:
        arms = [(rng.normal(0, 0.2), 1.0)]
    for angle, long in arms:
        d = np.array([np.cos(angle), np.sin(angle)]) * 25 * long
        c = SIDE / 2 + rng.uniform(-5, 5, 2)
        draw.line([tuple(c - d), tuple(c + d)], fill=255, width=pen)
    return ndimage.gaussian_filter(np.asarray(sheet, np.float32) / 255, 1)


def _blot(digits, rng, letters):
    """A filled shape, or one to three dots."""
    sheet = np.zeros((SIDE, SIDE), np.float32)
    y, x = np.mgrid[:SIDE, :SIDE]
    for _ in range(1 if rng.random() < 0.6 else rng.integers(2, 4)):
        cy, cx = rng.uniform(25, SIDE - 25, 2)
        ry, rx = rng.uniform(5, 22) * np.array([1, rng.uniform(0.6, 1.6)])
        sheet = np.maximum(sheet, ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1)
    rough = ndimage.gaussian_filter(rng.normal(size=sheet.shape), 4) * 8
    return ndimage.gaussian_filter((sheet + 0.3 * rough > 0.5).astype(np.float32), 1)


def _noise(digits, rng, letters):
    """Noise, fine or coarse."""
    field = ndimage.gaussian_filter(rng.normal(size=(28, 28)), rng.uniform(0, 2.5))
    return np.clip(field / field.std() * rng.uniform(0.3, 2), 0, 1).astype(np.float32)


def _part(digits, rng, letters):
    """A digit on its side with its mirror image, or with a piece of another one upon it."""
    image, other = _one(digits, rng), _one(digits, rng)
    if rng.random() < 0.5:
        return np.maximum(image, np.rot90(image, int(rng.choice([1, 3]))))
    shift = rng.integers(5, 9, 2) * rng.choice([-1, 1], 2)
    return np.maximum(image, np.roll(other, shift, (0, 1)))


def _y(digits, rng, letters):
    """A handwritten y: a cup, open above, and a tail with a hook or a loop."""
    right, dip = rng.uniform(46, 58), rng.uniform(34, 48)
    sway = rng.uniform(-6, 8)
    points = np.array([
        (26, 14), (rng.uniform(22, 30), dip - 6), (rng.uniform(32, 40), dip),
        (right - 5, dip - rng.uniform(8, 16)), (right, 12),
        (right - sway / 2, dip + 4), (right - 6 - sway, 64), (rng.uniform(28, 38), 72),
        (rng.uniform(20, 30), rng.uniform(56, 66)),
        (right + rng.uniform(-6, 12), rng.uniform(42, 54)),
    ])  # fmt: skip
    points = (points + rng.normal(0, 1.5, points.shape))[: rng.choice([9, 10, 10, 10])]
    at = np.linspace(0, len(points) - 1, 80)
    curve = ndimage.map_coordinates(points, np.stack(np.broadcast_arrays(at[:, None], [0, 1])))
    sheet = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(sheet).line(
        curve.ravel().tolist(), fill=255, width=int(rng.integers(4, 9)), joint="curve"
    )
    return _bent(ndimage.gaussian_filter(np.asarray(sheet, np.float32) / 255, 1), rng)


STRANGERS = (_letter, _pair, _scribble, _cross, _blot, _noise, _part, _y)
SHARES = (0.34, 0.15, 0.14, 0.08, 0.08, 0.03, 0.1, 0.08)


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
    other = strangers(image, 15000, seed + 1)
    drawn = drawn if serifs else drawn[:0]
    image = np.concatenate([image, drawn, barred, other])
    label = np.concatenate([label, np.repeat([1, 7, STRANGER], [len(drawn), 2000, 15000])])
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


DRAWN = {
    "letter": _letter, "y": _y, "two or three digits": _pair, "scribble": _scribble,
    "plus, times, bar": _cross, "blot or dots": _blot, "noise": _noise,
    "digit with a part of another": _part, "blank paper": lambda *_: np.zeros((SIDE, SIDE)),
}  # fmt: skip


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
