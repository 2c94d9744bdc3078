"""A fully connected layer, differentiated by hand.

For each row x [n] of the leading axes, y = x W + b.  With ȳ = ∂L/∂y, and Σ over all rows:

    y_j = Σᵢ x_i W_ij + b_j   ⇒   W̄ = Σ xᵀ ȳ     b̄ = Σ ȳ     x̄ = ȳ Wᵀ

The leading axes (batch, time) are merged, so each of the three is one matrix product.

[1] He, Zhang, Ren & Sun, ICCV 2015, arXiv:1502.01852 (the gain of 2 for rectifiers).
"""

import jax.numpy as jnp

from jaxdigits import checks
from jaxdigits.about import constructor
from jaxdigits.case import Case
from jaxdigits.fast.products import computed_once, sum_of_rows
from jaxdigits.keys import uniform
from jaxdigits.layer import Layer, spread
from jaxdigits.layers import precision as pr


@constructor
def dense(
    n: int, *, bias: bool = True, gain: float = 2.0, precision: pr.Precision = "full"
) -> Layer:
    """A dense layer: x [..., m] -> [..., n].  Params: weight [m, n], bias [n].

    Weights start uniform with variance `gain / m` (2 keeps the scale through rectifiers
    [1], 1/3 is the habit of spiking networks), the bias at zero.  The residual is x.
    "mixed" `precision` rounds the residual and the operands of the three products to bfloat16.

    Raises:
      ValueError: unless n >= 1 and gain > 0, and for another precision; in `init`, unless the
        feature shape is (m,); in `forward`, for an x of another size or of whole numbers.
    """
    pr.require_precision(precision)
    checks.at_least(1, n=n)
    checks.positive(gain=gain)

    def init(key, shape):
        if len(shape) != 1:
            raise ValueError(f"dense takes features of shape (m,), got {shape}: flatten first")
        params = {"weight": uniform(key, (shape[0], n), gain / shape[0])}
        return params | ({"bias": jnp.zeros(n)} if bias else {}), (n,)

    def forward(params, x, key=None):
        checks.floats(x, "dense", "standardise() first")
        if x.shape[-1] != (m := len(params["weight"])):
            remedy = "pass inputs of the size that init had"
            raise ValueError(f"dense has weights for {m} features, got {x.shape[-1]}: {remedy}")
        x = computed_once(pr.operand(x, precision), "dense")
        y = pr.product(x, params["weight"], precision)
        return (y + spread(params["bias"], y) if bias else y), x

    def backward(params, x, y_bar):
        rows, rows_bar = x.reshape(-1, x.shape[-1]), y_bar.reshape(-1, n)
        grads = {"weight": pr.transpose_by(rows, rows_bar, precision)}
        grads |= {"bias": sum_of_rows(rows_bar)} if bias else {}
        x_bar = pr.by_transpose(rows_bar, params["weight"], precision)
        return grads, x_bar.reshape(x.shape)

    return Layer(init, forward, backward)


CASES = {
    "dense": Case(lambda: dense(5), (7,)),
    "dense, wide, no bias": Case(lambda: dense(65, bias=False), (7,)),
    "dense over time": Case(lambda: dense(5), (7,), "current"),
}
