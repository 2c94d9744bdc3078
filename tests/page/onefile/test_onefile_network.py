"""Networks of the page beside the same networks in JAX: every layer, spikes by their bits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import cnn, mlp, snn
from jaxdigits.convert import convert, folded, spiking
from jaxdigits.layers import Statistics
from jaxdigits.models import columns, conv_snn, event_snn
from jaxdigits.page.onefile_ops import operations, rounded_weights
from jaxdigits.spikes import traces
from jaxdigits.train.state import evaluation_keys

PREDICT = """const net = network.read({...data.net, shape: [28, 28], temperature: 2});
return data.images.map((image) => {
  const r = network.predict(net, Uint8Array.from(image));
  return {logits: Array.from(r.logits), spikes: r.layers.map((l) => Array.from(l.spikes)),
          shares: r.probabilities, growing: r.growing};
});"""
STATISTICS = tuple(
    Statistics(np.linspace(-0.5, 0.5, n), np.linspace(0.5, 2, n)) for n in (8, 8, 16)
)
_snn = dict(hidden=(24, 12), steps=6, threshold=0.25)
_conv = dict(channels=(8, 8), hidden=(16,))
_small = dict(channels=(4, 6), kernel=3, steps=4, threshold=0.25)
NETWORKS = {
    "mlp": lambda: mlp(hidden=(12, 12), training=False),
    "mlp, gelu, layer norm": lambda: mlp(
        hidden=(12,), activation="gelu", norm="layer", scale="image", training=False
    ),
    "cnn": lambda: cnn(**_conv, norm="batch", statistics=STATISTICS, training=False),
    "cnn, leaky, average pool": lambda: cnn(
        **_conv, norm=None, pool="average", activation="leaky_relu", kernel=4, training=False
    ),
    "cnn, group norm, tanh": lambda: cnn(
        channels=(8, 16), hidden=(16,), norm="group", activation="tanh", training=False
    ),
    "snn": lambda: snn(**_snn, training=False),
    "snn, direct, last": lambda: snn(**_snn, encoder="direct", readout="last", training=False),
    "snn, latency, max": lambda: snn(**_snn, encoder="latency", readout="max", training=False),
    "snn, learned, a step late": lambda: snn(
        **(_snn | dict(threshold=0.15)), learn=("decay", "threshold"), spike_from="old",
        training=False,
    ),
    "snn, several spikes, same step": lambda: snn(
        **_snn, spikes="several", reset_step="same", fires="at", training=False
    ),
    "snn, reset to zero, normalised": lambda: snn(
        **_snn, reset="zero", normalise=True, gain=30.0, training=False
    ),
    "snn, adaptive": lambda: snn(**_snn, neuron="alif", training=False),
    "snn, a synapse": lambda: snn(**_snn, neuron="cuba_lif", training=False),
    "snn, layer norm, a price": lambda: snn(
        **_snn, norm="layer", rate_penalty=0.5, storage="bit", training=False
    ),
    "conv_snn": lambda: conv_snn(**_small, norm=None, training=False),
    "conv_snn, rate, average pool": lambda: conv_snn(
        **_small, norm=None, encoder="rate", pool="average", training=False
    ),
}  # fmt: skip


def drawn(count=3):
    """Images [N, 28, 28] uint8 with blobs of every brightness."""
    y, x = np.mgrid[0:28, 0:28]
    at = np.random.default_rng(0).uniform(6, 22, (count, 3, 2))
    blobs = [sum(np.exp(-((y - v) ** 2 + (x - u) ** 2) / 12) for v, u in each) for each in at]
    return np.minimum(300 * np.array(blobs), 255).astype(np.uint8)


def key_of():
    return evaluation_keys(jax.random.key(7), jnp.zeros(1, int))


def by_jax(network, params, images):
    """Logits [N, K] and spikes by layer [N, T·n]; each image draws as a first example."""
    of_one = jax.jit(lambda x: network.forward(params, x[None], key_of()))
    logits, spikes = [], []
    for image in images:
        y, residual = of_one(image)
        logits.append(y[0])
        spikes.append([np.asarray(t.spikes[:, 0]).ravel() for t in traces(residual)])
    return np.array(logits), spikes


def by_page(javascript, network, params, images, **options):
    row = operations(network, params, (28, 28), key_of()[0], **options)
    data = dict(net=dict(ops=row), images=images.reshape(len(images), -1).tolist())
    return javascript(PREDICT, data)


def noisy(params, seed=3):
    """Params whose biases, scales and shifts are not all one and zero."""
    noise = iter(jax.random.split(jax.random.key(seed), 100))
    spread = lambda a: a + 0.1 * jax.random.normal(next(noise), a.shape)
    return jax.tree.map(lambda a: spread(a) if a.ndim == 1 else a, params)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_page_answers_as_jax(javascript, name):
    network, images = NETWORKS[name](), drawn()
    params = noisy(network.init(jax.random.key(0), (28, 28))[0])
    logits, spikes = by_jax(network, params, images)
    answers = by_page(javascript, network, params, images)
    for answer, want, layers in zip(answers, logits, spikes, strict=True):
        own = answer["spikes"][len(answer["spikes"]) - len(layers) :]
        for mine, theirs in zip(own, layers, strict=True):
            assert theirs.sum() > 10, "a silent layer proves nothing"
            # A potential within rounding of its threshold may fall to either side.
            assert np.abs(np.array(mine) - theirs).sum() <= 2
        np.testing.assert_allclose(answer["logits"], want, atol=2e-2 if layers else 2e-4)
        shares = np.array(jax.nn.softmax(np.array(answer["logits"]) / 2))
        np.testing.assert_allclose(answer["shares"], shares, atol=1e-5)
        if layers:
            assert answer["growing"][-1] == answer["shares"]


def test_the_spikes_of_pixels_are_predict_s_bits(javascript):
    network, images = snn(hidden=4, steps=9, training=False), drawn(2)
    params, _ = network.init(jax.random.key(0), (28, 28))
    layer = network.about.inner.arguments["layers"][0]
    for answer, image in zip(by_page(javascript, network, params, images), images, strict=True):
        key = jax.random.fold_in(key_of()[0], 0)
        spikes, _ = layer.forward((), jnp.asarray(image)[None], key[None])
        assert 100 < np.sum(spikes) < spikes.size / 2
        assert np.array_equal(answer["spikes"][0], np.ravel(spikes))


def test_a_converted_network_counts_as_in_jax(javascript):
    options = dict(channels=(8,), hidden=16, pool="average", norm=None)
    network, images = cnn(training=False, **options), drawn()
    params, _ = network.init(jax.random.key(0), (28, 28))
    spikes = spiking(folded(network), steps=8)
    params = convert(network, params, images)
    want, layers = by_jax(spikes, params, images)
    answers = by_page(javascript, spikes, params, images)
    assert all(layer.sum() > 10 for layer in layers[0])
    np.testing.assert_allclose([a["logits"] for a in answers], want, atol=0.1)


@pytest.mark.parametrize("bits", [8, 11, 20])
def test_weights_of_few_bits_arrive_as_they_are_rounded(javascript, bits):
    network = mlp(hidden=(5,), training=False)
    params, _ = network.init(jax.random.key(0), (28, 28))
    own = rounded_weights(params, bits)
    row = operations(network, params, (28, 28), key_of()[0], bits=bits)
    body = "return network.read(data).ops.map((op) => op.weight && Array.from(op.weight));"
    arrived = [a for a in javascript(body, dict(ops=row)) if a]
    leaves = [p["weight"] for p in own if "weight" in p]
    for a, leaf, old in zip(arrived, leaves, [p for p in params if "weight" in p], strict=True):
        assert np.array_equal(np.array(a, np.float32), np.ravel(leaf))
        largest = np.abs(old["weight"]).max(0) / (2 ** (bits - 1) - 1)
        assert np.all(np.abs(leaf - old["weight"]) <= 0.51 * largest + 1e-7)


@pytest.mark.parametrize(
    ("network", "name"),
    [
        (lambda: mlp(hidden=4, precision="mixed", training=False), "--precision full"),
        (lambda: event_snn(hidden=4, training=False), "event_"),
        (lambda: columns(channels=(4,), norm=None, training=False), "columns_to_frames"),
    ],
)
def test_a_layer_without_a_page_is_refused_by_name(network, name):
    network = network()
    params, _ = network.init(jax.random.key(0), (32, 32) if "columns" in name else (28, 28))
    with pytest.raises(ValueError, match=name):
        operations(network, params, (28, 28), key_of()[0])
