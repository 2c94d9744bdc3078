"""The products of a layer are plain products, to rounding, in any shape."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.fast.products import (
    NARROW,
    PIECES,
    multiply,
    sum_of_rows,
)


@pytest.mark.parametrize("m", [PIECES, 3 * PIECES, 3 * PIECES + 1])
@pytest.mark.usefixtures("float64")
def test_a_single_row_in_pieces_has_the_same_derivatives(m):
    rng = np.random.default_rng(0)
    x, weight = (jnp.asarray(rng.standard_normal(s)) for s in ((1, m), (m, NARROW + 1)))
    by_pieces = lambda x, weight: multiply(x, weight, x.dtype)
    whole = lambda x, weight: jnp.sin(x @ weight).sum()
    pieces = lambda x, weight: jnp.sin(by_pieces(x, weight)).sum()
    for a, b in zip(jax.grad(whole, (0, 1))(x, weight), jax.grad(pieces, (0, 1))(x, weight),
                    strict=True):  # fmt: skip
        np.testing.assert_allclose(a, b, rtol=1e-12)
    many = jnp.stack([x, 2 * x])
    np.testing.assert_allclose(
        jax.vmap(by_pieces, (0, None))(many, weight), many @ weight, rtol=1e-12
    )


@pytest.mark.parametrize("shape", [(1, 1), (0, 3), (1, 5), (1000, 3), (7, 130)])
def test_the_sum_of_rows_is_their_sum(shape):
    rows = np.random.default_rng(0).integers(-8, 9, shape).astype(np.float32) / 16
    np.testing.assert_array_equal(sum_of_rows(jnp.asarray(rows)), rows.sum(0))
    with jax.enable_x64(True):
        wide = np.random.default_rng(1).standard_normal(shape)
        np.testing.assert_allclose(sum_of_rows(jnp.asarray(wide)), wide.sum(0), atol=1e-12)
