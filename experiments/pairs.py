"""The interval of an accuracy where an example is a pair of an image and a recording."""

import numpy as np


def bootstrap_of_pairs(
    right: np.ndarray, partner: np.ndarray, *, samples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % interval of an accuracy on pairs, over the chance of both halves [1].

    Each of `samples` times images and recordings are drawn again, with replacement and
    independently: a pair counts as often as its image times its recording.  Many pairs share a
    recording, as 10,000 images share 300, and this widens the interval.  It errs to the wide
    side: by √3 for pairs that share nothing.  (scipy's bootstrap draws along one axis only.)

    Args:
      right: [N] bool, or the share of several networks that read the pair right.
      partner: [N] index of the recording that is paired with image n.

    [1] Owen, Ann. Appl. Stat. 1(2), 2007, doi:10.1214/07-AOAS122 (of two ways).
    """
    _, partner = np.unique(partner, return_inverse=True)
    rng, recordings = np.random.default_rng(seed), partner.max() + 1
    accuracies = []
    for _ in range(samples):
        image = rng.multinomial(len(right), np.full(len(right), 1 / len(right)))
        recording = rng.multinomial(recordings, np.full(recordings, 1 / recordings))
        weight = image * recording[partner]
        if weight.any():  # of a single recording, or few, all may be left out
            accuracies.append((weight @ right) / weight.sum())
    low, high = np.quantile(accuracies, [0.025, 0.975])
    return float(low), float(high)
