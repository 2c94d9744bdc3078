"""ONNX models answer as the networks do, spike for spike where numbers are dyadic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import layers as ly
from jaxdigits import spikes as sp
from jaxdigits.convert import spiking
from jaxdigits.interop.onnx import run_onnx, to_onnx
from jaxdigits.layer import Layer, residual, serial
from jaxdigits.models import cnn, columns, conv_snn, mlp, snn, spiking_columns
from jaxdigits.spikes import traces
from jaxdigits.train import gather_statistics

FEATURES = (12, 12)
CONVENTIONS = {
    "default": {},
    "to zero, at, old": dict(reset="zero", fires="at", spike_from="old"),
    "several, same step": dict(spikes="several", reset_step="same"),
    "several, at": dict(spikes="several", fires="at", readout="max"),
    "to a value, same step": dict(reset=-0.25, reset_step="same", readout="last"),
    "normalised": dict(normalise=True, gain=4.0),
    "learned": dict(learn=("threshold",)),
    "penalised, stored in bits": dict(rate_penalty=1.0, storage="bit"),
}


def made(build, **options):
    """A network in evaluation, params with a few bits each, and images."""
    rng = np.random.default_rng(0)
    image = jnp.asarray(rng.integers(0, 256, (3, *FEATURES)), jnp.uint8)
    training = build(training=True, **options)
    params, _ = training.init(jax.random.key(1), FEATURES)
    params = jax.tree.map(lambda a: jnp.round(64 * a) / 64, params)
    statistics = gather_statistics(training, params, image, jax.random.key(2))
    kept = {"statistics": statistics} if statistics else {}
    return build(training=False, **options, **kept), params, image


@pytest.mark.parametrize("options", CONVENTIONS.values(), ids=CONVENTIONS)
def test_neurons_of_each_convention_fire_the_same_spikes(options):
    constants = dict(decay=0.5, threshold=0.5, hidden=(9, 7), steps=6)
    network, params, image = made(snn, **constants, **options)
    keys = jax.random.split(jax.random.key(3), len(image))
    logits, residual = jax.jit(network.forward)(params, image, keys)
    spikes = serial(sp.rate(6)).forward(((),), image, keys)[0]
    answer, *own = run_onnx(to_onnx(network, params, FEATURES))(spikes)
    assert len(own) == 2
    for each, trace in zip(own, traces(residual), strict=True):
        assert trace.spikes.mean() > 0
        np.testing.assert_array_equal(each, trace.spikes)
    np.testing.assert_allclose(answer, logits, atol=1e-6)


NETWORKS = {
    "mlp": (mlp, dict(hidden=5, activation="tanh")),
    "mlp, gelu": (mlp, dict(hidden=5, activation="gelu")),
    "cnn": (cnn, dict(channels=(3, 4), norm="batch", activation="leaky_relu")),
    "columns": (columns, dict(channels=(3, 4, 4), context=(5,), reach=3)),
    "snn, direct": (snn, dict(hidden=5, steps=3, encoder="direct")),
    "conv_snn": (conv_snn, dict(channels=(3, 4), kernel=3, steps=3)),
    "spiking_columns": (spiking_columns, dict(channels=(3, 4, 4), context=(5,), steps=3)),
}


@pytest.mark.parametrize(("build", "options"), NETWORKS.values(), ids=NETWORKS)
def test_networks_of_pixels_have_the_same_logits(build, options):
    network, params, image = made(build, **options)
    logits, _ = jax.jit(network.forward)(params, image, None)
    call = run_onnx(to_onnx(network, params, FEATURES))
    assert np.ptp(logits) > 0
    np.testing.assert_allclose(call(image)[0], logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(call(image[:1])[0], logits[:1], rtol=1e-4, atol=1e-5)


def test_layers_over_time_and_pools_that_no_builder_has():
    network = serial(
        ly.standardise(), ly.add_channel(), sp.direct(4), ly.conv2d(2, 3, stride=2, gain=30.0),
        sp.lif(), ly.average_pool(), ly.flatten(3), ly.dense(3), sp.lif(threshold=0.25),
        sp.spike_count(),
    )  # fmt: skip
    params, _ = network.init(jax.random.key(0), FEATURES)
    image = np.random.default_rng(1).integers(0, 256, (2, *FEATURES)).astype(np.uint8)
    logits, _ = network.forward(params, jnp.asarray(image), None)
    assert logits.max() > 0
    np.testing.assert_array_equal(
        run_onnx(to_onnx(network, params, FEATURES))(image)[0], logits
    )


def test_a_converted_network_fires_the_same_spikes():
    network = serial(
        ly.standardise(),
        ly.flatten(),
        ly.dense(9),
        ly.relu(),
        ly.dense(7),
        ly.relu(),
        ly.dense(3),
    )
    params, _ = network.init(jax.random.key(0), FEATURES)
    params = jax.tree.map(lambda a: jnp.round(32 * a) / 32, params)
    image = jnp.asarray(
        255 * np.random.default_rng(1).integers(0, 2, (3, *FEATURES)), jnp.uint8
    )
    converted = spiking(network, steps=6)
    logits, residual = converted.forward(params, image, None)
    answer, *own = run_onnx(to_onnx(converted, params, FEATURES))(image)
    for each, trace in zip(own, traces(residual), strict=True):
        assert trace.spikes.mean() > 0
        np.testing.assert_array_equal(each, trace.spikes)
    np.testing.assert_allclose(answer, logits, atol=1e-6)


def test_what_has_no_model_is_named():
    refused = {
        "alif has no ONNX": snn(neuron="alif", hidden=3),
        "layer_norm has no ONNX": cnn(channels=(2, 2), norm="layer"),
        "residual has no ONNX": serial(ly.flatten(), residual(ly.relu())),
        "full precision here": mlp(hidden=3, precision="mixed"),
        "without `about` has no ONNX": serial(ly.flatten(), Layer(*ly.relu()[:3])),
        "a network that remembers its layers": ly.relu(),
        "or recompute=False": snn(recompute=True, hidden=3),
        "batch_norm has no statistics": cnn(channels=(2, 2), norm="batch"),
    }
    for text, network in refused.items():
        params, _ = network.init(jax.random.key(0), FEATURES)
        with pytest.raises(ValueError, match=text):
            to_onnx(network, params, FEATURES)
