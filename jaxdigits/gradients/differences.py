"""Differences: a witness that knows nothing of derivatives.

The output y is contracted with ∂L/∂y = ȳ to one number.  Moving one leaf of the point along d
changes it by (central difference of step h [1]; complex step [2], exact to rounding, for an
analytic function)

    ⟨ȳ, y(p + h d) − y(p − h d)⟩ / 2h         Im ⟨ȳ, y(p + i h d)⟩ / h

and a gradient g predicts ⟨g, d⟩.  Random directions test every number of a leaf at once;
coordinates test a few of them independently.

A difference that disagrees is taken again with a shorter step: only a kink or a jump between
p − h d and p + h d goes away by that, a wrong gradient stays.  Where p itself lies on a kink
(a rectifier at 0) the slopes to both sides stay apart however short the step, and the
witness does not apply.  It does not apply either where y does not move at all and the other
witness agrees with the gradient: then y is a step function, and the gradient a surrogate.

[1] Griewank & Walther, Evaluating Derivatives, SIAM 2008, doi:10.1137/1.9780898717761.
[2] Martins, Sturdza & Alonso, ACM Trans. Math. Softw. 29(3), 2003, doi:10.1145/838250.838251.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxdigits.gradients.compare import FLOOR
from jaxdigits.gradients.report import AGREES, DIFFERS, NOT_APPLICABLE, Row
from jaxdigits.gradients.subjects import Outcome
from jaxdigits.tree import cosine, named_leaves

SEED = 271828  # of the directions: as for ∂L/∂y, a seed that no input was drawn with
SHORTER = (0.1, 0.01)  # of the step, if a difference disagrees
IMAGINARY = 1e-30  # a complex step subtracts nothing, so it can be as short as one likes
ROUNDING = 16 * np.finfo(np.float64).eps  # relative, of an output behind some layers


@dataclass(frozen=True)
class Differences:
    """The options of the differences.

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
            raise ValueError("directions and coordinates must be >= 0, and one of them > 0, "
                             f"got {self.directions} and {self.coordinates}")  # fmt: skip
        for name in ("step", "tolerance"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}")


class Probe(NamedTuple):
    """One direction in which one leaf moves."""

    leaf: str
    witness: str  # "directions" or "coordinates"
    direction: np.ndarray  # d, in the leaf's shape
    where: tuple[int, ...]  # the coordinate; () for all of them
    slope: float  # ⟨g, d⟩, by the gradient
    unit: float  # of the step: the size of the leaf's numbers


class Finding(NamedTuple):
    """The result of one difference."""

    probe: Probe
    quotient: float
    kink: bool = False  # whether the slopes to both sides stay apart
    response: bool = True  # whether y changes at all
    noise: float = 0.0  # the error of the quotient by rounding

    def error(self, scale: float, tolerance: float) -> float:
        """Return |quotient − slope| in units of `scale`, or of the noise if that is larger."""
        difference = abs(self.quotient - self.probe.slope)
        size = scale + self.noise / tolerance
        if not np.isfinite(difference) or not size:
            return np.inf if difference else 0.0
        return float(difference / size)


@np.errstate(invalid="ignore", over="ignore")  # an output that is not finite is a finding
def by_differences(evaluate: Callable, point: Any, outcome: Outcome, options: Differences):
    """Return rows for the gradient `outcome.hand` at a point, from evaluate: point -> y."""
    y, y_bar = flat(outcome.y), flat(outcome.y_bar)

    def difference(probe: Probe, step: float) -> tuple[Finding, float]:
        """(the finding, the gap between the slopes to both sides)"""
        up, down = (flat(evaluate(shift(point, probe, h))) for h in (step, -step))
        h = step * probe.unit
        gap = float(np.abs(y_bar) @ np.abs(up - 2 * y + down)) / h
        noise = ROUNDING * float(np.abs(y_bar) @ np.abs(y)) / h
        quotient = float(y_bar @ (up - down)) / (2 * h)
        return Finding(probe, quotient, False, not np.array_equal(up, down), noise), gap

    def refine(finding: Finding, scale: float) -> Finding:
        """Repeat a difference with shorter steps, for as long as it disagrees."""
        error, gap, last_gap = 0.0, 0.0, 0.0
        for factor in (None, *SHORTER):
            if factor:
                last_gap = gap
                finding, gap = difference(finding.probe, options.step * factor)
            if finding.error(scale, options.tolerance) <= options.tolerance:
                return finding
            error = abs(finding.quotient - finding.probe.slope)
        return finding._replace(kink=error <= gap and gap > 0.5 * last_gap)

    findings = [difference(p, options.step)[0] for p in probes(point, outcome.hand, options)]
    return tuple(
        verdict([refine(f, scale) for f in group], scale, options.tolerance, outcome.reference)
        for scale, group in groups(findings)
    )


def by_complex_step(
    value: Callable, point: Any, outcome: Outcome, options: Differences, tolerance: float
) -> tuple[Row, ...]:
    """Return rows from complex steps; "not applicable" if `value` takes no complex numbers."""
    compiled = jax.jit(value, compiler_options={"xla_backend_optimization_level": 0})
    start = jax.tree.map(lambda leaf: np.asarray(leaf, np.complex128), point)
    y_bar, findings = flat(outcome.y_bar), []
    for probe in probes(point, outcome.hand, options):
        try:
            up = flat(compiled(shift(start, probe, 1j * IMAGINARY)))
        except (TypeError, ValueError, NotImplementedError) as error:
            note = f"no complex numbers: {str(error).strip().splitlines()[0]}"
            return not_applicable(point, note, "complex step")
        slope = float(y_bar @ np.imag(up)) / (IMAGINARY * probe.unit)
        findings.append(Finding(probe._replace(witness="complex step"), slope))
    return tuple(
        verdict(group, scale, tolerance, outcome.reference) for scale, group in groups(findings)
    )


def not_applicable(point: Any, note: str, witness: str = "directions") -> tuple[Row, ...]:
    """Return a row per leaf that gives the reason why no difference was taken."""
    row = Row("", 0.0, 1.0, (), witness, verdict=NOT_APPLICABLE, note=note)
    return tuple(row._replace(leaf=leaf) for leaf in named_leaves(point))


def probes(point: Any, gradient: Any, options: Differences) -> list[Probe]:
    """Return the probes of every leaf whose gradient is finite; the same for each call."""
    rng, slopes, probes = np.random.default_rng(SEED), named_leaves(gradient), []
    for name, leaf in named_leaves(point).items():
        g = np.asarray(slopes[name])
        if not leaf.size or not np.isfinite(g).all():
            continue
        size = unit(leaf)
        for _ in range(options.directions):
            d = rng.standard_normal(leaf.shape)
            probes.append(Probe(name, "directions", d, (), float(np.vdot(g, d)), size))
        choice = rng.choice(leaf.size, min(options.coordinates, leaf.size), replace=False)
        choice[:1] = np.abs(g).argmax()
        for i in dict.fromkeys(choice.tolist()):
            where = tuple(map(int, np.unravel_index(i, leaf.shape)))
            d = np.zeros(leaf.shape)
            d[where] = 1
            probes.append(Probe(name, "coordinates", d, where, float(g[where]), size))
    return probes


def unit(leaf: np.ndarray) -> float:
    """Return the root mean square of a leaf; 1 for zeros and for an empty leaf."""
    return float(np.sqrt((leaf**2).mean())) or 1.0 if leaf.size else 1.0


def shift(point: Any, probe: Probe, h: complex) -> Any:
    """Move one leaf of the point by h units along its direction."""
    leaves, tree = jax.tree.flatten(point)
    i = list(named_leaves(point)).index(probe.leaf)
    leaves[i] = leaves[i] + h * probe.unit * probe.direction
    return tree.unflatten(leaves)


def groups(findings: Sequence[Finding]) -> list[tuple[float, list[Finding]]]:
    """Return (scale, findings) for each leaf and witness.

    The scale is the largest slope on which difference and gradient agree in size, so neither
    a jump nor a wrong gradient makes it large; at least `FLOOR` of the scale of all leaves.
    """
    size = lambda f: np.isfinite(f.quotient) and min(abs(f.quotient), abs(f.probe.slope))
    floor, by_leaf = FLOOR * max(map(size, findings), default=0.0), {}
    for f in findings:
        by_leaf.setdefault((f.probe.leaf, f.probe.witness), []).append(f)
    return [(max(*map(size, group), floor), group) for group in by_leaf.values()]


def verdict(group: Sequence[Finding], scale: float, tolerance: float, reference: Any) -> Row:
    """Return the row of one leaf and witness."""
    leaf, witness = group[0].probe.leaf, group[0].probe.witness
    smooth = [f for f in group if not f.kink]
    note = "" if smooth else "the output has a kink or a jump here"
    still = not any(f.response for f in group) and any(f.probe.slope for f in group)
    # A step function, where the other witness agrees with the gradient: a surrogate.
    if still and (reference is None or np.any(named_leaves(reference)[leaf])):
        note = "no small change of it shows in the output"
    if note:
        return Row(leaf, 0.0, 1.0, (), witness, tolerance, NOT_APPLICABLE, note)
    errors = [f.error(scale, tolerance) for f in smooth]
    worst = int(np.argmax(errors))
    quotients = np.array([f.quotient for f in smooth])
    slopes = np.array([f.probe.slope for f in smooth])
    # Where both are no larger than rounding, their cosine means nothing.
    rounding = max(scale * tolerance, *(f.noise for f in smooth))
    noise = max(*abs(quotients), *abs(slopes)) <= rounding
    note = "" if np.isfinite(quotients).all() else "the output is not finite nearby"
    angle = 1.0 if noise else 0.0 if note else cosine(slopes, quotients)
    verdict = AGREES if errors[worst] <= tolerance and not note else DIFFERS
    where = smooth[worst].probe.where
    return Row(leaf, errors[worst], angle, where, witness, tolerance, verdict, note)


def flat(tree: Any) -> np.ndarray:
    """Return all numbers of a tree."""
    leaves = [np.asarray(leaf).ravel() for leaf in jax.tree.leaves(tree)]
    return np.concatenate(leaves) if leaves else np.zeros(0)
