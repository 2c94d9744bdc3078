"""The precision of products: as their operands, or mixed.

Mixed [1]: each operand is rounded to bfloat16, whose mantissa has 8 bits: spikes are exact,
weights and slopes are not.  The products of numbers are added up in the dtype of the operands
before.  Processors with matrix units for bfloat16 do this several times faster.

Full is JAX's default: float32 on a CPU; but on recent GPUs TF32, with 10 bits of mantissa, and
on a TPU bfloat16.  `jax.config.update("jax_default_matmul_precision", "highest")` has float32
everywhere.

[1] Micikevicius et al., ICLR 2018, arXiv:1710.03740.
"""

from collections.abc import Callable
from typing import Literal, get_args

import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from jaxdigits.fast import products
from jaxdigits.options import require_name

Precision = Literal["full", "mixed"]
Product = Callable[[Array, Array, DTypeLike], Array]


def require_precision(precision: str) -> None:
    """Check that `precision` is a `Precision`, or raise a ValueError."""
    require_name("precision", get_args(Precision), precision)


def operand(a: Array, precision: Precision) -> Array:
    """Round `a` [...] for a product."""
    return a.astype(jnp.bfloat16) if precision == "mixed" else a


def product(a: Array, b: Array, precision: Precision) -> Array:
    """Return a b [..., m, n] of a [..., m, k] and b [k, n]."""
    return _apply(products.multiply, a, b, precision)


def by_transpose(a: Array, b: Array, precision: Precision) -> Array:
    """Return a bᵀ [m, k] of a [m, n] and b [k, n]."""
    return _apply(products.multiply_transpose, a, b, precision)


def transpose_by(a: Array, b: Array, precision: Precision) -> Array:
    """Return aᵀ b [k, n] of a [m, k] and b [m, n]."""
    return _apply(products.transpose_multiply, a, b, precision)


def _apply(f: Product, a: Array, b: Array, precision: Precision) -> Array:
    return f(operand(a, precision), operand(b, precision), jnp.result_type(a, b))
