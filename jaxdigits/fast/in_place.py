"""A recurrence whose outputs take the place of its inputs.

`jax.lax.scan` writes its outputs to fresh memory, which is cleared before, and keeps its carry
apart from them.  Where the output determines the carry, nothing but the output needs to be
carried, and where the output has the shape of an input, it can be written over it:

    y₁ = f(start, x₁)        yₜ = f(carry of yₜ₋₁, xₜ), into the row of xₜ

That is half of the memory traffic.  Two things let XLA write into the rows.  Only what is
written reads them in a step: where a second carry was computed of the same row, it copied all
rows at every step.  And the first step is one of the loop's: where it stood before the loop,
all rows were copied twice.

Measured with jax 0.10.2: without `in place`, W4-forward takes 1.17 times as long.  Try without
after jax 0.12.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.core import Tracer

Tree = Any  # a pytree of arrays
CarryOf = Callable[[Tree, Tree], Tree]


class Origin(NamedTuple):
    """What lets a recurrence work in place."""

    y: Tree
    """the shapes and dtypes of what a step puts out"""
    carry_of: CarryOf
    """(constants, y of a step) -> the carry after it"""


def in_place(
    f: Callable, carry_of: CarryOf | None, constants: Tree, start: Tree, xs: Tree
) -> Origin | None:
    """How the output of a step determines the carry; None if it does not.

    Nor may f hold on to what is traced: that would be no argument of the recurrence, and would
    have no derivative.
    """
    if not len(jax.tree.leaves(xs)[0]):
        return None
    row = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), xs)
    jaxpr, (carry, y) = jax.make_jaxpr(f, return_shape=True)(constants, start, row)
    if any(isinstance(c, Tracer) for c in jaxpr.consts) or not _alike(carry, start):
        return None
    if carry_of is not None:
        return Origin(y, carry_of)
    count, shape = len(jax.tree.leaves(carry)), jax.tree.structure(carry)
    carries, ys = jaxpr.jaxpr.outvars[:count], jaxpr.jaxpr.outvars[count:]
    if any(carry not in ys for carry in carries):
        return None
    places = [ys.index(carry) for carry in carries]
    return Origin(y, lambda _, y: shape.unflatten([jax.tree.leaves(y)[i] for i in places]))


def in_place_scan(
    f: Callable, origin: Origin, constants: Tree, start: Tree, xs: Tree, *, reverse: bool
) -> tuple[Tree, Tree]:
    """`jax.lax.scan` of `f` with these constants, where the output tells the carry."""
    inputs, structure = jax.tree.flatten(jax.tree.map(jnp.asarray, xs))
    ys, out = jax.tree.flatten(origin.y)
    steps, carry_of = len(inputs[0]), lambda y: origin.carry_of(constants, out.unflatten(y))
    over = _places(ys, inputs)
    rows = [jnp.zeros((steps, *a.shape), a.dtype) if i is None else inputs[i]
            for a, i in zip(ys, over, strict=True)]  # fmt: skip

    def step(j, carried):
        rows, y = carried
        t = steps - 1 - j if reverse else j
        now = [rows[over.index(i)] if i in over else a for i, a in enumerate(inputs)]
        x = structure.unflatten([_row(a, t) for a in now])
        # What is carried into the first step is nothing's carry.
        before = jax.tree.map(lambda a, b: jnp.where(j == 0, a, b), start, carry_of(y))
        y = jax.tree.leaves(f(constants, before, x)[1])
        return [_with_row(a, row, t) for a, row in zip(rows, y, strict=True)], y

    nothing = [jnp.zeros(a.shape, a.dtype) for a in ys]
    rows, y = jax.lax.fori_loop(0, steps, step, (rows, nothing))
    return carry_of(y), out.unflatten(rows)


def _row(rows: Array, t: Array) -> Array:
    # Without negative numbers, each of which would be a kernel more for a step.
    return jax.lax.dynamic_index_in_dim(rows, t, 0, False, allow_negative_indices=False)


def _with_row(rows: Array, row: Array, t: Array) -> Array:
    return jax.lax.dynamic_update_index_in_dim(rows, row, t, 0, allow_negative_indices=False)


def _alike(carry: Tree, start: Tree) -> bool:
    """Whether a carry stays as it starts, without which there is no recurrence."""
    facts = lambda tree: [(jnp.shape(a), jnp.result_type(a)) for a in jax.tree.leaves(tree)]
    same = jax.tree.structure(carry) == jax.tree.structure(start)
    return same and facts(carry) == facts(start)


def _places(ys: list[Any], inputs: list[Array]) -> list[int | None]:
    """The number of the input that each output is written over, the last that fits."""
    free, places = list(range(len(inputs))), []
    for y in ys:
        fits = [
            i for i in free if inputs[i].shape[1:] == y.shape and inputs[i].dtype == y.dtype
        ]
        places.append(fits[-1] if fits else None)
        free = [i for i in free if i not in fits[-1:]]
    return places
