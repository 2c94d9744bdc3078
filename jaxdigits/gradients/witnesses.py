"""One subject before all its witnesses: the reference, differences, the soft twin.

A gradient that holds a reset constant (`stop_gradient`) is not the derivative of its forward
pass, so differences contradict it, rightly.  Two comparisons together still judge it: the
gradient by hand with JAX's, both held; and JAX's of the same program, nothing held, with
differences.  All that remains between the two are the stops, and they are in the program.

Rounding is measured, not guessed from the other leaves: the point is jittered by some units of
the last place, and a difference of the size of the gradient's own change is noise.  ∂L/∂y is
sent back at other scales too, to which a gradient is proportional.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax.extend import core
from jax.extend.core import primitives as pr
from jax.interpreters.partial_eval import dce_jaxpr

from jaxdigits.gradients import differences as df
from jaxdigits.gradients.compare import compare, largest, not_finite, require_alike
from jaxdigits.gradients.probes import SEED, flat, rms
from jaxdigits.gradients.report import (
    AGREES,
    DIFFERS,
    NOT_APPLICABLE,
    Report,
    Spiking,
    summarise,
)
from jaxdigits.gradients.subjects import Outcome, Subject
from jaxdigits.tree import named_leaves

JITTER, RUNS = 4 * np.finfo(np.float64).eps, 4  # of the point, to see its gradient's rounding
NOISE = 16  # allowed difference, in units of the largest change by the jitter
EXACT = 1e-10  # a smaller tolerance does not excuse rounding
CAP = 1e-14  # relative: a change by the jitter that is larger is a kink, and excuses nothing
SCALES = (2.0**60, -(2.0**60), 2.0**-60)  # of ∂L/∂y: a gradient is linear in it
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
    return summarise(rows, spiking, tolerance, subject.constants, tuple(_notes(subject.point)))


def _rows(subject: Subject, tolerance: float, differences: df.Differences | None, steps: Any):
    """Return the rows of a subject, and the activity of its spiking layers."""
    point = subject.point
    run = _compiled(subject)
    outcome = run(point, 1.0)
    spiking = [Spiking(float(r), float(a), bool(h)) for r, a, h in outcome.spiking]
    noise = _noise(run, point, outcome)
    rows = _by_reference(subject, run, outcome, noise, tolerance, steps)
    if not any(row.verdict == DIFFERS for row in rows):
        rows += _by_scales(subject, run, outcome, noise, tolerance)
    evaluate = lambda point: run(point, 1.0).y
    if differences and any(layer.hard for layer in spiking):
        rows += df.not_applicable(point, HARD)
    elif differences:
        quotients = df.by_differences(evaluate, point, outcome, differences)
        confirmed = {row.leaf for row in rows if row.verdict == AGREES}
        contradicts = lambda row: row.verdict == DIFFERS and row.leaf in confirmed
        if any(map(contradicts, quotients)) and has_stop_gradient(subject):
            gradient = gradient_without_stops(subject.value, point, outcome.y_bar)
            free = outcome._replace(hand=gradient)
            free_quotients = df.by_differences(evaluate, point, free, differences)
            quotients = [
                new._replace(note=new.note or WITHOUT_STOPS) if contradicts(row) else row
                for row, new in zip(quotients, free_quotients, strict=True)
            ]
        rows += quotients
    if differences and differences.complex_step:
        rows += df.by_complex_step(subject.value, point, outcome, differences, tolerance, noise)
    if outcome.y_vjp is not None:  # a rule that returns another output than its function
        sides: Any = dict(witness="the function", sides=("when differentiated", "when called"))
        name = "output when differentiated"
        output = compare({name: outcome.y_vjp}, {name: outcome.y}, tolerance=tolerance, **sides)
        rows += [row for row in output if row.verdict == DIFFERS]
    return rows, spiking


def _compiled(subject: Subject) -> Callable[[Any, float], Outcome]:
    """Compile a subject's program; with JAX_DISABLE_JIT a debugger steps through it."""
    if jax.config.values["jax_disable_jit"]:
        return subject.program
    # Compiled for few runs on small arrays: optimising it would take longer than running it.
    options = {"xla_backend_optimization_level": 0}
    return jax.jit(subject.program, compiler_options=options)


def _by_reference(subject: Subject, run: Callable, outcome: Outcome, noise, tolerance, steps):
    """Return the rows of the first witness: the gradient, then the output if there are two."""
    if outcome.reference is None:
        hand = named_leaves(outcome.hand)
        require_alike(hand, named_leaves(subject.point), subject.sides)
        rows = [not_finite(name, np.asarray(g), subject.sides[0]) for name, g in hand.items()]
        return [row._replace(witness="directions") for row in rows if row]
    sides: Any = dict(tolerance=tolerance, witness=subject.witness, sides=subject.sides)
    steps = steps or max(map(len, outcome.series), default=None)
    floors = {name: n / max(tolerance, EXACT) for name, n in noise.items()}
    rows = compare(outcome.hand, outcome.reference, steps=steps, floors=floors, **sides)
    if outcome.y_reference is not None:
        outputs = compare({"output": outcome.y}, {"output": outcome.y_reference}, **sides)
        rows += tuple(row for row in outputs if row.verdict != NOT_APPLICABLE)
    if all(row.verdict != NOT_APPLICABLE for row in rows):
        return list(rows)
    constant = _zeros(subject, run)
    proved = lambda row: row.verdict == NOT_APPLICABLE and row.leaf in constant
    zero = dict(verdict=AGREES, note="zero everywhere")
    return [row._replace(**zero) if proved(row) else row for row in rows]


def _by_scales(subject: Subject, run: Callable, outcome: Outcome, noise, tolerance: float):
    """Return rows of the leaves that differ when ∂L/∂y is sent back at another scale."""
    rows = []
    for scale in SCALES:
        other = run(subject.point, scale)
        unit = abs(scale) / max(tolerance, EXACT)
        floors = {name: unit * n for name, n in noise.items()}
        reference = other.reference
        if reference is None:
            reference = jax.tree.map(lambda g, scale=scale: scale * g, outcome.hand)
        witness = f"{subject.witness} of {scale:.0e} ∂L/∂y"
        sides: Any = dict(tolerance=tolerance, witness=witness, sides=subject.sides)
        apart = compare(other.hand, reference, floors=floors, **sides)
        rows += [row for row in apart if row.verdict == DIFFERS]
    return rows


def _zeros(subject: Subject, run: Callable) -> set[str]:
    """Return the leaves without a gradient anywhere: JAX proves it, by hand it is so nearby."""
    with jax.disable_jit(False):
        program = lambda point, scale: subject.program(point, scale).reference
        jaxpr, names = jax.make_jaxpr(program, return_shape=True)(subject.point, 1.0)
    count, zeros = len(jaxpr.out_avals), set()
    for i, name in enumerate(named_leaves(names)):
        _, inputs = dce_jaxpr(jaxpr.jaxpr, [i == j for j in range(count)])
        zeros |= set() if any(inputs) else {name}
    rng = np.random.default_rng(SEED)
    move = lambda leaf: leaf + 2 * (rms(leaf) or 1.0) * rng.standard_normal(leaf.shape)
    for _ in range(RUNS if zeros else 0):
        hand = named_leaves(run(jax.tree.map(move, subject.point), 1.0).hand)
        zeros -= {name for name, g in hand.items() if largest(g)}
    return zeros


def _noise(run: Callable, point: Any, outcome: Outcome) -> dict[str, float]:
    """Return, by leaf, the rounding in its gradient: its change if the point is jittered.

    Rounding noise changes altogether, and a gradient of another size only by its condition.
    Behind a kink the change is a jump, which excuses nothing: it is cut at `CAP` of the largest
    relative sensitivity |g p|, or of the output.
    """
    if outcome.reference is None:
        return {}
    rng, leaves = np.random.default_rng(SEED), named_leaves(point)
    jitter = lambda leaf: leaf * (1 + JITTER * rng.standard_normal(leaf.shape))
    changes = dict.fromkeys(leaves, 0.0)
    sides = [named_leaves(outcome.hand), named_leaves(outcome.reference)]
    with np.errstate(invalid="ignore", over="ignore"):
        for _ in range(RUNS):
            other = run(jax.tree.map(jitter, point), 1.0)
            for here, tree in zip(sides, (other.hand, other.reference), strict=True):
                for name, g in named_leaves(tree).items():
                    change = largest(np.asarray(g) - here[name])
                    changes[name] = max(changes.get(name, 0.0), NOISE * change)
        output = np.linalg.norm(flat(outcome.y_bar) * flat(outcome.y))
        relative = [largest(g) * rms(leaves[name]) for name, g in sides[-1].items()]
        cap = CAP * max([largest(output), *relative])
    cut = lambda name: min(changes[name], cap / (rms(leaves[name]) or 1.0))
    return {name: cut(name) for name in leaves}


def _notes(point: Any) -> Iterator[str]:
    """Yield a line about each leaf whose numbers hide some mistakes."""
    for name, leaf in named_leaves(point).items():
        several, param = leaf.size > 1, name.startswith("params")
        if leaf.size and not leaf.any():
            yield f"{name} is all zero"
        elif several and leaf.ndim == 2 and np.array_equal(leaf, leaf.T):
            yield f"{name} is symmetric"
        elif several and not param and abs(np.sign(leaf).sum()) == np.count_nonzero(leaf):
            yield f"{name} has one sign"


def has_stop_gradient(subject: Subject) -> bool:
    """Check whether a subject's program holds anything constant."""
    with jax.disable_jit(False):
        return "stop_gradient" in str(jax.make_jaxpr(subject.program)(subject.point, 1.0))


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
    return tuple(map(_without_stops, program)) if type(program) is tuple else program


def _equation_without_stops(eqn: Any) -> Any:
    if eqn.primitive is pr.stop_gradient_p:
        return eqn.replace(primitive=pr.copy_p)
    body = eqn.params.get("call_jaxpr")
    if eqn.primitive is pr.custom_jvp_call_p and "stop_gradient" in str(body):
        # Its derivative is a function, which holds the same and cannot be rewritten.
        params = {"call_jaxpr": _without_stops(body)}
        return eqn.replace(primitive=pr.closed_call_p, params=params)
    return eqn.replace(params={name: _without_stops(v) for name, v in eqn.params.items()})
