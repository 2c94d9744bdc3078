"""Connectionist temporal classification: a loss for a row of labels without their places [1].

A network gives log-probabilities log p_t(k) for T frames and K classes, the last of which is
blank.  An alignment names a class for each frame; without its repeats and then its blanks it
spells a string.  P(string) is the sum over all of its alignments of Π_t p_t(class).

Put a blank around each label: l = (∅, l₁, ∅, l₂, ∅, …), S = 2 L + 1 places.  An alignment goes
from one place to itself, to the next, or over a blank to the next label, if that differs:

    from(s) = {s, s − 1} ∪ {s − 2 if l_s ≠ ∅ and l_s ≠ l_{s−2}}
    α_t(s) = p_t(l_s) Σ_{r ∈ from(s)} α_{t−1}(r)        α_0(s) = p_0(l_s) for s ∈ {0, 1}
    β_t(s) = Σ_{r: s ∈ from(r)} p_{t+1}(l_r) β_{t+1}(r)  β_{T−1}(s) = 1 for the last two places
    P = Σ_s α_t(s) β_t(s), in every frame t

All alignments through class k in frame t have the factor p_t(k), so

    ∂ log P/∂ log p_t(k) = γ_t(k) = Σ_{s: l_s = k} α_t(s) β_t(s) / P,   Σ_k γ_t(k) = 1

and with p = softmax(z), whose derivative is ∂ log p_j/∂z_k = δ_jk − p_k,

    L = −Σ_b log P_b / B           ∂L/∂z_t(k) = (p_t(k) − γ_t(k)) / B

α and β are kept as logarithms.  A string that needs more frames than there are has no
alignment: P = 0.  Its loss is infinite and its slope is 0.

[1] Graves, Fernández, Gomez & Schmidhuber, ICML 2006, doi:10.1145/1143844.1143891.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from jaxdigits.case import Case
from jaxdigits.losses.classification import Loss

LOW = -1e30  # the logarithm of 0, which stays finite in sums
END = -1  # after the labels of a string that is shorter than others


class Places(NamedTuple):
    """The places of a batch of strings, with a blank around each label."""

    label: Array
    """[B, S] int32, the class of each place"""
    jump: Array
    """[B, S] bool, whether the place can follow the one two before it"""
    last: Array
    """[B, S] bool, whether an alignment may end there"""


def ctc(blank: int | None = None) -> Loss:
    """A mean over strings of −log P(string): logits [B, T, K], labels [B, L] int -> scalar.

    A label of −1 ends a string, which may be empty.  The slope is [B, T, K].

    Args:
      blank: the class of no label; None: the last.

    Raises:
      ValueError: when called, for logits or labels of another shape; outside of `jit`, also
        for a label that is no class or is blank, for one behind the end of its string, and
        for a string that needs more than T frames, naming it.
    """

    def value(logits, labels):
        logp, places = _prepared(logits, labels, blank)
        alpha = _forward(logp, places)[-1]
        return -_log_sum(jnp.where(places.last, alpha, LOW)).mean()

    def slope(logits, labels):
        logp, places = _prepared(logits, labels, blank)
        emitted, alpha = _emitted(logp, places), _forward(logp, places)
        both = alpha + _backward(emitted, places)
        # Σ α β is P in each frame but for rounding, which cancels in the frame's own sum.
        share = jax.nn.softmax(both, axis=-1)
        hot = jax.nn.one_hot(places.label, logits.shape[-1], dtype=logp.dtype)
        gamma = jnp.einsum("tbs,bsk->btk", share, hot)
        possible = (_log_sum(both[-1]) != -jnp.inf)[:, None, None]  # NaN stays NaN
        slope = jnp.where(possible, jnp.exp(logp) - gamma, 0) / len(logits)
        return slope.astype(logits.dtype)

    return Loss(value, slope, partial(spells, blank=blank))


def spells(logits: Array, labels: Any, blank: int | None = None) -> Array:
    """Return [..., B] whether the best alignment of logits spells labels [B, L].

    The best alignment takes the largest of the logits [..., B, T, K] in each frame.  A label
    of −1 ends a string.
    """
    best = jnp.argmax(logits, -1)
    labels = jnp.asarray(labels)
    before = jnp.pad(best, [(0, 0)] * (best.ndim - 1) + [(1, 0)], constant_values=END)[..., :-1]
    blank = logits.shape[-1] - 1 if blank is None else blank
    emits = (best != before) & (best != blank)
    place = jnp.cumsum(emits, -1) - 1
    expected = jnp.take_along_axis(
        jnp.broadcast_to(labels, (*best.shape[:-1], labels.shape[-1])),
        jnp.clip(place, 0, labels.shape[-1] - 1), -1,
    )  # fmt: skip
    same = (~emits | (expected == best)).all(-1)
    return same & (emits.sum(-1) == (labels != END).sum(-1))


def frames_of(labels: Any) -> np.ndarray:
    """Return the least number of frames [B] of strings [B, L]: repeats need a blank between."""
    labels = np.asarray(labels)
    repeats = (labels[:, 1:] == labels[:, :-1]) & (labels[:, 1:] != END)
    return (labels != END).sum(1) + repeats.sum(1)


def _prepared(logits: Array, labels: Any, blank: int | None) -> tuple[Array, Places]:
    sizes = jnp.shape(logits)
    if len(sizes) != 3 or 0 in sizes or jnp.shape(labels)[:-1] != sizes[:1]:
        raise ValueError(
            f"ctc needs logits [B, T, K] and labels [B, L], got {jnp.shape(logits)} and "
            f"{jnp.shape(labels)}"
        )
    kind = jnp.result_type(labels)
    if not jnp.issubdtype(kind, jnp.integer):
        raise ValueError(f"labels must be whole numbers, got {kind}: pass labels.astype(int)")
    classes = logits.shape[-1]
    blank = classes - 1 if blank is None else blank
    if isinstance(blank, bool) or int(blank) != blank or not 0 <= blank < classes:
        raise ValueError(f"blank must be in 0..{classes - 1}, got {blank}")
    if not isinstance(labels, Tracer):
        _require_labels(np.asarray(labels), blank, *logits.shape[1:])
    # Sums over many frames need the digits of float32.
    wide = jnp.promote_types(jnp.result_type(logits), jnp.float32)
    places = _places(jnp.asarray(labels, jnp.int32), blank)
    return jax.nn.log_softmax(jnp.asarray(logits, wide)), places


def _require_labels(labels: np.ndarray, blank: int, frames: int, classes: int) -> None:
    """Raise a ValueError that names the first string that no alignment spells."""
    bad = (labels != END) & ((labels < 0) | (labels >= classes) | (labels == blank))
    behind = (labels[:, 1:] != END) & (labels[:, :-1] == END)
    for n, row in enumerate(labels.tolist()):
        if bad[n].any():
            raise ValueError(
                f"labels[{n}] is {row}: each must be in 0..{classes - 1} and not {blank}, the "
                f"blank; {END} ends a string"
            )
        if behind[n].any():
            raise ValueError(f"labels[{n}] is {row}: nothing may follow {END}")
    needed = frames_of(labels)
    if (needed > frames).any():
        n = int((needed > frames).argmax())
        raise ValueError(
            f"labels[{n}] is {labels[n].tolist()} and needs {needed[n]} frames, but there are "
            f"{frames}: give shorter strings or a wider picture"
        )


def _places(labels: Array, blank: int) -> Places:
    count, length = labels.shape
    size = (labels != END).sum(1, keepdims=True)
    spread = jnp.full((count, 2 * length + 1), blank, jnp.int32)
    spread = spread.at[:, 1::2].set(jnp.where(labels == END, blank, labels))
    two_before = jnp.pad(spread, ((0, 0), (2, 0)), constant_values=blank)[:, :-2]
    jump = (spread != blank) & (spread != two_before)
    # Before the first label there is a blank, which need not be taken: place 1 is a start.
    number = jnp.arange(2 * length + 1)[None]
    last = (number == 2 * size) | (number == 2 * size - 1)
    return Places(spread, jump & (number > 1), last)


def _emitted(logp: Array, places: Places) -> Array:
    """Return the log-probability [T, B, S] of each place's class in each frame."""
    index = jnp.broadcast_to(places.label[:, None], (*logp.shape[:2], places.label.shape[1]))
    return jnp.take_along_axis(logp, index, 2).swapaxes(0, 1)


def _forward(logp: Array, places: Places) -> Array:
    """Return log α [T, B, S]."""
    emitted = _emitted(logp, places)
    start = jnp.where(jnp.arange(emitted.shape[-1])[None] < 2, emitted[0], LOW)

    def frame(alpha, now):
        alpha = now + _log_sum_of(alpha, _shifted(alpha, 1),
                                  jnp.where(places.jump, _shifted(alpha, 2), LOW))  # fmt: skip
        alpha = jnp.maximum(alpha, LOW)
        return alpha, alpha

    _, rest = jax.lax.scan(frame, start, emitted[1:])
    return jnp.concatenate([start[None], rest])


def _backward(emitted: Array, places: Places) -> Array:
    """Return log β [T, B, S]."""
    end = jnp.where(places.last, 0.0, LOW).astype(emitted.dtype)

    def frame(beta, following):
        reach = following + beta
        beta = _log_sum_of(reach, _shifted(reach, -1),
                           _shifted(jnp.where(places.jump, reach, LOW), -2))  # fmt: skip
        beta = jnp.maximum(beta, LOW)
        return beta, beta

    _, rest = jax.lax.scan(frame, end, emitted[1:], reverse=True)
    return jnp.concatenate([rest, end[None]])


def _shifted(x: Array, by: int) -> Array:
    """Move [B, S] by places to the right, or to the left for a negative number."""
    width = ((0, 0), (by, 0)) if by > 0 else ((0, 0), (0, -by))
    wide = jnp.pad(x, width, constant_values=LOW)
    return wide[:, :-by] if by > 0 else wide[:, -by:]


def _log_sum_of(a: Array, b: Array, c: Array) -> Array:
    most = jax.lax.stop_gradient(jnp.maximum(jnp.maximum(a, b), c))
    return most + jnp.log(jnp.exp(a - most) + jnp.exp(b - most) + jnp.exp(c - most))


def _log_sum(x: Array) -> Array:
    """Return log Σ_s exp x [B, S] -> [B], and −∞ for a sum of zeros."""
    total = jax.nn.logsumexp(x, axis=-1)
    return jnp.where(total <= LOW / 2, -jnp.inf, total)


CASES = {"ctc": Case(ctc, (7, 4))}
