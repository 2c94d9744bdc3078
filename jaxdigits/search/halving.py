"""Successive halving in step, as pure functions from scores to who goes on [1, 2].

A bracket is some trials of one group.  All train to the first rung, an epoch; the best third
trains on to the next, and so on to the longest.  The decision waits for all trials of a rung,
since the lanes of one program have no stragglers.

[1] Jamieson & Talwalkar, AISTATS 2016, arXiv:1502.07943 (successive halving).
[2] Li, Jamieson, DeSalvo, Rostamizadeh & Talwalkar, JMLR 18(185), 2018, arXiv:1603.06560
    (brackets that begin later, for late bloomers).
"""

from collections.abc import Sequence
from typing import NamedTuple

FACTOR = 3  # a third goes on, three times as far
FEWEST = 8  # trials that go on: as many as a CPU has lanes
SIZES = (24, 24, 72)  # trials of a group's brackets; the last holds for all later ones
LATE = 3  # each third bracket begins one rung later
TASTE = 4  # trials of each group of a first round with several networks, or with costs


class Score(NamedTuple):
    """The rank of a trial: by accuracy, and by cross-entropy among equals."""

    accuracy: float
    """on the validation data, 0 to 1; −1 where no epoch was finite"""
    cross_entropy: float
    """there, in nats, without label smoothing: the losses of trials with their own smoothing
    do not compare"""


class Bracket(NamedTuple):
    """A plan of halving."""

    size: int
    rungs: tuple[int, ...]
    """epochs after which trials are compared, the last the longest"""


def bracket(place: int, longest: int, *, taste: bool = False) -> Bracket:
    """Return the bracket at a place, from 0, in the fixed sequence of a group.

    Args:
      taste: whether the bracket has few trials and one rung.  Where several networks compete,
        or costs count, each group has such a bracket first.

    Raises:
      ValueError: for a longest trial of no epoch.
    """
    if longest < 1:
        raise ValueError(f"the longest trial must have >= 1 epochs, got {longest}")
    rungs = [longest]
    while rungs[0] > 1:
        rungs.insert(0, max(1, rungs[0] // FACTOR))
    if taste:
        return Bracket(TASTE, (rungs[-2] if len(rungs) > 1 else longest,))
    late = place % LATE == LATE - 1 and len(rungs) > 1
    return Bracket(SIZES[min(place, len(SIZES) - 1)], tuple(rungs[late:]))


def order(scores: Sequence[Score]) -> list[int]:
    """Return the places of the scores, the best first; equal scores keep their order."""
    key = lambda i: (-scores[i].accuracy, scores[i].cross_entropy)
    return sorted(range(len(scores)), key=key)


def survivors(scores: Sequence[Score], ranked: Sequence[int] | None = None) -> list[int]:
    """Return the places of the trials that go on, the best first: a third, `FEWEST` at least.

    A trial without a finite epoch never goes on.

    Args:
      ranked: the places, the best first; None: by `order`.
    """
    ranked = order(scores) if ranked is None else ranked
    return [i for i in ranked[: places(len(scores))] if scores[i].accuracy >= 0]


def places(trials: int) -> int:
    """Return how many of a rung's trials go on at the most."""
    return max(trials // FACTOR, FEWEST)


def next_group(turns: Sequence[tuple[int, Score]], together: int, most: int) -> int:
    """Return the group that has the next bracket.

    Groups take turns.  After each turn the worse half gets no more, until one is left and has
    one turn alone; then it competes with groups that are new.

    Args:
      turns: (group, its bracket's best score), in order.
      together: groups in a fresh round.
      most: groups that the space has.
    """
    opened = min(together, most)
    alive, had, best = list(range(opened)), [], {}
    for group, score in turns:
        if group not in best or order([best[group], score])[0] == 1:
            best[group] = score
        had.append(group)
        if len(had) < len(alive):
            continue
        if len(alive) > 1:
            places = order([best[g] for g in alive])[: (len(alive) + 1) // 2]
            alive = [alive[i] for i in sorted(places)]
        else:
            fresh = range(opened, min(opened + together - 1, most))
            opened += len(fresh)
            alive = [_best_of(best), *fresh]
        had = []
    return alive[len(had)]


def _best_of(best: dict[int, Score]) -> int:
    groups = sorted(best)
    return groups[order([best[g] for g in groups])[0]]
