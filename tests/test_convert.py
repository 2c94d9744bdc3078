"""Networks of rectifiers as spiking networks: equal when folded, and nearly so in spikes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import layers as ly
from jaxdigits.convert import convert, spiking
from jaxdigits.fold import fold, folded
from jaxdigits.layer import Layer, residual, serial
from jaxdigits.models import cnn, mlp
from jaxdigits.spikes import firing_rates, traces
from jaxdigits.train import gather_statistics

FEATURES = (8, 8)


def made(build, **options):
    """A network in evaluation, its params and images; norms remember images."""
    rng = np.random.default_rng(0)
    image = jnp.asarray(rng.integers(0, 256, (40, *FEATURES)), jnp.uint8)
    training = build(training=True, **options)
    params = jax.jit(lambda key: training.init(key, FEATURES)[0])(jax.random.key(1))
    # Norms and biases as training leaves them, not as they start.
    moved = lambda a: a + 0.3 * rng.random(a.shape) if a.ndim == 1 else a
    params = jax.tree.map(moved, params)
    statistics = gather_statistics(training, params, image, jax.random.key(2))
    rest = {"statistics": statistics} if statistics else {}
    return build(training=False, **options, **rest), params, image


NETWORKS = {
    "mlp": (mlp, dict(hidden=(20, 16))),
    "mlp, batch norm": (mlp, dict(hidden=(20, 16), norm="batch")),
    "cnn": (cnn, dict(channels=(4, 6), hidden=12, pool="average")),
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    """(network, params, images)"""
    build, options = NETWORKS[request.param]
    return made(build, **options)


def test_folding_keeps_the_function(network):
    layer, params, image = network
    again, shorter = folded(layer), fold(layer, params)
    assert "batch_norm" not in repr(again)
    want, _ = jax.jit(layer.forward)(params, image, None)
    got, _ = jax.jit(again.forward)(shorter, image, None)
    np.testing.assert_allclose(got, want, atol=1e-4)


def test_spikes_come_near_the_rectifiers_with_more_steps(network):
    layer, params, image = network
    want, _ = layer.forward(params, image, None)
    scaled = convert(layer, params, np.asarray(image), percentile=100)
    errors = []
    for steps in (2, 8, 128):
        network = spiking(folded(layer), steps=steps)
        logits, residual = jax.jit(network.forward)(scaled, image, None)
        assert float(firing_rates(residual).min()) > 0.05
        errors.append(float(jnp.abs(logits - want).mean() / want.std()))
    assert errors[0] > 2 * errors[1] > 8 * errors[2]
    assert errors[2] < 0.05


def test_one_layer_counts_its_rounded_activations_exactly():
    network = serial(ly.dense(6), ly.relu(), ly.dense(3))
    params = network.init(jax.random.key(0), (4,))[0]
    params = jax.tree.map(lambda a: jnp.round(8 * a) / 8, params)
    x = jnp.asarray(np.random.default_rng(0).integers(0, 8, (50, 4)) / 8, jnp.float32)
    hidden = x @ params[0]["weight"] + params[0]["bias"]
    _, residual = spiking(network, steps=8).forward(params, x, None)
    (trace,) = traces(residual)
    count = np.asarray(trace.spikes.sum(0))
    assert len(np.unique(count)) > 5
    np.testing.assert_array_equal(count, np.clip(np.floor(8 * hidden + 0.5), 0, 8))


def test_a_silent_channel_stays_silent():
    network = serial(ly.dense(2), ly.relu(), ly.dense(2))
    weight = jnp.asarray([[1.0, -1.0]])
    params = ({"weight": weight, "bias": jnp.zeros(2)}, (),
              {"weight": jnp.eye(2), "bias": jnp.zeros(2)})  # fmt: skip
    x = np.linspace(0.1, 0.5, 9, dtype=np.float32)[:, None]
    scaled = convert(network, params, x)
    logits, _ = spiking(network, steps=64).forward(scaled, jnp.asarray(x), None)
    np.testing.assert_allclose(logits[:, 0], x[:, 0], atol=0.01)
    np.testing.assert_array_equal(logits[:, 1], 0)


def test_what_cannot_be_converted_is_named():
    image = np.zeros((3, *FEATURES), np.uint8)
    refused = {
        "max_pool has no spiking form: train with --pool average": cnn(channels=4),
        "layer_norm has no spiking form: train with --norm batch": mlp(norm="layer", hidden=4),
        "gelu has no spiking form: convert a network of rectifiers, as mlp": mlp(
            activation="gelu", hidden=4
        ),
        "residual has no spiking form": serial(ly.flatten(), residual(ly.relu())),
        "without `about` has no": serial(ly.flatten(), Layer(*ly.relu()[:3])),
        "remembers its layers": ly.relu(),
    }
    for text, network in refused.items():
        params, _ = network.init(jax.random.key(0), FEATURES)
        with pytest.raises(ValueError, match=text):
            convert(network, params, image)
    for layers in ((ly.dense(3),), (ly.dense(3), ly.relu()), (ly.relu(), ly.dense(3)),
                   (ly.dense(3), ly.dense(3), ly.relu(), ly.dense(3))):  # fmt: skip
        with pytest.raises(ValueError, match="a rectifier between each two"):
            spiking(serial(*layers), steps=4)
    with pytest.raises(ValueError, match="percentile must be"):
        convert(mlp(hidden=4), None, image, percentile=0)
    with pytest.raises(ValueError, match="at least one example"):
        convert(mlp(hidden=4), None, image[:0])
