"""A network of two senses: where they meet, and what it does with one of them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.models import multimodal
from jaxdigits.spikes import cuba_lif, firing_rates, lif, penalties, traces
from jaxdigits.tree import parameter_count

KEY = jax.random.key(0)
SHAPE = {"image": (8, 8), "sound": (900,)}
SMALL = dict(
    steps=6, image_hidden=(8,), sound_channels=(2,), sound_hidden=(5,), taps=2, bands=12,
    neuron=partial(lif, threshold=0.25),
)  # fmt: skip
FUSIONS = ("early", "middle", "late")


def pair(batch=6):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (batch, 8, 8)) * (rng.random((batch, 8, 8)) < 0.4)
    sound = rng.standard_normal((batch, 900)) * np.hanning(900)
    return {"image": jnp.asarray(image, jnp.uint8), "sound": jnp.asarray(sound, jnp.float32)}


def without(x, name):
    return x | {name: jnp.zeros_like(x[name])}


def made(network, shape=SHAPE):
    """The params of a network, by one compiled program."""
    return jax.jit(lambda key: network.init(key, shape)[0])(KEY)


def evaluated(x, **options):
    """(logits, residual) of an evaluation network."""
    network = multimodal(**SMALL | options, training=False)
    params = made(network, {name: of_sense.shape[1:] for name, of_sense in x.items()})
    keys = jax.random.split(KEY, len(x["sound"]))
    return jax.jit(network.forward)(params, x, keys)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_each_fusion_reads_both_and_hears_each(fusion):
    x = pair()
    logits = [evaluated(each, fusion=fusion)[0] for each in
              (x, without(x, "image"), without(x, "sound"))]  # fmt: skip
    assert logits[0].shape == (6, 10)
    assert np.abs(logits[0] - logits[1]).max(1).min() > 0
    assert np.abs(logits[0] - logits[2]).max(1).min() > 0


def test_late_fusion_adds_what_both_say():
    x, keys = pair(), jax.random.split(KEY, 6)
    network = multimodal(**SMALL, fusion="late", training=False)
    params, forward = made(network), jax.jit(network.forward)
    of_branch = params[2]
    assert set(of_branch) == {"image", "sound"}
    both = forward(params, x, keys)[0]
    alone = {}
    for name, weights in of_branch.items():
        silent = jax.tree.map(jnp.zeros_like, of_branch) | {name: weights}
        alone[name] = forward((*params[:2], silent), x, keys)[0]
    np.testing.assert_allclose(both, alone["image"] + alone["sound"], atol=1e-5)


def test_the_ear_hears_the_same_whether_a_sound_is_loud_or_soft():
    x = pair()
    loud = evaluated(x, senses=("sound",))[0]
    soft = evaluated(x | {"sound": 0.01 * x["sound"]}, senses=("sound",))[0]
    np.testing.assert_allclose(soft, loud, atol=1e-3)
    assert np.ptp(loud, axis=0).max() > 0.1


@pytest.mark.parametrize("sense", ["image", "sound"])
def test_with_one_sense_the_other_is_not_looked_at(sense):
    x, (other,) = pair(), {"image", "sound"} - {sense}
    logits, _ = evaluated(x, senses=(sense,))
    np.testing.assert_array_equal(logits, evaluated(without(x, other), senses=(sense,))[0])
    assert np.ptp(logits, axis=0).max() > 0


def test_the_params_are_those_that_hand_arithmetic_says():
    sound = 5 * 5 * 16 + 16 + 5 * (20 * 16) * 256 + 256
    image = 784 * 800 + 800
    joint = (800 + 256) * 256 + 256 + 256 * 10 + 10
    params = jax.eval_shape(
        lambda: multimodal().init(KEY, {"image": (28, 28), "sound": (8000,)})[0]
    )
    assert parameter_count(params) == sound + image + joint


@pytest.mark.parametrize(
    "options",
    [
        dict(hearing="rate"), dict(hearing="crossings"), dict(vision="saccades"),
        dict(precision="mixed"), dict(sound_channels=()),
        dict(sound_channels=(2, 3)), dict(hidden=()), dict(image_hidden=(8, 8)),
        dict(neuron=cuba_lif), dict(fusion="early", hearing="crossings"),
        dict(rate_penalty=1.0), dict(senses=["sound", "image"]),
    ],
)  # fmt: skip
def test_every_option_builds_a_network_and_evaluation_shares_its_params(options):
    networks = [multimodal(**SMALL | options, training=t) for t in (True, False)]
    first, second = (jax.eval_shape(lambda n=n: n.init(KEY, SHAPE)[0]) for n in networks)
    assert first == second
    for network in networks:
        y, _ = jax.eval_shape(network.forward, first, pair(), jax.random.split(KEY, 6))
        assert y.shape == (6, 10)


def test_events_of_a_camera_are_an_image_too():
    events = np.random.default_rng(1).integers(0, 3, (6, 6, 5, 4, 2)).astype(np.uint8)
    x = pair() | {"image": jnp.asarray(events)}
    logits, _ = evaluated(x, vision="events")
    assert logits.shape == (6, 10)
    assert np.abs(logits - evaluated(without(x, "image"), vision="events")[0]).max() > 0
    with pytest.raises(ValueError, match="takes spikes at 6 steps"):
        multimodal(**SMALL, vision="events").init(KEY, {"image": (7, 5, 4, 2), "sound": (900,)})


def test_modality_dropout_is_for_training_and_for_two_senses():
    keys = jax.random.split(KEY, 200)
    some_are = {0.5: True, 0.0: False, (0.0, 0.3): True}
    networks = [multimodal(**SMALL, absent=a, dropout_rate=0.0) for a in some_are]
    logits_of = lambda *networks: jax.jit(lambda params, x: [
        network.forward(params, x, keys)[0] for network in networks])  # fmt: skip
    whole = multimodal(**SMALL, training=False)
    wanted, *got = logits_of(whole, *networks)(made(whole), pair(200))
    assert [(np.abs(y - wanted) > 1e-3).any() for y in got] == [*some_are.values()]
    alone = multimodal(**SMALL, absent=0.5, senses=("sound",), dropout_rate=0.0)
    calm = multimodal(**SMALL, senses=("sound",), training=False)
    np.testing.assert_array_equal(*logits_of(alone, calm)(made(alone), pair(200)))


def test_each_sense_is_absent_at_a_rate_of_its_own():
    x, keys = pair(200), jax.random.split(KEY, 200)
    blind = multimodal(**SMALL, absent=(1.0, 0.0), dropout_rate=0.0)
    params, both = made(blind), multimodal(**SMALL, training=False)
    logits = jax.jit(blind.forward)(params, x, keys)[0]
    image_alone = jax.jit(both.forward)(params, without(x, "image"), keys)[0]
    np.testing.assert_array_equal(logits, image_alone)


def test_neurons_of_both_senses_are_seen_in_order_and_priced():
    x, keys = pair(), jax.random.split(KEY, 6)
    build = partial(multimodal, **SMALL, hidden=(7,), absent=0.0, dropout_rate=0.0)
    networks = [build(rate_penalty=p) for p in (1.0, 2.0)]
    params = made(networks[0])
    one, two = (jax.jit(n.forward)(params, x, keys)[1] for n in networks)
    assert [t.spikes.shape[2:] for t in traces(one)] == [(8,), (1, 6, 2), (5,), (7,)]
    assert firing_rates(one).min() > 0
    np.testing.assert_allclose(penalties(two), 2 * penalties(one), rtol=1e-5)
    assert penalties(one) > 0


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (dict(fusion="deep"), "fusion must be one of"),
        (dict(vision="retina"), "vision must be one of"),
        (dict(hearing="cochlea"), "hearing must be one of"),
        (dict(senses=("smell",)), r"senses must be of \('image', 'sound'\), got \('smell',\)"),
        (dict(senses=()), "senses must be of"),
        (dict(senses=None), "senses must be of"),
        (dict(steps=2.5), "steps must be a whole number, got 2.5"),
        (dict(fusion="late", hidden=(8,)), "hidden is behind a middle fusion"),
        (dict(absent=(0.1, 0.2, 0.3)), "absent is one share, or one for each of"),
        (dict(absent=(0.6, 0.5)), "rates must be >= 0"),
        (dict(absent=0.6), "rates must be >= 0, of a sum of at most 1"),
    ],
)
def test_bad_options_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        multimodal(**options)


def test_an_image_alone_is_refused_by_name():
    with pytest.raises(ValueError, match=r"needs inputs for \['image', 'sound'\]"):
        multimodal().init(KEY, (28, 28))
