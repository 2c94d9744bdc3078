"""One subject before all its witnesses: the reference, differences, the soft twin.

A gradient that holds a reset constant (`stop_gradient`) is not the derivative of its forward
pass, so differences contradict it, rightly.  Two comparisons together still judge it: the
gradient by hand with JAX's, both held; and JAX's of the same program, nothing held, with
differences.  All that remains between the two are the stops, and they are in the program.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.extend import core
from jax.extend.core import primitives as pr

from jaxdigits.gradients import differences as df
from jaxdigits.gradients.compare import compare, not_finite, require_alike
from jaxdigits.gradients.report import AGREES, DIFFERS, Report, Spiking, summarise
from jaxdigits.gradients.subjects import Outcome, Subject
from jaxdigits.tree import named_leaves

NOISE = 1e-5  # at a tolerance of 1e-10, some eight times the precision of float64
HARD = "a hard threshold's difference quotient is zero or infinite; ask the soft twin"
WITHOUT_STOPS = "with stop_gradient lifted"


def examine(
    subject: Subject, tolerance: float, differences: df.Differences | None,
    soft: Subject | None = None, steps: int | None = None,
) -> Report:  # fmt: skip
    """Compare a subject with its witnesses; arguments as for `check`."""
    if not tolerance > 0:
        raise ValueError(f"tolerance must be > 0, got {tolerance}")
    with jax.enable_x64(True):
        rows, spiking = _rows(subject, tolerance, differences, steps)
        if soft:
            soft_rows, layers = _rows(soft, tolerance, differences or df.Differences(), None)
            if any(layer.hard for layer in layers):
                raise ValueError("the soft twin fires whole spikes: build it with "
                                 "soft_twin(surrogate)")  # fmt: skip
            rows += [row._replace(witness=f"soft {row.witness}") for row in soft_rows]
    return summarise(rows, spiking, tolerance, subject.constants)


def _rows(subject: Subject, tolerance: float, differences: df.Differences | None, steps: Any):
    """Return the rows of a subject, and the activity of its spiking layers."""
    point = subject.point
    # Compiled for few runs on small arrays: optimising it would take longer than running it.
    options = {"xla_backend_optimization_level": 0}
    traced = jax.jit(subject.program, compiler_options=options).trace(point)
    program = traced.lower().compile()
    outcome = program(point)
    spiking = [Spiking(float(r), float(a), bool(h)) for r, a, h in outcome.spiking]
    rows = _by_reference(subject, outcome, tolerance, steps)
    if differences and any(layer.hard for layer in spiking):
        rows += df.not_applicable(point, HARD)
    elif differences:
        evaluate = lambda point: program(point).y
        quotients = df.by_differences(evaluate, point, outcome, differences)
        confirmed = {row.leaf for row in rows if row.verdict == AGREES}
        contradicts = lambda row: row.verdict == DIFFERS and row.leaf in confirmed
        if has_stop_gradient(traced) and any(map(contradicts, quotients)):
            gradient = gradient_without_stops(subject.value, point, outcome.y_bar)
            free = outcome._replace(hand=gradient)
            free_quotients = df.by_differences(evaluate, point, free, differences)
            quotients = [
                new._replace(note=new.note or WITHOUT_STOPS) if contradicts(row) else row
                for row, new in zip(quotients, free_quotients, strict=True)
            ]
        rows += quotients
    if differences and differences.complex_step:
        rows += df.by_complex_step(subject.value, point, outcome, differences, tolerance)
    if outcome.y_vjp is not None:  # a rule that returns another output than its function
        sides: Any = dict(witness="the function", sides=("when differentiated", "when called"))
        name = "output when differentiated"
        output = compare({name: outcome.y_vjp}, {name: outcome.y}, tolerance=tolerance, **sides)
        rows += [row for row in output if row.verdict == DIFFERS]
    return rows, spiking


def _by_reference(subject: Subject, outcome: Outcome, tolerance: float, steps: int | None):
    """Return the rows of the first witness: the gradient, then the output if there are two."""
    if outcome.reference is None:
        hand = named_leaves(outcome.hand)
        require_alike(hand, named_leaves(subject.point), subject.sides)
        rows = [not_finite(name, np.asarray(g), subject.sides[0]) for name, g in hand.items()]
        return [row._replace(witness="directions") for row in rows if row]
    sides: Any = dict(tolerance=tolerance, witness=subject.witness, sides=subject.sides)
    steps = steps or max(map(len, outcome.series), default=None)
    floors = _floors(subject.point, outcome)
    rows = compare(outcome.hand, outcome.reference, steps=steps, floors=floors, **sides)
    if outcome.y_reference is not None:
        rows += compare({"output": outcome.y}, {"output": outcome.y_reference}, **sides)
    return list(rows)


def _floors(point: Any, outcome: Outcome) -> dict[str, float]:
    """Return, by leaf, the size of rounding in its gradient: ∂⟨ȳ, y⟩/∂p ~ |ȳ y| / |p|."""
    with np.errstate(invalid="ignore", over="ignore"):
        size = np.linalg.norm(df.flat(outcome.y_bar) * df.flat(outcome.y))
    leaves = named_leaves(point).items() if np.isfinite(size) else ()
    return {name: NOISE * float(size) / df.unit(leaf) for name, leaf in leaves}


def has_stop_gradient(traced: Any) -> bool:
    """Check whether a traced program holds anything constant."""
    return "stop_gradient" in str(traced.jaxpr)


def gradient_without_stops(value: Callable[[Any], Any], point: Any, y_bar: Any) -> Any:
    """Return ∂⟨ȳ, value(point)⟩/∂point by JAX, with nothing held constant."""
    leaves, tree = jax.tree.flatten(point)
    program = core.jaxpr_as_fun(_without_stops(jax.make_jaxpr(value)(point)))
    backward = lambda leaves, y_bars: jax.vjp(program, *leaves)[1](y_bars)
    options = {"xla_backend_optimization_level": 0}
    bars = jax.jit(backward, compiler_options=options)(leaves, jax.tree.leaves(y_bar))
    return tree.unflatten(bars)


def _without_stops(program: Any) -> Any:
    """Rewrite a program, and the programs in its loops and branches."""
    # From jax 0.11 on a closed program is its own `jaxpr`.
    if isinstance(program, core.ClosedJaxpr) and program.jaxpr is not program:
        return program.replace(jaxpr=_without_stops(program.jaxpr))
    if isinstance(program, core.Jaxpr):
        return program.replace(eqns=[_equation_without_stops(eqn) for eqn in program.eqns])
    return tuple(map(_without_stops, program)) if isinstance(program, tuple) else program


def _equation_without_stops(eqn: Any) -> Any:
    if eqn.primitive is pr.stop_gradient_p:
        return eqn.replace(primitive=pr.copy_p)
    if eqn.primitive is pr.custom_jvp_call_p and has_stop_gradient(eqn.params["call_jaxpr"]):
        # Its derivative is a function, which holds the same and cannot be rewritten.
        body = _without_stops(eqn.params["call_jaxpr"])
        return eqn.replace(primitive=pr.closed_call_p, params={"call_jaxpr": body})
    return eqn.replace(params={name: _without_stops(v) for name, v in eqn.params.items()})
