"""The products of a step against counts by hand, and the floor against plain arithmetic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.bench.products import conv_products, dense_products, floor, in_order
from jaxdigits.layer import serial
from jaxdigits.layers import conv2d, dense
from jaxdigits.tree import relative_error


def test_a_dense_layer_has_three_products_of_two_operations_each():
    products = dense_products(3, 4, 5)
    assert [p.name for p in products] == ["forward 4→5", "weight 4→5", "input 4→5"]
    assert [p.shapes for p in products] == [
        ((3, 4), (4, 5)), ((3, 4), (3, 5)), ((3, 5), (4, 5))
    ]  # fmt: skip
    assert [p.flops for p in products] == [2 * 3 * 4 * 5] * 3


def test_a_convolution_counts_every_output_pixel_and_kernel_weight():
    first, weight, to_input = conv_products(7, 6, 2, 3, 3)
    # 7 images, 4 × 4 outputs, 3 × 3 kernels, 2 channels in, 3 out: 2 operations for each
    assert first.flops == weight.flops == to_input.flops == 2 * 7 * 16 * 9 * 2 * 3
    assert first.shapes == ((7, 6, 6, 2), (3, 3, 2, 3))
    assert weight.shapes == ((7, 6, 6, 2), (7, 4, 4, 3))
    assert to_input.shapes == ((7, 4, 4, 3), (3, 3, 2, 3))


def test_what_is_not_wanted_is_left_out():
    kinds = lambda products: [p.name.split()[0] for p in products]
    assert kinds(dense_products(2, 2, 2, to_input=False)) == ["forward", "weight"]
    assert kinds(dense_products(2, 2, 2, forward=False)) == ["weight", "input"]
    assert kinds(conv_products(1, 3, 1, 1, 3, to_input=False)) == ["forward", "weight"]


@pytest.mark.parametrize("members", [None, 3])
def test_the_products_are_those_of_the_layer(members):
    """Every form of each, against the layer's own forward and backward."""
    forward, weight, to_input = dense_products(6, 4, 5, members=members)
    _agree(dense(5, bias=False), (4,), (6, 4), members, forward, weight, to_input)


def test_the_convolutions_are_those_of_the_layer():
    forward, weight, to_input = conv_products(2, 6, 3, 4, 3)
    layer = conv2d(4, 3, padding="VALID", bias=False)
    whole, by_bands = to_input.forms
    to_input = to_input._replace(forms=(whole,))
    _agree(layer, (6, 6, 3), (2, 6, 6, 3), None, forward, weight, to_input)
    # Only the product of the other form: three rows of six columns, which still overlap.
    assert by_bands(jnp.ones((2, 4, 4, 4)), jnp.ones((3, 3, 3, 4))).shape == (8, 3 * 6 * 3)


def test_many_channels_and_odd_widths_have_one_form_of_the_input_gradient():
    assert len(conv_products(2, 6, 16, 4, 3)[2].forms) == 1
    assert len(conv_products(2, 7, 3, 4, 3)[2].forms) == 1


def _agree(layer, features, shape, members, forward, weight, to_input):
    def one(key):
        params, _ = layer.init(key, features)
        x = jax.random.normal(key, shape)
        y, kept = layer.forward(params, x, None)
        y_bar = jnp.cos(jnp.arange(float(y.size))).reshape(y.shape)
        grads, x_bar = layer.backward(params, kept, y_bar)
        return params["weight"], x, y, y_bar, grads["weight"], x_bar

    key = jax.random.key(0)
    results = jax.vmap(one)(jax.random.split(key, members)) if members else one(key)
    w, x, y, y_bar, w_bar, x_bar = results
    cases = [(forward, (x, w), y), (weight, (x, y_bar), w_bar), (to_input, (y_bar, w), x_bar)]
    for product, arrays, wanted in cases:
        assert product.shapes == tuple(a.shape for a in arrays)
        for form in product.forms:
            got = np.asarray(form(*arrays))
            assert got.shape == wanted.shape
            assert relative_error(got, np.asarray(wanted)) < 1e-5


def test_products_come_in_the_order_of_a_step():
    layers = [dense_products(1, 2, 3, to_input=False), dense_products(1, 3, 4)]
    assert [p.name for p in in_order(layers)] == [
        "forward 2→3", "forward 3→4", "weight 3→4", "input 3→4", "weight 2→3"
    ]  # fmt: skip


def test_the_floor_does_each_product_as_often_as_it_is_told():
    done = []
    products = dense_products(4, 3, 2, to_input=False)
    assert serial(dense(2)).init(jax.random.key(0), (3,))[1] == (2,)

    def watched(form):
        def run(a, b):
            jax.debug.callback(lambda: done.append(1))
            return form(a, b)

        return run

    products = [p._replace(forms=(watched(p.forms[0]),)) for p in products]
    run = floor(products, repeat=3)
    run()
    jax.effects_barrier()
    assert len(done) == 6
    run()
    jax.effects_barrier()
    assert len(done) == 12
