"""The precision of products: that of their operands, or mixed.

Mixed [1]: each operand is rounded to bfloat16, whose mantissa has 8 bits: spikes are exact,
weights and slopes are not.  The products of numbers are added up in the dtype that the
operands had.  Processors with matrix units for bfloat16 do this several times faster.

Full is JAX's default: float32 on a CPU; but on recent GPUs TF32, with 10 bits of mantissa, and
on a TPU bfloat16.  `jax.config.update("jax_default_matmul_precision", "highest")` has float32
everywhere.

[1] Micikevicius et al., ICLR 2018, arXiv:1710.03740.
"""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jax import Array

Precision = Literal["full", "mixed"]


def require_precision(precision: str) -> None:
    """Check that it is a `Precision`, or raise a ValueError."""
    if precision not in get_args(Precision):
        raise ValueError(f"precision must be 'full' or 'mixed', got {precision!r}")


def operand(a: Array, precision: Precision) -> Array:
    """`a` as a product takes it."""
    return a.astype(jnp.bfloat16) if precision == "mixed" else a


def product(a: Array, b: Array, precision: Precision) -> Array:
    """a b [..., m, n] of a [..., m, k] and b [k, n]."""
    dtype = jnp.result_type(a, b)
    a, b = operand(a, precision), operand(b, precision)
    return jnp.matmul(a, b, preferred_element_type=dtype)


def by_transpose(a: Array, b: Array, precision: Precision) -> Array:
    """a bᵀ [m, k] of a [m, n] and b [k, n]."""
    return product(a, b.T if precision == "full" else _transposed(b), precision)


def transpose_by(a: Array, b: Array, precision: Precision) -> Array:
    """aᵀ b [k, n] of a [m, k] and b [m, n]."""
    return product(a.T if precision == "full" else _transposed(a), b, precision)


def _transposed(a: Array) -> Array:
    """aᵀ, rounded and rewritten in memory.

    XLA's CPU compiler has fast products of bfloat16 for operands in their natural order only,
    and would fold a plain transpose into the product.  A flat array has but one order.
    """
    flat = operand(a, "mixed").T.reshape(-1)
    return jax.lax.optimization_barrier(flat).reshape(a.shape[1], a.shape[0])
