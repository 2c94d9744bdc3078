"""`check` says where two gradients differ, and refuses what would agree for a wrong reason."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import serial
from jaxdigits.gradients import check, check_loss
from jaxdigits.layers import dense, standardise
from jaxdigits.losses import cross_entropy
from jaxdigits.spikes import Convention, lif, rate

LAYER, X = dense(3), np.random.default_rng(0).standard_normal((4, 2))
PARAMS = LAYER.init(jax.random.key(0), (2,))[0]
CURRENT = np.random.default_rng(0).normal(0.4, 0.8, (9, 4, 2))


def doctored(change):
    """`LAYER` whose backward gives change(grads, x_bar)."""
    return LAYER._replace(backward=lambda *a: change(*LAYER.backward(*a)))


def bias(change):
    return doctored(lambda grads, x_bar: (grads | {"bias": change(grads["bias"])}, x_bar))


def test_a_report_names_the_leaf_and_the_place():
    report = check(bias(lambda b: b.at[2].add(10.0)), PARAMS, X)
    assert not report.ok
    assert report.worst == "params/bias"
    assert report.reason.startswith("params/bias differs by")
    assert report.reason.endswith("at (2,) from jax.vjp")
    rows = {row.leaf: row for row in report.rows if row.witness == "jax.vjp"}
    assert set(rows) == {"params/bias", "params/weight", "x"}
    assert rows["params/bias"].where == (2,)
    assert rows["params/bias"].error == report.error > 0.1
    assert rows["params/bias"].cosine == report.cosine < 1
    assert rows["x"].error < 1e-15


def test_a_gradient_that_agrees_gives_no_reason():
    report = check(LAYER, PARAMS, X)
    assert report.ok
    assert report.reason == ""
    assert report.error < 1e-15
    assert report.cosine == pytest.approx(1)


def test_the_tolerance_is_the_largest_error_that_agrees():
    slightly_off = bias(lambda b: b * (1 + 1e-6))
    assert not check(slightly_off, PARAMS, X).ok
    assert check(slightly_off, PARAMS, X, tolerance=1e-5).ok


def test_it_works_in_float64_and_leaves_float32_behind():
    seen = []

    def forward(params, x, key):
        seen.append(x.dtype)
        return LAYER.forward(params, x, key)

    check(LAYER._replace(forward=forward), PARAMS, X.astype(np.float32))
    assert set(seen) == {np.dtype("float64")}
    assert jnp.ones(()).dtype == jnp.float32


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_gradient_that_is_no_number_is_not_ok(number):
    assert not check(bias(lambda b: b.at[0].set(number)), PARAMS, X).ok


def test_two_gradients_that_are_no_numbers_do_not_agree():
    assert not check(LAYER, PARAMS, np.full((4, 2), np.nan)).ok


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda g, x: ({"weight": g["weight"]}, x), "by JAX has a leaf 'params/bias'"),
        (lambda g, x: (g | {"drift": g["bias"]}, x), "by hand has a leaf 'params/drift'"),
        (lambda g, x: (g, None), "by JAX has a leaf 'x'"),
        (lambda g, x: (g | {"bias": g["bias"][:1]}, x), r"params/bias: shape \(1,\) by hand"),
        (lambda g, x: (g, x.T), r"x: shape \(2, 4\) by hand, shape \(4, 2\) by JAX"),
    ],
)
def test_leaves_that_do_not_match_are_named(change, match):
    with pytest.raises(ValueError, match=match):
        check(doctored(change), PARAMS, X)


@pytest.mark.parametrize(
    ("threshold", "reason"),
    [
        (99.0, "spiking layer 2 is silent (rate 0): nothing was tested"),
        (1e-9, "spiking layer 2 is saturated (rate 1): nothing was tested"),
    ],
)
def test_a_network_in_which_nothing_can_differ_is_refused(threshold, reason):
    second = lif(decay=0.0, threshold=threshold, convention=Convention(reset=0.0))
    network = serial(lif(threshold=0.5), serial(standardise(-0.5), second))
    report = check(network, ((), ((), ())), CURRENT)
    assert report.error < 1e-10
    assert not report.ok
    assert report.reason == reason
    assert 0.05 < report.firing_rates[0] < 0.95


def test_an_image_in_uint8_leaves_the_params_to_compare():
    network = serial(rate(5), dense(3))
    params, _ = network.init(jax.random.key(0), (6,))
    report = check(network, params, np.full((4, 6), 100, np.uint8), jax.random.key(0))
    assert report.ok
    assert {row.leaf for row in report.rows} == {"params/1/bias", "params/1/weight"}


def test_where_nothing_has_a_gradient_nothing_is_tested():
    report = check(standardise(), (), np.ones((2, 3), np.uint8))
    assert report.reason == "no leaf has a gradient: nothing was tested"
    assert (report.worst, report.rows) == ("nothing", ())


def test_a_loss_is_compared_at_its_logits():
    report = check_loss(cross_entropy(), jnp.eye(4), jnp.arange(4))
    assert report.ok
    assert report.worst == "logits"
