"""Networks: sizes, options, and that evaluation looks at one example at a time."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import cnn, conv_snn, mlp, snn
from jaxdigits.chain import in_series
from jaxdigits.layers import batch_statistics, gelu, leaky_relu, tanh
from jaxdigits.spikes import (
    Convention,
    alif,
    arctan,
    cuba_lif,
    direct,
    fast_sigmoid,
    firing_rates,
    latency,
    leaky_readout,
    lif,
    penalties,
    rate,
    sigmoid,
    spike_count,
    triangle,
)
from jaxdigits.tree import named_leaves, parameter_count

KEY = jax.random.key(0)
SMALL = {
    "mlp": partial(mlp, hidden=(8,), norm="batch"),
    "cnn": partial(cnn, channels=(3, 4), hidden=(8,)),
    "snn": partial(snn, hidden=(8,), steps=4, norm="batch", dropout_rate=0.3),
    "conv_snn": partial(conv_snn, channels=(3, 4), kernel=3, steps=4),
}
BUILDERS = {"mlp": mlp, "cnn": cnn, "snn": snn, "conv_snn": conv_snn}
small = pytest.mark.parametrize("build", SMALL.values(), ids=SMALL)


def shapes(network, size=(12, 12), batch=2):
    """(params, logits), as shapes only: nothing is computed."""
    x, keys = jnp.zeros((batch, *size), jnp.uint8), jax.random.split(KEY, batch)
    params = jax.eval_shape(lambda key: network.init(key, size)[0], KEY)
    return params, jax.eval_shape(network.forward, params, x, keys)[0]


def images(size=(14, 14), batch=5):
    grey = np.random.default_rng(0).random((batch, *size))
    return jnp.asarray(255 * grey * (grey > 0.5), jnp.uint8)


def made(network, size=(12, 12)):
    """The params of a network, by one compiled program."""
    return jax.jit(lambda key: network.init(key, size)[0])(KEY)


def trained(build, x):
    """(params, evaluation network) with the statistics of a batch."""
    params = made(build(), x.shape[1:])
    keys = jax.random.split(KEY, len(x))
    statistics = jax.jit(lambda *a: batch_statistics(build().forward(*a)[1]))(params, x, keys)
    return params, build(training=False, statistics=statistics)


@pytest.mark.parametrize(
    ("build", "count"),
    [
        (partial(mlp, hidden=(800, 800)), 784 * 800 + 800 + 800 * 800 + 800 + 800 * 10 + 10),
        (partial(cnn, channels=(32, 64), hidden=(256,)),
         9 * 32 + 2 * 32 + 9 * 32 * 64 + 2 * 64 + 7 * 7 * 64 * 256 + 2 * 256 + 256 * 10 + 10),
        (partial(snn, hidden=(512,)), 784 * 512 + 512 + 512 * 10 + 10),
        (partial(conv_snn, channels=(12, 64), kernel=5),
         25 * 12 + 2 * 12 + 25 * 12 * 64 + 2 * 64 + 4 * 4 * 64 * 10 + 10),
    ],
    ids=BUILDERS,
)  # fmt: skip
def test_networks_have_as_many_params_as_hand_arithmetic_says(build, count):
    params, logits = shapes(build(), (28, 28))
    assert logits.shape == (2, 10)
    assert logits.dtype == jnp.float32
    assert parameter_count(params) == count


@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
def test_the_default_networks_read_28_by_28_pixels_into_ten_logits(build):
    assert shapes(build(), (28, 28))[1].shape == (2, 10)


OPTIONS = [
    *[(mlp, dict(norm=norm)) for norm in (None, "layer", "group")],
    *[(mlp, dict(activation=a)) for a in (gelu, tanh, partial(leaky_relu, 0.1))],
    (mlp, dict(hidden=())), (mlp, dict(hidden=(8, 16, 8))), (mlp, dict(dropout_rate=0.0)),
    *[(cnn, dict(norm=n, channels=(8, 16), hidden=(16,))) for n in (None, "layer", "group")],
    (cnn, dict(channels=(3,), kernel=5)), (cnn, dict(channels=(3,), hidden=())),
    (cnn, dict(channels=(3,), pool="average", hidden=(8, 8), dropout_rate=0.0)),
    *[(snn, dict(encoder=e)) for e in (rate, direct, latency)],
    *[(snn, dict(surrogate=s())) for s in (fast_sigmoid, arctan, triangle, sigmoid)],
    *[(snn, dict(readout=partial(leaky_readout, reduce=r))) for r in ("mean", "max", "last")],
    (snn, dict(readout=spike_count)), (snn, dict(hidden=(16, 16), norm="group")),
    (snn, dict(neuron=partial(lif, convention=Convention(reset=0.0), learn=("decay",)))),
    *[(snn, dict(neuron=neuron, dropout_rate=0.5)) for neuron in (cuba_lif, alif)],
    *[(conv_snn, dict(channels=(8,), norm=norm)) for norm in (None, "layer", "group")],
    *[(conv_snn, dict(channels=(3,), encoder=e)) for e in (rate, direct, latency)],
    *[(build, dict(precision="mixed")) for build in (mlp, snn)],
    *[(build, dict(channels=(3,), precision="mixed")) for build in (cnn, conv_snn)],
    *[(snn, dict(storage=s)) for s in ("byte", "bit")],
    *[(conv_snn, dict(channels=(3,), storage=s)) for s in ("byte", "bit")],
    *[(snn, dict(recompute=True, encoder=e)) for e in (rate, direct)],
    (mlp, dict(input_dropout=0.2, input_noise=0.5, hidden_noise=0.3)),
    (mlp, dict(scale="image")), (cnn, dict(channels=(3,), scale="image")),
    (conv_snn, dict(channels=(3,), scale="image")),
    *[(snn, dict(rate_penalty=1.0, recompute=r)) for r in (False, True)],
    (conv_snn, dict(channels=(3,), rate_penalty=1.0, rate_target=0.1, encoder=rate)),
    (conv_snn, dict(channels=(3,), kernel=2, pool="average", steps=3, readout=spike_count)),
]  # fmt: skip


@pytest.mark.parametrize(("build", "options"), OPTIONS)
def test_every_option_builds_a_network_with_the_wanted_classes(build, options):
    _, logits = shapes(build(**options, classes=7))
    assert logits.shape == (2, 7)


@pytest.mark.parametrize("norm", [None, "batch", "layer", "group"])
@pytest.mark.parametrize("build", [mlp, cnn, snn, conv_snn])
def test_training_and_evaluation_are_networks_of_the_same_params(build, norm):
    sizes = dict(channels=(8, 16), kernel=3) if build in (cnn, conv_snn) else dict(hidden=(16,))
    options = dict(norm=norm, dropout_rate=0.3) | sizes
    network = build(**options)
    x, keys = images((12, 12)), jax.random.split(KEY, 5)
    params, logits = shapes(network)
    kept = jax.eval_shape(network.forward, params, x, keys)[1]
    statistics = jax.tree.map(lambda s: jnp.zeros(s.shape), batch_statistics(kept))
    evaluation = build(**options, training=False, statistics=statistics)
    assert shapes(evaluation) == (params, logits)


@pytest.mark.parametrize(
    "build",
    [partial(snn, hidden=(16,)), partial(conv_snn, channels=(3, 4), kernel=3, norm=None)],
)
def test_evaluation_pays_no_price_for_spikes_and_has_the_same_params(build):
    network, evaluation = (build(rate_penalty=2.0, training=t) for t in (True, False))
    assert shapes(network) == shapes(evaluation)
    params = made(network)
    assert penalties(jax.jit(evaluation.forward)(params, images((12, 12)), KEY)[1]) == 0


def test_input_dropout_takes_that_share_of_the_pixels_of_training_only():
    options = dict(hidden=(16,), dropout_rate=0.0, input_dropout=0.25)
    network, evaluation = mlp(**options), mlp(**options, training=False)
    plain = mlp(hidden=(16,), dropout_rate=0.0)
    assert shapes(network) == shapes(evaluation)
    params, _ = network.init(KEY, (28, 28))
    # One bright pixel in a grey image: it alone moves the logits, unless it is absent.
    x = jnp.full((400, 28, 28), 0.1307).at[:, 7, 9].set(1.0)
    (same, _), (other, _) = (n.forward(params, x, KEY) for n in (evaluation, network))
    grey, _ = evaluation.forward(params, jnp.full((1, 28, 28), 0.1307), KEY)
    absent = np.abs(other - grey).max(-1) < 1e-3 * np.abs(same - grey).max()
    assert 0.15 < absent.mean() < 0.35
    without = (*params[:2], *params[3:])
    np.testing.assert_array_equal(plain.forward(without, x, KEY)[0], same)


@pytest.mark.parametrize("where", ["input_noise", "hidden_noise"])
def test_noise_moves_the_logits_in_training_only(where):
    options = {"hidden": (16,), "dropout_rate": 0.0, where: 0.25}
    network, evaluation = mlp(**options), mlp(**options, training=False)
    assert shapes(network) == shapes(evaluation)
    params, _ = network.init(KEY, (12, 12))
    x, other = images((12, 12)), jax.random.key(8)
    same = [evaluation.forward(params, x, key)[0] for key in (KEY, other)]
    moved = [network.forward(params, x, key)[0] for key in (KEY, other)]
    np.testing.assert_array_equal(*same)
    assert np.abs(moved[0] - moved[1]).min() > 0
    assert 0 < np.abs(moved[0] - same[0]).mean() < 1


@pytest.mark.parametrize(
    "build", [mlp, partial(cnn, channels=(3,)), partial(conv_snn, channels=(3,))]
)
def test_an_image_to_its_own_scale_is_the_same_digit_in_any_light(build):
    network = build(scale="image", norm=None, training=False)
    params, forward, bright = made(network), jax.jit(network.forward), images((12, 12)) / 255
    y, dim = (forward(params, x, KEY)[0] for x in (bright, 0.25 * bright + 0.5))
    np.testing.assert_allclose(dim, y, atol=0.01 * np.abs(y).max())
    assert not np.allclose(y[0], y[1], atol=0.1 * np.abs(y).max())


@small
@pytest.mark.usefixtures("float64")
def test_evaluation_of_an_example_does_not_depend_on_its_batch(build):
    x, keys = images(), jax.random.split(KEY, 5)
    params, network = trained(build, x)
    logits = jax.jit(lambda *a: network.forward(*a)[0])
    whole = logits(params, x, keys)
    assert np.abs(whole[1] - whole[3]).max() > 1e-3
    np.testing.assert_allclose(logits(params, x[1:3], keys[1:3]), whole[1:3], rtol=1e-9)
    np.testing.assert_allclose(logits(params, x[::-1], keys[::-1]), whole[::-1], rtol=1e-9)


@pytest.mark.parametrize("build", [SMALL["mlp"], SMALL["cnn"]], ids=["mlp", "cnn"])
@pytest.mark.usefixtures("float64")
def test_evaluation_needs_no_key_and_takes_pixels_as_floats_too(build):
    x = images()
    params, network = trained(build, x)
    logits = jax.jit(lambda x: network.forward(params, x, None)[0])
    np.testing.assert_allclose(logits(x), logits(x / 255.0), rtol=1e-9)


@pytest.mark.usefixtures("float64")
def test_the_first_block_of_a_direct_input_computed_once_is_that_of_every_step():
    x, options = images(), dict(channels=(3, 4), kernel=3, steps=4, dropout_rate=0.0)
    once, always = conv_snn(**options), conv_snn(**options, encoder=lambda t: direct(t))
    params, _ = once.init(KEY, (14, 14))
    without_repeat = (*params[:5], *params[6:])  # the layer that repeats has no params
    y, kept = jax.jit(once.forward)(params, x, KEY)
    y_always, kept_always = jax.jit(always.forward)(without_repeat, x, KEY)
    np.testing.assert_allclose(y, y_always, rtol=1e-9)
    for ours, theirs in zip(*map(batch_statistics, (kept, kept_always)), strict=True):
        np.testing.assert_allclose(ours.variance, theirs.variance, rtol=1e-9)


@pytest.mark.parametrize("norm", [None, "batch"])
@pytest.mark.usefixtures("float64")
def test_the_first_product_of_a_direct_input_done_once_is_that_of_every_step(norm):
    x, y_bar = images(), jnp.cos(jnp.arange(50.0)).reshape(5, 10)
    options = dict(hidden=(8, 6), steps=4, norm=norm, dropout_rate=0.3)
    options["neuron"] = partial(lif, threshold=0.25)
    once = snn(**options, encoder=direct)
    # Another chain gets the plain layers, and a function of the user's is not looked into.
    seen = []
    rule = lambda parts: seen.append(parts) or in_series(parts)
    others = [snn(**options, encoder=direct, chain=rule),
              snn(**options, encoder=lambda t: direct(t))]  # fmt: skip
    params, _ = once.init(KEY, (14, 14))
    assert seen[0].entry[0].forward((), x, None)[0].shape == (4, *x.shape)

    @jax.jit
    def gradients(params, x):
        out = []
        for network in (once, *others):
            y, kept = network.forward(params, x, KEY)
            out.append((y, network.backward(params, kept, y_bar)[0], firing_rates(kept)))
        return out

    (y, grads, rates), *rest = gradients(params, x)
    assert all(0.02 < rate < 0.98 for rate in rates)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    for network, (y_always, grads_always, _) in zip(others, rest, strict=True):
        jax.tree.map(np.testing.assert_array_equal, network.init(KEY, (14, 14))[0], params)
        jax.tree.map(close, (y, grads), (y_always, grads_always))


def test_a_network_names_its_params_by_layer():
    params, _ = shapes(SMALL["mlp"]())
    names = ["2/weight", "3/scale", "3/shift", "6/bias", "6/weight"]
    assert list(named_leaves(params)) == names


@small
def test_batch_norm_in_evaluation_asks_for_its_statistics(build):
    with pytest.raises(ValueError, match="evaluation with batch norm needs `statistics`"):
        build(training=False)


def test_one_statistics_too_few_is_noticed():
    x = images()
    params, _ = shapes(SMALL["cnn"](), (14, 14))
    kept = jax.eval_shape(SMALL["cnn"]().forward, params, x, KEY)[1]
    with pytest.raises(ValueError, match="one per norm"):
        SMALL["cnn"](training=False, statistics=batch_statistics(kept)[:-1])
