"""Which recurrences are a kernel, a loop in place or a scan, and what is refused."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.fast.in_place import in_place
from jaxdigits.fast.kernel import has_kernels, step_of
from jaxdigits.fast.scan import UNROLL, elementwise_scan
from jaxdigits.fast.switch import for_platform
from jaxdigits.spikes import lif


def halves(shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).integers(-1, 5, shape) / 2, jnp.float32)


def assert_equal(ours, theirs):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_array_equal(a, b)


CANNOT = {
    "another neuron's": (lambda k, c, x: (c + jnp.roll(x, 1, -1), c), {}),
    "a sum over neurons": (lambda k, c, x: (c + x.sum(-1, keepdims=True), c), {}),
    "a division that is counted": (lambda k, c, x: (jnp.floor(c / 0.75) + x, c), {}),
    "a division that is cut off": (lambda k, c, x: ((c / 3).astype(int) + x, c), {}),
    "an output for all": (lambda k, c, x: (c + x, k), {}),
    "no steps": (lambda k, c, x: (c + x, c), {"shape": (0, 2, 4)}),
    "no neurons": (lambda k, c, x: (c + x, c), {"shape": (3,)}),
    "half the bits": (lambda k, c, x: (c + x, c), {"dtype": jnp.bfloat16}),
    "a constant for each example": (lambda k, c, x: (c + k * x, c), {"k": (2, 1)}),
}


@pytest.mark.parametrize("name", CANNOT)
def test_what_cannot_be_a_kernel_is_a_scan(name, kernels):
    f, options = CANNOT[name]
    xs = halves(options.get("shape", (3, 2, 4))).astype(options.get("dtype", jnp.float32))
    k = jnp.ones(options.get("k", ()), xs.dtype)
    start = jnp.zeros(xs.shape[1:], xs.dtype)
    assert step_of(f, k, start, xs) is None
    expected = jax.lax.scan(lambda c, x: f(k, c, x), start, xs)
    assert_equal(elementwise_scan(f, k, start, xs), expected)
    assert kernels == []


@pytest.mark.parametrize("on_a_gpu", [False, True])
def test_what_a_step_holds_on_to_has_its_derivative(on_a_gpu, request):
    kernels = request.getfixturevalue("kernels") if on_a_gpu else []
    xs, start = halves((4, 2, 3)), jnp.ones((2, 3))
    ours = lambda f: elementwise_scan(lambda k, c, x: f(c, x), (), start, xs)
    theirs = lambda f: jax.lax.scan(f, start, xs)
    end = lambda run, held: run(lambda c, x: (held * c + x,) * 2)[0].sum()
    by_both = [jax.grad(lambda held, run=run: end(run, held))(0.5) for run in (ours, theirs)]
    assert by_both[0] == by_both[1] != 0
    assert kernels == []


def test_no_steps_are_as_ever():
    add, start = lambda k, c, x: (c + x,) * 2, halves((2, 3))
    end, ys = elementwise_scan(add, (), start, jnp.zeros((0, 2, 3)))
    assert_equal(end, start)
    assert ys.shape == (0, 2, 3)
    with pytest.raises(IndexError, match="out of bounds"):  # there is no first current
        lif().forward((), jnp.zeros((0, 2, 3)), None)


@pytest.mark.usefixtures("float64")
def test_64_bits_are_a_scan(kernels):
    x = halves((5, 2, 3)).astype(float)
    y, _ = lif().forward((), x, None)
    assert y.dtype == float
    assert kernels == []


def test_a_gpu_unrolls_blocks_and_a_tpu_scans_to_the_same_bits():
    x, add = halves((25, 2, 3)), lambda k, c, x: (k * c + x,) * 2
    run = jax.jit(lambda x: elementwise_scan(add, 0.5, x[0], x))
    texts = {"cpu": str(run.trace(x).jaxpr)}
    for name, steps in {"gpu": UNROLL["gpu"], "tpu": 1}.items():
        with for_platform(name):
            texts[name] = str(run.trace(x).jaxpr)
            assert f"unroll={steps}\n" in texts[name]
            assert_equal(run(x), jax.lax.scan(lambda c, x: add(0.5, c, x), x[0], x))
    in_place = [name for name, text in texts.items() if "dynamic_update_slice" in text]
    assert in_place == ["cpu"]


def gpu(capability):
    return SimpleNamespace(compute_capability=capability)


def test_on_which_machines_there_are_kernels(monkeypatch):
    assert not has_kernels() or jax.default_backend() == "gpu"
    monkeypatch.setattr(jax, "__version_info__", (0, 11, 0))  # the last with Triton
    cpu = jax.devices("cpu")[0]
    for devices, expected in [
        ([gpu("8.0")], True), ([gpu("9.0")], True), ([gpu("12.1")], True),
        ([gpu("7.5")], False), ([gpu("gfx90a")], False), ([gpu("9.0")] * 2, False),
        ([cpu], False),
    ]:  # fmt: skip
        monkeypatch.setattr(jax, "devices", lambda devices=devices: devices)
        assert has_kernels() is expected
    monkeypatch.setattr(jax, "devices", lambda: [gpu("9.0")])
    with jax.default_device(cpu):
        assert not has_kernels()
    monkeypatch.setattr(jax, "__version_info__", (0, 12, 0))
    assert not has_kernels()


def test_no_kernel_where_a_program_is_divided_by_hand(monkeypatch):
    mesh, along = jax.sharding.Mesh(np.array(jax.devices()[:1]), "x"), jax.P("x")
    monkeypatch.setattr(jax, "devices", lambda: [gpu("9.0")])
    monkeypatch.setattr(jax, "__version_info__", (0, 11, 0))
    seen = lambda x: x * has_kernels()
    assert seen(jnp.ones(1)) == 1
    assert jax.shard_map(seen, mesh=mesh, in_specs=along, out_specs=along)(jnp.ones(1)) == 0


def test_what_is_no_recurrence_is_refused_as_by_a_scan():
    keep = lambda k, c, x: (c + x[0],) * 2
    xs, start = (halves((4, 2, 3)), halves((3, 2, 3))), jnp.zeros((2, 3))
    with pytest.raises(ValueError, match="leading axis sizes"):
        elementwise_scan(keep, (), start, xs)
    for start, x in [(jnp.zeros(3), xs[0]), (jnp.zeros((2, 3), jnp.float16), xs[0])]:
        with pytest.raises(TypeError, match="carry"):
            elementwise_scan(keep, (), start, (x,))


NOT_TOLD = {
    "not put out": lambda k, c, x: (c + x, 2 * c),
    "of no step": lambda k, c, x: (c + x, ()),
    "put out in part": lambda k, c, x: ((c[0] + x, c[1] * x), c[0] + x),
}


@pytest.mark.parametrize("name", NOT_TOLD)
def test_a_carry_that_no_output_tells_is_carried_by_a_scan(name):
    f, xs = NOT_TOLD[name], halves((4, 2, 3))
    start = (xs[0], xs[1]) if name == "put out in part" else xs[0]
    assert in_place(f, None, 0.5, start, xs) is None
    expected = jax.lax.scan(lambda c, x: f(0.5, c, x), start, xs)
    assert_equal(elementwise_scan(f, 0.5, start, xs), expected)
