"""The loop that works in place against the scan, bit for bit, and what it must leave alone."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.fast import scan
from jaxdigits.fast.in_place import in_place_scan
from jaxdigits.fast.scan import elementwise_scan
from jaxdigits.spikes import (
    Convention,
    alif,
    cuba_lif,
    fast_sigmoid,
    leaky_readout,
    lif,
    lif_neuron,
    over_time,
    sigmoid,
    soft_twin,
    triangle,
)

pytestmark = pytest.mark.skipif(
    jax.default_backend() != "cpu", reason="another device has no loop"
)
BOTH = ("decay", "threshold")
HALF = dict(decay=0.5, threshold=1.0)
CONVENTIONS = [
    Convention(*fields)
    for fields in itertools.product(
        ("subtract", 0.25), ("next", "same"), ("above", "at"), ("one", "several"),
        ("new", "old"), (False, True), (2.0,), (False, True),
    )
]  # fmt: skip


@pytest.fixture
def loops(monkeypatch):
    """What worked in place, one entry for each recurrence: whether it was reversed."""
    looped = []

    def counted(*args, reverse):
        looped.append(reverse)
        return in_place_scan(*args, reverse=reverse)

    monkeypatch.setattr(scan, "in_place_scan", counted)
    return looped


@pytest.fixture
def twice(monkeypatch, loops):
    """run -> (in place, by the scan, how many worked in place)."""

    def twice(run):
        ours = run()
        count = len(loops)
        with monkeypatch.context() as without:
            without.setattr(scan, "in_place", lambda *args: None)
            theirs = run()
        assert len(loops) == count
        return ours, theirs, count

    return twice


def halves(shape, seed=0, dtype=jnp.float32):
    return jnp.asarray(np.random.default_rng(seed).integers(-1, 5, shape) / 2, dtype)


def normal(shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(0.5, 1, shape), jnp.float32)


def both(layers, x, y_bar):
    """What comes out, what is kept, and the gradient by hand, of each layer; one program."""

    def one(layer, params, x, y_bar):
        y, kept = layer.forward(params, x, None)
        return y, kept, layer.backward(params, kept, y_bar)

    key, shape = jax.random.key(0), x.shape[2:] or x.shape[1:]
    params = [layer.init(key, shape)[0] for layer in layers]
    # Another function each time, or jit would remember the last.
    run = lambda params, x, y_bar: [
        one(*of, x, y_bar) for of in zip(layers, params, strict=True)
    ]
    return jax.jit(run)(params, x, y_bar)


def assert_equal(ours, theirs):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


def assert_close(ours, theirs):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * np.abs(b).max())


@pytest.mark.parametrize("group", [CONVENTIONS[i::8] for i in range(8)], ids=range(8))
def test_every_convention_is_the_scan_bit_for_bit(group, twice):
    layers = [lif(triangle(), **HALF, convention=c) for c in group]
    run = lambda: both(layers, halves((5, 2, 6)), halves((5, 2, 6), 1))
    ours, theirs, count = twice(run)
    assert_equal(ours, theirs)
    # Backwards the carry is told unless ∂L/∂i is a multiple of it.
    assert count == len(layers)
    assert all(0.1 < y.mean() < 3 for y, _, _ in ours)


def test_without_a_gain_both_ways_work_in_place(twice, loops):
    layers = [lif(triangle(), **HALF), lif(triangle(), **HALF, convention=Convention(0.0))]
    ours, theirs, count = twice(lambda: both(layers, halves((5, 2, 6)), halves((5, 2, 6), 1)))
    assert_equal(ours, theirs)
    assert count == 4
    assert loops == [False, True, False, True]


OTHERS = {
    "learned": (partial(lif, triangle(), learn=BOTH, **HALF), 1),
    "alif": (partial(alif, triangle(), adaptation=0.5, adaptation_decay=0.5, **HALF), 0),
    "cuba_lif": (partial(cuba_lif, triangle(), synapse_decay=0.5, **HALF), 1),
    "of the membrane": (lambda: over_time(lif_neuron(triangle(), **HALF), emit="potential"), 2),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_neurons_are_the_scan_bit_for_bit(name, twice):
    make, places = OTHERS[name]
    ours, theirs, count = twice(lambda: both([make()], halves((6, 3, 5)), halves((6, 3, 5), 1)))
    assert_equal(ours, theirs)
    assert count == places
    assert all(np.abs(g).max() > 0 for g in jax.tree.leaves(ours[0][2]))


@pytest.mark.parametrize("reduce", ["mean", "max", "last"])
def test_a_readout(reduce, twice):
    layer = leaky_readout(0.5, reduce=reduce)
    ours, theirs, count = twice(lambda: both([layer], halves((5, 3, 4)), halves((3, 4), 1)))
    assert_equal(ours, theirs)
    assert count == 2


@pytest.mark.parametrize(
    "shape", [(1, 4), (6, 4), (1, 2, 4), (7, 1, 1), (3, 2, 3, 3, 5), (4, 0, 3), (2, 3)]
)
def test_of_any_shape(shape, twice):
    layers = [lif(triangle(), **HALF), lif(triangle(), learn=BOTH, **HALF)]
    ours, theirs, count = twice(lambda: both(layers, halves(shape), halves(shape, 1)))
    assert_equal(ours, theirs)
    assert count == 3
    assert ours[0][0].shape == shape


def test_on_arbitrary_numbers_it_is_the_scan_but_for_rounding(twice):
    layers = [lif(fast_sigmoid()), lif(sigmoid(), convention=Convention(0.1, "same"))]
    layers += [cuba_lif(sigmoid()), lif(soft_twin(sigmoid()), learn=BOTH)]
    run = lambda: both(layers, normal((20, 3, 16)), normal((20, 3, 16), 1))
    ours, theirs, count = twice(run)
    assert_close(ours, theirs)
    assert count == 6
    assert all(0.05 < y.mean() < 0.9 for y, _, _ in ours)


@pytest.mark.usefixtures("float64")
def test_in_64_bits_and_of_16(twice):
    for dtype in (jnp.float64, jnp.bfloat16):
        x, y_bar = halves((5, 2, 6), 0, dtype), halves((5, 2, 6), 1, dtype)
        ours, theirs, count = twice(lambda x=x, y=y_bar: both([lif(triangle(), **HALF)], x, y))
        assert_equal(ours, theirs)
        assert count >= 2
        assert ours[0][0].dtype == dtype


def accumulate(k, c, x):
    y = k * c + x["a"] - 0.5 * x["b"]
    return y, y


@pytest.mark.parametrize("reverse", [False, True])
def test_the_steps_are_those_of_a_plain_loop(reverse, loops):
    xs, start = {"a": halves((6, 2, 3)), "b": halves((6, 2, 3), 1)}, halves((2, 3), 2)
    end, ys = elementwise_scan(accumulate, 0.5, start, xs, reverse=reverse)
    c, expected = np.asarray(start), np.zeros((6, 2, 3), np.float32)
    for t in range(6)[:: -1 if reverse else 1]:
        c = expected[t] = 0.5 * c + np.asarray(xs["a"][t]) - 0.5 * np.asarray(xs["b"][t])
    np.testing.assert_array_equal(ys, expected)
    np.testing.assert_array_equal(end, c)
    assert loops == [reverse]


def test_the_output_may_be_of_another_dtype_or_shape(loops):
    count = lambda k, c, x: (lambda y: (y, (y, x > 1)))(c + x.astype(c.dtype))
    xs, start = jnp.arange(12).reshape(4, 3), jnp.zeros(3)
    expected = jax.lax.scan(lambda c, x: count((), c, x), start, xs)
    assert_equal(elementwise_scan(count, (), start, xs), expected)
    wide = lambda k, c, x: (jnp.outer(x, x) + c,) * 2
    xs, start = halves((4, 3)), jnp.zeros((3, 3))
    expected = jax.lax.scan(lambda c, x: wide((), c, x), start, xs)
    assert_equal(elementwise_scan(wide, (), start, xs), expected)
    assert loops == [False, False]


def test_two_outputs_have_a_row_each(loops):
    f = lambda k, c, x: ((x[0] - c[1], x[1] + k * c[0]),) * 2
    xs, start = (
        (halves((5, 2, 3)), halves((5, 2, 3), 1)),
        (halves((2, 3), 2), halves((2, 3), 3)),
    )
    expected = jax.lax.scan(lambda c, x: f(0.5, c, x), start, xs)
    assert_equal(elementwise_scan(f, 0.5, start, xs), expected)
    assert loops == [False]


def test_what_is_written_over_is_not_the_callers():
    x, y_bar = halves((5, 2, 6)), halves((5, 2, 6), 1)
    layer, given, bar = lif(triangle(), **HALF), np.array(x), np.array(y_bar)
    y, kept = layer.forward((), x, None)
    v = np.array(kept.v)

    @jax.jit
    def used_again(x, y_bar):
        y, kept = layer.forward((), x, None)
        return y, kept, layer.backward((), kept, y_bar), x + 1, y_bar + 1

    again = used_again(x, y_bar)
    assert_equal(again[:3], (y, kept, layer.backward((), kept, y_bar)))
    assert_equal(again[3:], (jnp.asarray(given + 1), jnp.asarray(bar + 1)))
    assert_equal(used_again(x, y_bar), again)
    assert_equal((x, y_bar, kept.v), (given, bar, v))


@pytest.mark.parametrize("axes", [(0, None), (0, 1), (None, 1)])
def test_vmapped(axes, twice):
    layer, x = lif(triangle(), learn=BOTH, **HALF), halves((5, 3, 2, 4))
    one = layer.init(jax.random.key(0), (4,))[0]
    many = jax.tree.map(lambda p: jnp.stack([p, p + 0.5, p - 0.5]), one)
    params, x = one if axes[0] is None else many, x[:, 0] if axes[1] is None else x
    plain = lif(triangle(), **HALF)

    def run(params, x):
        y, kept = layer.forward(params, x, None)
        return y, kept, layer.backward(params, kept, y), plain.backward((), kept, y)

    ours, theirs, count = twice(lambda: jax.vmap(run, axes)(params, x))
    assert_close(ours, theirs)
    assert count == 2
    assert ours[0].shape == (3, 5, 2, 4)


def test_inside_a_scan_and_a_checkpoint(twice):
    layer, x = lif(triangle(), **HALF), halves((3, 5, 2, 4))

    def epoch(total, x):
        y, kept = jax.checkpoint(lambda x: layer.forward((), x, None))(x)
        return total + layer.backward((), kept, y)[1], kept.v

    start = jnp.zeros((5, 2, 4))
    ours, theirs, count = twice(lambda: jax.lax.scan(lambda *a: epoch(*a), start, x))
    assert_equal(ours, theirs)
    assert count >= 2


def test_derivatives_are_those_of_the_scan(twice):
    layer, x = lif(sigmoid(), learn=BOTH, **HALF), halves((5, 2, 3))
    params, _ = layer.init(jax.random.key(0), (3,))

    def derivatives(params, x):
        loss = lambda params, x: jnp.sum(layer.forward(params, x, None)[1].v ** 2)
        grad, at = jax.grad(loss, (0, 1)), (params, x)
        forward = jax.jvp(loss, at, at)
        forward_over_reverse = jax.jvp(grad, at, at)
        product = jax.grad(lambda p, x: jnp.vdot(grad(p, x)[1], x), (0, 1))(*at)
        rematerialised = jax.grad(jax.checkpoint(loss))(params, x)
        return forward, forward_over_reverse, product, rematerialised, grad(*at)

    ours, theirs, count = twice(lambda: jax.jit(lambda *a: derivatives(*a))(params, x))
    assert_close(ours, theirs)
    assert count > 0
    assert all(np.abs(g).max() > 0 for g in jax.tree.leaves(ours[4]))


@pytest.mark.parametrize("layer", [lif(), cuba_lif()], ids=["lif", "cuba_lif"])
def test_no_rows_are_copied_at_a_step(layer):
    """What made it slow: XLA copies all rows where it cannot see that none is read again."""
    run = lambda w, a: layer.forward((), a @ w, None)[1]
    lowered = jax.jit(run).lower(jnp.ones((3, 6)), jnp.ones((25, 4, 3)))
    options = {"xla_backend_optimization_level": 1, "xla_llvm_disable_expensive_passes": False}
    steps, _ = lowered.compile(compiler_options=options).as_text().split("\nENTRY")
    assert "dynamic-update-slice" in steps
    assert "f32[25,4,6]{2,1,0} copy(" not in steps
