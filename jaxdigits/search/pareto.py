"""Several objectives: the rank of non-dominated sorting, crowding, and the goals of a search.

[1] Deb, Pratap, Agarwal & Meyarivan, IEEE Trans. Evol. Comput. 6(2), 2002,
    doi:10.1109/4235.996017 (NSGA-II: both measures).
"""

from collections.abc import Sequence

import numpy as np

GOALS = ("accuracy", "cost", "front")


def front_ranks(losses: np.ndarray) -> np.ndarray:
    """Return the rank [N] of points: 0 for the front, 1 for the front without it, and so on.

    Args:
      losses: [N, objectives], each the better the lower.
    """
    losses = np.asarray(losses, float)
    no_worse = (losses[:, None] <= losses[None]).all(-1)
    better = (losses[:, None] < losses[None]).any(-1)
    dominates = np.asarray(no_worse & better)  # [by, point]
    ranks = np.full(len(losses), -1)
    for rank in range(len(losses)):
        open_ = ranks < 0
        if not open_.any():
            break
        ranks[open_ & ~dominates[open_].any(0)] = rank
    return ranks


def crowding(losses: np.ndarray) -> np.ndarray:
    """Return the crowding distance [N] of the points of one front; infinite at its ends."""
    losses = np.asarray(losses, float)
    distance = np.zeros(len(losses))
    for values in losses.T:
        by = np.argsort(values, kind="stable")
        span = values[by[-1]] - values[by[0]]
        distance[by[[0, -1]]] = np.inf
        if span > 0:
            distance[by[1:-1]] += (values[by[2:]] - values[by[:-2]]) / span
    return distance


def front_order(losses: np.ndarray) -> list[int]:
    """Return the places of points by rank, and within one by crowding, the lonely first."""
    losses, ranks = np.asarray(losses, float), front_ranks(losses)
    distance = np.zeros(len(losses))
    for rank in set(ranks.tolist()):
        distance[ranks == rank] = crowding(losses[ranks == rank])
    return np.lexsort((np.arange(len(losses)), -distance, ranks)).tolist()


def cheapest_of_good(means: Sequence[float], errors: Sequence[float], costs: Sequence[float]):
    """Return the place of the cheapest that is within one standard error of the best mean.

    Args:
      errors: the standard error of each mean.
    """
    best = int(np.argmax(means))
    good = [i for i, mean in enumerate(means) if mean >= means[best] - errors[best]]
    return min(good, key=lambda i: (costs[i], -means[i]))
