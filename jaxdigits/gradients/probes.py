"""Where differences are taken, and the verdict on what they find."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxdigits.gradients.compare import FLOOR
from jaxdigits.gradients.report import AGREES, DIFFERS, NOT_APPLICABLE, Row
from jaxdigits.tree import cosine, named_leaves

SEED = 271828  # of the directions: as for ∂L/∂y, one that nothing else was drawn with


@dataclass(frozen=True)
class Differences:
    """How differences are taken.

    Raises:
      ValueError: unless the numbers of directions and coordinates are >= 0 and not both 0, and
        step and tolerance > 0.
    """

    directions: int = 8
    """random directions per leaf"""
    coordinates: int = 4
    """coordinates per leaf: the one with the largest slope, the others at random"""
    step: float = 1e-5
    """h, in units of the leaf's root mean square: near the cube root of float64's precision,
    where the errors of cancellation and of curvature are about equally small"""
    tolerance: float = 1e-6
    """the largest relative error that agrees"""
    complex_step: bool = False
    """also take complex steps, to the tolerance of the first witness; only right for functions
    that are analytic and take complex numbers"""

    def __post_init__(self):
        if min(self.directions, self.coordinates) < 0 or not self.directions + self.coordinates:
            raise ValueError(
                "directions and coordinates must be >= 0, and one of them > 0, "
                f"got {self.directions} and {self.coordinates}"
            )
        for name in ("step", "tolerance"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}")


class Probe(NamedTuple):
    """One direction in which one leaf is moved."""

    leaf: str
    witness: str
    """"directions" or "coordinates"."""
    direction: np.ndarray
    """d, of the leaf's shape"""
    where: tuple[int, ...]
    """the coordinate; () for all of them"""
    slope: float
    """⟨g, d⟩, what the gradient says"""
    unit: float
    """of the step: the size of the leaf's numbers"""


class Finding(NamedTuple):
    """What a difference said of a probe."""

    probe: Probe
    quotient: float
    kink: bool = False
    """whether the slopes to both sides stay apart"""
    moved: bool = True
    """whether y changed at all"""
    noise: float = 0.0
    """how large rounding may make the quotient"""

    def error(self, scale: float, tolerance: float) -> float:
        """|quotient − slope|, in units of `scale`, or of the noise if that is larger."""
        off = abs(self.quotient - self.probe.slope)
        unit = scale + self.noise / tolerance
        if not np.isfinite(off) or not unit:
            return np.inf if off else 0.0
        return float(off / unit)


def choose(point: Any, gradient: Any, options: Differences) -> list[Probe]:
    """The probes of every leaf whose gradient is finite; always the same ones."""
    rng, slopes, probes = np.random.default_rng(SEED), named_leaves(gradient), []
    for name, leaf in named_leaves(point).items():
        g = np.asarray(slopes[name])
        if not leaf.size or not np.isfinite(g).all():
            continue
        size = unit(leaf)
        for _ in range(options.directions):
            d = rng.standard_normal(leaf.shape)
            probes.append(Probe(name, "directions", d, (), float(np.vdot(g, d)), size))
        chosen = rng.choice(leaf.size, min(options.coordinates, leaf.size), replace=False)
        chosen[:1] = np.abs(g).argmax()
        for i in dict.fromkeys(chosen.tolist()):
            where = tuple(int(j) for j in np.unravel_index(i, leaf.shape))
            d = np.zeros(leaf.shape)
            d[where] = 1
            probes.append(Probe(name, "coordinates", d, where, float(g[where]), size))
    return probes


def unit(leaf: np.ndarray) -> float:
    """The size of a leaf's numbers: their root mean square, or 1 if there is none."""
    return float(np.sqrt((leaf**2).mean())) or 1.0 if leaf.size else 1.0


def moved(point: Any, probe: Probe, h: complex) -> Any:
    """The point with one leaf moved by h units along its direction."""
    leaves, tree = jax.tree.flatten(point)
    i = list(named_leaves(point)).index(probe.leaf)
    leaves[i] = leaves[i] + h * probe.unit * probe.direction
    return tree.unflatten(leaves)


def groups(findings: Sequence[Finding]) -> list[tuple[float, list[Finding]]]:
    """(scale, findings) of each leaf and witness.

    The scale is the largest slope on which difference and gradient agree in size, so neither
    a jump nor a wrong gradient makes it large; at least `FLOOR` of that of all leaves.
    """
    size = lambda f: (
        min(abs(f.quotient), abs(f.probe.slope)) if np.isfinite(f.quotient) else 0.0
    )
    floor = FLOOR * max(map(size, findings), default=0.0)
    together = {}
    for f in findings:
        together.setdefault((f.probe.leaf, f.probe.witness), []).append(f)
    return [(max(*map(size, group), floor), group) for group in together.values()]


def verdict(group: Sequence[Finding], scale: float, tolerance: float, reference: Any) -> Row:
    """The row of one leaf and witness."""
    leaf, witness = group[0].probe.leaf, group[0].probe.witness
    told = [f for f in group if not f.kink]
    note = "" if told else "the output has a kink or a jump here"
    if _is_step_function(group, reference):
        note = "no small change of it shows in the output"
    if note:
        return Row(leaf, 0.0, 1.0, (), witness, tolerance, NOT_APPLICABLE, note)
    errors = [f.error(scale, tolerance) for f in told]
    worst = int(np.argmax(errors))
    quotients = np.array([f.quotient for f in told])
    slopes = np.array([f.probe.slope for f in told])
    # Where both are no larger than rounding, their direction says nothing.
    noise = max(*abs(quotients), *abs(slopes)) <= max(
        scale * tolerance, *(f.noise for f in told)
    )
    if not np.isfinite(quotients).all():
        note = "the output is not finite nearby"
    return Row(
        leaf,
        errors[worst],
        1.0 if noise else 0.0 if note else cosine(slopes, quotients),
        told[worst].probe.where,
        witness,
        tolerance,
        AGREES if errors[worst] <= tolerance and not note else DIFFERS,
        note,
    )


def flat(tree: Any) -> np.ndarray:
    """All numbers of a tree."""
    leaves = [np.asarray(leaf).ravel() for leaf in jax.tree.leaves(tree)]
    return np.concatenate(leaves) if leaves else np.zeros(0)


def _is_step_function(group: Sequence[Finding], reference: Any) -> bool:
    """Whether nothing moved, although both gradients say that it should."""
    if any(f.moved for f in group) or not any(f.probe.slope for f in group):
        return False
    return reference is None or bool(np.any(named_leaves(reference)[group[0].probe.leaf]))
