"""What a report says, in each of its forms."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import check, serial
from jaxdigits.gradients import BadGradient, Differences
from jaxdigits.layers import dense, tanh
from jaxdigits.spikes.lif import lif
from jaxdigits.spikes.readout import leaky_readout

X = np.random.default_rng(0).standard_normal((5, 4))
CURRENT = np.random.default_rng(0).normal(0.4, 0.8, (9, 3, 4))
NEURONS = lif(decay=0.9, threshold=0.75)


def mistaken(layer, change):
    """The layer with another gradient of its input."""

    def backward(params, kept, y_bar):
        grads, x_bar = layer.backward(params, kept, y_bar)
        return grads, change(x_bar)

    return layer._replace(backward=backward)


@pytest.fixture(scope="module")
def good():
    layer = serial(dense(3), tanh())
    params, _ = layer.init(jax.random.key(0), (4,))
    return check(layer, params, X, differences=Differences(complex_step=True))


@pytest.fixture(scope="module")
def bad():
    return check(mistaken(tanh(), lambda x_bar: x_bar.at[1, 2].add(1.0)), (), X)


def test_a_right_gradient_is_ok_before_every_witness(good):
    assert good.ok
    assert good.reason == ""
    assert {(row.leaf, row.witness) for row in good.rows} == {
        (leaf, witness)
        for leaf in ("params/0/weight", "params/0/bias", "x")
        for witness in ("jax.vjp", "directions", "coordinates", "complex step")
    }
    assert {row.verdict for row in good.rows} == {"agrees"}
    assert good.raise_if_bad() is good


def test_each_witness_is_as_exact_as_it_can_be(good):
    worst = {row.witness: 0.0 for row in good.rows}
    for row in good.rows:
        worst[row.witness] = max(worst[row.witness], row.error)
    assert worst["jax.vjp"] == good.error < 1e-14
    assert worst["complex step"] < 1e-14
    assert worst["directions"] < 1e-8
    assert good.cosine > 1 - 1e-12


def test_a_wrong_number_is_named_by_leaf_and_index(bad):
    assert not bad.ok
    assert bad.worst == "x"
    assert bad.rows[0].where == (1, 2)
    assert "x differs" in bad.reason
    assert "(1, 2)" in bad.reason
    assert bad.cosine < 1


def test_the_table_has_a_line_for_each_row_and_the_verdict(good, bad):
    lines = str(good).splitlines()
    assert len(lines) == 1 + len(good.rows) + 2
    assert lines[0].split() == ["leaf", "witness", "error", "cosine", "at", "verdict"]
    facts = "float64, tolerance 1e-10; params/0/bias is all zero"
    assert lines[-2:] == [facts, "ok"]
    assert str(bad).splitlines()[-1] == f"NOT OK: {bad.reason}"


def test_json_holds_everything(good, bad):
    for report in (good, bad):
        read = json.loads(report.to_json())
        assert read["ok"] is report.ok
        assert read["dtype"] == "float64"
        assert read["tolerance"] == 1e-10
        assert [row["leaf"] for row in read["rows"]] == [row.leaf for row in report.rows]
        assert read["rows"][0]["where"] == list(report.rows[0].where)


def test_json_of_an_infinite_error_is_json():
    report = check(mistaken(tanh(), lambda x_bar: x_bar.at[0, 0].set(jnp.nan)), (), X)
    assert report.error == np.inf
    assert json.loads(report.to_json())["error"] is None


def test_a_bad_report_raises_with_its_table(bad):
    with pytest.raises(AssertionError, match="x differs") as caught:
        bad.raise_if_bad()
    assert isinstance(caught.value, BadGradient)
    assert str(bad) in str(caught.value)


@pytest.mark.parametrize(("layer", "steps"), [(NEURONS, None), (leaky_readout(0.9), 9)])
def test_a_time_series_parts_ways_at_some_step(layer, steps):
    wrong = mistaken(layer, lambda x_bar: x_bar.at[2:6].multiply(1.5))
    report = check(wrong, {} if layer is NEURONS else (), CURRENT, steps=steps)
    assert report.rows[0].steps == (2, 5)
    assert "steps 2 to 5" in report.reason
    assert "steps 2 to 5" in str(report)


def test_without_time_there_are_no_steps(bad):
    assert all(row.steps is None for row in bad.rows)


@pytest.mark.parametrize(("current", "state"), [(-1.0, "silent"), (9.0, "saturated")])
def test_a_layer_that_tests_nothing_is_refused(current, state):
    report = check(serial(NEURONS, dense(2), NEURONS), *silent_or_saturated(current))
    assert not report.ok
    assert f"spiking layer 1 is {state}" in report.reason
    assert report.firing_rates[0] == (state == "saturated")
    assert report.rows[0].verdict == "agrees"


@pytest.mark.parametrize("spikes", [1, 2])
def test_a_spike_in_250_neurons_and_steps_is_silence_and_two_are_not(spikes):
    current = np.zeros((25, 2, 5))
    current[3, 0, :spikes] = 1.5
    report = check(NEURONS, {}, current)
    assert report.firing_rates == (spikes / 250,)
    assert ("spiking layer 1 is silent (rate 0.004)" in report.reason) == (spikes == 1)
    assert report.ok == (spikes == 2)


def silent_or_saturated(current):
    params = ({}, {"weight": np.ones((4, 2)), "bias": np.ones(2)}, {})
    return params, np.full((9, 3, 4), current)


def test_tolerance_decides():
    slightly = mistaken(tanh(), lambda x_bar: x_bar * (1 + 1e-8))
    assert not check(slightly, (), X).ok
    report = check(slightly, (), X, tolerance=1e-7)
    assert report.ok
    assert report.tolerance == 1e-7


def test_a_gradient_of_nothing_says_so():
    report = check(tanh(), (), np.full((2, 3), 1e3))
    assert not report.ok
    assert {row.note for row in report.rows} == {"zero on both sides: nothing was tested"}
    assert report.notes == ("x has one sign",)


def test_an_empty_leaf_tests_nothing():
    assert "nothing was tested" in check(tanh(), (), np.ones((0, 3))).reason
