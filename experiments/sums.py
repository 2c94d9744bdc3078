"""Answers to sums, by writers not seen: right marked wrong, and wrong marked right."""

from collections import Counter
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from jaxdigits.cli import predict, read
from jaxdigits.data import fields, prepare_field
from jaxdigits.data.drawing import Style
from jaxdigits.data.fields import with_texts
from jaxdigits.data.ink import to_mnist_geometry
from jaxdigits.keys import example_keys
from jaxdigits.measure import wilson
from jaxdigits.page.networks import NUMBER, attempt, load_networks, number_of
from jaxdigits.runs.job import validation_split

CLEAN = Style(touching=0, boxed=0, lined=0, marked=0, patterned=0, soiled=0)
COUNT = 6000  # answers of each group of writers
AT_ONCE = 64
OTHERS = (-10, -2, -1, 1, 2, 10)  # the expected answer, where the written one is wrong


def sums(runs: list[Path], small: bool) -> dict[str, Any]:
    """Read numbers of one to three digits by the page's rule, of two groups of writers.

    Validation writers choose the rule; the others wrote MNIST's test file.
    """
    train, test = fields(texts=(66_000, 100))
    sets = dict(valid=validation_split(train)[1], test=test)
    return {name: harms(data, 2 * AT_ONCE if small else COUNT) for name, data in sets.items()}


def harms(data: Any, count: int) -> dict[str, Any]:
    """Return the shares of answers that are judged, and of the judged ones misjudged."""
    rng = np.random.default_rng(5)
    numbers = rng.integers(0, np.array([10, 100, 1000])[np.arange(count) % 3])
    texts = np.array([[*map(int, str(n)), -1, -1][:3] for n in numbers])
    rows = with_texts(data, texts, CLEAN).inputs
    networks = load_networks(predict.BOX, read.BOX)
    digit, row = networks.digits["package"], networks.strings["package"]
    batch, names = row.reader(NUMBER, None), digit.run.config.names
    outcome: Counter[str] = Counter()
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
            if number["refused"] is None:
                outcome["judged"] += 1
                outcome["right marked wrong"] += int(number["text"]) != n
                outcome["wrong marked right"] += int(number["text"]) == n + rng.choice(OTHERS)
    judged = outcome["judged"]
    return dict(answers=count, judged=share_of(judged, count)) | {
        kind: share_of(outcome[kind], judged)
        for kind in ("right marked wrong", "wrong marked right")
    }


def share_of(part: int, whole: int) -> dict[str, Any]:
    """Return a share with Wilson's interval of 95 %."""
    interval = [round(x, 5) for x in wilson(part, whole)]
    return dict(count=int(part), share=round(part / max(whole, 1), 5), interval=interval)
