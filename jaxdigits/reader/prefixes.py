"""The best strings of a format in a picture, by a search over their prefixes.

The search [1] extends the prefix of the largest total probability until that prefix is a whole
string.  β of the lattice (`jaxdigits.reader.lattice`) gives this total exactly, so no other
string is better.

[1] Graves, Supervised Sequence Labelling, Springer 2012, section 7.5 (prefix search).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxdigits.reader.automaton import Automaton
from jaxdigits.reader.lattice import (
    BLANK,
    LOW,
    Table,
    checked_frames,
    completions,
    log_sum,
    of_each,
    real,
    total_of,
    with_dead,
)

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
    logp = checked_frames(logp)
    longest = automaton.lengths()[1]
    length = logp.shape[1] if longest is None else min(longest, logp.shape[1])
    options = dict(k=int(k), length=max(length, 1), slots=int(slots), most=int(most))
    own = tuple(options.items())
    return Strings(*of_each(_search, logp, automaton, own, together=True))


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
    strings: Array
    """[k, L] the best strings"""
    log_p: Array
    """[k]"""
    answers: Array
    """how many"""
    turn: Array


def _search(
    p: Array, table: Table, *, k: int, length: int, slots: int, most: int
) -> tuple[Array, ...]:
    """Search in all pictures p [B, T, 11] at once; those that are done wait for the others."""

    def begin(p: Array) -> tuple[_Prefixes, Array, Array]:
        betas = completions(p, table)
        log_z = total_of(betas, p, table)
        low = lambda *shape: jnp.full(shape, LOW, p.dtype)
        first = _Prefixes(
            score=low(slots).at[0].set(log_z),
            digits=jnp.full((slots, length), NONE, jnp.int32),
            size=jnp.zeros(slots, jnp.int32), state=jnp.zeros(slots, jnp.int32),
            whole=jnp.zeros(slots, bool), label=low(slots, len(p)),
            blank=low(slots, len(p)).at[0].set(jnp.cumsum(p[:, BLANK])),
            lost=jnp.asarray(LOW, p.dtype),
            strings=jnp.full((k, length), NONE, jnp.int32), log_p=low(k),
            answers=jnp.int32(0), turn=jnp.int32(0),
        )  # fmt: skip
        return first, with_dead(betas), log_z

    def priority(now: _Prefixes) -> Array:
        depth = jnp.where(now.score > LOW / 2, now.size, -1)
        deep = now.score + jnp.where(depth >= 0, 1e6, 0) * now.size
        # Cut short, the deepest prefix is completed, and then the best string is the answer.
        over = jnp.where(now.whole, depth, -1).max() >= jnp.where(now.whole, -1, depth).max()
        cut = jnp.where(now.whole == over, jnp.where(over, now.score, deep), LOW)
        return jnp.where(now.turn < most, now.score, cut)

    def goes_on(now: _Prefixes) -> Array:
        limit = jnp.where(now.turn < most, k, 1)
        return (now.answers < limit) & (now.score.max() > LOW / 2)

    def turn(now: _Prefixes, p: Array, beta: Array) -> _Prefixes:
        # A picture that is done writes its old values: to select between two whole states
        # would copy both.
        best, on = priority(now).argmax(), goes_on(now)
        found = on & now.whole[best]
        set_where = lambda old, i, new, where: old.at[i].set(jnp.where(where, new, old[i]))
        taken = now._replace(
            score=set_where(now.score, best, LOW, on), turn=now.turn + on,
            strings=set_where(now.strings, now.answers, now.digits[best], found),
            log_p=set_where(now.log_p, now.answers, now.score[best], found),
            answers=now.answers + found,
        )  # fmt: skip
        return _extended(taken, best, p, beta, table, on & ~now.whole[best])

    first, beta, log_z = jax.vmap(begin)(p)
    end = jax.lax.while_loop(
        lambda now: jax.vmap(goes_on)(now).any(),
        lambda now: jax.vmap(turn)(now, p, beta),
        first,
    )
    exact = (end.lost <= end.log_p[:, 0]) & (end.turn <= most)
    return end.strings, real(end.log_p) - log_z[:, None], exact, real(log_z)


def _extended(
    now: _Prefixes, i: Array, p: Array, beta: Array, table: Table, on: Array
) -> _Prefixes:
    """Put ten longer prefixes, and the prefix as a whole string, in the least likely slots.

    Args:
      on: []; where False, nothing changes.
    """
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
    scores = log_sum(reads + beta[:, following, digits], 0)
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
    keep = on & (score > old_score)
    lost = jnp.maximum(now.lost, jnp.where(on, jnp.minimum(score, old_score).max(), LOW))

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
