"""Inference of one image by an MLP 784-800-800-10: which product of a row is the fastest.

    python experiments/one_row.py            measure, into one_row.json
    python experiments/one_row.py table      as Markdown

Weights are 5 MB, and a row passes over them once.  The ways take turns in one process: as the
library does it, with weights as arguments or closed over; whole; in pieces of the input;
with weights that are stored transposed; as sums; as eight rows.  NumPy's BLAS is there to show
how fast these two cores can read the weights.
"""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from core import machine

from jaxdigits.bench import in_turn, quartiles
from jaxdigits.bench.workloads import perceptron
from jaxdigits.fast.flags import set_flags
from jaxdigits.runs.plain_files import write_json
from jaxdigits.train import logits_of

RESULTS = Path(__file__).with_suffix(".json")
SIZES, REPEATS, PIECES, ROWS = (784, 800, 800, 10), 60, (2, 4, 8), 8
Multiply = Callable[[Any, Any], Any]


def ways() -> dict[str, Callable[[], Any]]:
    """Return functions from one image to its logits, by name; each waits for its result."""
    network, key = perceptron(SIZES), jax.random.key(0)
    params, _ = network.init(key, (28, 28))
    image = jnp.asarray(np.random.default_rng(0).integers(0, 256, (1, 28, 28)), jnp.uint8)
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(params)]
    weights = [leaf for leaf in leaves if leaf.ndim == 2]
    of_params = jax.jit(lambda params, image: logits_of(network, params, image, key)[0])
    closed = jax.jit(lambda image: logits_of(network, params, image, key)[0])
    found: dict[str, Callable[[], Any]] = {
        "the library, weights as arguments": lambda: jax.block_until_ready(
            of_params(params, image)
        ),
        "the library, weights closed over": lambda: jax.block_until_ready(closed(image)),
    }

    def add(name: str, multiply: Multiply, stored: Callable[[Any], Any] = jnp.asarray) -> None:
        own = [stored(weight) for weight in weights]
        program = jax.jit(partial(logits, own, multiply))
        found[name] = lambda: jax.block_until_ready(program(image))

    turned = lambda w: jnp.asarray(np.ascontiguousarray(w.T))
    add("whole", lambda x, w: x @ w)
    for n in PIECES:
        add(f"{n} pieces of the input", partial(in_pieces, n))
    add("weights transposed", lambda x, w: x @ w.T, turned)
    add("a sum of products", lambda x, w: (x[0][:, None] * w).sum(0)[None])
    add("a sum of products, transposed", lambda x, w: (x * w).sum(1)[None], turned)
    add("eight rows", lambda x, w: (jnp.broadcast_to(x, (ROWS, x.shape[1])) @ w)[:1])
    flat, own = np.asarray(image), [np.ascontiguousarray(w.T) for w in weights]
    found["NumPy"] = partial(logits, weights, lambda x, w: x @ w, flat, np)
    found["NumPy, weights transposed"] = partial(
        logits, own, lambda x, w: (w @ x[0])[None], flat, np
    )
    return found


def logits(weights: list[Any], multiply: Multiply, image: Any, xp: Any = jnp) -> Any:
    """Return logits [1, 10] of an image [1, 28, 28], without biases."""
    x = image.reshape(1, -1).astype(xp.float32) / 255
    for weight in weights[:-1]:
        x = xp.maximum(multiply(x, weight), 0)
    return multiply(x, weights[-1])


def in_pieces(n: int, x: Any, weight: Any) -> Any:
    """x W as n products over parts of the input."""
    m, out = weight.shape
    return (x.reshape(n, 1, -1) @ weight.reshape(n, m // n, out)).sum(0)


def measure() -> dict[str, list[float]]:
    """Return the quartiles of each way in milliseconds, in turn."""
    steps = ways()
    times = in_turn(list(steps.values()), repeats=REPEATS)
    return {name: [1e3 * q for q in quartiles(t)] for name, t in zip(steps, times, strict=True)}


def table(results: dict[str, Any]) -> str:
    """Return the ways as Markdown."""
    rows = [["one image", "ms", "quartiles"], ["---", "---:", "---:"]]
    for name, (low, median, high) in results["ways"].items():
        rows.append([name, f"{median:.3f}", f"{low:.3f} to {high:.3f}"])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    if sys.argv[1:] == ["table"]:
        print(table(json.loads(RESULTS.read_text())))
    else:
        set_flags()  # as `jaxdigits` sets them
        results = {"machine": machine(), "ways": measure()}
        write_json(RESULTS, results)
        print(table(results))
