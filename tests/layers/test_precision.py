"""Mixed precision is full precision of operands rounded to bfloat16, forward and backward."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.fast.convolutions import NARROW as FEW_CHANNELS
from jaxdigits.fast.products import NARROW
from jaxdigits.layers import conv2d, dense
from jaxdigits.layers.precision import product

KEY = jax.random.key(0)
# name: (layer of a precision, feature shape, examples)
LAYERS = {
    "dense": (lambda p: dense(5, precision=p), (7,), 6),
    "dense, wide": (lambda p: dense(NARROW + 1, precision=p), (33,), 6),
    "dense, one row": (lambda p: dense(5, precision=p), (7,), 1),
    "dense, width 1": (lambda p: dense(1, precision=p), (1,), 3),
    "dense, no bias": (lambda p: dense(5, precision=p, bias=False), (7,), 6),
    "conv2d": (lambda p: conv2d(3, precision=p), (6, 5, 2), 4),
    "conv2d, one image": (lambda p: conv2d(1, precision=p), (6, 5, 1), 1),
    "conv2d, many channels": (lambda p: conv2d(3, precision=p), (6, 5, FEW_CHANNELS), 4),
    "conv2d, stride 2": (lambda p: conv2d(3, (2, 3), stride=2, precision=p), (6, 5, 2), 4),
}
layers = pytest.mark.parametrize("case", LAYERS.values(), ids=LAYERS)


def rounded(a):
    """The nearest numbers of 8 significant bits, ties to even: bfloat16, in float32."""
    bits = np.asarray(a, np.float32).view(np.uint32).astype(np.uint64)
    bits = bits + 0x7FFF + ((bits >> 16) & 1)
    return (bits & 0xFFFF0000).astype(np.uint32).view(np.float32)


def arguments(layer, shape, examples):
    """(params, x, ȳ), normal numbers."""
    out, rng = [], np.random.default_rng(0)
    like = jax.eval_shape(lambda: out.append(layer.init(KEY, shape)) or out[0][0])
    normal = lambda s: jnp.asarray(rng.standard_normal(s), jnp.result_type(float))
    params = jax.tree.map(lambda p: normal(p.shape), like)
    return params, normal((examples, *shape)), normal((examples, *out[0][1]))


def everything(layer):
    """(params, x, ȳ) -> (y, params̄, x̄)"""

    def both(params, x, y_bar):
        y, kept = layer.forward(params, x, None)
        return y, *layer.backward(params, kept, y_bar)

    return jax.jit(both)


def assert_close(got, wanted, tolerance):
    wanted = np.asarray(wanted)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())


@layers
def test_mixed_is_exact_arithmetic_on_rounded_operands(case):
    make, shape, examples = case
    params, x, y_bar = arguments(make("mixed"), shape, examples)
    got = everything(make("mixed"))(params, x, y_bar)
    assert {leaf.dtype for leaf in jax.tree.leaves(got)} == {np.dtype("float32")}
    with jax.enable_x64(True):
        wide = lambda a: jnp.asarray(np.asarray(a, np.float64))
        weight = {"weight": wide(rounded(params["weight"]))}
        bias = {"bias": wide(params["bias"])} if "bias" in params else {}
        arrays = wide(rounded(x)), wide(rounded(y_bar))
        y, grads, x_bar = everything(make("full"))(weight | bias, *arrays)
    if "bias" in grads:  # a sum, no product: of what was not rounded
        grads["bias"] = np.asarray(y_bar, np.float64).reshape(-1, y_bar.shape[-1]).sum(0)
    jax.tree.map(lambda a, b: assert_close(a, b, 1e-6), got, (y, grads, x_bar))


@layers
def test_mixed_rounds_and_full_does_not(case):
    make, shape, examples = case
    with jax.enable_x64(True):
        given = arguments(make("full"), shape, examples)
        full, mixed = (everything(make(p))(*given) for p in ("full", "mixed"))
        forward = lambda params, x: make("full").forward(params, x, None)[0]

        def by_jax(params, x, y_bar):
            y, vjp = jax.vjp(forward, params, x)
            return y, *vjp(y_bar)

        wanted = jax.jit(by_jax)(*given)
        jax.tree.map(lambda a, b: assert_close(a, b, 1e-14), full, wanted)
    for a, b in zip(jax.tree.leaves(full), jax.tree.leaves(mixed), strict=True):
        assert a.dtype == b.dtype == np.float64
        assert_close(b, a, 2**-6)
    assert_apart = lambda a, b: np.testing.assert_array_less(1e-5, np.abs(a - b).max())
    assert_apart(mixed[0], full[0])
    assert_apart(mixed[1]["weight"], full[1]["weight"])
    assert_apart(mixed[2], full[2])


@layers
def test_spikes_and_dyadic_weights_lose_nothing(case):
    make, shape, examples = case
    rng, like = np.random.default_rng(0), arguments(make("full"), shape, examples)
    sixteenths = lambda a: rng.integers(-127, 128, np.shape(a)).astype(np.float32) / 16
    params, y_bar = jax.tree.map(sixteenths, like[0]), sixteenths(like[2])
    spikes = (rng.random(like[1].shape) < 0.5).astype(np.float32)
    full, mixed = (everything(make(p))(params, spikes, y_bar) for p in ("full", "mixed"))
    jax.tree.map(np.testing.assert_array_equal, mixed, full)


@layers
def test_autodiff_agrees_to_a_few_roundings(case):
    make, shape, examples = case
    params, x, y_bar = arguments(make("mixed"), shape, examples)
    _, *by_hand = everything(make("mixed"))(params, x, y_bar)
    loss = lambda params, x: jnp.vdot(y_bar, make("mixed").forward(params, x, None)[0])
    by_jax = jax.jit(jax.grad(loss, (0, 1)))(params, x)
    for a, b in zip(jax.tree.leaves(tuple(by_hand)), jax.tree.leaves(by_jax), strict=True):
        assert np.linalg.norm(a - b) <= 2**-6 * np.linalg.norm(b)


@layers
def test_the_residual_is_the_input_as_the_product_took_it_or_as_it_came(case):
    make, shape, examples = case
    params, x, _ = arguments(make("mixed"), shape, examples)
    _, kept = make("mixed").forward(params, x, None)
    of_dense = len(shape) == 1
    assert kept.dtype == (jnp.bfloat16 if of_dense else jnp.float32)
    np.testing.assert_array_equal(kept.astype(jnp.float32), rounded(x) if of_dense else x)
    np.testing.assert_array_equal(make("full").forward(params, x, None)[1], x)


@pytest.mark.parametrize("name", ["dense, wide", "conv2d"])
def test_mixed_in_a_stack_and_in_a_loop_is_each_alone(name):
    make, shape, examples = LAYERS[name]
    run = everything(make("mixed"))
    several = [arguments(make("mixed"), shape, examples)]
    several.append(jax.tree.map(lambda a: a[::-1] / 3, several[0]))
    stacked = jax.tree.map(lambda *a: jnp.stack(a), *several)
    each = jax.tree.map(lambda *a: jnp.stack(a), *(run(*given) for given in several))
    looped = jax.lax.scan(lambda carry, given: (carry, run(*given)), None, stacked)[1]
    for got in (jax.jit(jax.vmap(run))(stacked[0], *stacked[1:]), looped):
        jax.tree.map(lambda a, b: assert_close(a, b, 1e-5), got, each)


def test_sums_are_those_of_the_wider_dtype():
    # 256 + 1 has nine significant bits: a sum in bfloat16 would lose the one.
    a = jnp.array([[256.0, 1.0]])
    assert product(a, jnp.ones((2, 1)), "mixed").item() == 257


@pytest.mark.parametrize("make", [dense, conv2d])
def test_another_precision_is_refused_by_name(make):
    with pytest.raises(ValueError, match="precision must be one of full, mixed, got 'half'"):
        make(3, precision="half")
