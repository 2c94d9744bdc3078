"""The kernel of a GPU: interpreted here against the scan, bit for bit, and lowered for CUDA."""

import re
from contextlib import nullcontext
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.fast.kernel import (
    AHEAD,
    BLOCK,
    ELEMENTWISE,
    has_kernels,
    inner_jaxpr,
    kernel_scan,
    step_of,
)
from jaxdigits.fast.scan import elementwise_scan
from jaxdigits.fast.switch import without
from jaxdigits.spikes import (
    Convention,
    alif,
    arctan,
    cuba_lif,
    exponential,
    fast_sigmoid,
    leaky_readout,
    lif,
    sigmoid,
    triangle,
)

# A GPU is to run what its users run.
pytestmark = [pytest.mark.usefixtures("optimised")] * (jax.default_backend() != "cpu")
on_gpu = pytest.mark.skipif(
    jax.default_backend() != "gpu" or not has_kernels(),
    reason="runs the kernel itself, which takes one NVIDIA GPU of capability 8.0 or more",
)

HALF = dict(decay=0.5, threshold=1.0)
BOTH = ("decay", "threshold")
DYADIC = {
    "subtract next": partial(lif, **HALF),
    "subtract same": partial(lif, convention=Convention(reset_step="same"), **HALF),
    "zero next at": partial(lif, convention=Convention(0.0, fires="at"), **HALF),
    "zero same": partial(lif, convention=Convention(0.0, "same", spike_from="old"), **HALF),
    "normalised": partial(lif, convention=Convention(normalise=True, gain=4.0), **HALF),
    "learned": partial(lif, learn=BOTH, convention=Convention(normalise=True), **HALF),
    "per neuron": lambda surrogate: lif(
        surrogate,
        decay=np.resize([0.5, 0.25, 0.0], 70),
        threshold=np.resize([1.0, 0.5], 70),
        convention=Convention(tuple(np.resize([0.25, 0.0, -0.5], 70).tolist())),
    ),
    "cuba_lif": partial(cuba_lif, synapse_decay=0.5, learn=("synapse_decay",), **HALF),
    "alif": partial(alif, adaptation=0.5, adaptation_decay=0.5, **HALF),
}
LAUNCH = "custom_call @__gpu$xla.gpu.triton"
SHAPES = [(5, 2, 70), (6, 300), (3, 2, 3, 3, 5), (1, 2, 3), (4, 1), (9, BLOCK), (8, 3, BLOCK)]


def halves(shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).integers(-1, 5, shape) / 2, jnp.float32)


def normal(shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(0.5, 1, shape), jnp.float32)


def both(layer, x, y_bar):
    """What comes out, what is kept, and the gradient by hand."""
    params, _ = layer.init(jax.random.key(0), x.shape[-1:])

    def run(params, x, y_bar):
        y, kept = layer.forward(params, x, None)
        return y, kept, layer.backward(params, kept, y_bar)

    return partial(jax.jit(run), params, x, y_bar)


def assert_equal(ours, theirs):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_array_equal(a, b)


def assert_close(ours, theirs):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * np.abs(b).max())


def by_both(run, request, check=assert_equal):
    """What the scan gives, after comparing the kernel's with it; and the launches."""
    expected = run()
    launched = request.getfixturevalue("kernels")
    check(run(), expected)
    return expected, launched


def for_cuda(f, *args):
    """The program that a CUDA device would be given."""
    if jax.__version_info__ < (0, 11):
        where = nullcontext()
    else:
        from jax.sharding import AbstractDevice, AbstractMesh, AxisType, use_abstract_mesh

        gpu = AbstractDevice("NVIDIA H100", None, "cuda")
        axes = (1,), ("device",), (AxisType.Auto,)
        where = use_abstract_mesh(AbstractMesh(*axes, abstract_device=gpu))
    with where:
        return jax.jit(f).trace(*args).lower(lowering_platforms=("cuda",)).as_text()


@pytest.mark.parametrize("name", DYADIC)
def test_a_kernel_is_the_scan_bit_for_bit(name, request):
    layer, x, y_bar = DYADIC[name](triangle()), halves((5, 2, 70)), halves((5, 2, 70), 1)
    (y, _, grads), launched = by_both(lambda: both(layer, x, y_bar)(), request)
    assert launched == [{"reverse": False}, {"reverse": True}]
    assert 0.1 < y.mean() < 0.9
    assert all(np.abs(g).max() > 0 for g in jax.tree.leaves(grads))


@pytest.mark.parametrize("shape", SHAPES)
def test_of_any_shape(shape, request):
    layer, x, y_bar = lif(triangle(), learn=BOTH, **HALF), halves(shape), halves(shape, 1)
    (y, _, _), launched = by_both(lambda: both(layer, x, y_bar)(), request)
    assert y.sum() > 0
    assert len(launched) == 2


EVERYTHING = ("adaptation", "adaptation_decay", "decay", "threshold")
RESET = Convention(0.1, "same", differentiate_reset=True)


@pytest.mark.parametrize(
    "layer",
    [
        alif(fast_sigmoid(), learn=EVERYTHING),
        alif(exponential(), learn=EVERYTHING, convention=RESET),
        lif(arctan(), learn=BOTH, convention=RESET),
        cuba_lif(sigmoid(), learn=BOTH),
    ],
)
def test_on_arbitrary_numbers_it_is_the_scan_but_for_rounding(layer, request):
    run = lambda: both(layer, normal((9, 3, 50)), normal((9, 3, 50), 1))()
    (y, _, _), _ = by_both(run, request, assert_close)
    assert 0.05 < y.mean() < 0.9


@pytest.mark.parametrize(("axes", "reverse"), [((0, None, 1), True), ((None, 0, 1), False)])
def test_vmapped(axes, reverse, request):
    f = lambda k, c, x: ({"c": k["a"] * c["c"] + x}, {"y": c["c"] - k["b"] * x})
    pick = lambda tree, axis: tree if axis == 0 else jax.tree.map(lambda a: a[1], tree)
    k = pick({"a": jnp.array([0.5, 0.25, 1.0]), "b": halves((3, 7))}, axes[0])
    start, xs = pick({"c": halves((3, 2, 7), 2)}, axes[1]), halves((6, 3, 2, 7))
    run = jax.vmap(lambda *args: elementwise_scan(f, *args, reverse=reverse), axes)
    (_, ys), launched = by_both(lambda: run(k, start, xs), request)
    assert launched == [{"reverse": reverse}]
    assert ys["y"].shape == (3, 6, 2, 7)


@pytest.mark.parametrize("reduce", ["mean", "max", "last"])
def test_a_readout(reduce, request):
    layer, x, y_bar = leaky_readout(0.5, reduce=reduce), halves((5, 3, 10)), halves((3, 10), 1)
    _, launched = by_both(lambda: both(layer, x, y_bar)(), request)
    assert len(launched) == 2


def test_derivatives_are_those_of_the_scan(request):
    layer, x = DYADIC["learned"](sigmoid()), halves((5, 1, 2, 3))
    params, _ = layer.init(jax.random.key(0), (3,))
    loss = lambda params, x: jnp.sum(layer.forward(params, x, None)[1].v ** 2)

    def derivatives(params, x):
        grad = jax.grad(loss, (0, 1))
        forward_over_reverse = jax.jvp(grad, (params, x), (params, x))
        rematerialised = jax.grad(jax.checkpoint(loss))(params, x)
        return forward_over_reverse, jax.vmap(grad, (None, 1))(params, x), rematerialised

    # Another function each time, or jit would remember the scan.
    run = lambda: jax.jit(lambda *args: derivatives(*args))(params, x)
    (((grads, _), _), _, _), _ = by_both(run, request, assert_close)
    assert np.abs(grads["decay"]).min() > 0
    assert np.abs(grads["threshold"]).min() > 0


@pytest.mark.usefixtures("one_gpu")
@pytest.mark.parametrize("name", DYADIC)
def test_cuda_has_one_launch_a_recurrence_and_a_cpu_none(name):
    run = both(DYADIC[name](fast_sigmoid()), halves((25, 4, 70)), halves((25, 4, 70)))
    program = for_cuda(run.func, *run.args)
    assert program.count(LAUNCH) == 2
    assert "while" not in program
    many = for_cuda(jax.vmap(run.func), *jax.tree.map(lambda a: jnp.stack([a] * 3), run.args))
    assert many.count(LAUNCH) == 2
    assert "while" not in many
    traced = run.func.trace(*run.args)
    program = traced.lower(lowering_platforms=("cpu",)).as_text()
    assert "triton" not in program
    assert program.count("stablehlo.while") == 2


def test_what_is_interpreted_is_what_cuda_is_given():
    f = lambda k, c, x: (k * c + x, c)
    args = jnp.float32(0.5), halves((2, 7)), halves((6, 2, 7))
    step = step_of(f, *args)
    traced = lambda **options: str(
        jax.make_jaxpr(lambda *a: kernel_scan(step, *a, reverse=True, **options))(*args)
    )
    assert "interpret=True" in traced(interpret=True)
    assert traced(interpret=True).replace("interpret=True", "interpret=False") == traced()
    # An interpreter forgives what is written behind the end of an array.
    writes = re.findall(r"\], \w+\[.*<-.*", traced())
    assert len(writes) == AHEAD + 2
    assert all("mask=" in write for write in writes)


def every_function(k, c, x):
    """All that a kernel may hold."""
    near = (2 + jnp.clip(x, -0.5, k["b"])) ** -2 / (2 + jnp.sign(x))
    near += (1 + jnp.square(c)) ** -jnp.abs(x)
    bounded = jnp.tanh(c) + jnp.arctan(x) + jax.nn.sigmoid(c) + jnp.exp(-jnp.abs(c))
    logs = jnp.log(2 + c * c) + jnp.log1p(c * c) + jnp.expm1(x) + jnp.sqrt(c * c)
    on = ~((c < x) & (c > 0)) | (c == 1) | ((x >= 0) & (x <= k["a"])) | (x != c)
    most = jnp.maximum(c, jnp.minimum(x, 0.25)) - jax.lax.stop_gradient(on.astype(c.dtype))
    more = jax.jvp(lambda x: x * x + x, (c,), (x,))[1] + jax.lax.clamp(-0.5, x, 0.75)
    return jnp.where(on, near, bounded) + logs, most + more


def primitives(jaxpr):
    for eqn in jaxpr.eqns:
        inner = inner_jaxpr(eqn)
        yield from primitives(inner.jaxpr) if inner else [eqn.primitive.name]


def test_a_kernel_has_every_function_that_it_may_hold(request):
    args = {"a": jnp.ones(7), "b": jnp.float32(0.5)}, halves((2, 7)), halves((3, 2, 7))
    held = set(primitives(step_of(every_function, *args).jaxpr.jaxpr))
    assert ELEMENTWISE - held == set()
    run = lambda: elementwise_scan(every_function, *args)
    _, launched = by_both(run, request, assert_close)
    assert len(launched) == 1


@pytest.mark.usefixtures("one_gpu")
def test_and_so_has_that_of_cuda():
    args = {"a": jnp.ones(7), "b": jnp.float32(0.5)}, halves((2, 7)), halves((3, 2, 7))
    assert for_cuda(partial(elementwise_scan, every_function), *args).count(LAUNCH) == 1


@on_gpu
@pytest.mark.parametrize("name", DYADIC)
def test_the_kernel_itself_is_the_scan(name):
    for shape in ((5, 2, 70), (25, 33, 70)):
        layer, x, y_bar = DYADIC[name](triangle()), halves(shape), halves(shape, 1)
        run = both(layer, x, y_bar)
        assert run.func.lower(*run.args).as_text().count(LAUNCH) == 2
        ours = run()
        with without("kernel"):
            theirs = both(layer, x, y_bar)()
        assert ours[0].mean() > 0.1
        (assert_equal if shape[0] == 5 else assert_close)(ours, theirs)


@on_gpu
def test_arrays_on_the_cpu_of_a_machine_with_a_gpu_find_the_scan():
    x = jax.device_put(halves((5, 2, 70)), jax.devices("cpu")[0])
    layer, there = DYADIC["subtract next"](triangle()), halves((5, 2, 70))
    assert_equal(layer.forward((), x, None)[0], layer.forward((), there, None)[0])
