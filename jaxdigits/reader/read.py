"""From a row of digits to an answer under a format, or the reason that there is none.

    ink [32, W] -> logits [T, 11] -> P(string | picture, format) -> Reading

An answer is refused if there is no row of digits, if the format has no path through the
picture, or if the probability of the best string is not above a limit.  The frames of a digit
are those of the best alignment of the answer itself, since the best alignment of the format
may spell another string.

Pictures of about one width share a program: paper is added on the right, and frames behind the
picture are blank with certainty, so they change no sum.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jax.typing import ArrayLike

from jaxdigits.data.field_ink import FRAME, ROWS, Field
from jaxdigits.errors import DataError
from jaxdigits.reader.formats import Format
from jaxdigits.reader.lattice import BLANK, LOW
from jaxdigits.reader.prefixes import search

Logits = Callable[[np.ndarray], ArrayLike]  # ink [B, 32, W] uint8 -> [B, T, 11], T = W / 4
# Pixels: a picture is filled up to the next width, and a longer one to a multiple of the last.
WIDTHS = (128, 256, 512)
SIZES = (1, 16)  # pictures of a program
# Numbers: states × frames × classes × pictures; 256 MB as float32.
LARGEST = 1 << 26
# log P(format | picture): a network that is sure to 1 in 10,000 misses three digits.
LEAST = -30.0
# Frames around a digit's own that are drawn as its place.
REACH = 2


class Reading(NamedTuple):
    """The answer to a picture."""

    text: str
    """the best string as the format prints it; "" without one"""
    digits: str
    probability: float
    """P(digits | picture, format)"""
    others: tuple[tuple[str, float], ...] = ()
    """the next best strings, as printed, with their probabilities"""
    spans: tuple[tuple[float, float], ...] = ()
    """(left, right) of each digit in the picture, in pixels"""
    refused: str | None = None
    """the reason for no answer, in one line"""


def read_fields(
    logits: Logits,
    fields: Sequence[Field | DataError],
    format: Format,
    *,
    temperature: float = 1.0,
    limit: float = 0.0,
    k: int = 3,
) -> list[Reading]:
    """Return the reading of each field under a format.

    Args:
      logits: of a network, from ink [B, 32, W] uint8 to [B, W / 4, 11]; class 10 is blank.
      fields: prepared pictures, or the errors of their preparation, which become refusals.
      temperature: divides the logits.
      limit: an answer whose probability is not above it is refused.
      k: the number of best strings, with the answer.

    Raises:
      ValueError: unless temperature > 0 and k >= 1, or for logits of another shape.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be > 0, got {temperature}")
    readings: dict[int, Reading] = {}
    least = format.automaton.lengths()[0]
    for i, field in enumerate(fields):
        if isinstance(field, DataError):
            readings[i] = Reading("", "", 0.0, refused=str(field))
        elif (frames := field.ink.shape[1] // FRAME) < least:
            reason = (
                f"too long for the frames: {format.name} has at least {least} digits, the "
                f"picture has {frames} frames"
            )
            readings[i] = Reading("", "", 0.0, refused=reason)
    whole = {i: f for i, f in enumerate(fields) if i not in readings and isinstance(f, Field)}
    for rows, size, width in _batches(whole, len(format.automaton.step)):
        some = [whole[i] for i in rows]
        logp = _log_probabilities(logits, some, size, width, temperature)
        strings = search(logp, format.automaton, k)
        digits, log_p = (np.asarray(x)[: len(rows)] for x in (strings.digits, strings.log_p))
        fits = (log_p[:, 0] > -np.inf) & (np.asarray(strings.log_z)[: len(rows)] > LEAST)
        frames = _aligned(logp[: len(rows)], digits[:, 0])
        for n, i in enumerate(rows):
            if not fits[n]:
                reason = f"no path in the format: the picture has nothing like {format.name}"
                readings[i] = Reading("", "", 0.0, refused=reason)
                continue
            ranked = [
                ("".join(str(d) for d in row if d >= 0), float(np.exp(p)))
                for row, p in zip(digits[n], log_p[n], strict=True)
                if p > -np.inf
            ]
            readings[i] = _reading(some[n], ranked, frames[n], format, limit)
    return [readings[i] for i in range(len(fields))]


def _batches(fields: dict[int, Field], states: int) -> Iterator[tuple[list[int], int, int]]:
    """Yield (numbers, size, width): the fields of a program, its pictures and their width."""
    by_width: dict[int, list[int]] = {}
    for i, field in fields.items():
        wide = field.ink.shape[1]
        last = WIDTHS[-1] * -(-wide // WIDTHS[-1])
        by_width.setdefault(next((w for w in WIDTHS if w >= wide), last), []).append(i)
    for width, numbers in sorted(by_width.items()):
        each = states * width // FRAME * (BLANK + 1)
        sizes = [s for s in SIZES if s * each <= LARGEST] or [1]
        size = sizes[0] if len(fields) == 1 else sizes[-1]  # a rest needs no program of its own
        for start in range(0, len(numbers), size):
            yield numbers[start : start + size], size, width


def _log_probabilities(
    logits: Logits, fields: Sequence[Field], size: int, width: int, temperature: float
) -> np.ndarray:
    """Return log-probabilities [size, T, 11] of frames; frames behind a field are blank."""
    ink = np.zeros((size, ROWS, width), np.uint8)
    frames = np.zeros(size, int)  # of no picture, none: then the search has nothing to do
    for i, field in enumerate(fields):
        ink[i, :, : field.ink.shape[1]] = field.ink
        frames[i] = field.ink.shape[1] // FRAME
    scores = np.asarray(logits(ink), np.float32)
    if scores.shape != (size, width // FRAME, BLANK + 1):
        raise ValueError(
            f"logits must be [{size}, {width // FRAME}, {BLANK + 1}], got {scores.shape}"
        )
    scores = scores / temperature
    scores = scores - scores.max(-1, keepdims=True)
    logp = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    behind = np.arange(width // FRAME)[None] >= frames[:, None]
    logp[behind] = LOW
    logp[behind, BLANK] = 0.0
    return logp


def _aligned(logp: np.ndarray, digits: np.ndarray) -> np.ndarray:
    """Return the first and the last frame [B, L, 2] of each digit of a string; −1 without one.

    The best alignment: α of `jaxdigits.losses.ctc`, with a maximum for the sum.

    Args:
      logp: [B, T, 11]
      digits: [B, L], −1 behind the end.
    """
    batch, count, _ = logp.shape
    length = (digits >= 0).sum(1)
    label = np.full((batch, 2 * digits.shape[1] + 1), BLANK)
    label[:, 1::2] = np.where(digits >= 0, digits, BLANK)
    jump = np.zeros(label.shape, bool)
    jump[:, 3::2] = label[:, 3::2] != label[:, 1:-2:2]
    rows, places = np.arange(batch)[:, None], np.arange(label.shape[1])
    p = logp[rows, :, label].swapaxes(1, 2).astype(np.float64)  # [B, T, S]
    best = np.where(places < 2, p[:, 0], LOW)
    back = np.zeros((batch, count, len(places)), np.int8)
    behind = lambda a, n: np.concatenate([np.full((batch, n), LOW), a[:, :-n]], 1)
    for t in range(1, count):
        ways = np.stack([best, behind(best, 1), np.where(jump, behind(best, 2), LOW)])
        back[:, t] = ways.argmax(0)
        best = ways.max(0) + p[:, t]
    last = 2 * length[:, None] - np.array([0, 1])
    place = np.take_along_axis(last, best[rows, last].argmax(1)[:, None], 1)[:, 0]
    frames = np.full((*digits.shape, 2), -1)
    for t in range(count - 1, -1, -1):
        on = (place % 2 == 1).nonzero()[0]
        which = place[on] // 2
        frames[on, which, 0] = t
        frames[on, which, 1] = np.maximum(frames[on, which, 1], t)
        place = place - back[rows[:, 0], t, place]
    return frames


def _reading(
    field: Field,
    ranked: list[tuple[str, float]],
    frames: np.ndarray,
    format: Format,
    limit: float,
) -> Reading:
    """Return the reading of a field whose best strings are ranked."""
    (digits, probability), *others = ranked
    refused = None
    if probability <= limit:
        refused = "doubt: " + " or ".join(
            f"{format.show(d)} ({whole_percent(p)})" for d, p in ranked[:2]
        )
    first, last = frames[: len(digits)].T
    # To the middle between two digits, but not far from the frames of either.
    middle = (last[:-1] + first[1:] + 1) / 2
    left = np.maximum(np.append(-np.inf, middle), np.maximum(first - REACH, 0))
    right = np.minimum(np.append(middle, np.inf), last + 1 + REACH)
    spans = tuple(
        (float(field.x_of(FRAME * a)), float(field.x_of(FRAME * b)))
        for a, b in zip(left, right, strict=True)
    )
    shown = tuple((format.show(d), p) for d, p in others)
    return Reading(format.show(digits), digits, probability, shown, spans, refused)


def whole_percent(share: float) -> str:
    """Return a share in whole percent, rounded down."""
    return f"{int(100 * share)} %"
