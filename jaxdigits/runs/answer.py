"""Answers of a run to many inputs at once, each as if it came alone."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxdigits.runs.folder import Run
from jaxdigits.runs.job import members_of
from jaxdigits.train.evaluate import logits_of

SIZES = 1, 8, 64  # inputs of the programs; the last inputs fill up the least that holds them


def answerer(run: Run) -> Callable[[Any], np.ndarray]:
    """Return a function of inputs [N, ...], or a dict of them: the probabilities [N, K].

    The mean over the run's networks, at the run's temperature.  Each input draws the spikes of
    a first example, so an answer does not depend on its place.
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
        n = len(jax.tree.leaves(inputs)[0])
        start, parts = 0, []
        while start < n:
            size = min((size for size in SIZES if size >= n - start), default=SIZES[-1])
            rows = np.minimum(np.arange(start, start + size), n - 1)
            chunk = jax.tree.map(lambda a, rows=rows: a[rows], inputs)
            parts.append(np.mean([of_member(m, chunk) for m in members], axis=0))
            start += size
        return np.concatenate(parts)[:n]

    return answer


def frames_of(run: Run) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function of fields [N, 32, W] uint8: the logits [N, W / 4, 11] of their frames.

    Each field draws the spikes of a first example, so its logits do not depend on its place.
    """
    ((params, statistics, key),) = members_of(run)  # a run for fields has one seed

    @jax.jit
    def logits(params, statistics, ink):
        network = run.config.build()(training=False, statistics=statistics)
        return jax.vmap(lambda x: logits_of(network, params, x[None], key)[0][0])(ink)

    return lambda ink: np.asarray(logits(params, statistics, ink))
