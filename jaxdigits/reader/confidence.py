"""How sure a reader may be: P(string | picture, format) on rows of digits that it never saw.

The temperature of the logits is the one that makes the true strings of validation data most
likely under their format.  Thresholds are learned twice, since a checksum takes most mistakes
away and leaves those that it cannot see: for rows of any length, and for rows whose checksum is
in the search.  `measure.calibration` gives the bounds.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxdigits.losses import ctc
from jaxdigits.measure.calibration import Doubt, best_temperature, steps_of
from jaxdigits.reader.automaton import Automaton
from jaxdigits.reader.formats import digits
from jaxdigits.reader.lattice import log_partition
from jaxdigits.reader.prefixes import search

AT_ONCE = 250  # rows of a program
ENOUGH = 3000  # rows of each kind for the temperature, one number


def log_probability(logp: ArrayLike, text: ArrayLike, automaton: Automaton) -> jax.Array:
    """Return log P(text | picture, format) [B] of strings [B, L], which the format accepts.

    Args:
      logp: [B, T, 11] log-probabilities of each frame; class 10 is blank.
      text: digits; −1 behind the last.

    Raises:
      ValueError: as `log_partition`.
    """
    alone = lambda logp, text: -ctc().value(logp[None], text[None])
    return jax.vmap(alone)(jnp.asarray(logp), jnp.asarray(text)) - log_partition(
        logp, automaton
    )


def answers_of(
    logits: ArrayLike, text: ArrayLike, automaton: Automaton, temperature: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return (confidence [N], right [N] bool) of the best strings of a format.

    Args:
      logits: [N, T, 11].
      text: [N, L] the true digits; −1 behind the last.

    Raises:
      ValueError: as `search`.
    """
    text = np.asarray(text)

    def best(rows):
        strings = search(jax.nn.log_softmax(rows / temperature), automaton, 1)
        return np.asarray(strings.digits)[:, 0], np.exp(np.asarray(strings.log_p)[:, 0])

    string, confidence = _in_chunks(best, logits)
    width = max(string.shape[1], text.shape[1])
    widened = lambda a: np.pad(a, ((0, 0), (0, width - a.shape[1])), constant_values=-1)
    return confidence, (widened(string) == widened(text)).all(1)


def learn_reading_doubt(
    logits: ArrayLike, text: ArrayLike, checked: tuple[ArrayLike, ArrayLike, Automaton] | None
) -> Doubt:
    """Return the doubt that validation rows teach.

    Args:
      logits: [N, T, 11] of rows of digits of any length.
      text: [N, L] their digits; −1 behind the last.
      checked: logits, digits and format of rows with a checksum; None if there are none.

    Raises:
      ValueError: as `search`.
    """
    free = logits, text, digits(1, max(1, np.shape(text)[1]))
    sets = [
        (np.asarray(z), np.asarray(text), automaton)
        for z, text, automaton in ([free] if checked is None else [free, checked])
    ]
    few = [(z[:ENOUGH], text[:ENOUGH], automaton) for z, text, automaton in sets]

    def log_likelihood(temperature):
        return sum(_log_likelihood(*each, temperature) for each in few)

    temperature = best_temperature(log_likelihood)
    steps = [steps_of(*answers_of(*each, temperature)) for each in sets]
    return Doubt(temperature, *steps)


def _log_likelihood(logits, text, automaton, temperature) -> float:
    def of_rows(rows, text):
        chance = _log_chance(rows, text, temperature, automaton)
        return (np.maximum(np.asarray(chance), -700),)

    return float(_in_chunks(of_rows, logits, text)[0].sum())


@partial(jax.jit, static_argnums=3)  # the temperature is traced: it is searched for
def _log_chance(logits, text, temperature, automaton):
    return log_probability(jax.nn.log_softmax(logits / temperature), text, automaton)


def _in_chunks(compute: Callable, *arrays: ArrayLike) -> tuple[np.ndarray, ...]:
    """Compute rows in chunks of one size; the last one is filled up."""
    arrays = tuple(np.asarray(a) for a in arrays)
    count = len(arrays[0])
    parts = []
    for start in range(0, count, AT_ONCE):
        size = min(AT_ONCE, count)
        rows = np.minimum(np.arange(start, start + size), count - 1)
        whole = min(size, count - start)
        parts.append([a[:whole] for a in compute(*(jnp.asarray(a[rows]) for a in arrays))])
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))
