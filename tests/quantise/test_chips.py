"""Networks on chips: the same spikes where weights are on the grid, and named refusals else."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import mlp, serial, snn
from jaxdigits import spikes as sp
from jaxdigits.layer import nodes_of
from jaxdigits.layers import Statistics, conv2d, dense, flatten, relu
from jaxdigits.quantise import (
    CHIPS,
    Xylo,
    quantised,
    to_dynapcnn,
    to_integers,
    to_loihi,
    to_xylo,
    xylo,
)
from jaxdigits.quantise.chips import dynapcnn_scale
from jaxdigits.quantise.twin import Fixed, Floats
from tests.quantise.test_fixed_lif import SHARED

GRID = 1 / 64  # a threshold of 1 is 64 weights
STEPS = 6
IMAGES = np.random.default_rng(0).integers(0, 256, (40, 4, 4)).astype(np.uint8)
ZERO, COUNTS = dict(reset="zero"), dict(fires="at", spikes="several")
SETTINGS = {
    "integers": [
        dict(decay=0.5), dict(decay=0.5, reset_step="same", **COUNTS), dict(decay=0.5, **ZERO),
        dict(decay=1.0, reset=-0.25, reset_step="same", fires="at"),
        dict(decay=0.5, normalise=True, gain=4.0),
    ],
    "loihi": [
        dict(decay=0.5, **ZERO), dict(decay=1.0, reset_step="same", gain=2.0, **ZERO),
        dict(neuron="cuba_lif", synapse_decay=0.5, decay=1.0, **ZERO),
    ],
    "dynapcnn": [dict(decay=1.0, **COUNTS), dict(decay=1.0, reset_step="same", **COUNTS)],
}  # fmt: skip
ON_CHIP = [(chip, options) for chip, every in SETTINGS.items() for options in every]
XYLO = dict(neuron="cuba_lif", synapse_decay=0.5, decay=0.75, reset_step="same", **COUNTS)


def build(*, largest=127, **options):
    """A small network, whose weights and biases are multiples of GRID, and its params."""
    network = snn(hidden=(12, 9), classes=4, steps=STEPS, training=False, **options)
    params, _ = network.init(jax.random.key(0), (4, 4))
    rng = np.random.default_rng(1)

    def on_grid(leaf):
        whole = rng.integers(-12, 24, leaf.shape)
        if leaf.ndim == 2:
            whole[0, 0] = largest  # the largest weight sets the scale
        return jnp.asarray(whole * GRID, leaf.dtype)

    return network, jax.tree.map(on_grid, params)


def spikes_of(network, params, kind):
    keys = jax.random.split(jax.random.key(5), len(IMAGES))
    y, residual = jax.jit(network.forward)(params, IMAGES, keys)
    return y, [np.asarray(node.spikes) for node in nodes_of(residual, kind)]


@pytest.mark.parametrize(("chip", "options"), ON_CHIP)
def test_on_the_grid_every_spike_is_the_same(chip, options):
    network, params = build(**options)
    more = dict(state_bits=20) if chip == "integers" else {}  # several spikes need room
    twin = CHIPS[chip](network, params, images=IMAGES, **more)
    logits, floats = spikes_of(network, params, lambda node: isinstance(node, sp.Traces))
    ours, whole = spikes_of(twin.network, twin.params, lambda node: isinstance(node, Fixed))
    assert len(floats) == 2
    for theirs, spikes in zip(floats, whole, strict=False):
        np.testing.assert_array_equal(spikes, theirs)
        assert 0.02 < (theirs > 0).mean() < 0.98
    np.testing.assert_allclose(ours, logits, atol=3 * GRID)
    assert np.ptp(logits) > 1
    assert [r.changed for r in twin.layers] == [0, 0, 0]
    assert [r.layer for r in twin.layers] == ["2 dense", "5 dense", "8 dense"]
    assert twin.layers[0].spikes > 0
    assert twin.layers[0].scale == pytest.approx(GRID, rel=0.01)
    assert twin.accuracy is None


def test_xylo_is_its_chip_a_step_later_a_layer_and_close_to_its_floats():
    network, params = build(**XYLO)
    twin = to_xylo(network, params, images=IMAGES)
    assert twin.layers[0].changed < 0.15 * STEPS * len(IMAGES) * 12
    _, (first, second, _) = spikes_of(twin.network, twin.params, lambda n: isinstance(n, Fixed))
    p = twin.params[6]
    late = np.concatenate([np.zeros_like(first[:1]), first])
    always = np.ones_like(late[..., :1])
    always[0] = 0
    x = jnp.asarray(np.concatenate([late, always], -1), jnp.int32)
    chip, _ = xylo(Xylo(*p[:5], most_in=31), x)
    np.testing.assert_array_equal(chip[1:], second)
    assert second.max() > 1


def test_how_spikes_are_stored_makes_no_difference():
    reports = [
        to_loihi(*build(storage=s, **ZERO), images=IMAGES).layers for s in ("full", "bit")
    ]
    assert reports[0] == reports[1]
    assert reports[0][0].spikes > 0


def test_few_bits_and_small_states_are_in_the_report():
    network, params = build(largest=24, decay=0.5)
    label = np.argmax(spikes_of(network, params, lambda node: False)[0], -1)
    key = jax.random.key(5)
    options = dict(images=IMAGES, label=label, key=key)
    coarse = to_integers(network, params, 3, **options)
    assert coarse.layers[0].levels <= 7
    assert coarse.layers[0].changed > 0
    small = to_integers(network, params, 6, state_bits=8, **options)
    assert small.layers[0].saturated > 0
    assert to_integers(network, params, 8, state_bits=24, **options).layers[0].saturated == 0
    assert len(coarse.accuracy) == 2
    again = to_integers(
        network,
        params,
        8,
        **options,
    )
    assert again.accuracy[0] == 1
    assert again.accuracy[1] > 0.85


def test_norms_are_folded_before_a_network_is_placed():
    statistics = [Statistics(np.full(n, 0.1), np.full(n, 0.25)) for n in (12, 9)]
    network = snn(hidden=(12, 9), classes=4, steps=STEPS, decay=0.5, norm="batch",
                  threshold=0.25, statistics=statistics, training=False, **ZERO)  # fmt: skip
    params, _ = network.init(jax.random.key(0), (4, 4))
    for place in (to_integers, to_loihi):
        twin = place(network, params, images=IMAGES)
        for report in twin.layers[:2]:
            assert report.spikes > 100
            assert report.changed < 0.05 * report.spikes


def test_a_network_that_is_quantised_already_keeps_its_levels():
    network, params = build(largest=24, decay=0.5)
    params = jax.tree.map(lambda a: a * 1.01 + 0.003, params)
    few = quantised(network, 4, per="tensor")
    twin = to_integers(few, params, 4, images=IMAGES)
    assert twin.layers[0].levels <= 15
    twin8 = to_integers(few, params, 8)
    assert twin8.layers[0].levels == twin.layers[0].levels


def test_a_convolution_with_a_spike_count_on_dynapcnn():
    neurons = lambda: sp.lif(decay=1.0, convention=sp.Convention(**COUNTS))
    network = serial(conv2d(3), neurons(), flatten(3), dense(4), neurons(), sp.spike_count())
    params, _ = network.init(jax.random.key(0), (4, 4, 2))
    rng = np.random.default_rng(1)

    def on_grid(leaf):
        whole = rng.integers(-12, 24, leaf.shape)
        whole.flat[0] = 127 if leaf.ndim > 1 else whole.flat[0]
        return jnp.asarray(whole * GRID, leaf.dtype)

    params = jax.tree.map(on_grid, params)
    twin = to_dynapcnn(network, params)
    x = jnp.asarray(rng.integers(0, 2, (STEPS, 5, 4, 4, 2)), float)
    expected, _ = network.forward(params, x, None)
    counts, _ = twin.network.forward(twin.params, x, None)
    np.testing.assert_array_equal(counts, expected)
    assert counts.max() > 5


def test_the_common_scale_of_dynapcnn_and_its_trap():
    weight, convention = np.array([[0.5, -1.0]]), sp.Convention(**COUNTS)
    floats = Floats(weight, np.zeros(2), {"threshold": np.array(1.0)}, convention)
    assert dynapcnn_scale(floats) == (128, 1)  # by the most negative weight
    assert dynapcnn_scale(floats._replace(weight=-weight)) == (127, 1)
    assert dynapcnn_scale(floats._replace(bias=np.array([2.5, 0]))) == (127, 2.5)
    assert dynapcnn_scale(floats, floor=-512.0) == (1 << 15, 512)
    network, params = build(decay=1.0, **COUNTS)
    assert to_dynapcnn(network, params, floor=-2.0).layers[0].levels > 20
    error = r"layer 2 dense: \d+\.\d% of its weights are on fewer than 4 levels of 8 bits"
    with pytest.raises(ValueError, match=error):
        to_dynapcnn(network, params, floor=-(2.0**15))


@pytest.mark.skipif(not SHARED.is_file(), reason="there are no shared traces")
def test_the_shared_scales_of_dynapcnn():
    for case in json.loads(SHARED.read_text())["dynapcnn_iaf"]["cases"]:
        weight, bias = np.array(case["weight_float"]), np.array(case["bias_float"])
        floor = -(2.0**15) if case["min_v_mem"] is None else case["min_v_mem"]
        constants = {"threshold": np.array(case["threshold"])}
        floats = Floats(weight, bias, constants, sp.Convention(**COUNTS))
        n, m = dynapcnn_scale(floats, floor=floor)
        values = dict(weight=weight, bias=bias, threshold=case["threshold"], min_v_mem=floor)
        for name, value in values.items():
            np.testing.assert_array_equal(np.round(value * n / m), case[f"{name}_int"])


@pytest.mark.parametrize(
    ("convert", "options", "message"),
    [
        (to_loihi, {}, "Loihi has neurons with reset=0.0, got 'subtract'"),
        (to_loihi, dict(fires="at", **ZERO), "Loihi has neurons with fires='above', got 'at'"),
        (
            to_loihi,
            dict(encoder="direct", **ZERO),
            "Loihi has no standardise: .* input is spikes",
        ),
        (to_loihi, dict(norm="layer", **ZERO), "Loihi has no layer_norm: take it out, or fold"),
        (to_loihi, dict(neuron="alif"), "alif has no integer twin: take lif or cuba_lif"),
        (to_loihi, dict(recompute=True), "Loihi takes a network of layers in a row"),
        (to_loihi, dict(threshold=1e5, **ZERO), "Loihi has thresholds from 1 to 131071, got"),
        (to_dynapcnn, COUNTS, "DynapCNN has no decay: build with lif neurons and decay=1.0"),
        (to_xylo, dict(decay=0.75, **COUNTS), "Xylo has neurons behind a synapse"),
        (to_xylo, XYLO | dict(decay=0.9), "Xylo has decays 1 − 2\\^−d, .* decay is 0.89"),
        (to_integers, dict(threshold=1e-6), "from 1 to 32767, got 0 .* or raise the threshold"),
        (to_integers, dict(decay=1.0, normalise=True), "a decay of 1 lets no normalised input"),
        (to_integers, dict(spike_from="old"), "neurons with spike_from='new', got 'old'"),
        (to_integers, dict(neuron="cuba_lif"), "the integer network has no synapses"),
    ],
)
def test_networks_that_a_chip_does_not_have(convert, options, message):
    network, params = build(**options)
    with pytest.raises(ValueError, match=message) as caught:
        convert(network, params)
    assert "\n" not in str(caught.value)


def test_other_bits_networks_and_gradients():
    network, params = build(decay=0.5)
    for bits in (0, 33):
        with pytest.raises(ValueError, match="bits must be a whole number from 1 to 8"):
            to_integers(network, params, bits)
    with pytest.raises(ValueError, match=r"state_bits must be in \[8, 24\], got 33"):
        to_integers(network, params, state_bits=33)
    with pytest.raises(ValueError, match="bits must be from 2 to 8 for DynapCNN, got 1"):
        to_dynapcnn(network, params, 1)
    for other, name in ((mlp(training=False, hidden=(3,)), "standardise"),
                        (serial(dense(3), relu()), "relu")):  # fmt: skip
        own, _ = other.init(jax.random.key(0), (4, 4) if name == "standardise" else (4,))
        with pytest.raises(ValueError, match=f"the integer network has no {name}"):
            to_integers(other, own)
    for layers in ((dense(3), dense(3), sp.lif()), (dense(3), sp.lif(), dense(2))):
        own, _ = serial(*layers).init(jax.random.key(0), (4,))
        with pytest.raises(ValueError, match="has no weights without neurons"):
            to_integers(serial(*layers), own)
    twin = to_integers(network, params)
    with pytest.raises(ValueError, match="integer neurons have no gradient"):
        twin.network.backward(twin.params, (None,) * 9 + ((),), jnp.zeros(1))
    with pytest.raises(ValueError, match="weights that are all zero"):
        to_integers(network, jax.tree.map(jnp.zeros_like, params))
