"""Differences: a witness that knows nothing of derivatives.

The output y is contracted with ∂L/∂y = ȳ to one number.  Moving one leaf of the point along d
changes it by (central difference of step h [1]; complex step [2], exact to rounding, for an
analytic function)

    ⟨ȳ, y(p + h d) − y(p − h d)⟩ / 2h         Im ⟨ȳ, y(p + i h d)⟩ / h

and a gradient g predicts ⟨g, d⟩.  Random directions test every number of a leaf at once;
coordinates test a few of them independently.

A difference that disagrees is taken again with a shorter step, for as long as the error falls
with the step (as h², where the step is short enough), until rounding is as large as the error.
A wrong gradient stays.  Where p itself lies on a kink (a rectifier at 0) the slopes to both
sides stay apart however short the step, and the witness does not apply.  A direction is then
halved until the kink is in single numbers: they do not excuse the rest of the leaf.  The
witness does not apply either where rounding hides the slope, and where y does not move at all
and the other witness agrees with the gradient: then y is a step function, and the gradient a
surrogate.

[1] Griewank & Walther, Evaluating Derivatives, SIAM 2008, doi:10.1137/1.9780898717761.
[2] Martins, Sturdza & Alonso, ACM Trans. Math. Softw. 29(3), 2003, doi:10.1145/838250.838251.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxdigits.gradients.compare import ZERO
from jaxdigits.gradients.probes import SEED, Probe, flat, probes, shift
from jaxdigits.gradients.report import AGREES, DIFFERS, NOT_APPLICABLE, Row
from jaxdigits.gradients.subjects import Outcome
from jaxdigits.tree import cosine, named_leaves

SHORTER, SHORTEST = 0.1, 12  # each step, if a difference disagrees; at most so many steps
FALLS = 0.2  # of the last error, at most: 0.01 for a smooth function, more behind its noise
LONGER = (10, 100, 1e3, 1e4)  # steps, if rounding hides the slope
SPLITS = 24  # of a direction with a kink in it
IMAGINARY = 1e-30  # a complex step subtracts nothing, so it can be as short as one likes
EPS = np.finfo(np.float64).eps
ROUNDING = 16 * EPS  # relative, of an output behind some layers
HIDDEN = 1e-3  # rounding of the quotient, in units of the slope, that hides a mistake


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


class Finding(NamedTuple):
    """The result of one difference."""

    probe: Probe
    quotient: float
    kink: bool = False  # whether the slopes to both sides stay apart
    response: bool = True  # whether y changes at all
    noise: float = 0.0  # the error of the quotient by rounding

    @property
    def size(self) -> float:
        """Return the slope on which difference and gradient agree in size."""
        finite = np.isfinite(self.quotient)
        return float(min(abs(self.quotient), abs(self.probe.slope))) if finite else 0.0

    def hidden(self, scale: float) -> bool:
        """Check whether rounding hides the slope."""
        return HIDDEN * max(abs(self.quotient), abs(self.probe.slope), scale) <= self.noise

    def agrees(self, scale: float, tolerance: float) -> bool:
        """Check whether the slope is seen, and right."""
        return self.error(scale, tolerance) <= tolerance and not self.hidden(scale)

    def error(self, scale: float, tolerance: float) -> float:
        """Return |quotient − slope| in units of `scale`, or of the noise if that is larger."""
        difference = abs(self.quotient - self.probe.slope)
        size = max(scale, self.size) + self.noise / tolerance
        if not np.isfinite(difference) or not size:
            return np.inf if difference else 0.0
        return float(difference / size)


class Function(NamedTuple):
    """The function that is differentiated, near its point, contracted with ∂L/∂y."""

    evaluate: Callable  # point -> y
    point: Any
    outcome: Outcome
    options: Differences

    def difference(self, probe: Probe, step: float, grain: float) -> tuple[Finding, float]:
        """Return the finding, and the gap between the slopes to both sides."""
        y, y_bar = flat(self.outcome.y), flat(self.outcome.y_bar)
        up, down = (flat(self.evaluate(shift(self.point, probe, h))) for h in (step, -step))
        h = step * probe.unit
        gap = float(np.abs(y_bar) @ np.abs(up - 2 * y + down)) / h
        noise = (ROUNDING * float(np.abs(y_bar) @ np.abs(y)) + grain) / h
        quotient = float(y_bar @ (up - down)) / (2 * h)
        return Finding(probe, quotient, False, not np.array_equal(up, down), noise), gap

    def grain(self, probe: Probe) -> float:
        """Return the rounding of y behind this function's condition: its change by a jitter."""
        rng, changes = np.random.default_rng(SEED), []
        size = EPS * np.abs(named_leaves(self.point)[probe.leaf]) * (probe.direction != 0)
        y, weight = flat(self.outcome.y), np.abs(flat(self.outcome.y_bar))
        for _ in range(4):  # the least: a jump at the point is no rounding
            jitter = probe._replace(direction=size * rng.standard_normal(size.shape))
            moved = flat(self.evaluate(shift(self.point, jitter, 1 / probe.unit)))
            changes.append(weight @ np.abs(moved - y))
        return 4 * float(np.nan_to_num(min(changes), posinf=0))

    def refine(self, finding: Finding, scale: float) -> Finding:
        """Repeat a difference with shorter steps, for as long as its error falls."""
        tolerance, probe, step = self.options.tolerance, finding.probe, self.options.step
        if finding.agrees(scale, tolerance):
            return finding
        for factor in LONGER if finding.hidden(scale) else ():
            longer, _ = self.difference(probe, factor * step, 0.0)
            if longer.agrees(scale, tolerance):
                return longer
        grain, error, gap, ratio = self.grain(probe), np.inf, np.inf, 0.0
        for i in range(SHORTEST):
            last_error, last_gap = error, gap
            finding, gap = self.difference(probe, step, grain)
            if finding.error(scale, tolerance) <= tolerance:
                return finding
            error, ratio = abs(finding.quotient - probe.slope), gap / (last_gap or 1.0)
            if i > 1 and error > FALLS * last_error:
                break
            step *= SHORTER
        # A jump lets the gap grow as 1/h; at a kink, any slope between both sides is one.  The
        # gaps of several numbers may cancel, so their direction decides nothing.
        bent = ratio > 0.5 and gap > max(0.01 * error, 2 * finding.noise)
        single = np.count_nonzero(probe.direction) < 2
        kink = bent and (not single or error <= gap * (1.0 if ratio > 2 else 0.6))
        return finding._replace(kink=bool(kink))

    def settle(self, finding: Finding, scale: float, splits: list[int]) -> list[Finding]:
        """Refine a difference; where it has a kink, halve its direction."""
        finding = self.refine(finding, scale)
        probe, numbers = finding.probe, np.flatnonzero(finding.probe.direction)
        if not finding.kink or len(numbers) < 2 or not splits:
            return [finding]
        splits.pop()
        slopes = np.asarray(named_leaves(self.outcome.hand)[probe.leaf])
        parts = []
        for half in np.array_split(numbers, 2):
            d = np.zeros_like(probe.direction)
            d.flat[half] = probe.direction.flat[half]
            part = probe._replace(direction=d, slope=float(np.vdot(slopes, d)))
            first, _ = self.difference(part, self.options.step, 0.0)
            parts += self.settle(first, scale, splits)
        return parts


@np.errstate(all="ignore")  # an output that is not finite is a finding
def by_differences(evaluate: Callable, point: Any, outcome: Outcome, options: Differences):
    """Return rows for the gradient `outcome.hand` at a point, from evaluate: point -> y."""
    function, rows = Function(evaluate, point, outcome, options), []
    counts = options.directions, options.coordinates
    directions = probes(point, outcome, *counts)
    steps = [function.difference(probe, options.step, 0.0)[0] for probe in directions]
    for scale, group in groups(steps):
        splits = [0] * SPLITS
        findings = [part for f in group for part in function.settle(f, scale, splits)]
        rows.append(verdict(findings, options.tolerance, outcome.reference))
    return tuple(rows)


def by_complex_step(
    value: Callable, point: Any, outcome: Outcome, options: Differences, tolerance: float,
    noise: dict[str, float],
) -> tuple[Row, ...]:  # fmt: skip
    """Return rows from complex steps; "not applicable" if `value` takes no complex numbers.

    `noise` has the rounding of the gradient by leaf.
    """
    compiled = jax.jit(value, compiler_options={"xla_backend_optimization_level": 0})
    start = jax.tree.map(lambda leaf: np.asarray(leaf, np.complex128), point)
    y_bar, findings = flat(outcome.y_bar), []
    counts = options.directions, options.coordinates
    for probe in probes(point, outcome, *counts):
        try:
            up = flat(compiled(shift(start, probe, 1j * IMAGINARY)))
        except (TypeError, ValueError, NotImplementedError) as error:
            note = f"no complex numbers: {str(error).strip().splitlines()[0]}"
            return not_applicable(point, note, "complex step")
        change = np.imag(up) / (IMAGINARY * probe.unit)
        slope = float(y_bar @ change)
        rounding = noise.get(probe.leaf, 0.0) * float(np.abs(probe.direction).sum())
        rounding += ROUNDING * float(np.abs(y_bar) @ np.abs(change))
        probe = probe._replace(witness="complex step")
        findings.append(Finding(probe, slope, noise=rounding))
    return tuple(verdict(g, tolerance, outcome.reference) for _, g in groups(findings))


def not_applicable(point: Any, note: str, witness: str = "directions") -> tuple[Row, ...]:
    """Return a row per leaf that gives the reason why no difference was taken."""
    row = Row("", 0.0, 1.0, (), witness, verdict=NOT_APPLICABLE, note=note)
    return tuple(row._replace(leaf=leaf) for leaf in named_leaves(point))


def groups(findings: Sequence[Finding]) -> list[tuple[float, list[Finding]]]:
    """Return (scale, findings) for each leaf and witness.

    The scale is the largest slope on which difference and gradient agree in size, so neither
    a jump nor a wrong gradient makes it large.
    """
    by_leaf = {}
    for f in findings:
        by_leaf.setdefault((f.probe.leaf, f.probe.witness), []).append(f)
    return [(max(f.size for f in group), group) for group in by_leaf.values()]


def verdict(group: Sequence[Finding], tolerance: float, reference: Any) -> Row:
    """Return the row of one leaf and witness."""
    leaf, witness = group[0].probe.leaf, group[0].probe.witness
    smooth = [f for f in group if not f.kink]
    row = Row(leaf, 0.0, 1.0, (), witness, tolerance, NOT_APPLICABLE)
    if not smooth:
        return row._replace(note="the output has a kink or a jump here")
    still = not any(f.response for f in group) and any(f.probe.slope for f in group)
    # A step function, where the other witness agrees with the gradient: a surrogate.
    if still and (reference is None or np.any(named_leaves(reference)[leaf])):
        return row._replace(note="no small change of it shows in the output")
    scale = max(f.size for f in smooth)
    errors = [f.error(scale, tolerance) for f in smooth]
    worst = int(np.argmax(errors))
    quotients = np.array([f.quotient for f in smooth])
    slopes = np.array([f.probe.slope for f in smooth])
    if not quotients.any() and not slopes.any():
        return row._replace(note=ZERO)
    finite = np.isfinite(quotients).all()
    agrees = errors[worst] <= tolerance and finite
    steepest = smooth[int(np.argmax(np.maximum(abs(quotients), abs(slopes))))]
    if agrees and steepest.hidden(scale):
        return row._replace(note="rounding of the output hides its slope")
    angle = cosine(slopes, quotients) if finite else 0.0
    note = "" if finite else "the output is not finite nearby"
    where, result = smooth[worst].probe.where, AGREES if agrees else DIFFERS
    return Row(leaf, errors[worst], angle, where, witness, tolerance, result, note)
