"""One contract for every layer, spiking layer and network in the certificate's table."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.case import Case
from jaxdigits.certificate.certify import EXAMPLES, KINDS, case_input
from jaxdigits.layer import Layer

LAYERS = KINDS["layers"] | KINDS["spikes"] | KINDS["graphs"] | KINDS["networks"]
FAR = (0, -1e4, 1e4)
EXTREMES = {"pixels": (0, 255), "grey": (0, 1), "normal": FAR, "current": FAR,
            "senses": (0, 1)}  # fmt: skip


class Member(NamedTuple):
    """A case and all that was computed for it, each program compiled once."""

    case: Case
    layer: Layer
    features: tuple[int, ...]
    """what `init` says comes out of one example"""
    arguments: list[tuple]
    """two of (params, x, key)"""
    each: list[Any]
    """of both, (y, gradient by hand)"""
    stacked: Any
    """the same, by one vmapped program; None for a network: its layers are here one by one"""
    extreme: list[Any]
    traces: int
    """how often JAX read the layer's code for `each` and `extreme`"""


@pytest.fixture(scope="module", params=LAYERS)
def member(request):
    case, network = LAYERS[request.param], request.param in KINDS["networks"]
    layer, features, read = case.make(), [], []

    @jax.jit
    def init(key):
        params, shape = layer.init(key, case.features)
        features.append(shape)
        return params

    @jax.jit
    def step(params, x, key):
        read.append(1)
        y, by_hand = both_passes(layer, params, x, key)
        moved = jax.tree.map(lambda p, p_bar: p - p_bar / 64, params, by_hand[0])
        return moved, (y, by_hand)

    keys = [jax.random.split(jax.random.key(seed), EXAMPLES) for seed in (2, 3)]
    dtype = np.uint8 if case.input == "pixels" else np.float32
    x = jax.tree.map(lambda a: jnp.asarray(a, dtype), case_input(case))
    params, other = init(jax.random.key(0)), jax.tree.map(lambda a: a[..., ::-1], x)
    moved, first = step(params, x, keys[0])  # as in training: its params are the next step's
    _, second = step(moved, other, keys[1])
    bounds = [full(x, value) for value in EXTREMES[case.input]]
    if case.input in ("normal", "current"):
        bounds.append(jnp.asarray(1e4 * np.sign(x), dtype))
    extreme = [step(params, bound, keys[0])[1] for bound in bounds]
    arguments = [(params, x, keys[0]), (moved, other, keys[1])]
    stacked = None
    if not network:
        stacked = jax.jit(jax.vmap(lambda *a: both_passes(layer, *a)))(*stack(arguments))
    return Member(
        case, layer, features[0], arguments, [first, second], stacked, extreme, len(read)
    )


def both_passes(layer, params, x, key):
    """(y, gradient by hand), of one random ȳ."""
    y, kept = layer.forward(params, x, key)
    return y, layer.backward(params, kept, jax.tree.map(waves, y))


def waves(y):
    return jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape)


def full(x, value):
    return jax.tree.map(lambda a: jnp.full_like(a, value), x)


def stack(trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def test_init_says_the_shape_that_forward_gives(member):
    y, _ = member.each[0]
    for name in member.features if isinstance(y, dict) else [None]:
        shape, features = (y.shape, member.features) if name is None else (
            y[name].shape, member.features[name])  # fmt: skip
        leading = shape[: len(shape) - len(features)]
        assert leading[-1] == EXAMPLES
        assert shape == (*leading, *features)


def test_gradients_have_the_shape_of_what_they_belong_to(member):
    (params, x, _), (_, (grads, x_bar)) = member.arguments[0], member.each[0]
    shape = lambda tree: jax.tree.map(jnp.shape, tree)
    assert shape(grads) == shape(params)
    assert x_bar is None if member.case.input == "pixels" else shape(x_bar) == shape(x)


def test_one_trace_serves_all_steps(member):
    assert member.traces == 1


def test_a_stack_of_layers_is_each_of_them(member):
    if member.stacked is not None:
        jax.tree.map(assert_close, member.stacked, stack(member.each))


def test_extreme_inputs_give_finite_numbers(member):
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(member.extreme))


def test_float32_stays_float32(member):
    assert {leaf.dtype for leaf in jax.tree.leaves(member.each)} == {np.dtype("float32")}
    if member.case.input != "pixels":
        with jax.enable_x64(True):  # where a careless constant would make it float64
            out = jax.eval_shape(lambda *a: both_passes(member.layer, *a), *member.arguments[0])
        assert {leaf.dtype for leaf in jax.tree.leaves(out)} == {np.dtype("float32")}


def assert_close(value, wanted):
    """As close as float32 sums in another order are, behind logarithms too."""
    np.testing.assert_allclose(value, wanted, rtol=0, atol=3e-5 * np.abs(wanted).max(initial=1))
