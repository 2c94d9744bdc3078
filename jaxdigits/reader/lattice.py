"""Strings that fit a picture and a format: exact sums and exact searches over their product.

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

The best alignment need not spell the best string, since a string has many alignments.  `search`
finds the best strings themselves [1]: it extends the prefix of the largest total probability
until that prefix is a whole string.  β gives this total exactly, so no other string is better.

Sums are of logarithms, with -1e30 for the logarithm of 0.

[1] Graves, Supervised Sequence Labelling, Springer 2012, section 7.5 (prefix search).
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
NONE = -1  # in a string, behind its end
SLOTS, MOST = 48, 256  # of the search: prefixes at a time, and extensions


class Strings(NamedTuple):
    """The best strings of each picture, the best first."""

    digits: Array
    """[B, k, L] int32; −1 behind the end"""
    log_p: Array
    """[B, k] log P(string | picture, format); −∞ where there are fewer strings, or a search
    that was cut short found no more"""
    exact: Array
    """[B] bool: whether no other string can be better; False if the search was cut short"""
    log_z: Array
    """[B] log-probability of the format, as of `log_partition`"""


def log_partition(logp: ArrayLike, automaton: Automaton) -> Array:
    """Return log Z [B], the log-probability of all strings of a format; −∞ if none fits.

    Args:
      logp: [B, T, 11] log-probabilities of each frame; class 10 is blank.

    Raises:
      ValueError: for another shape; outside of `jit`, for NaN or a number above 0.
    """
    return _of_each(_partition, _checked(logp), automaton)


def best_alignment(logp: ArrayLike, automaton: Automaton) -> tuple[Array, Array]:
    """Return the likeliest alignment [B, T] int32 of a format's strings, and its log p [B].

    Raises:
      ValueError: as `log_partition`.
    """
    return _of_each(_best_alignment, _checked(logp), automaton)


def search(
    logp: ArrayLike, automaton: Automaton, k: int = 2, *, slots: int = SLOTS, most: int = MOST
) -> Strings:
    """Return the k likeliest strings of a format, with their probabilities.

    Args:
      slots: the most prefixes at a time; the least likely ones are dropped.
      most: extensions of prefixes, after which the deepest prefix is completed.

    Raises:
      ValueError: as `log_partition`, and unless k >= 1 and slots >= 11.
    """
    for name, value, least in (("k", k, 1), ("slots", slots, BLANK + 1), ("most", most, 0)):
        if int(value) != value or value < least:
            raise ValueError(f"{name} must be a whole number >= {least}, got {value}")
    logp = _checked(logp)
    longest = automaton.lengths()[1]
    length = logp.shape[1] if longest is None else min(longest, logp.shape[1])
    options = dict(k=int(k), length=max(length, 1), slots=int(slots), most=int(most))
    return Strings(*_of_each(_search, logp, automaton, tuple(options.items())))


def marginals(logp: ArrayLike, automaton: Automaton) -> Array:
    """Return P(digit at a place | picture, format) [B, L, 10], for drawing doubt.

    The sum over digits is the probability that the string has that many places.

    Raises:
      ValueError: as `log_partition`.
    """
    logp = _checked(logp)
    unrolled, place = _unrolled(automaton, logp.shape[1])
    options = (("place", tuple(place.tolist())),)
    return _of_each(_marginals, logp, unrolled, options)


class _Table(NamedTuple):
    """An automaton as arrays."""

    step: Array
    """[Q, 10], Q for a dead state"""
    accept: Array
    """[Q] bool"""
    before: Array
    """[Q, 10, P] the states from which a digit leads to a state; Q where there are fewer"""

    @classmethod
    def of(cls, automaton: Automaton) -> "_Table":
        count = len(automaton.step)
        before: list[list[list[int]]] = [[[] for _ in range(10)] for _ in range(count)]
        for q, d in np.argwhere(automaton.step != DEAD).tolist():
            before[automaton.step[q, d]][d].append(q)
        most = max(1, *(len(states) for row in before for states in row))
        filled = [[s + [count] * (most - len(s)) for s in row] for row in before]
        step = np.where(automaton.step == DEAD, count, automaton.step)
        return cls(jnp.asarray(step), jnp.asarray(automaton.accept), jnp.asarray(filled))


@partial(jax.jit, static_argnums=(0, 2, 3))
def _of_each(
    one: Callable, logp: Array, automaton: Automaton, options: tuple[tuple[str, Any], ...] = ()
) -> Any:
    """Call `one` for each picture; later calls with the same automaton share the program."""
    return jax.vmap(partial(one, table=_Table.of(automaton), **dict(options)))(logp)


def _checked(logp: ArrayLike) -> Array:
    logp = jnp.asarray(logp)
    logp = logp.astype(jnp.promote_types(logp.dtype, jnp.float32))
    if not isinstance(logp, Tracer) and bool((jnp.isnan(logp) | (logp > 1e-3)).any()):
        raise ValueError("logp must be logarithms of probabilities: got NaN, or a number > 0")
    if logp.ndim != 3 or logp.shape[-1] != BLANK + 1 or not logp.shape[1]:
        raise ValueError(f"logp must be [B, T, {BLANK + 1}] with T >= 1, got {logp.shape}")
    return jnp.maximum(logp, LOW)


def _real(x: Array) -> Array:
    """Return −∞ for the logarithm of 0."""
    return jnp.where(x > LOW / 2, x, -jnp.inf)


def _log_sum(x: Array, axis: int = -1) -> Array:
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
    rest = _log_sum(jnp.where(is_top, LOW, x))[..., None]
    return jnp.maximum(jnp.where(is_top, rest, without), LOW)


def _largest_of_others(x: Array) -> Array:
    is_top = _is_largest(x)
    return jnp.where(is_top, jnp.where(is_top, LOW, x).max(-1, keepdims=True),
                     x.max(-1, keepdims=True))  # fmt: skip


def _earlier(beta: Array, p: Array, table: _Table, best: bool = False) -> Array:
    """Return β [Q, 11] one frame earlier, from β of a frame whose log-probabilities are p."""
    total, others = (jnp.max, _largest_of_others) if best else (_log_sum, _log_sum_of_others)
    wide = jnp.concatenate([beta, jnp.full((1, BLANK + 1), LOW, beta.dtype)])
    digit = p[None, :BLANK]
    reads = digit + wide[table.step, jnp.arange(BLANK)[None]]  # r(q, d)
    blank = p[BLANK] + beta[:, BLANK]
    stays = digit + beta[:, :BLANK]
    of_digit = jnp.stack([jnp.broadcast_to(blank[:, None], stays.shape), stays, others(reads)])
    of_blank = jnp.concatenate([blank[:, None], reads], 1)
    now = jnp.concatenate([total(of_digit, axis=0), total(of_blank, axis=1)[:, None]], 1)
    return jnp.maximum(now, LOW)


def _last(table: _Table, dtype: Any) -> Array:
    end = jnp.where(table.accept, 0.0, LOW).astype(dtype)
    return jnp.broadcast_to(end[:, None], (len(end), BLANK + 1))


def _betas(p: Array, table: _Table, best: bool = False) -> Array:
    """Return log β [T, Q, 11] behind each frame."""

    def frame(beta, now):
        earlier = _earlier(beta, now, table, best)
        return earlier, earlier

    end = _last(table, p.dtype)
    _, rest = jax.lax.scan(frame, end, p[1:], reverse=True)
    return jnp.concatenate([rest, end[None]])


def _with_dead(betas: Array) -> Array:
    """Add the dead state behind the others: nothing goes on from there."""
    return jnp.pad(betas, ((0, 0), (0, 1), (0, 0)), constant_values=LOW)


def _partition(p: Array, table: _Table) -> Array:
    return _real(_log_z(_betas(p, table), p, table))


def _log_z(betas: Array, p: Array, table: _Table) -> Array:
    return _earlier(betas[0], p[0], table)[0, BLANK]


def _best_alignment(p: Array, table: _Table) -> tuple[Array, Array]:
    wide = _with_dead(_betas(p, table, best=True))

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
    return classes, _real(scores[0])


def _marginals(p: Array, table: _Table, place: tuple[int, ...]) -> Array:
    betas, digits = _betas(p, table), jnp.arange(BLANK)[None]
    log_z, beta = _log_z(betas, p, table), _with_dead(betas)

    def frame(alpha, now):
        p, beta = now
        others = _log_sum_of_others(alpha)[:, :BLANK]  # what may go on with digit d
        digit = p[None, :BLANK]
        reads = others + digit + beta[table.step, digits]
        wide = jnp.pad(others, ((0, 1), (0, 0)), constant_values=LOW)
        new = _log_sum(wide[table.before, digits[..., None]])
        stays = jnp.stack([new, alpha[:, :BLANK]])
        alpha = jnp.concatenate([digit + _log_sum(stays, 0),
                                 p[BLANK] + _log_sum(alpha)[:, None]], 1)  # fmt: skip
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


class _Prefixes(NamedTuple):
    """Prefixes of strings, one in each of N slots, and the strings that were found."""

    score: Array
    """[N] log of the total probability of all strings that begin so, or of the string"""
    digits: Array
    size: Array
    state: Array
    whole: Array
    """[N] bool: whether it is a whole string"""
    label: Array
    """[N, T] log-probability of the prefix up to a frame, which has its last digit"""
    blank: Array
    """[N, T] the same, where the frame is blank"""
    lost: Array
    """the largest score of a dropped prefix"""
    found: Array
    """[k, L] the best strings"""
    log_p: Array
    """[k]"""
    answers: Array
    """how many"""
    turn: Array


def _search(
    p: Array, table: _Table, *, k: int, length: int, slots: int, most: int
) -> tuple[Array, ...]:
    frames, kind = len(p), p.dtype
    betas = _betas(p, table)
    log_z, beta = _log_z(betas, p, table), _with_dead(betas)
    low = lambda *shape: jnp.full(shape, LOW, kind)
    first = _Prefixes(
        score=low(slots).at[0].set(log_z),
        digits=jnp.full((slots, length), NONE, jnp.int32),
        size=jnp.zeros(slots, jnp.int32), state=jnp.zeros(slots, jnp.int32),
        whole=jnp.zeros(slots, bool), label=low(slots, frames),
        blank=low(slots, frames).at[0].set(jnp.cumsum(p[:, BLANK])),
        lost=jnp.asarray(LOW, kind),
        found=jnp.full((k, length), NONE, jnp.int32), log_p=low(k),
        answers=jnp.int32(0), turn=jnp.int32(0),
    )  # fmt: skip

    def priority(now: _Prefixes) -> Array:
        depth = jnp.where(now.score > LOW / 2, now.size, -1)
        deep = now.score + jnp.where(depth >= 0, 1e6, 0) * now.size
        # Cut short, the deepest prefix is completed, and then the best string is the answer.
        over = jnp.where(now.whole, depth, -1).max() >= jnp.where(now.whole, -1, depth).max()
        cut = jnp.where(now.whole == over, jnp.where(over, now.score, deep), LOW)
        return jnp.where(now.turn < most, now.score, cut)

    def goes_on(now: _Prefixes) -> Array:
        wanted = jnp.where(now.turn < most, k, 1)
        return (now.answers < wanted) & (now.score.max() > LOW / 2)

    def turn(now: _Prefixes) -> _Prefixes:
        best = priority(now).argmax()
        taken = now._replace(score=now.score.at[best].set(LOW), turn=now.turn + 1)
        answered = taken._replace(
            found=now.found.at[now.answers].set(now.digits[best]),
            log_p=now.log_p.at[now.answers].set(now.score[best]), answers=now.answers + 1,
        )  # fmt: skip
        extended = _extended(taken, best, p, beta, table)
        pick = lambda a, b: jnp.where(now.whole[best], a, b)
        return jax.tree.map(pick, answered, extended)

    end = jax.lax.while_loop(goes_on, turn, first)
    exact = (end.lost <= end.log_p[0]) & (end.turn <= most)
    return end.found, _real(end.log_p) - log_z, exact, _real(log_z)


def _extended(now: _Prefixes, i: Array, p: Array, beta: Array, table: _Table) -> _Prefixes:
    """Put ten longer prefixes, and the prefix as a whole string, in the least likely slots."""
    label, blank, size, state = now.label[i], now.blank[i], now.size[i], now.state[i]
    digits = jnp.arange(BLANK)
    last = now.digits[i, jnp.maximum(size - 1, 0)]
    following = table.step[state]
    both = jnp.logaddexp(label, blank)
    # The prefix as it was before each frame, if digit d may be read in it.
    again = ((digits == last) & (size > 0))[None]
    ready = jnp.where(again, blank[:, None], both[:, None])
    start = jnp.where(size == 0, 0.0, LOW).astype(p.dtype)
    ready = jnp.concatenate([jnp.broadcast_to(start, (1, BLANK)), ready[:-1]])
    reads = jnp.maximum(p[:, :BLANK] + ready, LOW)

    def frame(carry, now):
        (label, blank), (reads, p) = carry, now
        blank = jnp.maximum(p[BLANK] + jnp.logaddexp(label, blank), LOW)
        label = jnp.maximum(jnp.logaddexp(reads, p[:BLANK] + label), LOW)
        return (label, blank), (label, blank)

    low = jnp.full(BLANK, LOW, p.dtype)
    _, (labels, blanks) = jax.lax.scan(frame, (low, low), (reads, p))
    scores = _log_sum(reads + beta[:, following, digits], 0)
    room = size < now.digits.shape[1]
    scores = jnp.where(room & (following < len(table.accept)), scores, LOW)
    whole = jnp.where(table.accept[state], both[-1], LOW)
    string = now.digits[i]
    place = jnp.arange(len(string))[None]
    longer = jnp.where(place == size, digits[:, None], string[None])

    # The best new ones meet the worst old ones; the less likely one of each pair is dropped.
    score = jnp.append(scores, whole)
    order = jnp.argsort(-score)
    _, slots = jax.lax.top_k(-now.score, len(score))
    old_score, score = now.score[slots], score[order]
    keep = score > old_score
    lost = jnp.maximum(now.lost, jnp.minimum(score, old_score).max())

    def put(old: Array, new: Array) -> Array:
        chosen = keep.reshape(-1, *[1] * (old.ndim - 1))
        return old.at[slots].set(jnp.where(chosen, new[order].astype(old.dtype), old[slots]))

    every = lambda of_longer, of_whole: jnp.append(jnp.full(BLANK, of_longer), of_whole)
    states = jnp.append(jnp.minimum(following, len(table.accept) - 1), state)
    return now._replace(
        score=now.score.at[slots].set(jnp.where(keep, score, old_score)),
        digits=put(now.digits, jnp.concatenate([longer, string[None]])),
        size=put(now.size, every(size + 1, size)), state=put(now.state, states),
        whole=put(now.whole, every(False, True)),
        label=put(now.label, jnp.concatenate([labels.T, label[None]])),
        blank=put(now.blank, jnp.concatenate([blanks.T, blank[None]])), lost=lost,
    )  # fmt: skip
