"""Answers to sums, by writers not seen: right marked wrong, and wrong marked right."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from jaxdigits.cli import predict, read
from jaxdigits.data import Style, fields, prepare_field
from jaxdigits.data.fields import with_texts
from jaxdigits.data.ink import to_mnist_geometry
from jaxdigits.keys import example_keys
from jaxdigits.measure import wilson
from jaxdigits.page.networks import NUMBER, SURE, attempt, load_networks, number_of
from jaxdigits.runs.job import validation_split

CLEAN = Style(touching=0, boxed=0, lined=0, marked=0, patterned=0, soiled=0)
COUNT = 6000  # answers of each group of writers
AT_ONCE = 64
OTHERS = (-10, -2, -1, 1, 2, 10)  # the expected answer, where the written one is wrong
LEVELS = (10, 20, 100)
LIMITS = (0.8, 0.9, 0.95, 0.97, 0.98, 0.99)  # tried for `networks.SURE`


def sums(runs: list[Path], small: bool) -> dict[str, Any]:
    """Read the answers to the page's sums by its rule, of two groups of writers.

    Validation writers choose the rule; the others wrote MNIST's test file.
    """
    train, test = fields(texts=(66_000, 100))
    sets = dict(valid=validation_split(train)[1], test=test)
    return {name: harms(data, 2 * AT_ONCE if small else COUNT) for name, data in sets.items()}


def harms(data: Any, count: int) -> dict[str, Any]:
    """Return the shares of answers that are judged, and of the judged ones misjudged.

    They stand beside each limit, as the page's own limit was chosen.
    """
    rng = np.random.default_rng(5)
    numbers = np.array([answer_of(rng) for _ in range(count)])
    texts = np.array([[*map(int, str(n)), -1, -1][:3] for n in numbers])
    rows = with_texts(data, texts, CLEAN).inputs
    networks = load_networks(predict.BOX, read.BOX)
    digit, row = networks.digits["package"], networks.strings["package"]
    batch, names = row.reader(NUMBER, None), digit.run.config.names
    rows_read = []  # (written, expected where that is wrong, read, probability)
    for begin in range(0, count, AT_ONCE):
        which = np.arange(begin, min(begin + AT_ONCE, count))
        keys = example_keys(jax.random.key(9), jnp.asarray(which))
        ink = np.asarray(rows.take(jnp.asarray(which), keys))
        greys = [
            np.asarray(Image.fromarray(255 - x).resize((4 * x.shape[1], 128))) for x in ink
        ]
        readings = batch([attempt(prepare_field, grey, lines=False) for grey in greys])
        alone = [attempt(to_mnist_geometry, grey, lines=False) for grey in greys]
        lone = [x for x in alone if isinstance(x, np.ndarray)]
        shares = iter(digit.answer([x[None] for x in lone]) if lone else ())
        for n, reading, x in zip(numbers[which], readings, alone, strict=True):
            share = next(shares) if isinstance(x, np.ndarray) else None
            number = number_of(reading, names, share)
            if number["refused"] is None or number["refused"].startswith("doubt"):
                other, text = n + rng.choice(OTHERS), number["text"]
                rows_read.append((n, other, int(text), number["probability"]))
    rows_read = np.array(rows_read)
    limits = {str(limit): judged(rows_read, limit, count) for limit in LIMITS}
    return dict(answers=count, limit=SURE, limits=limits)


def judged(rows: np.ndarray, limit: float, count: int) -> dict[str, Any]:
    """Return the shares with that limit of the probability."""
    written, other, read, _ = rows[rows[:, 3] > limit].T
    return {
        "judged": share_of(len(read), count),
        "right marked wrong": share_of(int((read != written).sum()), len(read)),
        "wrong marked right": share_of(int((read == other).sum()), len(read)),
    }


def answer_of(rng: np.random.Generator) -> int:
    """Return the answer to a sum as the page sets it, of any level and kind."""
    level, kind = rng.choice(LEVELS), rng.integers(3)
    up_to = lambda most: int(rng.integers(1, max(most, 1) + 1))
    if kind == 2:
        return up_to(max(3, level // 10)) * up_to(10)
    a = up_to(level - (kind == 0))
    return a + up_to(level - a) if kind == 0 else a - up_to(a)


def share_of(part: int, whole: int) -> dict[str, Any]:
    """Return a share with Wilson's interval of 95 %."""
    interval = [round(x, 5) for x in wilson(part, whole)]
    return dict(count=int(part), share=round(part / max(whole, 1), 5), interval=interval)
