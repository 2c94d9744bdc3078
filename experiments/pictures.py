"""Pictures as people take them: how many are read, kind by kind, and the 50 real ones.

    JAXDIGITS_DATA=FOLDER python experiments/pictures.py phone NAME RUN [RUN ...]
    JAXDIGITS_DATA=FOLDER python experiments/pictures.py real NAME RUN [RUN ...]

`phone` draws synthetic photographs of MNIST's validation images, 100 of each kind and severity,
from 1 to 5, and counts how many each run reads rightly.  `real` reads the 50 pictures in FOLDER
(no training and no choice has seen them).  Both add a row under NAME to pictures.json.  For the
preparation of an earlier version, the script runs in a checkout of that version.
"""

import csv
import json
import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.special import softmax

from jaxdigits.data import mnist
from jaxdigits.data.picture import read_grey, to_mnist_geometry
from jaxdigits.errors import DataError
from jaxdigits.runs import load_run, predict, validation_split

RESULTS = Path(__file__).with_suffix(".json")
SIDE, COUNT, SEVERITIES = 320, 100, (1, 2, 3, 4, 5)
PAPER, PEN = 205.0, 70.0


def stroke_of(image: np.ndarray, side: int) -> np.ndarray:
    """Return an MNIST image [28, 28] as a smooth stroke [side, side], 0 paper to 1 ink."""
    large = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))
    return 1 / (1 + np.exp(-(ndimage.gaussian_filter(large / 255, side / 150) - 0.4) * 14))


def placed(stroke: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the stroke somewhere on a sheet [SIDE, SIDE]."""
    sheet = np.zeros((SIDE, SIDE))
    y, x = rng.integers(0, SIDE - len(stroke) + 1, 2)
    sheet[y : y + len(stroke), x : x + len(stroke)] = stroke
    return sheet


def grid(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return coordinates along and across a random direction, from -1 to 1."""
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    return np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x


def photograph(image: np.ndarray, kind: str, severity: int, seed: int) -> np.ndarray:
    """Return a picture [SIDE, SIDE] uint8 of an MNIST image, spoiled in one way.

    Args:
      severity: 0, nothing but a mild grain, to 5.
    """
    rng, s = np.random.default_rng([seed, KINDS.index(kind), severity]), severity / 5
    stroke = stroke_of(image, int(rng.uniform(0.55, 0.85) * SIDE))
    if kind == "thin pen":
        depth = np.asarray(ndimage.distance_transform_edt(stroke > 0.5))
        # The ridge stays, so the stroke does not break.
        ridge = ndimage.maximum_filter(depth, 5)
        stroke = ndimage.gaussian_filter(
            (depth > np.minimum(s * 0.95 * ridge, ridge - 1)) * 1.0, 0.6
        )
        stroke *= depth > 0
    if kind == "rotation":
        stroke = ndimage.rotate(
            stroke, rng.choice([-1, 1]) * 6 * severity, reshape=False, order=1
        )
    ink, light = np.clip(placed(stroke, rng), 0, 1), np.ones((SIDE, SIDE))
    grain = 2.0
    if kind == "light":
        along, across = grid(rng)
        light = 1 - 0.75 * s * (0.5 + 0.4 * along) - 0.15 * s * across**2
    elif kind == "shadow":
        along, across = grid(rng)
        soft = rng.uniform(0.02, 0.3)
        light = 1 - (0.15 + 0.5 * s) / (
            1 + np.exp(-(along - rng.uniform(-0.5, 0.5)) / soft * 3)
        )
    elif kind == "specks":
        for _ in range(rng.integers(1, 3 + 3 * severity)):
            y, x = rng.uniform(0, SIDE, 2)
            radius = rng.uniform(0.5, 1 + 0.9 * severity)
            rows, columns = np.ogrid[:SIDE, :SIDE]
            ink = np.maximum(ink, (rows - y) ** 2 + (columns - x) ** 2 < radius**2)
    elif kind == "grain":
        grain = 2 + 8.0 * severity
        ink *= 1 - 0.6 * s * (rng.random(ink.shape) < 0.7)  # a pencil leaves gaps
    elif kind in ("box", "rules"):
        ink = np.maximum(ink, printed(kind, severity, ink, rng))
    picture = light * (PAPER - (PAPER - PEN) * ink)
    if kind == "blur":
        picture = ndimage.gaussian_filter(picture, 1.6 * severity)
    noise = ndimage.gaussian_filter(rng.normal(0, 1, picture.shape), 0.6)
    return np.clip(picture + grain * noise / noise.std(), 0, 255).astype(np.uint8)


def printed(kind: str, severity: int, ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return printed lines [SIDE, SIDE], 0 or 1: a box around the digit, or rules."""
    lines, thick = np.zeros((SIDE, SIDE)), 1 + severity
    if kind == "rules":
        pitch = SIDE // (2 + severity)
        for y in range(int(rng.integers(2, pitch)), SIDE - thick, pitch):
            lines[y : y + thick] = 1
    else:
        rows, columns = (np.flatnonzero((ink > 0.5).any(axis)) for axis in (1, 0))
        room = int(rng.uniform(0.02, 0.25 - 0.04 * severity) * SIDE)
        top, left = max(rows[0] - room, 1), max(columns[0] - room, 1)
        bottom, right = (min(each[-1] + room, SIDE - 2) for each in (rows, columns))
        lines[top : bottom + 1, left : right + 1] = 1
        lines[top + thick : bottom + 1 - thick, left + thick : right + 1 - thick] = 0
    return 0.8 * ndimage.rotate(lines, rng.uniform(-3, 3), reshape=False, order=1)


KINDS = ["light", "shadow", "specks", "grain", "box", "rules", "thin pen", "rotation", "blur"]


def prepared(picture: np.ndarray) -> np.ndarray:
    """Return the picture as the network sees it; blank if the preparation refuses it."""
    try:
        return to_mnist_geometry(picture)
    except DataError:
        return np.zeros((28, 28), np.uint8)


def read(run: str, inputs: np.ndarray) -> np.ndarray:
    """Return the probabilities [N, K] of a run, at its temperature."""
    loaded = load_run(run)
    doubt = getattr(loaded, "doubt", None)  # earlier versions have none
    weight = softmax(predict(loaded, inputs) / (doubt.temperature if doubt else 1.0), axis=-1)
    return weight.mean(0)


def phone(runs: list[str]) -> dict:
    """Return {run: {kind: [accuracy of each severity]}}."""
    _, valid = validation_split(mnist()[0])
    images, label = np.asarray(valid.inputs[:COUNT]), np.asarray(valid.label[:COUNT])
    rows: dict[str, dict] = {Path(run).name: {} for run in runs}
    for kind in KINDS:
        inputs = np.stack([
            prepared(photograph(image, kind, severity, i))
            for severity in SEVERITIES for i, image in enumerate(images)
        ])  # fmt: skip
        for run in runs:
            right = read(run, inputs)[:, :10].argmax(-1).reshape(-1, COUNT) == label
            rows[Path(run).name][kind] = right.mean(1).tolist()
            print(Path(run).name, kind, rows[Path(run).name][kind], flush=True)
    return rows


def real(runs: list[str]) -> dict:
    """Return {run: right, of, mean probability of the truth in photographs, wrong files}."""
    folder = Path(os.environ["JAXDIGITS_DATA"]) / "pictures"
    table = list(csv.DictReader((folder / "labels.csv").open()))
    label = np.array([int(row["digit"]) for row in table])
    inputs = np.stack([prepared(read_grey(folder / "images" / row["file"])) for row in table])
    photo = np.array([row["file"].startswith("photo") for row in table])
    rows = {}
    for run in runs:
        p = read(run, inputs)
        taken, truth = p[:, :10].argmax(-1), p[np.arange(len(p)), label]
        rows[Path(run).name] = dict(
            right=int((taken == label).sum()), of=len(label),
            photographs=int((taken == label)[photo].sum()),
            truth=round(float(truth[photo].mean()), 4),
            wrong={row["file"]: int(t) for row, t in zip(table, taken, strict=True)
                   if t != int(row["digit"])},
        )  # fmt: skip
    return rows


if __name__ == "__main__":
    what, name, *runs = sys.argv[1:]
    measured = {"phone": phone, "real": real}[what](runs)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results.setdefault(name, {}).setdefault(what, {}).update(measured)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
