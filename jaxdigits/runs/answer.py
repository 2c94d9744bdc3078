"""Answers of a run to inputs: logits, probabilities, and frames of fields."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import Array

from jaxdigits.data.inputs import as_inputs, select
from jaxdigits.errors import RunError
from jaxdigits.runs.config import Config
from jaxdigits.runs.folder import MEND, Run
from jaxdigits.train.evaluate import BATCH, logits_of, size_of

# Examples of a program, if fewer are left than of a whole part; the least that holds them is
# filled up.
SIZES = 1, 8, 64


def predict(run: Run, inputs: Any) -> np.ndarray:
    """Return the logits [seeds, N, K] of each of the run's networks on N inputs.

    Args:
      inputs: as for `logits_of`.

    Raises:
      RunError: for logits that are not finite.
    """
    return _finite(predictor(run)(inputs))


def predictor(run: Run) -> Callable[[Any], np.ndarray]:
    """Return `predict` of one run: all calls share a few programs."""

    @jax.jit
    def of_member(member, inputs, first):
        params, statistics, key = member
        network = run.config.build()(training=False, statistics=statistics)
        return logits_of(network, params, inputs, key, first=first)[0]

    members = members_of(run)

    def answer(inputs: Any) -> np.ndarray:
        of_part = lambda part, first: [of_member(m, part, first) for m in members]
        parts = _in_parts(of_part, as_inputs(inputs), BATCH)
        return np.concatenate([np.stack(part) for part in parts], 1)[:, : size_of(inputs)]

    return answer


def members_of(run: Run) -> list[tuple]:
    """Return (params, statistics, key) of each of the run's networks."""
    if run.config.seeds == 1:
        return [(run.params, run.statistics, jax.random.key(run.config.seed))]
    keys = member_keys(run.config)
    pick = lambda i: jax.tree.map(lambda a: a[i], (run.params, run.statistics, keys))
    return [pick(i) for i in range(run.config.seeds)]


def member_keys(config: Config) -> Array:
    """Return the key [seeds] of each network: the key of the run with that seed alone."""
    # All in one program: each operation outside of `jit` is one more to compile at the start.
    seeds = config.seed + np.arange(config.seeds, dtype=np.uint32)
    return jax.vmap(jax.random.key)(seeds)


def answerer(run: Run) -> Callable[[Any], np.ndarray]:
    """Return a function of inputs [N, ...], or a dict of them: the probabilities [N, K].

    The mean over the run's networks, at the run's temperature.  Each input draws the spikes of
    a first example, so an answer does not depend on its place.  The function raises a RunError
    for answers that are not finite.
    """

    @jax.jit
    def of_member(member, inputs):
        params, statistics, key = member
        network = run.config.build()(training=False, statistics=statistics)

        def alone(x):
            return logits_of(network, params, jax.tree.map(lambda a: a[None], x), key)[0][0]

        return jax.nn.softmax(jax.vmap(alone)(inputs) / run.temperature, axis=-1)

    members = members_of(run)

    def answer(inputs: Any) -> np.ndarray:
        of_part = lambda part, _: [of_member(m, part) for m in members]
        parts = _in_parts(of_part, inputs, SIZES[-1])
        return _finite(np.concatenate([np.mean(part, 0) for part in parts])[: size_of(inputs)])

    return answer


def _in_parts(of_part: Callable[[Any, int], Any], inputs: Any, most: int) -> list:
    """Return the answers to inputs in parts of `most` examples, and then of `SIZES`.

    Args:
      of_part: (part, the number of its first example) -> answers.
    """
    n, start, answers = size_of(inputs), 0, []
    while (rest := n - start) > 0:
        holding = (size for size in SIZES if size >= rest)
        size = most if rest >= most else min(holding, default=SIZES[-1])
        rows = np.minimum(np.arange(start, start + size), n - 1)
        answers.append(of_part(select(inputs, rows), start))
        start += size
    return answers


def frames_of(run: Run) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function of fields [N, 32, W] uint8: the logits [N, W / 4, 11] of their frames.

    Each field draws the spikes of a first example, so its logits do not depend on its place.
    The function raises a RunError for logits that are not finite.
    """
    ((params, statistics, key),) = members_of(run)  # a run for fields has one seed

    @jax.jit
    def logits(params, statistics, ink):
        network = run.config.build()(training=False, statistics=statistics)
        return jax.vmap(lambda x: logits_of(network, params, x[None], key)[0][0])(ink)

    return lambda ink: _finite(np.asarray(logits(params, statistics, ink)))


def _finite(answers: np.ndarray) -> np.ndarray:
    """Return the answers of a network.

    Raises:
      RunError: if they are not finite.
    """
    if not np.isfinite(answers).all():
        raise RunError(f"the network's answers are not finite, by its params.npz: {MEND}")
    return answers
