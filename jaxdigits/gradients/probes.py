"""The directions in which the differences move a point."""

from typing import Any, NamedTuple

import jax
import numpy as np

from jaxdigits.gradients.subjects import Outcome
from jaxdigits.tree import named_leaves

SEED = 271828  # of the directions: as for ∂L/∂y, a seed that no input was drawn with


class Probe(NamedTuple):
    """One direction in which one leaf moves."""

    leaf: str
    witness: str  # "directions" or "coordinates"
    direction: np.ndarray  # d, in the leaf's shape
    where: tuple[int, ...]  # the coordinate; () for all of them
    slope: float  # ⟨g, d⟩, by the gradient
    unit: float  # of the step: the size of the leaf's numbers


def probes(point: Any, outcome: Outcome, directions: int, coordinates: int) -> list[Probe]:
    """Return the probes of every leaf whose gradient is finite; the same for each call."""
    rng, slopes, probes = np.random.default_rng(SEED), named_leaves(outcome.hand), []
    size = float(np.abs(flat(outcome.y_bar)) @ np.abs(flat(outcome.y)))
    for name, leaf in named_leaves(point).items():
        g = np.asarray(slopes[name])
        if not leaf.size or not np.isfinite(g).all():
            continue
        # Zeros have no unit of their own, unless a steep gradient tells of a small one.
        unit = rms(leaf) or min(1.0, (size or 1.0) / (np.abs(g).max() or 1.0))
        for _ in range(directions):
            d = rng.standard_normal(leaf.shape)
            probes.append(Probe(name, "directions", d, (), float(np.vdot(g, d)), unit))
        choice = rng.choice(leaf.size, min(coordinates, leaf.size), replace=False)
        choice[:1] = np.abs(g).argmax()
        for i in dict.fromkeys(choice.tolist()):
            where = tuple(map(int, np.unravel_index(i, leaf.shape)))
            d = np.zeros(leaf.shape)
            d[where] = 1
            probes.append(Probe(name, "coordinates", d, where, float(g[where]), unit))
    return probes


def rms(leaf: np.ndarray) -> float:
    """Return the root mean square of a leaf; 0 for an empty leaf."""
    largest = np.abs(leaf).max(initial=0.0)  # whose square may underflow
    return float(largest * np.sqrt(((leaf / largest) ** 2).mean())) if largest else 0.0


def shift(point: Any, probe: Probe, h: complex) -> Any:
    """Move one leaf of the point by h units along its direction."""
    leaves, tree = jax.tree.flatten(point)
    i = list(named_leaves(point)).index(probe.leaf)
    leaves[i] = leaves[i] + h * probe.unit * probe.direction
    return tree.unflatten(leaves)


def flat(tree: Any) -> np.ndarray:
    """Return all numbers of a tree."""
    leaves = [np.asarray(leaf).ravel() for leaf in jax.tree.leaves(tree)]
    return np.concatenate(leaves) if leaves else np.zeros(0)
