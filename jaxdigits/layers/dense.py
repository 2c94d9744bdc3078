"""A fully connected layer, differentiated by hand.

For each row x [n] of the leading axes, y = x W + b.  With ȳ = ∂L/∂y, and Σ over all rows:

    y_j = Σᵢ x_i W_ij + b_j   ⇒   W̄ = Σ xᵀ ȳ     b̄ = Σ ȳ     x̄ = ȳ Wᵀ

The leading axes (batch, time) are merged, so each of the three is one matrix product.

[1] He, Zhang, Ren & Sun, ICCV 2015, arXiv:1502.01852 (the gain of 2 for rectifiers).
"""

import jax
import jax.numpy as jnp
from jax import Array

from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.keys import uniform
from jaxdigits.layer import Layer, require_floats
from jaxdigits.layers.precision import (
    Precision,
    by_transpose,
    operand,
    product,
    require_precision,
    transpose_by,
)

PIECES = 4  # of a product of one row; on two cores 2 to 16 were about as fast
NARROW = 64  # outputs; below, (ȳᵀ x)ᵀ was several times faster than xᵀ ȳ on CPUs


@constructor
def dense(
    n: int, *, bias: bool = True, gain: float = 2.0, precision: Precision = "full"
) -> Layer:
    """x [..., m] -> [..., n].  Params: weight [m, n], bias [n].

    Weights start uniform with variance `gain / m` (2 keeps the scale through rectifiers
    [1], 1/3 is the habit of spiking networks), the bias at zero.  The residual is x.
    "mixed" `precision` rounds the operands of the three products to bfloat16, and so the
    residual.

    Raises:
      ValueError: unless n >= 1 and gain > 0, and for another precision; in `init`, unless the
        feature shape is (m,).
    """
    require_precision(precision)
    if n < 1:
        raise ValueError(f"dense needs at least one output, got {n}")
    if not gain > 0:
        raise ValueError(f"gain must be > 0, got {gain}")

    def init(key, shape):
        if len(shape) != 1:
            raise ValueError(f"dense takes features of shape (m,), got {shape}: flatten first")
        params = {"weight": uniform(key, (shape[0], n), gain / shape[0])}
        return params | ({"bias": jnp.zeros(n)} if bias else {}), (n,)

    def forward(params, x, key=None):
        require_floats(x, "dense")
        if x.shape[-1] != len(params["weight"]):
            raise ValueError(
                f"dense has weights for {len(params['weight'])} features, got {x.shape[-1]}: "
                "pass inputs of the size that init had"
            )
        # Else XLA's CPU compiler would make x in the order of merged rows, which is slow.
        x = jax.lax.optimization_barrier(operand(x, precision))
        one = x.ndim > 1 and x.size == x.shape[-1] and precision == "full"
        y = row_product(x, params["weight"]) if one else product(x, params["weight"], precision)
        return (y + params["bias"] if bias else y), x

    def backward(params, x, y_bar):
        rows, rows_bar = x.reshape(-1, x.shape[-1]), y_bar.reshape(-1, n)
        if n <= NARROW and precision == "full":
            w_bar = (rows_bar.T @ rows).T
        else:
            w_bar = transpose_by(rows, rows_bar, precision)
        grads = {"weight": w_bar} | ({"bias": sum_of_rows(rows_bar)} if bias else {})
        return grads, by_transpose(rows_bar, params["weight"], precision).reshape(x.shape)

    return Layer(init, forward, backward)


def row_product(x: Array, weight: Array) -> Array:
    """x W of a single row x [..., 1, m].

    XLA's CPU compiler has one core read W.  As `PIECES` products over parts of m, two do.
    """
    m, n = weight.shape
    if m % PIECES or n <= NARROW:
        return x @ weight

    def in_pieces(x, weight):
        pieces = weight.reshape(PIECES, m // PIECES, n)
        return jnp.matmul(x.reshape(PIECES, 1, -1), pieces).sum(0).reshape(*x.shape[:-1], n)

    return jax.lax.platform_dependent(x, weight, cpu=in_pieces, default=jnp.matmul)


def sum_of_rows(rows: Array) -> Array:
    """[N, n] -> [n].

    As a product, which costs one pass over memory: XLA's CPU compiler may make a sum of many
    rows a tree of windows, which is several times slower.
    """
    ones = jnp.ones(len(rows), jnp.result_type(rows))
    return jnp.matmul(ones, rows, precision="highest")  # a sum: not to be rounded by a GPU


CASES = {
    "dense": Case(lambda: dense(5), (7,)),
    "dense, wide, no bias": Case(lambda: dense(65, bias=False), (7,)),
    "dense over time": Case(lambda: dense(5), (7,), "current"),
}
