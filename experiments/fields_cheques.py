"""Amounts of real cheques (orand_car_a), and a training that goes on with them."""

import csv
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import register_dataclass

from jaxdigits.augment import compose, sometimes
from jaxdigits.augment.photometric import blur, pen
from jaxdigits.augment.warp import affine, elastic, warp
from jaxdigits.data import Dataset, fields, prepare_field
from jaxdigits.data.fields import WIDTH
from jaxdigits.data.picture import read_grey
from jaxdigits.errors import DataError
from jaxdigits.losses import ctc
from jaxdigits.reader.confidence import learn_reading_doubt
from jaxdigits.runs import config_from, load_run, predict, validation_split
from jaxdigits.runs.folder import create_run, save_doubt, save_params
from jaxdigits.train import Hooks, Recipe, fit
from jaxdigits.train.optimizer import adamw

BENT = compose(
    warp(affine(rotation=0.7, shift=2, scale=0.1, shear=0.2), elastic(alpha=12)),
    sometimes(0.5, pen(0.7)),
    sometimes(0.2, blur(0.7)),
)
CONTRADICTED = {
    "a_car_000340.jpg": "7393", "a_car_000434.jpg": "9586", "a_car_000817.jpg": "1119",
    "a_car_000819.jpg": "671", "a_car_000950.jpg": "146000", "a_car_001086.jpg": "97060",
    "a_car_001192.jpg": "198",
}  # fmt: skip
"""pictures of no test whose label says another amount: that of the picture, as we read it"""
SURE = 0.6  # share of the answers that count as the surest
AGAIN, DRAWN_ROWS = 12, 6_000  # how often a cheque is taken in an epoch; drawn fields beside


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
