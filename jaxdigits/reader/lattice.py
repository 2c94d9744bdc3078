"""Strings that fit a picture and a format: exact sums over their product.

A network gives log-probabilities log p_t(c) for T frames, ten digits and blank (class 10).  A
format is an automaton with states q.  Their product has the states (q, c): the string so far
has led to q, and the frame's class is c.  From one frame to the next it

    stays, with blank:      (q, c) -> (q, ∅)
    stays, with its digit:  (q, c) -> (q, c)              c a digit
    reads a new digit:      (q, c) -> (δ(q, d), d)        d ≠ c

so each alignment of each string of the format is one path.  With β_t(q, c) the sum over all
ways to end in an accepting state (a maximum instead, for the best alignment),

    r_t(q, d) = p_t(d) β_t(δ(q, d), d)
    β_{t−1}(q, c) = p_t(∅) β_t(q, ∅) + [c digit] p_t(c) β_t(q, c) + Σ_{d ≠ c} r_t(q, d)

Z = β_{−1}(0, ∅) is the sum over every string of the format, and P(string | picture, format) is
P(string) / Z, where P(string) is the sum of CTC (`jaxdigits.losses.ctc`).

The best alignment need not spell the best string, since a string has many alignments:
`jaxdigits.reader.prefixes` searches for the strings themselves.

Sums are of logarithms, with -1e30 for the logarithm of 0.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxdigits.reader.automaton import DEAD, Automaton

BLANK = 10
LOW = -1e30


def log_partition(logp: ArrayLike, automaton: Automaton) -> Array:
    """Return log Z [B], the log-probability of all strings of a format; −∞ if none fits.

    Args:
      logp: [B, T, 11] log-probabilities of each frame; class 10 is blank.

    Raises:
      ValueError: for another shape; outside of `jit`, for NaN or a number above 0.
    """
    return of_each(_partition, checked_frames(logp), automaton)


def best_alignment(logp: ArrayLike, automaton: Automaton) -> tuple[Array, Array]:
    """Return the likeliest alignment [B, T] int32 of a format's strings, and its log p [B].

    Raises:
      ValueError: as `log_partition`.
    """
    return of_each(_best_alignment, checked_frames(logp), automaton)


def marginals(logp: ArrayLike, automaton: Automaton) -> Array:
    """Return P(digit at a place | picture, format) [B, L, 10], for drawing doubt.

    The sum over digits is the probability that the string has that many places.

    Raises:
      ValueError: as `log_partition`.
    """
    logp = checked_frames(logp)
    batch, frames, _ = logp.shape
    if automaton.lengths()[0] > frames:  # no string fits
        return jnp.zeros((batch, frames, BLANK), logp.dtype)
    unrolled, place = _unrolled(automaton, frames)
    options = (("place", tuple(place.tolist())),)
    return of_each(_marginals, logp, unrolled, options)


class Table(NamedTuple):
    """An automaton as arrays."""

    step: Array
    """[Q, 10], Q for a dead state"""
    accept: Array
    """[Q] bool"""
    before: Array
    """[Q, 10, P] the states from which a digit leads to a state; Q where there are fewer"""

    @classmethod
    def of(cls, automaton: Automaton) -> "Table":
        count = len(automaton.step)
        before: list[list[list[int]]] = [[[] for _ in range(10)] for _ in range(count)]
        for q, d in np.argwhere(automaton.step != DEAD).tolist():
            before[automaton.step[q, d]][d].append(q)
        most = max(1, *(len(states) for row in before for states in row))
        filled = [[s + [count] * (most - len(s)) for s in row] for row in before]
        step = np.where(automaton.step == DEAD, count, automaton.step)
        return cls(jnp.asarray(step), jnp.asarray(automaton.accept), jnp.asarray(filled))


@partial(jax.jit, static_argnums=(0, 2, 3), static_argnames="together")
def of_each(
    one: Callable,
    logp: Array,
    automaton: Automaton,
    options: tuple[tuple[str, Any], ...] = (),
    *,
    together: bool = False,
) -> Any:
    """Call `one` for each picture; later calls with the same automaton share the program.

    Args:
      together: `one` is a function of all pictures.
    """
    call = partial(one, table=Table.of(automaton), **dict(options))
    return (call if together else jax.vmap(call))(logp)


def checked_frames(logp: ArrayLike) -> Array:
    """Return logp as floats; those of NumPy stay there, where nothing is compiled."""
    xp: Any = jnp if isinstance(logp, Array) else np
    p = xp.asarray(logp)
    kind = jnp.promote_types(p.dtype, jnp.float32)
    p = p.astype(jax.dtypes.canonicalize_dtype(kind))
    if not isinstance(logp, Tracer) and not (np.asarray(p) <= 1e-3).all():
        raise ValueError("logp must be logarithms of probabilities: got NaN, or a number > 0")
    if p.ndim != 3 or p.shape[-1] != BLANK + 1 or not p.shape[1]:
        raise ValueError(f"logp must be [B, T, {BLANK + 1}] with T >= 1, got {p.shape}")
    return xp.maximum(p, LOW)


def real(x: Array) -> Array:
    """Return −∞ for the logarithm of 0."""
    return jnp.where(x > LOW / 2, x, -jnp.inf)


def log_sum(x: Array, axis: int = -1) -> Array:
    return jnp.maximum(jax.nn.logsumexp(x, axis=axis), LOW)


def _is_largest(x: Array) -> Array:
    """Return whether each entry is the first largest one of the last axis."""
    return jax.nn.one_hot(x.argmax(-1), x.shape[-1], dtype=bool)


def _log_sum_of_others(x: Array) -> Array:
    """Return log Σ_{j ≠ i} exp x_j over the last axis, without a loss of digits.

    Beside the largest entry the sum of all others is never small; for the largest itself the
    others are summed again.
    """
    is_top = _is_largest(x)
    largest = x.max(-1, keepdims=True)
    e = jnp.exp(x - largest)
    without = largest + jnp.log(jnp.maximum(e.sum(-1, keepdims=True) - e, 0.5))
    rest = log_sum(jnp.where(is_top, LOW, x))[..., None]
    return jnp.maximum(jnp.where(is_top, rest, without), LOW)


def _largest_of_others(x: Array) -> Array:
    is_top = _is_largest(x)
    return jnp.where(is_top, jnp.where(is_top, LOW, x).max(-1, keepdims=True),
                     x.max(-1, keepdims=True))  # fmt: skip


def _earlier(beta: Array, p: Array, table: Table, best: bool = False) -> Array:
    """Return β [Q, 11] one frame earlier, from β of a frame whose log-probabilities are p."""
    total, others = (jnp.max, _largest_of_others) if best else (log_sum, _log_sum_of_others)
    wide = jnp.concatenate([beta, jnp.full((1, BLANK + 1), LOW, beta.dtype)])
    digit = p[None, :BLANK]
    reads = digit + wide[table.step, jnp.arange(BLANK)[None]]  # r(q, d)
    blank = p[BLANK] + beta[:, BLANK]
    stays = digit + beta[:, :BLANK]
    of_digit = jnp.stack([jnp.broadcast_to(blank[:, None], stays.shape), stays, others(reads)])
    of_blank = jnp.concatenate([blank[:, None], reads], 1)
    now = jnp.concatenate([total(of_digit, axis=0), total(of_blank, axis=1)[:, None]], 1)
    return jnp.maximum(now, LOW)


def _last(table: Table, dtype: Any) -> Array:
    end = jnp.where(table.accept, 0.0, LOW).astype(dtype)
    return jnp.broadcast_to(end[:, None], (len(end), BLANK + 1))


def completions(p: Array, table: Table, best: bool = False) -> Array:
    """Return log β [T, Q, 11] behind each frame."""

    def frame(beta, now):
        earlier = _earlier(beta, now, table, best)
        return earlier, earlier

    end = _last(table, p.dtype)
    _, rest = jax.lax.scan(frame, end, p[1:], reverse=True)
    return jnp.concatenate([rest, end[None]])


def with_dead(betas: Array) -> Array:
    """Add the dead state behind the others: nothing goes on from there."""
    return jnp.pad(betas, ((0, 0), (0, 1), (0, 0)), constant_values=LOW)


def _partition(p: Array, table: Table) -> Array:
    return real(total_of(completions(p, table), p, table))


def total_of(betas: Array, p: Array, table: Table) -> Array:
    return _earlier(betas[0], p[0], table)[0, BLANK]


def _best_alignment(p: Array, table: Table) -> tuple[Array, Array]:
    wide = with_dead(completions(p, table, best=True))

    def frame(state, now):
        (q, c), (p, beta) = state, now
        new = p[:BLANK] + beta[table.step[q], jnp.arange(BLANK)]
        scores = jnp.append(jnp.where(jnp.arange(BLANK) == c, p[c] + beta[q, c], new),
                            p[BLANK] + beta[q, BLANK])  # fmt: skip
        pick = scores.argmax().astype(jnp.int32)
        reads = (pick != BLANK) & (pick != c)
        q = jnp.where(reads, table.step[q, jnp.minimum(pick, BLANK - 1)], q)
        return (q.astype(jnp.int32), pick), (pick, scores.max())

    start = jnp.int32(0), jnp.int32(BLANK)
    _, (classes, scores) = jax.lax.scan(frame, start, (p, wide))
    return classes, real(scores[0])


def _marginals(p: Array, table: Table, place: tuple[int, ...]) -> Array:
    betas, digits = completions(p, table), jnp.arange(BLANK)[None]
    log_z, beta = total_of(betas, p, table), with_dead(betas)

    def frame(alpha, now):
        p, beta = now
        others = _log_sum_of_others(alpha)[:, :BLANK]  # what may go on with digit d
        digit = p[None, :BLANK]
        reads = others + digit + beta[table.step, digits]
        wide = jnp.pad(others, ((0, 1), (0, 0)), constant_values=LOW)
        new = log_sum(wide[table.before, digits[..., None]])
        stays = jnp.stack([new, alpha[:, :BLANK]])
        alpha = jnp.concatenate([digit + log_sum(stays, 0),
                                 p[BLANK] + log_sum(alpha)[:, None]], 1)  # fmt: skip
        return jnp.maximum(alpha, LOW), jnp.exp(reads - log_z)

    start = jnp.full((len(table.accept), BLANK + 1), LOW, p.dtype).at[0, BLANK].set(0.0)
    _, chances = jax.lax.scan(frame, start, (p, beta))
    total = jax.ops.segment_sum(chances.sum(0), jnp.asarray(place), max(place) + 1)
    return jnp.where(log_z > LOW / 2, total[:-1] if len(total) > 1 else total, 0.0)


def _unrolled(automaton: Automaton, frames: int) -> tuple[Automaton, np.ndarray]:
    """Return the automaton of strings of at most `frames` digits, and the states' places."""
    number, states = {(0, 0): 0}, [(0, 0)]
    rows = []
    for n, q in states:  # which grows
        row = [DEAD] * 10
        for d in range(10):
            following = (n + 1, int(automaton.step[q, d]))
            if following[1] != DEAD and n < frames:
                if following not in number:
                    number[following] = len(states)
                    states.append(following)
                row[d] = number[following]
        rows.append(row)
    place = np.array([n for n, _ in states])
    accept = automaton.accept[[q for _, q in states]]
    return Automaton(np.array(rows, np.int32), accept), place
