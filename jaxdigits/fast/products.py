"""The three matrix products of a layer with weights, and its sum over rows.

Each is one line of JAX, which XLA's CPU compiler makes slow in some shapes.

Measured with jax 0.10.2: without `row in pieces`, W7-mlp-1 takes 1.16 times as long; without
`barrier dense`, W7-mlp-1 takes 1.21 times as long; without `sum as product`, W4-backward takes
1.17 times as long.  Try without after jax 0.12.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from jaxdigits.fast.switch import uses

PIECES = 4  # of a product of one row; on two cores 2 to 16 were about as fast
NARROW = 64  # columns of the second factor

Tree = Any  # a pytree of arrays


def multiply(x: Array, weight: Array, dtype: DTypeLike) -> Array:
    """x W [..., n] of x [..., m] and W [m, n], added up in `dtype`.

    One core reads W where x is a single row.  As `PIECES` products over parts of m, two do.
    """
    (m, n), of_one_row = weight.shape, x.ndim > 1 and x.size == x.shape[-1]
    whole = lambda x, weight: jnp.matmul(x, weight, preferred_element_type=dtype)

    def in_pieces(x, weight):
        pieces = weight.reshape(PIECES, m // PIECES, n)
        return whole(x.reshape(PIECES, 1, -1), pieces).sum(0).reshape(*x.shape[:-1], n)

    fits = of_one_row and jnp.result_type(x) == dtype and m % PIECES == 0 and n > NARROW
    if not fits or not uses("row in pieces"):
        return whole(x, weight)
    return jax.lax.platform_dependent(x, weight, cpu=in_pieces, default=whole)


def transpose_multiply(a: Array, b: Array, dtype: DTypeLike) -> Array:
    """aᵀ b [k, n] of a [m, k] and b [m, n]; for small n as (bᵀ a)ᵀ."""
    if b.shape[1] <= NARROW and jnp.result_type(a) == dtype and uses("narrow transposed"):
        return jnp.matmul(b.T, a, preferred_element_type=dtype).T
    return jnp.matmul(transposed(a), b, preferred_element_type=dtype)


def multiply_transpose(a: Array, b: Array, dtype: DTypeLike) -> Array:
    """a bᵀ [m, k] of a [m, n] and b [k, n]."""
    return jnp.matmul(a, transposed(b), preferred_element_type=dtype)


def transposed(a: Array) -> Array:
    """aᵀ; of bfloat16, rewritten in memory.

    XLA's fast products of bfloat16 are for operands in their natural order only, and it would
    fold a plain transpose into the product.  A flat array has but one order.
    """
    if jnp.result_type(a) != jnp.bfloat16 or not uses("bfloat16 rewritten"):
        return a.T
    return jax.lax.optimization_barrier(a.T.reshape(-1)).reshape(a.shape[1], a.shape[0])


def sum_of_rows(rows: Array) -> Array:
    """[N, n] -> [n].

    As a product, which is one pass over memory: XLA may make the sum of many rows a tree of
    windows.
    """
    if not uses("sum as product"):
        return rows.sum(0)
    ones = jnp.ones(len(rows), jnp.result_type(rows))
    return jnp.matmul(ones, rows, precision="highest")  # a sum: not to be rounded by a GPU


def computed_once(x: Tree, where: str) -> Tree:
    """Return x, which XLA would otherwise compute again for each product that reads it."""
    return jax.lax.optimization_barrier(x) if uses(f"barrier {where}") else x
