"""Pictures as people take them: how many are read, kind by kind, and the 50 real ones.

    JAXDIGITS_DATA=FOLDER python experiments/pictures.py prepare FILE
    JAXDIGITS_DATA=FOLDER python experiments/pictures.py read NAME FILE RUN [RUN ...]
    JAXDIGITS_DATA=FOLDER python experiments/pictures.py steps
    python experiments/pictures.py table

`prepare` draws synthetic photographs of MNIST's validation images, 100 of each kind and
severity, from 1 to 5.  It prepares them and the 50 real pictures in FOLDER, which no training
and no choice has seen.  `read` counts how many of them each run reads rightly, and adds that to
pictures.json.  For the preparation of an earlier version, `prepare` runs in a checkout of it.
`steps` draws each step of the preparation, and `table` prints the tables and draws the curves.
"""

import csv
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.special import softmax

from jaxdigits.data import mnist
from jaxdigits.data.picture import read_grey, to_mnist_geometry
from jaxdigits.errors import DataError
from jaxdigits.runs import load_run, predict, validation_split

RESULTS = Path(__file__).with_suffix(".json")
IMAGES = Path(__file__).parent.parent / "docs" / "images"
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
    size = 0.5 - 0.07 * severity if kind == "far" else rng.uniform(0.55, 0.85)
    stroke = stroke_of(image, int(size * SIDE))
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


KINDS = [
    "light", "shadow", "specks", "grain", "box", "rules", "thin pen", "rotation", "blur", "far",
]  # fmt: skip


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


def prepare(file: str) -> None:
    """Write all pictures as networks see them: kinds [severities, COUNT, 28, 28], and real."""
    _, valid = validation_split(mnist()[0])
    images = np.asarray(valid.inputs[:COUNT])
    inputs: dict[str, Any] = {
        kind: np.stack([
            [prepared(photograph(image, kind, s, i)) for i, image in enumerate(images)]
            for s in SEVERITIES
        ])
        for kind in KINDS
    }  # fmt: skip
    rows, folder = real()
    pictures = [prepared(read_grey(folder / "images" / row["file"])) for row in rows]
    np.savez_compressed(file, **inputs, real=np.stack(pictures))


def real() -> tuple[list[dict[str, str]], Path]:
    """Return the table of the 50 real pictures, and their folder."""
    folder = Path(os.environ["JAXDIGITS_DATA"]) / "pictures"
    return list(csv.DictReader((folder / "labels.csv").open())), folder


def measure(run: str, inputs: Any) -> dict:
    """Return the accuracies of a run: {kind: [of each severity]}, and of the real pictures."""
    _, valid = validation_split(mnist()[0])
    label, kinds = np.asarray(valid.label[:COUNT]), {}
    answers = lambda x: read(run, x)[:, :10].argmax(-1)
    for kind in KINDS:
        right = answers(inputs[kind].reshape(-1, 28, 28)).reshape(-1, COUNT) == label
        kinds[kind] = right.mean(1).tolist()
    rows, _ = real()
    p, label = read(run, inputs["real"]), np.array([int(row["digit"]) for row in rows])
    photo = np.array([row["file"].startswith("photo") for row in rows])
    right, truth = p[:, :10].argmax(-1) == label, p[np.arange(len(p)), label]
    return dict(
        kinds=kinds, right=int(right.sum()), of=len(label), photographs=int(right[photo].sum()),
        truth=float(truth[photo].mean()),
    )  # fmt: skip


def table(results: dict) -> str:
    """Return the tables: real pictures, and synthetic ones at severity 3."""
    names = list(results)
    lines = ["| network and preparation | real pictures | photographs | mean probability |"]
    lines += ["| --- | ---: | ---: | ---: |"]
    lines += [
        f"| {name} | {r['right']} of {r['of']} | {r['photographs']} of 5 | {r['truth']:.3f} |"
        for name, r in results.items()
    ]
    lines += ["", f"| wrong, in % | {' | '.join(names)} |", "| --- |" + " ---: |" * len(names)]
    wrong = {n: [100 * (1 - r["kinds"][kind][2]) for kind in KINDS] for n, r in results.items()}
    columns = [*(wrong[name] for name in names)]
    rows = dict(zip(KINDS, zip(*columns, strict=True), strict=True))
    rows["mean"] = tuple(np.mean(column) for column in columns)
    lines += [f"| {k} | {' | '.join(f'{x:.1f}' for x in row)} |" for k, row in rows.items()]
    return "\n".join(lines)


def draw(results: dict) -> None:
    """Draw accuracy against severity: a panel a kind."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.6), layout="constrained")
    panels = figure.subplots(2, 5, sharex=True, sharey=True).ravel()
    for axes, kind in zip(panels, KINDS, strict=True):
        for (name, row), mark in zip(results.items(), "osv^D", strict=False):
            axes.plot(SEVERITIES, [100 * x for x in row["kinds"][kind]], mark + "-", label=name)
        axes.set_title(kind, fontsize=10)
        axes.grid(alpha=0.2)
    figure.supxlabel("severity")
    figure.supylabel("read rightly, in %")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    figure.savefig(IMAGES / "pictures-phone.png", dpi=110)


def steps() -> None:
    """Draw the steps of the preparation, on a picture of each kind."""
    from matplotlib.figure import Figure

    from jaxdigits.data import ink

    _, valid = validation_split(mnist()[0])
    images, shown = np.asarray(valid.inputs[:COUNT]), [*KINDS[:7]]
    figure = Figure(figsize=(8, 8.2), layout="constrained")
    grid = figure.subplots(len(shown), 6)
    for i, (kind, row) in enumerate(zip(shown, grid, strict=True)):
        grey = photograph(images[5 * i + 2], kind, 4, 5 * i + 2)
        flat = ink.flatten_light(ink.averaged_down(grey))
        erased = ink.erase_lines(flat)
        digit = ink.find_digit(erased)
        stages = [grey, -flat, -erased, -digit, -ink.widen_strokes(digit)]
        stages += [-to_mnist_geometry(grey).astype(float)]
        for axes, stage in zip(row, stages, strict=True):
            axes.imshow(stage, cmap="gray")
            axes.set(xticks=[], yticks=[])
        row[0].set_ylabel(kind)
    names = [
        "picture",
        "flatten_light",
        "erase_lines",
        "find_digit",
        "widen_strokes",
        "28 × 28",
    ]
    for axes, name in zip(grid[0], names, strict=True):
        axes.set_title(name, fontsize=9)
    figure.savefig(IMAGES / "pictures-steps.png", dpi=110)


if __name__ == "__main__":
    what, *args = sys.argv[1:]
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if what == "read":
        name, file, *runs = args
        with np.load(file) as inputs:
            for run in runs:
                results[f"{Path(run).name}, {name}"] = measure(run, inputs)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    elif what == "table":
        print(table(results))
        draw(results)
    else:
        {"prepare": prepare, "steps": steps}[what](*args)
