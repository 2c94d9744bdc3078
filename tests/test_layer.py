"""Combinators are the chain rule: shapes, keys, inputs of one kind or several, errors."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import cnn, differentiable, mlp, parallel, recomputed, residual, serial, snn
from jaxdigits.gradients import check
from jaxdigits.layer import Static, to_unit, without_params
from jaxdigits.layers import (
    average_pool,
    batch_norm,
    conv2d,
    dense,
    dropout,
    flatten,
    standardise,
    tanh,
)
from jaxdigits.spikes import lif, rate_penalty

KEY = jax.random.key(0)
EYE, EAR = serial(standardise(0.5), dense(3)), serial(dense(2), tanh())


def scale(factor):
    """y = factor · x, without params."""
    times = lambda x, _: factor * x
    return without_params(lambda x, key: (factor * x, ()), lambda _, y_bar: times(y_bar, None))


def test_serial_is_one_layer_after_another():
    network = serial(dense(4), tanh(), dense(2))
    params, shape = network.init(KEY, (3,))
    assert shape == (2,)
    assert [jax.tree.map(jnp.shape, p) for p in params] == [
        dict(weight=(3, 4), bias=(4,)), (), dict(weight=(4, 2), bias=(2,))
    ]  # fmt: skip
    x = np.ones((5, 3), np.float32)
    by_numpy = np.tanh(x @ np.asarray(params[0]["weight"])) @ np.asarray(params[2]["weight"])
    y, kept = network.forward(params, x, None)
    np.testing.assert_allclose(y, by_numpy, rtol=1e-5)
    assert len(kept) == 3


def test_serial_takes_layers_only():
    for wrong, name in ((tanh, "tanh"), (3, "3")):
        with pytest.raises(ValueError, match=f"got {name}: call a constructor, as relu"):
            serial(dense(3), wrong)  # pyright: ignore


def test_serial_of_nothing_changes_nothing():
    params, shape = serial().init(KEY, (3,))
    y, kept = serial().forward(params, jnp.ones((2, 3)), KEY)
    assert (params, shape, kept) == ((), (3,), ())
    grads, x_bar = serial().backward(params, kept, y)
    assert grads == ()
    np.testing.assert_array_equal(x_bar, y)


def test_backward_runs_through_the_layers_last_first():
    order = []

    def noting(name):
        note = lambda _, y_bar: order.append(name) or y_bar
        return without_params(lambda x, key: (x, ()), note)

    network = serial(noting("a"), serial(noting("b"), noting("c")))
    network.backward(((), ((), ())), ((), ((), ())), jnp.ones(1))
    assert order == ["c", "b", "a"]


def test_every_layer_draws_numbers_and_params_of_its_own():
    network = serial(dense(8), dropout(0.5), dense(8), dropout(0.5))
    params, _ = network.init(KEY, (8,))
    _, (_, mask, _, other) = network.forward(params, jnp.ones((4, 8)), KEY)
    assert (mask != other).any()
    assert (params[0]["weight"] != params[2]["weight"]).any()


def test_a_shared_input_is_the_same_input_for_each_branch():
    network = parallel({"a": dense(4), "b": dense(2)})
    params, shape = network.init(KEY, (3,))
    x = jax.random.normal(KEY, (5, 3))
    y, kept = network.forward(params, x, None)
    y_apart, kept_apart = network.forward(params, {"b": x, "a": x}, None)
    assert shape == y.shape[1:] == (6,)
    np.testing.assert_array_equal(y, y_apart)
    np.testing.assert_array_equal(y[:, :4], dense(4).forward(params["a"], x, None)[0])
    _, x_bar = network.backward(params, kept, y)
    _, apart = network.backward(params, kept_apart, y)
    np.testing.assert_allclose(x_bar, apart["a"] + apart["b"], rtol=1e-6)


@pytest.mark.parametrize(("fuse", "wide", "narrow"), [("concatenate", 3, 2), ("sum", 2, 2)])
def test_branches_of_their_own_inputs_agree_with_jax(fuse, wide, narrow):
    network = parallel({"image": dense(wide), "sound": EAR}, fuse=fuse)
    params, shape = network.init(KEY, {"image": (4,), "sound": (6,)})
    assert shape == ((wide + narrow,) if fuse == "concatenate" else (narrow,))
    x = {"image": jnp.ones((3, 4)), "sound": jax.random.normal(KEY, (3, 6))}
    report = check(network, params, x)
    assert report.ok, report.reason
    assert {"x/image", "x/sound"} < {row.leaf for row in report.rows}


def test_an_image_in_uint8_has_no_gradient_and_a_sound_beside_it_has():
    network = parallel({"image": EYE, "sound": EAR})
    params, _ = network.init(KEY, {"image": (4,), "sound": (6,)})
    x = {"image": jnp.full((3, 4), 200, jnp.uint8), "sound": jnp.ones((3, 6))}
    report = check(network, params, x)
    assert report.ok, report.reason
    assert "x/sound" in {row.leaf for row in report.rows}
    assert "x/image" not in {row.leaf for row in report.rows}


def test_branches_may_share_an_image_in_uint8():
    network = parallel({"a": EYE, "b": serial(standardise(), dense(3))}, fuse="sum")
    params, _ = network.init(KEY, (4,))
    x = jnp.arange(12, dtype=jnp.uint8).reshape(3, 4)
    y, kept = network.forward(params, x, None)
    assert network.backward(params, kept, y)[1] is None
    assert check(network, params, x).ok


def test_layers_before_an_image_becomes_float_send_nothing_back():
    network = serial(flatten(), standardise(), dense(2))
    params, _ = network.init(KEY, (2, 3))
    y, kept = network.forward(params, jnp.ones((4, 2, 3), jnp.uint8), None)
    assert network.backward(params, kept, y)[1] is None


def test_residual_adds_the_input_and_its_gradient():
    network = residual(scale(3.0))
    y, kept = network.forward((), jnp.ones(2), None)
    np.testing.assert_array_equal(y, [4, 4])
    np.testing.assert_array_equal(network.backward((), kept, jnp.ones(2))[1], [4, 4])


@pytest.mark.usefixtures("optimised")  # without, both programs round in other orders
def test_recomputed_keeps_input_and_key_and_does_the_rest_again():
    plain = serial(dense(4), tanh(), dropout(0.5), dense(2))
    again, keys = recomputed(plain), jax.random.split(KEY, 5)
    params, shape = again.init(KEY, (3,))
    assert (jax.tree.structure(params), shape) == (
        jax.tree.structure(plain.init(KEY, (3,))[0]),
        (2,),
    )
    x = jax.random.normal(KEY, (5, 3))
    y, (kept_x, kept_keys) = again.forward(params, x, keys)
    assert kept_x is x
    assert kept_keys is keys  # so the masks are drawn alike
    wanted, kept = plain.forward(params, x, keys)
    np.testing.assert_array_equal(y, wanted)
    got = jax.jit(again.backward)(params, (x, keys), y)
    jax.tree.map(np.testing.assert_array_equal, got, jax.jit(plain.backward)(params, kept, y))


def test_recomputed_without_a_key_and_of_pixels():
    network = recomputed(EYE)
    params, _ = network.init(KEY, (4,))
    y, kept = network.forward(params, jnp.ones((3, 4), jnp.uint8), None)
    assert network.backward(params, kept, y)[1] is None


@pytest.mark.parametrize(
    ("layers", "what"),
    [((lif(), rate_penalty(1.0)), "price on spikes"), ((batch_norm(),), "batch statistics")],
)
def test_recomputed_refuses_what_is_read_in_its_residual(layers, what):
    network = recomputed(serial(dense(4), *layers))
    params, _ = network.init(KEY, (3,))
    with pytest.raises(ValueError, match=f"would lose the {what}"):
        network.forward(params, jnp.ones((2, 5, 3)), None)


@pytest.mark.parametrize(
    ("layer", "shape"), [(dense(2), (3,)), (conv2d(2), (4, 4, 1)), (average_pool(), (4, 4, 1))]
)
def test_whole_numbers_are_refused_by_name(layer, shape):
    params, _ = layer.init(KEY, shape)
    with pytest.raises(ValueError, match="takes floats, got uint8"):
        layer.forward(params, jnp.ones((2, *shape), jnp.uint8), None)


@pytest.mark.parametrize("build", [mlp, partial(snn, steps=3), partial(cnn, norm=None)])
def test_no_images_give_no_logits(build):
    network = build(training=False)
    params = jax.jit(lambda key: network.init(key, (8, 8))[0])(KEY)
    y, _ = jax.jit(network.forward)(params, jnp.zeros((0, 8, 8), jnp.uint8), KEY)
    assert y.shape == (0, 10)


X = jax.random.normal(KEY, (4, 3))


@pytest.mark.parametrize(
    ("layer", "x"),
    [
        (serial(dense(3), dropout(0.5), tanh()), X),
        (EYE, (100 * jnp.abs(X)).astype(jnp.uint8)),
        (parallel({"eye": EYE, "ear": EAR}), {"eye": X, "ear": X[:, :2]}),
    ],
    ids=["floats", "pixels", "senses"],
)
def test_the_gradient_of_differentiable_is_the_one_by_hand(layer, x):
    params, _ = layer.init(KEY, jax.tree.map(lambda a: a.shape[1:], x))
    y, kept = layer.forward(params, x, KEY)
    y_bar = jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape)
    by_hand = layer.backward(params, kept, y_bar)
    loss = lambda params, x: jnp.vdot(y_bar, differentiable(layer)(params, x, KEY))
    if layer is EYE:
        by_jax = jax.grad(loss)(params, x), None
    else:
        by_jax = jax.grad(loss, (0, 1))(params, x)
    for ours, theirs in zip(*map(jax.tree.leaves, (by_hand, by_jax)), strict=True):
        assert np.abs(ours).max() > 0.01
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_differentiable_serves_a_program_of_somebody_else():
    doctored = scale(2.0)._replace(backward=lambda params, kept, y_bar: ((), -y_bar))
    apply = differentiable(doctored)
    slope = jax.jit(jax.vmap(jax.grad(lambda x: apply((), x, KEY).sum() ** 2)))
    # 2 y · (−1), where the true slope would be 2 y · 2.
    np.testing.assert_array_equal(slope(jnp.array([[1.0], [3.0]])), [[-4], [-12]])
    with pytest.raises(TypeError, match="jvp"):
        jax.jvp(lambda x: apply((), x, KEY), (jnp.ones(1),), (jnp.ones(1),))


BAD = {
    "at least one branch": lambda: parallel({}),
    "fuse": lambda: parallel({"a": tanh()}, fuse="product"),
    r"\['a', 'b'\].*\['a'\]": lambda: parallel({"a": tanh(), "b": tanh()}).init(
        KEY, {"a": (3,)}
    ),
    r"\['a'\].*\['a', 'b'\]": lambda: parallel({"a": tanh()}).forward(
        {"a": ()}, {"a": jnp.ones(1), "b": jnp.ones(1)}, None
    ),
    "one shape": lambda: parallel({"a": dense(2), "b": dense(3)}, fuse="sum").init(KEY, (3,)),
    "last axis": lambda: parallel({"a": conv2d(2), "b": conv2d(2, padding="VALID")}).init(
        KEY, (5, 5, 1)
    ),
    r"keeps \(3,\).*\(2,\)": lambda: residual(dense(2)).init(KEY, (3,)),
    "uint8 or float, got int32": lambda: to_unit(jnp.ones(2, jnp.int32)),
    "uint8 or float, got bool": lambda: to_unit(jnp.ones(2, bool)),
}


@pytest.mark.parametrize("match", BAD)
def test_what_does_not_fit_is_refused_by_name(match):
    with pytest.raises(ValueError, match=match):
        BAD[match]()


def test_pixels_become_floats_and_floats_stay():
    pixels = jnp.array([0, 51, 255], jnp.uint8)
    np.testing.assert_allclose(to_unit(pixels), [0, 0.2, 1], rtol=1e-6)
    x = jnp.array([-3, 7], jnp.bfloat16)
    assert to_unit(x) is x


def test_a_static_fact_is_no_leaf_of_a_residual():
    assert jax.tree.leaves(Static((2, 3))) == []
    assert Static(3) == Static(3) != Static(4)
