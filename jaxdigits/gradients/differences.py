"""Differences: a witness that knows nothing of derivatives.

The output y is contracted with ∂L/∂y = ȳ to one number.  Moving one leaf of the point along d
changes it by (central difference of step h [1]; complex step [2], exact to rounding, for an
analytic function)

    ⟨ȳ, y(p + h d) − y(p − h d)⟩ / 2h         Im ⟨ȳ, y(p + i h d)⟩ / h

and a gradient g says that it is ⟨g, d⟩.  Along random directions every number of a leaf is
tested at once; along coordinates, a few of them by themselves.

A difference that disagrees is taken again with a shorter step: only a kink or a jump between
p − h d and p + h d goes away by that, a wrong gradient stays.  Where p itself lies on a kink
(a rectifier at 0) the slopes to both sides stay apart however short the step, and the
witness says nothing.  It says nothing either where y does not move at all and the other
witness agrees with the gradient: then y is a step function, and the gradient a surrogate.

[1] Griewank & Walther, Evaluating Derivatives, SIAM 2008, doi:10.1137/1.9780898717761.
[2] Martins, Sturdza & Alonso, ACM Trans. Math. Softw. 29(3), 2003, doi:10.1145/838250.838251.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from jaxdigits.gradients.probes import (
    Differences,
    Finding,
    Probe,
    choose,
    flat,
    groups,
    moved,
    verdict,
)
from jaxdigits.gradients.report import NOT_APPLICABLE, Row
from jaxdigits.gradients.subjects import Outcome
from jaxdigits.tree import named_leaves

SHORTER = (0.1, 0.01)  # of the step, if a difference disagrees
IMAGINARY = 1e-30  # a complex step subtracts nothing, so it can be as short as one likes
ROUNDING = 16 * np.finfo(np.float64).eps  # relative, of an output behind some layers


@np.errstate(invalid="ignore", over="ignore")  # an output that is not finite is a finding
def by_differences(
    evaluate: Callable[[Any], Any], point: Any, outcome: Outcome, options: Differences
) -> tuple[Row, ...]:
    """Rows for the gradient `outcome.hand` from central differences.

    Args:
      evaluate: point -> y.
      point: the point, leaves in float64.
      outcome: what the program of the subject returned there.
      options: how many differences, and how.
    """
    y, y_bar = flat(outcome.y), flat(outcome.y_bar)

    def difference(probe: Probe, step: float) -> tuple[Finding, float]:
        """What it finds, and how far apart the slopes to both sides are."""
        up, down = (flat(evaluate(moved(point, probe, h))) for h in (step, -step))
        h = step * probe.unit
        apart = float(np.abs(y_bar) @ np.abs(up - 2 * y + down)) / h
        noise = ROUNDING * float(np.abs(y_bar) @ np.abs(y)) / h
        quotient = float(y_bar @ (up - down)) / (2 * h)
        return Finding(probe, quotient, False, not np.array_equal(up, down), noise), apart

    def settled(found: Finding, scale: float) -> Finding:
        """With shorter steps, for as long as it disagrees."""
        off, apart, was_apart = 0.0, 0.0, 0.0
        for shorter in (None, *SHORTER):
            if shorter:
                was_apart = apart
                found, apart = difference(found.probe, options.step * shorter)
            if found.error(scale, options.tolerance) <= options.tolerance:
                return found
            off = abs(found.quotient - found.probe.slope)
        return found._replace(kink=off <= apart and apart > 0.5 * was_apart)

    first = [difference(p, options.step)[0] for p in choose(point, outcome.hand, options)]
    return tuple(
        verdict([settled(f, scale) for f in group], scale, options.tolerance, outcome.reference)
        for scale, group in groups(first)
    )


def by_complex_step(
    value: Callable[[Any], Any],
    point: Any,
    outcome: Outcome,
    options: Differences,
    tolerance: float,
) -> tuple[Row, ...]:
    """Rows for the gradient from complex steps.

    A function that takes no complex numbers has rows that say so.
    """
    compiled = jax.jit(value, compiler_options={"xla_backend_optimization_level": 0})
    start = jax.tree.map(lambda leaf: np.asarray(leaf, np.complex128), point)
    y_bar, findings = flat(outcome.y_bar), []
    for probe in choose(point, outcome.hand, options):
        try:
            up = flat(compiled(moved(start, probe, 1j * IMAGINARY)))
        except (TypeError, ValueError, NotImplementedError) as error:
            note = f"no complex numbers: {str(error).strip().splitlines()[0]}"
            return not_applicable(list(named_leaves(point)), note, "complex step")
        slope = float(y_bar @ np.imag(up)) / (IMAGINARY * probe.unit)
        findings.append(Finding(probe._replace(witness="complex step"), slope))
    return tuple(
        verdict(group, scale, tolerance, outcome.reference) for scale, group in groups(findings)
    )


def not_applicable(
    leaves: Sequence[str], note: str, witness: str = "directions"
) -> tuple[Row, ...]:
    """A row for each leaf that says that no difference was taken, and why."""
    row = Row("", 0.0, 1.0, (), witness, verdict=NOT_APPLICABLE, note=note)
    return tuple(row._replace(leaf=leaf) for leaf in leaves)
