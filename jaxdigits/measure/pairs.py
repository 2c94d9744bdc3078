"""Comparing readers of the same examples, and intervals where an example is a pair."""

import numpy as np
from jax.typing import ArrayLike


def mcnemar(right: ArrayLike, other: ArrayLike) -> float:
    """The p-value of McNemar's exact test: do two readers err equally often? [1]

    Args:
      right: [N] bool, which examples the one reads right.
      other: [N] bool, which the other does, of the same examples.

    It looks only at the examples on which they differ, n of them, and asks how likely it is
    that of n tosses of a coin so few, or fewer, fall on the rarer side, or as few on the other.

    [1] McNemar, Psychometrika 12, 1947, doi:10.1007/BF02295996.

    Raises:
      ValueError: unless both are [N].
    """
    from scipy.stats import binom

    right, other = np.asarray(right, bool), np.asarray(other, bool)
    if right.ndim != 1 or right.shape != other.shape:
        raise ValueError(
            f"both must be [N], of the same examples: {right.shape}, {other.shape}"
        )
    only, only_other = int((right & ~other).sum()), int((other & ~right).sum())
    return min(1.0, 2 * float(binom.cdf(min(only, only_other), only + only_other, 0.5)))


def bootstrap_of_pairs(
    right: ArrayLike, partner: ArrayLike, *, samples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of an accuracy on pairs, over the chance of both of their halves [1].

    Each of `samples` times images and recordings are drawn anew, with replacement, each by
    themselves: a pair then counts as often as its image times its recording.  Where many pairs
    share a recording, as 10,000 images do 300, that is what tells.  It errs to the wide side:
    for pairs that share nothing by √3.

    Args:
      right: [N] bool, or the share of several networks that read the pair right.
      partner: [N] which recording is in the pair of image n.

    [1] Owen, Ann. Appl. Stat. 1(2), 2007, doi:10.1214/07-AOAS122 (of two ways).

    Raises:
      ValueError: unless both are [N], N >= 1.
    """
    right, partner = np.asarray(right, float), np.asarray(partner)
    if right.ndim != 1 or right.shape != partner.shape or not len(right):
        raise ValueError(f"right and partner must be [N], got {right.shape}, {partner.shape}")
    _, partner = np.unique(partner, return_inverse=True)
    rng, others = np.random.default_rng(seed), partner.max() + 1
    found = []
    for _ in range(samples):
        image = rng.multinomial(len(right), np.full(len(right), 1 / len(right)))
        recording = rng.multinomial(others, np.full(others, 1 / others))
        weight = image * recording[partner]
        if weight.any():  # of a single recording, or few, all may be left out
            found.append((weight @ right) / weight.sum())
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def area_under_curve(score: ArrayLike, positive: ArrayLike) -> float:
    """The probability that a positive example scores higher than a negative one, ties half.

    It is the area under the curve of true against false alarms.

    Args:
      score: [N] floats.
      positive: [N] bool; there must be some of both.

    Raises:
      ValueError: unless both are [N], with positive and negative examples.
    """
    from scipy.stats import rankdata

    score, positive = np.asarray(score, float), np.asarray(positive, bool)
    if score.ndim != 1 or score.shape != positive.shape:
        raise ValueError(f"score and positive must be [N], got {score.shape}, {positive.shape}")
    count = int(positive.sum())
    if not 0 < count < len(positive):
        raise ValueError(f"{count} of {len(positive)} examples are positive: there is no curve")
    rank = rankdata(score)[positive].sum() - count * (count + 1) / 2
    return float(rank / (count * (len(positive) - count)))
