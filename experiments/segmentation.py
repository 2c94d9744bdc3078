"""Rows of digits, read by cutting them into segments, and by a network of columns.

    JAXDIGITS_DATA=FOLDER python experiments/segmentation.py train cuts SEED [SECONDS]
    JAXDIGITS_DATA=FOLDER python experiments/segmentation.py train columns SEED [SECONDS]
    JAXDIGITS_DATA=FOLDER python experiments/segmentation.py measure
    python experiments/segmentation.py table

`cutting` is the classical alternative to a network of columns.  Both readers learn from the
same 12,000 drawn fields of the same training writers, for the same SECONDS (240) of processor
time, one after the other, on 2 cores (x86_64) that other programs shared: a clock on the wall
would measure these too, and the JSON has both.  Updates count; compiling, drawing and cutting
do not.  The learning rate is a cosine of the seconds: nobody knows how many updates they hold.

Both are tested on the same fields, by writers of MNIST's test file: nine digits with the
checksum 3-7-1, 1,000 fields of each style.  Results are added to segmentation.json.
"""

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from cutting import CUTS, PIECES, SIDE, best_strings, labels_of, segments_of
from fields import CHECKSUM, STYLES, shares

from jaxdigits.data import Dataset, fields, make_texts
from jaxdigits.data.fields import with_checksums, with_texts
from jaxdigits.fast.flags import set_flags
from jaxdigits.keys import example_keys
from jaxdigits.losses import cross_entropy, ctc
from jaxdigits.models import cnn, columns
from jaxdigits.reader.automaton import Automaton
from jaxdigits.reader.confidence import answers_of
from jaxdigits.reader.formats import digits
from jaxdigits.runs import config_for, validation_split
from jaxdigits.train import Recipe
from jaxdigits.train.epoch import run_updates
from jaxdigits.train.evaluate import gather_statistics, logits_of
from jaxdigits.train.optimizer import SCHEDULES, adamw
from jaxdigits.train.state import initial_state
from jaxdigits.tree import parameter_count

RESULTS = Path(__file__).with_suffix(".json")
RUNS = Path(__file__).parent.parent / "runs" / "segmentation"
SECONDS, FIELDS, COUNT, AT_ONCE = 240, 12_000, 1000, 125
LEARNED = 16  # segments of each field to learn from
KINDS = ("no format", "length known", "checksum")
ANY = Automaton(np.zeros((1, 10), np.int32), np.array([True]))
NETWORKS: dict[str, Any] = {
    "columns": (partial(columns, classes=11), ctc(), 32, 8),
    "cuts": (partial(cnn, channels=(16, 32, 64), hidden=(128,), dropout_rate=0.2, classes=11),
             cross_entropy(), 256, 16),
}  # fmt: skip
"""the builder, its loss, examples of an update, updates of a program"""


@jax.jit
def drawn(data, key):
    """Draw fields: their pictures [N, 32, W]."""
    return data.take(jnp.arange(data.size), example_keys(key, jnp.arange(data.size)))


@jax.jit
def cut_out(data, key):
    """Draw the same fields and cut them: segments [N, S, 32, 32], which of them may be a digit,
    their classes [N, S], and whether each digit of a field has a segment [N]."""
    rows = jnp.arange(data.size)
    alone = data.digits_alone(rows, example_keys(key, rows))

    def of(picture, alone, text):
        images, fits, pixels = segments_of(picture / 255)
        label, place = labels_of(pixels, alone, text)
        there = ((place == jnp.arange(len(text))[:, None]) & fits).any(1)
        return images, fits, label, (there | (text < 0)).all()

    return jax.vmap(of)(drawn(data, key), alone, jnp.asarray(data.text))


def in_parts(draw: Any, data: Any) -> Any:
    """Call a function of (fields, key) for some fields at a time."""
    for n in range(0, data.size, AT_ONCE):
        part = draw(data.select(slice(n, n + AT_ONCE)), jax.random.key(n))
        yield jax.tree.map(np.asarray, part)


def training_set(name: str) -> Dataset:
    """Return the drawn fields of training writers, whole or as segments."""
    learn = validation_split(fields(texts=(600, 100))[0])[0]
    data, rng = with_texts(learn, make_texts(FIELDS, 0)), np.random.default_rng(0)
    if name == "columns":
        return Dataset(np.concatenate([*in_parts(drawn, data.inputs)]), data.label,
                       strings=True)  # fmt: skip
    parts = []
    for images, fits, label, _ in in_parts(cut_out, data.inputs):
        chosen = fits & (rng.random(fits.shape) < LEARNED / fits.sum(1, keepdims=True))
        parts.append((images[chosen], label[chosen]))
    images, label = map(np.concatenate, zip(*parts, strict=True))
    return Dataset(images, label, 11)


def train(name: str, seed: int, seconds: float) -> dict[str, Any]:
    """Train for that many seconds of processor time, and save the params."""
    build, loss, batch, every = NETWORKS[name]
    data, key = jax.device_put(training_set(name)), jax.random.key(seed)
    usual = config_for("columns", "fields")
    recipe_of = lambda rate: Recipe(
        build, adamw(rate, 1, weight_decay=usual.weight_decay, schedule="constant"),
        epochs=1, batch=batch, loss=loss, ema=0.99,
    )  # fmt: skip
    run = jax.jit(lambda rate, state, data: run_updates(recipe_of(rate), every, state, data))
    state = jax.jit(lambda key: initial_state(recipe_of(0.0), data.inputs.shape, key))(key)
    run = run.lower(jnp.float32(0), state, data).compile()
    shape, used, wall = SCHEDULES["cosine"](10_000), 0.0, time.perf_counter()
    begin = time.process_time()
    while used < seconds:
        rate = usual.learning_rate * shape(1 + min(9999, int(10_000 * used / seconds)))
        state, losses = jax.block_until_ready(run(jnp.float32(rate), state, data))
        used = time.process_time() - begin
        print(f"{used:.0f} s, update {int(state.step)}, loss {losses.mean():.3f}", flush=True)
    wall = time.perf_counter() - wall
    network = build(training=True)
    gather = jax.jit(lambda p, inputs: gather_statistics(network, p, inputs, key, batch=batch))
    trained = state.average, gather(state.average, data.inputs)
    RUNS.mkdir(parents=True, exist_ok=True)
    np.savez(RUNS / f"{name}-{seed}.npz", *jax.tree.leaves(trained))
    return dict(
        parameters=parameter_count(state.params), examples=len(data), seed=seed,
        passes=int(state.step) * batch / len(data), seconds=used, wall=wall,
    )  # fmt: skip


def predictor(name: str, inputs: Any) -> Any:
    """Return a function of inputs like these: the logits of the trained network."""
    build = NETWORKS[name][0]
    key, network = jax.random.key(0), build(training=True)

    def make(inputs):
        params, _ = network.init(key, inputs.shape[1:])
        return params, gather_statistics(network, params, inputs, key)

    tree = jax.tree.structure(jax.eval_shape(make, inputs))
    (path,) = RUNS.glob(f"{name}-*.npz")
    params, statistics = jax.tree.unflatten(tree, list(np.load(path).values()))
    trained = build(training=False, statistics=statistics)
    return jax.jit(lambda inputs: logits_of(trained, params, inputs, key)[0])


def scores_of(images: np.ndarray, fits: np.ndarray, classify: Any) -> np.ndarray:
    """Return log p(digit) − log p(no whole digit) of segments [N, S]: [N, P, PIECES, 10]."""
    rows = np.argwhere(fits)
    filled = -(-len(rows) // 500) * 500 - len(rows)
    chosen = np.pad(images[fits], ((0, filled), (0, 0), (0, 0)))
    logits = [np.asarray(classify(part)) for part in chosen.reshape(-1, 500, SIDE, SIDE)]
    logits = np.concatenate(logits)[: len(rows)]
    score = np.full((*fits.shape, 10), -np.inf)
    score[fits] = logits[:, :10] - logits[:, 10:]
    return score.reshape(len(fits), CUTS + 1, PIECES, 10)


def measure(part: str = "test", count: int = COUNT) -> dict[str, Any]:
    """Return the shares of right strings of both readers, by style."""
    learn, test = fields(texts=(600, 100))
    test = test if part == "test" else validation_split(learn)[1]
    texts = np.asarray(with_checksums(test, count, seed=1).label)
    rows: dict[str, Any] = {}
    for style in ("free", "touching"):
        data = with_texts(test, texts, STYLES[style]).inputs
        picture = np.concatenate([*in_parts(drawn, data)])
        parts = zip(*in_parts(cut_out, data), strict=True)
        images, fits, _, whole = map(np.concatenate, parts)
        logits = np.asarray(predictor("columns", picture)(picture))
        score = scores_of(images, fits, predictor("cuts", images[0, :500]))
        strings = [best_strings(score, a) for a in (ANY, digits(9), CHECKSUM)]
        right = [np.array([s == t for s, t in zip(string, texts.tolist(), strict=True)])
                 for string in strings]  # fmt: skip
        greedy = ctc().right(jnp.asarray(logits), texts)
        known, checked = (answers_of(logits, texts, a)[1] for a in (digits(9), CHECKSUM))
        rows[style] = {
            "columns": dict(zip(KINDS, map(shares, (greedy, known, checked)), strict=True)),
            "cuts": dict(zip(KINDS, map(shares, right), strict=True)),
            "each digit has a segment": shares(whole),
            "segments of a field": float(fits.sum(1).mean()),
        }
    return rows


def table(results: dict[str, Any]) -> str:
    """Return the share of right rows of both readers, in percent, with 95 % intervals."""
    lines = [["reader", "style", "no format", "length known", "checksum"]]
    lines += [["---", "---", *["---:"] * 3]]
    shown = lambda share: "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * x for x in share))
    for name in NETWORKS:
        for style, row in results["test"].items():
            lines.append([name, style, *(shown(row[name][kind]) for kind in KINDS)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    set_flags()  # as `jaxdigits` sets them
    command, *args = sys.argv[1:]
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if command == "train":
        seconds = float(args[2]) if args[2:] else SECONDS
        results.setdefault("train", {})[args[0]] = train(args[0], int(args[1]), seconds)
    elif command == "measure":
        results["test"] = measure()
    else:
        print(table(results))
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
