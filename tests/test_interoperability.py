"""Layers in other people's programs: JAX's transformations, Equinox, Flax, NumPy."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec

from jaxdigits import differentiable, serial, snn
from jaxdigits.layers import dense
from jaxdigits.spikes import lif, traces

PAGE = (Path(__file__).parent.parent / "docs" / "interoperability.md").read_text()
HEAD, *PARTS = PAGE.split("\n## ")
NEEDS = {"In Equinox": "equinox", "In Flax NNX": "flax"}
KEY = jax.random.key(0)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.split("\n")[0])
def test_the_programs_of_the_page_run(part):
    if package := NEEDS.get(part.split("\n")[0]):
        pytest.importorskip(package)
    blocks = re.findall(r"```python\n(.*?)```", HEAD + part, re.DOTALL)
    assert len(blocks) == 2
    exec(compile("\n".join(blocks), "interoperability.md", "exec"), {"__name__": "page"})


def test_the_page_has_the_parts_that_need_a_package():
    assert set(NEEDS) < {part.split("\n")[0] for part in PARTS}


@pytest.fixture(scope="module")
def network():
    """(layer, params, images [6, 8, 8], keys [6]) of a small spiking network that fires."""
    layer = snn(hidden=(12,), steps=5, dropout_rate=0.0)
    params, _ = layer.init(KEY, (8, 8))
    image, keys = jax.random.uniform(KEY, (6, 8, 8)), jax.random.split(KEY, 6)
    _, residual = layer.forward(params, image, keys)
    assert 0 < traces(residual)[0].spikes.mean() < 1
    return layer, params, image, keys


def gradient(apply, params, image, keys):
    """The gradient of a loss that is the sum of the examples' own."""
    return jax.jit(jax.grad(lambda params: (apply(params, image, keys) ** 2).sum()))(params)


@pytest.fixture(scope="module")
def expected(network):
    layer, *given = network
    return gradient(differentiable(layer), *given)


def assert_close(tree, other):
    assert jax.tree.structure(tree) == jax.tree.structure(other)
    for a, b in zip(*map(jax.tree.leaves, (tree, other)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert any(np.abs(a).max() > 1e-3 for a in jax.tree.leaves(tree))


def test_vmap_over_examples_has_the_gradient_of_the_batch(network, expected):
    layer, *given = network
    apply = differentiable(layer)
    one = lambda params, x, key: apply(params, x[None], key[None])[0]
    assert_close(gradient(jax.vmap(one, in_axes=(None, 0, 0)), *given), expected)


def test_vmap_over_params_serves_several_networks(network, expected):
    layer, params, image, keys = network
    two = jax.tree.map(lambda a: jnp.stack([a, 2 * a]), params)
    of_each = lambda params: gradient(differentiable(layer), params, image, keys)
    assert_close(jax.tree.map(lambda a: a[0], jax.vmap(of_each)(two)), expected)


def test_a_recomputed_network_has_the_same_gradient(network, expected):
    layer, *given = network
    assert_close(gradient(jax.checkpoint(differentiable(layer)), *given), expected)


def test_the_jacobian_row_by_row_makes_the_gradient(network, expected):
    layer, params, image, keys = network
    apply = differentiable(layer)
    rows = jax.jit(jax.jacrev(apply))(params, image, keys)
    y_bar = 2 * apply(params, image, keys)
    assert_close(jax.tree.map(lambda row: jnp.tensordot(y_bar, row, 2), rows), expected)


def test_a_scan_over_parts_of_the_batch_adds_up_to_the_gradient(network, expected):
    layer, params, image, keys = network
    parts = image.reshape(3, 2, 8, 8), keys.reshape(3, 2)
    of_part = lambda total, part: (
        jax.tree.map(jnp.add, total, gradient(differentiable(layer), params, *part)),
        None,
    )
    total, _ = jax.lax.scan(of_part, jax.tree.map(jnp.zeros_like, params), parts)
    assert_close(total, expected)


def test_shard_map_over_the_batch_adds_up_to_the_gradient(network, expected):
    layer, *given = network
    devices = jax.devices()[:2]  # one, where there is only one: the program is the same
    mesh = Mesh(np.array(devices), ("batch",))
    here, split = PartitionSpec(), PartitionSpec("batch")
    of_shard = lambda *given: jax.lax.psum(gradient(differentiable(layer), *given), "batch")
    # Unchecked, as a layer's `backward` knows no mesh, so that nobody else adds it up.
    mapped = jax.shard_map(
        of_shard, mesh=mesh, in_specs=(here, split, split), out_specs=here, check_vma=False
    )
    assert_close(jax.jit(mapped)(*given), expected)


def test_forward_mode_goes_through_forward_and_is_refused_by_hand(network):
    layer, params, image, keys = network
    tangent = jax.tree.map(jnp.ones_like, params)
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(lambda p: differentiable(layer)(p, image, keys), (params,), (tangent,))
    _, y_dot = jax.jvp(lambda p: layer.forward(p, image, keys)[0], (params,), (tangent,))
    assert np.abs(y_dot).max() > 0


def test_a_gradient_by_hand_that_is_wrong_is_the_one_that_is_taken(network, expected):
    """Else all the above would hold of autodiff as well."""
    layer, *given = network
    twice = lambda params, residual, y_bar: layer.backward(params, residual, 2 * y_bar)
    wrong = gradient(differentiable(layer._replace(backward=twice)), *given)
    assert_close(jax.tree.map(lambda a: a / 2, wrong), expected)


def test_params_of_numpy_arrays_are_taken_as_they_are():
    layer = serial(dense(4), lif())
    params, _ = layer.init(KEY, (3,))
    x = jnp.ones((5, 2, 3))
    arrays = jax.tree.map(np.asarray, params)
    y, _ = layer.forward(params, x, None)
    assert (layer.forward(arrays, x, None)[0] == y).all()
    assert (differentiable(layer)(arrays, x, None) == y).all()
