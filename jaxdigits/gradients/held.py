"""What a program holds constant for its derivatives, and the same program without that.

A gradient that holds a reset constant (`stop_gradient`) is not the derivative of its forward
pass, so differences contradict it, rightly.  Two comparisons together still judge it: the
gradient by hand with JAX's, both held; and JAX's of the same program, nothing held, with
differences.  What remains between the two is what was held, and that is in the program.
"""

from collections.abc import Callable
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr, jaxpr_as_fun
from jax.extend.core.primitives import (
    closed_call_p,
    copy_p,
    custom_jvp_call_p,
    stop_gradient_p,
)


def holds(traced: Any) -> bool:
    """Whether anything in a traced program is held constant."""
    return "stop_gradient" in str(traced.jaxpr)


def released_gradient(value: Callable[[Any], Any], point: Any, y_bar: Any) -> Any:
    """∂⟨ȳ, value(point)⟩/∂point by JAX, with nothing held constant."""
    leaves, tree = jax.tree.flatten(point)
    program = jaxpr_as_fun(_release(jax.make_jaxpr(value)(point)))
    backward = lambda leaves, y_bars: jax.vjp(program, *leaves)[1](y_bars)
    options = {"xla_backend_optimization_level": 0}
    bars = jax.jit(backward, compiler_options=options)(leaves, jax.tree.leaves(y_bar))
    return tree.unflatten(bars)


def _release(program: Any) -> Any:
    """The program, and those in its loops and branches, without `stop_gradient`."""
    # From jax 0.11 on a closed program is its own `jaxpr`.
    if isinstance(program, ClosedJaxpr) and program.jaxpr is not program:
        return program.replace(jaxpr=_release(program.jaxpr))
    if isinstance(program, Jaxpr):
        return program.replace(eqns=[_release_equation(eqn) for eqn in program.eqns])
    if isinstance(program, tuple):
        return tuple(_release(part) for part in program)
    return program


def _release_equation(eqn: Any) -> Any:
    if eqn.primitive is stop_gradient_p:
        return eqn.replace(primitive=copy_p)
    if eqn.primitive is custom_jvp_call_p and holds(eqn.params["call_jaxpr"]):
        # Its derivative is a function, which holds the same and cannot be rewritten.
        body = _release(eqn.params["call_jaxpr"])
        return eqn.replace(primitive=closed_call_p, params={"call_jaxpr": body})
    return eqn.replace(params={name: _release(value) for name, value in eqn.params.items()})
