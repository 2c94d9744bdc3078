"""A recurrence whose outputs take the place of its inputs.

`jax.lax.scan` writes its outputs to fresh memory, which is cleared before, and keeps its carry
apart from them.  Where the carry is told by the output, nothing but the output needs to be
carried, and where the output has the shape of an input, it can be written over it:

    y₁ = f(start, x₁)        yₜ = f(carry of yₜ₋₁, xₜ), into the row of xₜ

Half of the memory traffic is gone then: some twice as fast on a CPU.  That the carry is one
array, which is also what is written, is what lets XLA write into the row: where they differed,
it copied all rows at every step.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.core import Tracer

Tree = Any  # a pytree of arrays
CarryOf = Callable[[Tree, Tree], Tree]


def in_place(
    f: Callable, carry_of: CarryOf | None, constants: Tree, start: Tree, xs: Tree
) -> CarryOf | None:
    """How the carry is told by the output of a step; None if it is not.

    Nor may f hold on to what is traced: that would be no argument of the recurrence, and would
    have no derivative.
    """
    if not len(jax.tree.leaves(xs)[0]):
        return None
    row = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), xs)
    jaxpr, out = jax.make_jaxpr(f, return_shape=True)(constants, start, row)
    if any(isinstance(c, Tracer) for c in jaxpr.consts):
        return None
    if carry_of is not None:
        return carry_of
    count, shape = len(jax.tree.leaves(out[0])), jax.tree.structure(out[0])
    carries, ys = jaxpr.jaxpr.outvars[:count], jaxpr.jaxpr.outvars[count:]
    if any(carry not in ys for carry in carries):
        return None
    places = [ys.index(carry) for carry in carries]
    return lambda _, y: shape.unflatten([jax.tree.leaves(y)[i] for i in places])


def in_place_scan(
    f: Callable, carry_of: CarryOf, constants: Tree, start: Tree, xs: Tree, *, reverse: bool
) -> tuple[Tree, Tree]:
    """`jax.lax.scan` of `f` with these constants, where `carry_of` tells the carry."""
    inputs, structure = jax.tree.flatten(xs)
    steps = len(inputs[0])
    number = lambda j: steps - 1 - j if reverse else j
    read = lambda rows, j: [jax.lax.dynamic_index_in_dim(a, number(j), 0, False) for a in rows]
    write = lambda a, row, j: jax.lax.dynamic_update_index_in_dim(a, row, number(j), 0)

    _, first = f(constants, start, structure.unflatten(read(inputs, 0)))
    y, out = jax.tree.flatten(first)
    over = _places(y, inputs)
    rows = [jnp.zeros((steps, *a.shape), a.dtype) if i is None else inputs[i]
            for a, i in zip(y, over, strict=True)]  # fmt: skip

    def step(j, carried):
        rows, y = carried
        now = [rows[over.index(i)] if i in over else a for i, a in enumerate(inputs)]
        carry = carry_of(constants, out.unflatten(y))
        y = jax.tree.leaves(f(constants, carry, structure.unflatten(read(now, j)))[1])
        return [write(a, row, j) for a, row in zip(rows, y, strict=True)], y

    rows = [write(a, row, 0) for a, row in zip(rows, y, strict=True)]
    rows, y = jax.lax.fori_loop(1, steps, step, (rows, y))
    return carry_of(constants, out.unflatten(y)), out.unflatten(rows)


def _places(ys: list[Array], inputs: list[Array]) -> list[int | None]:
    """The number of the input that each output is written over, the last that fits."""
    free, places = list(range(len(inputs))), []
    for y in ys:
        fits = [
            i for i in free if inputs[i].shape[1:] == y.shape and inputs[i].dtype == y.dtype
        ]
        places.append(fits[-1] if fits else None)
        free = [i for i in free if i not in fits[-1:]]
    return places
