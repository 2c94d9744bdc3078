"""Whatever has a gradient can be checked: each right passes, each wrong is found."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import by_autodiff, by_hand, check, serial
from jaxdigits.gradients import (
    Differences,
    check_estimator,
    check_function,
    check_loss,
    check_network,
    check_pair,
    check_spiking,
)
from jaxdigits.layer import Layer
from jaxdigits.layers import dense, relu, tanh
from jaxdigits.losses import cross_entropy
from jaxdigits.spikes.convention import Convention
from jaxdigits.spikes.lif import lif
from jaxdigits.spikes.readout import leaky_readout
from jaxdigits.spikes.surrogates import arctan, soft_twin, with_slope
from jaxdigits.spikes.unroll import Traces

X = np.random.default_rng(0).standard_normal((5, 4))
W = np.random.default_rng(1).standard_normal((4, 3))
CURRENT = np.random.default_rng(0).normal(0.4, 0.8, (9, 3, 4))
LABEL = jnp.arange(3)


def verdicts(report):
    return {(row.leaf, row.witness): row.verdict for row in report.rows}


@pytest.mark.parametrize("factor", [1.0, 1.001])
def test_a_pair_in_the_convention_of_custom_vjp(factor):
    forward = lambda x, weights: (x @ weights["w"], (x, weights["w"]))
    backward = lambda kept, g: (g @ kept[1].T, {"w": factor * kept[0].T @ g})
    report = check_pair(forward, backward, X, {"w": W})
    assert report.ok == (factor == 1)
    told = verdicts(report)
    assert told["x", "jax.vjp"] == "agrees"
    assert told["weights/w", "jax.vjp"] == ("agrees" if factor == 1 else "differs")


def test_a_gradient_of_zero_is_not_judged_by_its_rounding():
    # y does not change along x, and ∂L/∂y lies along x: what is left is rounding.
    y_of = lambda x: x / jnp.sqrt((x**2).sum())
    forward = lambda x: (jnp.vdot(y_of(x), y_of(x)), x)
    backward = lambda x, g: (g * 1e-17 * jnp.cos(x),)
    assert check_pair(forward, backward, X).ok
    assert not check_pair(forward, lambda x, g: (g * 1e-10 * jnp.cos(x),), X).ok


def square(scale):
    """x² with a custom_vjp, right for a scale of 2."""
    f = jax.custom_vjp(lambda x: x**2)
    f.defvjp(lambda x: (x**2, x), lambda x, g: (scale * x * g,))
    return f


def cube(scale):
    """x³ with a custom_jvp, right for a scale of 3."""
    f = jax.custom_jvp(lambda x: x**3)
    f.defjvp(lambda x, dx: (x[0] ** 3, scale * x[0] ** 2 * dx[0]))
    return f


@pytest.mark.parametrize("twin", [True, False], ids=["twin", "differences only"])
@pytest.mark.parametrize(("make", "power"), [(square, 2), (cube, 3)])
def test_a_function_with_its_own_rule(make, power, twin):
    plain = (lambda x: x**power) if twin else None
    assert check_function(make(power), X, twin=plain).ok
    assert not check_function(make(-power), X, twin=plain).ok


def test_a_twin_must_be_the_same_function():
    report = check_function(square(2), X, twin=lambda x: x**2 + 1.0)
    assert not report.ok
    assert report.worst == "output"


def test_a_step_function_without_a_twin_is_not_applicable_and_does_not_pass():
    report = check_function(with_slope(arctan()), X)
    assert not report.ok
    assert "no witness applies" in report.reason
    assert {row.verdict for row in report.rows} == {"not applicable"}


def test_a_hard_layer_has_no_difference_quotient():
    report = check(lif(arctan(), threshold=0.75), {}, CURRENT)
    assert report.ok
    assert verdicts(report) == {
        ("x", "jax.vjp"): "agrees",
        ("x", "directions"): "not applicable",
    }
    assert "not applicable: a hard threshold" in str(report)


@pytest.mark.parametrize("held", [True, False], ids=["reset held", "reset differentiated"])
def test_a_spiking_layer_is_checked_on_its_soft_twin(held):
    convention = Convention(differentiate_reset=not held)
    build = partial(lif, threshold=0.75, convention=convention)
    told = verdicts(check_spiking(build, arctan(), {}, CURRENT).raise_if_bad())
    assert told["x", "directions"] == "not applicable"
    assert told["x", "soft jax.vjp"] == "agrees"
    assert told["x", "soft directions"] == told["x", "soft coordinates"] == "agrees"


@pytest.mark.parametrize("held", [True, False], ids=["reset held", "reset differentiated"])
def test_a_slope_that_is_not_its_primitives_is_found_by_the_soft_twin_only(held):
    wrong = arctan()._replace(slope=lambda u: 1.1 * arctan().slope(u))
    build = partial(lif, threshold=0.75, convention=Convention(differentiate_reset=not held))
    assert check(build(wrong), {}, CURRENT).ok
    report = check_spiking(build, wrong, {}, CURRENT)
    assert not report.ok
    assert "soft directions" in report.reason


def test_differences_see_no_wrong_reset_but_jax_does():
    right = lif(soft_twin(arctan()), convention=Convention(differentiate_reset=True))
    held = lif(soft_twin(arctan()), convention=Convention(differentiate_reset=False))
    report = check(right._replace(backward=held.backward), {}, CURRENT)
    assert not report.ok
    assert set(verdicts(report).values()) == {"differs"}


def test_a_whole_network_with_a_loss():
    network, loss = serial(dense(4), tanh(), dense(3)), cross_entropy(0.1)
    params, _ = network.init(jax.random.key(0), (4,))
    batch = X[:3].astype(np.float32), LABEL
    check_network(network, loss, params, batch).raise_if_bad()
    wrong = loss._replace(slope=lambda logits, label: 3 * loss.slope(logits, label))
    report = check_network(network, wrong, params, batch)
    assert report.error == pytest.approx(2)
    assert report.cosine == pytest.approx(1)


def test_a_spiking_network_with_a_loss_and_its_twin():
    make = lambda surrogate: serial(
        dense(6, gain=4.0), lif(surrogate, threshold=0.5), dense(3), leaky_readout()
    )
    params, _ = make(arctan()).init(jax.random.key(0), (4,))
    arguments = cross_entropy(), params, (CURRENT, LABEL)
    report = check_network(make(arctan()), *arguments, soft=make(soft_twin(arctan())))
    assert report.raise_if_bad().firing_rates[0] > 0.1
    assert verdicts(report)["params/0/weight", "soft directions"] == "agrees"


def test_an_estimator_against_a_reference():
    network, loss = serial(dense(4), tanh(), dense(3)), cross_entropy()
    params, _ = network.init(jax.random.key(0), (4,))
    pair = by_hand(network, loss), by_autodiff(network, loss)
    report = check_estimator(*pair, params, (X[:3], LABEL))
    assert report.ok
    assert {row.witness for row in report.rows} == {"reference"}

    def rough(params, batch, key):
        loss, grads, residual = pair[0](params, batch, key)
        return loss, jax.tree.map(jnp.sign, grads), residual

    report = check_estimator(rough, pair[1], params, (X[:3], LABEL))
    assert not report.ok
    assert 0.5 < report.cosine < 1


def test_a_loss():
    loss = cross_entropy()
    assert check_loss(loss, X, jnp.arange(5) % 4).ok
    wrong = loss._replace(slope=lambda z, label: -loss.slope(z, label))
    assert check_loss(wrong, X, jnp.arange(5) % 4).worst == "logits"


def test_on_a_kink_differences_say_nothing_and_jax_decides():
    kinked = np.array([[0.0, 1.0, -1.0]])
    report = check(relu(), (), kinked)
    assert report.ok
    told = verdicts(report)
    assert told["x", "jax.vjp"] == "agrees"
    assert told["x", "directions"] == "agrees"  # of the other numbers
    assert told["x", "coordinates"] == "agrees"
    report = check(relu(), (), np.zeros((2, 3)))
    assert report.rows[1].verdict == "not applicable"
    assert "kink" in report.rows[1].note


def test_next_to_a_kink_a_shorter_step_sees_the_slope():
    near = np.array([[2e-6, 1.0, -1.0]])
    report = check(relu(), (), near, differences=Differences(step=1e-5))
    assert set(verdicts(report).values()) == {"agrees"}


def test_a_wrong_gradient_has_no_excuse_in_a_kink():
    f = jax.custom_vjp(lambda x: jnp.maximum(x, 0))
    f.defvjp(lambda x: (jnp.maximum(x, 0), x), lambda x, g: (3.0 * (x >= 0) * g,))
    report = check_function(f, np.zeros((2, 3)))
    assert set(verdicts(report).values()) == {"differs"}


def test_a_wrong_gradient_has_no_excuse_in_a_bend():
    """With a long step, a smooth bend keeps the slopes to both sides apart, but ever less."""
    report = check_function(square(2.01), np.ones((2, 3)), differences=Differences(step=1.0))
    assert set(verdicts(report).values()) == {"differs"}


def test_a_complex_step_says_when_it_is_not_applicable():
    report = check_function(
        lambda x: jax.lax.erf(x), X, differences=Differences(complex_step=True)
    )
    assert report.ok
    assert verdicts(report)["x", "complex step"] == "not applicable"
    assert "no complex numbers" in str(report)


def sine(fwd=lambda x: (jnp.sin(x), x), bwd=lambda x, y_bar: (y_bar * jnp.cos(x),)):
    """The sine with a rule of its own."""
    function = jax.custom_vjp(jnp.sin)
    function.defvjp(fwd, bwd)
    return function


WAVE = np.linspace(0.1, 1.0, 6).reshape(2, 3)


@pytest.mark.parametrize("bad", [(0, 0), ...], ids=["one number", "all numbers"])
def test_a_gradient_that_is_not_finite_never_passes_without_a_twin(bad):
    broken = sine(bwd=lambda x, y_bar: ((y_bar * jnp.cos(x)).at[bad].set(jnp.nan),))
    report = check_function(broken, WAVE)
    assert not report.ok
    assert "x: not finite of the function at (0, 0)" in report.reason
    assert check_function(sine(), WAVE).ok


@pytest.mark.parametrize("twin", [None, jnp.sin])
def test_a_rule_that_gives_another_output_is_seen(twin):
    report = check_function(sine(fwd=lambda x: (3 * jnp.sin(x), x)), WAVE, twin=twin)
    assert not report.ok
    assert "output when differentiated differs by 2.0e+00" in report.reason


def test_what_is_no_float_is_named_and_nothing_but_that_is_refused():
    report = check_function(lambda x, a: x * a, WAVE, 2)
    assert report.ok
    assert report.constants == ("a (int32)",)
    assert "no gradient: a (int32)" in str(report)
    with pytest.raises(ValueError, match=r"give floats, got x \(int64\)"):
        check_function(lambda x: 2.0 * x, np.arange(3))
    with pytest.raises(ValueError, match="give floats, got no arguments"):
        check_pair(lambda: (1.0, None), lambda residual, y_bar: ())


def own(surrogate, leave=Traces):
    """A spiking layer of a user's."""
    fire = with_slope(surrogate)

    def forward(params, x, key):
        v = params["gain"] * x
        return fire(v - 1), (x, leave(v, fire(v - 1)))

    def backward(params, residual, y_bar):
        x, kept = residual
        v_bar = y_bar * surrogate.slope(kept[0] - 1)
        return {"gain": (v_bar * x).sum()}, v_bar * params["gain"]

    return Layer(lambda key, shape: ({"gain": jnp.ones(())}, shape), forward, backward)


CURRENTS = np.random.default_rng(0).normal(1.0, 1.0, (6, 2, 3))


def test_a_spiking_layer_of_ones_own_is_checked_by_its_soft_twin():
    assert check_spiking(own, arctan(), {"gain": 1.0}, CURRENTS).ok
    silent = check_spiking(own, arctan(), {"gain": 1.0}, 0.01 * CURRENTS)
    assert "spiking layer 1 is silent" in silent.reason


def test_a_spiking_layer_whose_rate_is_not_known_is_not_ok():
    report = check_spiking(partial(own, leave=lambda *a: a), arctan(), {"gain": 1.0}, CURRENTS)
    assert not report.ok
    assert "leave Traces(v, spikes) in the residual" in report.reason


def test_a_builder_that_does_not_take_its_surrogate_is_not_ok():
    with pytest.raises(ValueError, match="the soft twin fires whole spikes"):
        check_spiking(lambda _: own(arctan()), arctan(), {"gain": 1.0}, CURRENTS)
    unseen = own(arctan(), leave=lambda *kept: kept)
    report = check_spiking(lambda _: unseen, arctan(), {"gain": 1.0}, CURRENTS)
    assert "the soft twin does not respond" in report.reason
    said_nothing = [r for r in report.to_dict()["rows"] if r["verdict"] == "not applicable"]
    assert said_nothing
    assert all(row["error"] is None and row["cosine"] is None for row in said_nothing)
