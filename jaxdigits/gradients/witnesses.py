"""One subject before all its witnesses: the reference, differences, the soft twin."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxdigits.gradients.compare import compare, not_finite, require_alike
from jaxdigits.gradients.differences import (
    by_complex_step,
    by_differences,
    not_applicable,
)
from jaxdigits.gradients.held import holds, released_gradient
from jaxdigits.gradients.probes import Differences, flat, unit
from jaxdigits.gradients.report import AGREES, DIFFERS, Report, Row, Spiking, summarise
from jaxdigits.gradients.subjects import Outcome, Subject
from jaxdigits.tree import named_leaves

NOISE = 1e-5  # at a tolerance of 1e-10, some eight times the precision of float64
HARD = "a hard threshold's difference quotient is zero or infinite; ask the soft twin"
OUTPUT = "output when differentiated"
RELEASED = "with stop_gradient lifted"


def hear(
    subject: Subject,
    tolerance: float,
    differences: Differences | None,
    soft: Subject | None = None,
    steps: int | None = None,
) -> Report:
    """The report of what the witnesses say; arguments as for `check`."""
    if not tolerance > 0:
        raise ValueError(f"tolerance must be > 0, got {tolerance}")
    with jax.enable_x64(True):
        rows, spiking = _of(subject, tolerance, differences, steps)
        if soft:
            rows += _of_soft(soft, tolerance, differences)
    return summarise(rows, spiking, tolerance, subject.aside)


def _of(
    subject: Subject, tolerance: float, differences: Differences | None, steps: int | None
) -> tuple[list[Row], list[Spiking]]:
    # Compiled for few runs on small arrays: optimising it would take longer than running it.
    options = {"xla_backend_optimization_level": 0}
    traced = jax.jit(subject.program, compiler_options=options).trace(subject.point)
    program = traced.lower().compile()
    outcome = program(subject.point)
    spiking = [Spiking(float(r), float(a), bool(h)) for r, a, h in outcome.spiking]
    rows = _by_reference(subject, outcome, tolerance, steps)
    if differences and any(layer.hard for layer in spiking):
        rows += not_applicable(list(named_leaves(subject.point)), HARD)
    elif differences:
        evaluate = lambda point: program(point).y
        told = by_differences(evaluate, subject.point, outcome, differences)
        if holds(traced) and any(_is_contradicted(row, rows) for row in told):
            told = _without_holding(subject, evaluate, outcome, differences, told, rows)
        rows += told
    if differences and differences.complex_step:
        rows += by_complex_step(subject.value, subject.point, outcome, differences, tolerance)
    return rows + _of_the_rules_output(outcome, tolerance), spiking


def _of_soft(soft: Subject, tolerance: float, differences: Differences | None) -> list[Row]:
    rows, spiking = _of(soft, tolerance, differences or Differences(), None)
    if any(layer.hard for layer in spiking):
        raise ValueError("the soft twin fires whole spikes: build it with soft_twin(surrogate)")
    return [row._replace(witness=f"soft {row.witness}") for row in rows]


def _by_reference(
    subject: Subject, outcome: Outcome, tolerance: float, steps: int | None
) -> list[Row]:
    """The rows of the first witness: the gradient, then the output if there are two."""
    if outcome.reference is None:
        hand = named_leaves(outcome.hand)
        require_alike(hand, named_leaves(subject.point), subject.sides)
        rows = [not_finite(name, np.asarray(g), subject.sides[0]) for name, g in hand.items()]
        return [row._replace(witness="directions") for row in rows if row]
    steps = steps or max(map(len, outcome.series), default=None)
    how: dict[str, Any] = dict(
        tolerance=tolerance, witness=subject.witness, sides=subject.sides
    )
    floors = _floors(subject.point, outcome)
    rows = compare(outcome.hand, outcome.reference, steps=steps, floors=floors, **how)
    if outcome.y_reference is not None:
        rows += compare({"output": outcome.y}, {"output": outcome.y_reference}, **how)
    return list(rows)


def _of_the_rules_output(outcome: Outcome, tolerance: float) -> list[Row]:
    """A row for the output that a rule of one's own gives, if it is not the function's."""
    if outcome.y_differentiated is None:
        return []
    ours, theirs = {OUTPUT: outcome.y_differentiated}, {OUTPUT: outcome.y}
    sides = ("when differentiated", "when called")
    rows = compare(ours, theirs, tolerance=tolerance, witness="the function", sides=sides)
    return [row for row in rows if row.verdict == DIFFERS]


def _floors(point: Any, outcome: Outcome) -> dict[str, float]:
    """Below what size the gradient of a leaf is rounding, since ∂⟨ȳ, y⟩/∂p ~ |ȳ y| / |p|."""
    with np.errstate(invalid="ignore", over="ignore"):
        size = np.linalg.norm(flat(outcome.y_bar) * flat(outcome.y))
    if not np.isfinite(size):
        return {}
    return {
        name: NOISE * float(size) / unit(leaf) for name, leaf in named_leaves(point).items()
    }


def _is_contradicted(row: Row, first: list[Row]) -> bool:
    """Whether a difference contradicts a gradient that the first witness confirms."""
    confirmed = any(r.leaf == row.leaf and r.verdict == AGREES for r in first)
    return row.verdict == DIFFERS and confirmed


def _without_holding(
    subject: Subject,
    evaluate: Callable[[Any], Any],
    outcome: Outcome,
    differences: Differences,
    told: tuple[Row, ...],
    first: list[Row],
) -> tuple[Row, ...]:
    """The rows again, for the gradient that holds nothing constant where the program does."""
    free = released_gradient(subject.value, subject.point, outcome.y_bar)
    again = by_differences(evaluate, subject.point, outcome._replace(hand=free), differences)
    return tuple(
        new._replace(note=new.note or RELEASED) if _is_contradicted(row, first) else row
        for row, new in zip(told, again, strict=True)
    )
