"""Over-segmentation of a row of digits: many cuts, segments between them, the best path [1].

A cut is the path from the top to the bottom through a column of the middle row that crosses the
least ink.  It runs through gaps of any slant, so also between connected pieces whose columns
overlap, and through strokes where digits touch.  Cuts are where the ink that they cross has a
minimum along the row: the minima of a vertical projection whose lines may bend.

A segment is 1 to 4 neighbouring pieces.  Its ink is centred; the row is scaled already, to
digits of 20 pixels.  A network says which digit it is, or that it is no whole one.  A path over
cuts takes some segments for digits.  All others overlap with these or have marks, and count as
none.  The probability of a path is Π p(digit) Π p(none).  Divided by Π p(none) over all
segments, the same for each path, its logarithm is the sum of log p(digit) − log p(none)
over its digits.  So no number of digits is favoured, and to leave out a piece costs nothing.

[1] Fujisawa, Nakano & Kurino, Proc. IEEE 80(7), 1992, doi:10.1109/5.156471.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits.reader.automaton import DEAD, Automaton

MIDDLE, SIDE = 16, 32  # row at which cuts are placed; pixels of a segment's side
CUTS, PIECES = 48, 4  # of a field, and of a segment, at most
WIDEST = 10.0  # deviation of a segment's ink along the row, at most, in columns
NEAR = 2  # columns around a cut without another one
PAPER, BEND, MOST = 0.2, 0.15, 9.0  # ink of paper, cost of a bend, most ink that a cut crosses
WHOLE, OTHER = 0.75, 0.35  # of a digit's ink: in its segment at least, of other digits at most
NONE = 10  # class of a segment that is no whole digit


def cuts_of(ink):
    """Return the cuts of a field [32, W]: columns [CUTS] in order, W for none; [32, CUTS]."""
    width, cost = ink.shape[1], jnp.maximum(ink - PAPER, 0)

    def onward(before, row):
        wide = jnp.pad(before, 1, constant_values=jnp.inf)
        ways = jnp.stack([wide[1:-1], wide[:-2] + BEND, wide[2:] + BEND])
        total = ways.min(0) + row
        return total, jnp.array([0, -1, 1])[ways.argmin(0)]

    along = lambda rows: jax.lax.scan(onward, rows[0], rows[1:])
    (upper, up), (lower, down) = along(cost[: MIDDLE + 1]), along(cost[: MIDDLE - 1 : -1])
    crossed = upper + lower - cost[MIDDLE]
    # In a gap the least ink is everywhere: its middle is farthest from ink.
    far = jnp.abs(jnp.arange(width)[:, None] - jnp.arange(width))
    level = crossed + 0.02 * jnp.exp(-far / 6.0) @ cost.sum(0)
    near = jnp.pad(level, NEAR, constant_values=jnp.inf)
    near = jnp.stack([near[i : i + width] for i in range(2 * NEAR + 1)])
    least = (level <= near[:NEAR].min(0)) & (level < near[NEAR + 1 :].min(0))
    least &= crossed < MOST
    lowest, number = jax.lax.top_k(jnp.where(least, -level, -jnp.inf), CUTS)
    place = jnp.sort(jnp.where(jnp.isfinite(lowest), number, width))
    follow = lambda at, steps: (at + steps[at], at + steps[at])
    start = jnp.minimum(place, width - 1)
    _, above = jax.lax.scan(follow, start, up[::-1])
    _, below = jax.lax.scan(follow, start, down[::-1])
    path = jnp.concatenate([above[::-1], start[None], below])
    return place, jnp.where(place < width, path, width)


def segments_of(ink):
    """Return all segments of a field [32, W]: their images [S, 32, 32], which of them may be a
    digit, and the pixels of each piece [P, 32, W]; S = P · PIECES."""
    place, path = cuts_of(ink)
    width = ink.shape[1]
    columns = jnp.arange(width)
    number = (path[:, :, None] <= columns).sum(1)
    pixels = (number == jnp.arange(CUTS + 1)[:, None, None]).astype(ink.dtype)
    dark = jnp.maximum(ink - PAPER, 0)
    moments = [dark, dark * columns, dark * jnp.arange(SIDE)[:, None], dark * columns**2]
    moments = jnp.einsum("phx,mhx->pm", pixels, jnp.stack(moments))
    mass, x, y, square = sums(moments).reshape(-1, 4).T
    first = jnp.repeat(jnp.arange(CUTS + 1), PIECES)
    count = jnp.tile(jnp.arange(1, PIECES + 1), CUTS + 1)
    ends = jnp.concatenate([jnp.zeros(1, int), place, jnp.full(PIECES, width)])
    fits = (mass > 5) & (ends[first + count - 1] < width)
    fits &= square / mass - (x / mass) ** 2 < WIDEST**2
    edge = ((SIDE, SIDE), (SIDE, SIDE))
    ink, number = jnp.pad(ink, edge), jnp.pad(number, edge, constant_values=-1)
    middle = lambda moment: jnp.round(moment / jnp.maximum(mass, 1)).astype(int) + SIDE // 2

    def image(x, y, first, count):
        window = lambda a: jax.lax.dynamic_slice(a, (y, x), (SIDE, SIDE))
        inside = (window(number) >= first) & (window(number) < first + count)
        return jnp.round(255 * window(ink) * inside).astype(jnp.uint8)

    return jax.vmap(image)(middle(x), middle(y), first, count), fits, pixels


def sums(of_piece):
    """Return sums over 1 to PIECES pieces from each piece on: [P, M] -> [P, PIECES, M]."""
    framed = jnp.pad(of_piece, ((0, PIECES - 1), (0, 0)))
    shifted = jnp.stack([framed[i : i + len(of_piece)] for i in range(PIECES)], 1)
    return shifted.cumsum(1)


def labels_of(pixels, alone, text):
    """Return the class of each segment [S], and the place of its digit [S], −1 for none.

    Args:
      pixels: [P, 32, W] of each piece.
      alone: [L, 32, W] the ink of each digit `text` [L].
    """
    inside = sums(jnp.einsum("phx,lhx->pl", pixels, alone)).reshape(-1, len(text))
    whole = jnp.maximum(alone.sum((1, 2)), 1)
    place = (inside / whole).argmax(1)
    own = jnp.take_along_axis(inside, place[:, None], 1)[:, 0]
    is_digit = (own >= WHOLE * whole[place]) & (inside.sum(1) - own <= OTHER * whole[place])
    return jnp.where(is_digit, text[place], NONE), jnp.where(is_digit, place, -1)


def best_strings(score: np.ndarray, automaton: Automaton) -> list[list[int]]:
    """Return the string of each field's best path: of the highest sum of scores.

    Args:
      score: [N, P, PIECES, 10] of the segment from a piece on, of so many pieces, as a digit;
        −∞ where it is none.  A piece that is left out adds 0.
    """
    state, digit = np.nonzero(automaton.step != DEAD)
    order = np.argsort(automaton.step[state, digit], kind="stable")
    state, digit = state[order], digit[order]
    target, starts = np.unique(automaton.step[state, digit], return_index=True)
    fields, pieces, longest, _ = score.shape
    value = np.full((fields, pieces + 1, len(automaton.step)), -np.inf)
    value[:, 0, 0] = 0
    ways = lambda n, k: value[:, n, state] + score[:, n, k][:, digit]
    for end in range(1, pieces + 1):
        value[:, end] = value[:, end - 1]
        for k in range(min(longest, end)):
            best = np.maximum.reduceat(ways(end - 1 - k, k), starts, axis=1)
            value[:, end, target] = np.maximum(value[:, end, target], best)

    def back(row: int) -> list[int]:
        final = np.where(automaton.accept, value[row, -1], -np.inf)
        end, at, string = pieces, int(final.argmax()), []
        while end and np.isfinite(final.max()):
            if value[row, end, at] == value[row, end - 1, at]:
                end -= 1
                continue
            into = np.flatnonzero(automaton.step[state, digit] == at)
            for k in range(min(longest, end)):
                n = end - 1 - k
                sums = value[row, n, state[into]] + score[row, n, k, digit[into]]
                if sums.max() == value[row, end, at]:
                    edge = into[sums.argmax()]
                    end, at = n, int(state[edge])
                    string.insert(0, int(digit[edge]))
                    break
        return string

    return [back(row) for row in range(fields)]
