"""One contract for every layer, spiking layer and network in the certificate's table."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.layer import Layer, differentiable
from jaxdigits.measure.certificate import CASES, EXAMPLES, Case, case_input

LAYERS = {name: case for name, case in CASES.items() if case.kind != "loss"}
FAR = (0, -1e4, 1e4)
EXTREMES = {"pixels": (0, 255), "grey": (0, 1), "normal": FAR, "current": FAR}


class Member(NamedTuple):
    """A case and all that was computed for it, each program compiled once."""

    case: Case
    layer: Layer
    features: tuple[int, ...]
    """what `init` says comes out of one example"""
    arguments: list[tuple]
    """two of (params, x, key)"""
    each: list[Any]
    """of both, (y, gradient by hand, gradient of `differentiable`)"""
    stacked: Any
    """the same, by one vmapped program"""
    extreme: list[Any]
    traces: int
    """how often JAX read the layer's code for `each` and `extreme`"""


@pytest.fixture(scope="module", params=LAYERS)
def member(request, quick_compile):
    case = LAYERS[request.param]
    layer, read = case.make(), []

    def counted(*arguments):
        read.append(1)
        return everything(layer, *arguments)

    features = []

    @jax.jit
    def init(key):
        params, shape = layer.init(key, case.features)
        features.append(shape)
        return params

    params = [init(jax.random.key(seed)) for seed in (0, 1)]
    keys = [jax.random.split(jax.random.key(seed), EXAMPLES) for seed in (2, 3)]
    dtype = np.uint8 if case.input == "pixels" else np.float32
    x = jnp.asarray(case_input(case), dtype)
    arguments = list(zip(params, [x, x[..., ::-1]], keys, strict=True))
    step = jax.jit(counted)
    each = [step(*a) for a in arguments]
    bounds = [jnp.full_like(x, value) for value in EXTREMES[case.input]]
    if case.input in ("normal", "current"):
        bounds.append(jnp.asarray(1e4 * np.sign(x), dtype))
    extreme = [step(params[0], bound, keys[0]) for bound in bounds]
    stacked = jax.jit(jax.vmap(lambda *a: everything(layer, *a)))(*stack(arguments))
    return Member(case, layer, features[0], arguments, each, stacked, extreme, len(read))


def everything(layer, params, x, key):
    """(y, gradient by hand, gradient by JAX of `differentiable`), of one random ȳ."""
    y, kept = layer.forward(params, x, key)
    y_bar = jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape)
    by_hand = layer.backward(params, kept, y_bar)
    loss = lambda params, x: jnp.vdot(y_bar, differentiable(layer)(params, x, key))
    if jnp.issubdtype(x.dtype, jnp.integer):
        return y, by_hand, (jax.grad(loss)(params, x), None)
    return y, by_hand, jax.grad(loss, (0, 1))(params, x)


def stack(trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def test_init_says_the_shape_that_forward_gives(member):
    y, _, _ = member.each[0]
    leading = y.shape[: y.ndim - len(member.features)]
    assert leading[-1] == EXAMPLES
    assert y.shape == (*leading, *member.features)


def test_gradients_have_the_shape_of_what_they_belong_to(member):
    (params, x, _), (_, (grads, x_bar), _) = member.arguments[0], member.each[0]
    shape = lambda tree: jax.tree.map(jnp.shape, tree)
    assert shape(grads) == shape(params)
    assert x_bar is None if member.case.input == "pixels" else x_bar.shape == x.shape


def test_the_gradient_of_differentiable_is_the_one_by_hand(member):
    for _, by_hand, by_jax in member.each:
        jax.tree.map(assert_close, by_hand, by_jax)


def test_one_trace_serves_all_steps(member):
    assert member.traces == 1


def test_a_stack_of_networks_is_each_of_them(member):
    jax.tree.map(assert_close, member.stacked, stack(member.each))


def test_extreme_inputs_give_finite_numbers(member):
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(member.extreme))


def test_float32_stays_float32(member):
    assert {leaf.dtype for leaf in jax.tree.leaves(member.each)} == {np.dtype("float32")}
    if member.case.input != "pixels":
        with jax.enable_x64(True):  # where a careless constant would make it float64
            out = jax.eval_shape(lambda *a: everything(member.layer, *a), *member.arguments[0])
        assert {leaf.dtype for leaf in jax.tree.leaves(out)} == {np.dtype("float32")}


def assert_close(value, wanted):
    """To five digits of the largest number, as float32 sums in another order are."""
    np.testing.assert_allclose(value, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max(initial=1))
