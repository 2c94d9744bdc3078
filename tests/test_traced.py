"""A traced number has the result of a known number, and may differ by member."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import augment as au
from jaxdigits import gradients, losses, models
from jaxdigits import layers as ly
from jaxdigits import spikes as sp
from jaxdigits.fast import scan
from jaxdigits.layer import differentiable, serial
from jaxdigits.spikes.readout import leaky_readout

RNG = np.random.default_rng(0)
IMAGES = (255 * RNG.random((4, 10, 10)) * (RNG.random((4, 10, 10)) < 0.4)).astype(np.uint8)
LABEL, KEYS = np.arange(4), jax.random.split(jax.random.key(1), 4)


def gradient(network, loss=losses.cross_entropy(), estimator=gradients.by_hand):  # noqa: B008
    params, _ = network.init(jax.random.key(0), (10, 10))
    return estimator(network, loss)(params, (IMAGES, LABEL), KEYS)[:2]


def dense(h):
    options = ("dropout_rate", "input_dropout", "input_noise", "hidden_noise")
    activation = partial(ly.leaky_relu, h["slope"])
    network = models.mlp(hidden=(6,), activation=activation, **{k: h[k] for k in options})
    return gradient(network, losses.cross_entropy(h["smoothing"]))


def adversarial(h):
    estimator = gradients.adversarial(h["epsilon"], share=h["share"])
    return gradient(models.mlp(hidden=(6,), dropout_rate=0.0), estimator=estimator)


def convolutional(h):
    return gradient(models.cnn(channels=(8,), hidden=(16,), norm="group", **h))


def spiking(h, estimator=gradients.by_hand):
    h = dict(h)
    network = models.snn(
        hidden=(6,), steps=5, surrogate=sp.arctan(h.pop("alpha")), learn=("decay",),
        readout=partial(leaky_readout, h.pop("readout")), **h,
    )  # fmt: skip
    return gradient(network, losses.rate_error(1.0, 0.1), estimator)


def adaptive(h):
    h = dict(h)
    slope = sp.scaled(sp.fast_sigmoid(h.pop("gamma")), h.pop("factor"))
    network = models.snn(hidden=(6,), steps=5, neuron="alif", surrogate=slope, **h)
    return gradient(network)


def with_synapses(h):
    slope = sp.triangle(h["width"])
    neurons = dict(neuron="cuba_lif", synapse_decay=h["synapse_decay"], threshold=0.25)
    network = models.conv_snn(
        channels=(3, 4), kernel=3, steps=4, norm="layer", surrogate=slope, **neurons
    )
    return gradient(network)


def recurrent(h):
    neuron = sp.lif_neuron(
        sp.soft_twin(sp.sigmoid(h["alpha"])), decay=sp.exact_decay(h["tau"]), threshold=0.5,
        convention=sp.Convention(differentiate_reset=True),
    )  # fmt: skip
    inputs = ly.standardise(), ly.flatten(), sp.direct(4), ly.dense(6, gain=h["gain"])
    readout = leaky_readout(h["readout"], reduce="last")
    neurons = sp.recurrent(neuron, gain=h["gain"])
    return gradient(serial(*inputs, neurons, ly.dense(10), readout))


def own_neuron(h):
    fire, slope = sp.with_slope(sp.sigmoid(h["alpha"])), sp.sigmoid(h["alpha"]).slope
    images = jnp.asarray(IMAGES / 255)
    step = lambda v, x: (v, fire(0.9 * v + x - 0.5))
    spikes = lambda x: jax.lax.scan(step, x, jnp.stack([x] * 3))[1].sum()
    return jax.value_and_grad(spikes)(images), slope(images)


def for_others(h):
    network = models.snn(hidden=(6,), steps=4, surrogate=sp.arctan(h["alpha"]), threshold=0.5)
    params, _ = network.init(jax.random.key(0), (10, 10))
    of_params = lambda params: (differentiable(network)(params, IMAGES, KEYS) ** 2).sum()
    return jax.value_and_grad(of_params)(params)


def augmented(h):
    share, size = h["share"], h["size"]
    moved = au.affine(rotation=10 * size, shift=size, scale=share, shear=share)
    light = (au.contrast, au.brightness, au.background, au.noise, au.blur, au.pen)
    augment = au.compose(
        au.warp(moved, au.elastic(8 * size, size)), *(make(share) for make in light),
        au.sometimes(share, au.erase(share / 8, share / 2, stretch=1 + size, ink=share)),
    )  # fmt: skip
    return augment(KEYS, IMAGES)


def senses(h):
    layer = ly.modality_dropout({"image": h["absent"], "sound": h["absent"] / 2})
    x = {"image": jnp.asarray(IMAGES / 255), "sound": jnp.ones((4, 9))}
    return layer.forward((), x, KEYS)[0]


PRICED = {"rate_penalty": (0.1, 2.0), "rate_target": (0.0, 0.1)}
LIF = {"alpha": (0.5, 4.0), "readout": (0.5, 1.0), "decay": (0.25, 0.9),
       "gain": (0.5, 2.0), "threshold": (0.3, 0.6), "reset": (-0.25, 0.125),
       "dropout_rate": (0.0, 0.5)}  # fmt: skip
ENDS = {
    dense: {"dropout_rate": (0.0, 0.7), "input_dropout": (0.1, 0.3), "smoothing": (0.0, 0.2),
            "input_noise": (0.05, 0.5), "hidden_noise": (0.01, 0.3), "slope": (0.0, 0.2)},
    adversarial: {"epsilon": (0.05, 1.0), "share": (0.25, 1.0)},
    convolutional: {"dropout_rate": (0.0, 0.6)},
    spiking: LIF | PRICED,
    adaptive: {"gamma": (5.0, 50.0), "factor": (0.5, 2.0), "adaptation": (0.0, 1.5),
               "adaptation_decay": (0.5, 1.0), "threshold": (0.25, 0.5)},
    with_synapses: {"width": (0.5, 2.0), "synapse_decay": (0.0, 0.8)},
    recurrent: {"alpha": (1.0, 6.0), "tau": (1.0, 20.0), "gain": (0.3, 1.0),
                "readout": (0.0, 0.9)},
    own_neuron: {"alpha": (1.0, 6.0)},
    for_others: {"alpha": (1.0, 6.0)},
    augmented: {"share": (0.1, 0.9), "size": (0.5, 2.0)},
    senses: {"absent": (0.1, 0.6)},
}  # fmt: skip


@pytest.mark.parametrize("make", ENDS, ids=lambda make: make.__name__)
def test_a_traced_number_equals_a_known_number_at_both_ends(make, float64):
    ends = [{name: pair[i] for name, pair in ENDS[make].items()} for i in (0, 1)]
    known = [jax.jit(partial(make, h))() for h in ends]
    both = jax.tree.map(lambda *pair: jnp.array(pair), *ends)
    traced = jax.jit(jax.vmap(make))(both)
    flat = jax.tree.leaves(jax.tree.map(lambda *pair: np.stack(pair), *known))
    for a, b in zip(jax.tree.leaves(traced), flat, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    assert any(np.abs(leaf[0] - leaf[1]).max() > 1e-6 for leaf in flat), "the ends are alike"


def test_autodiff_sees_traced_numbers_of_neurons_too(float64):
    h = {name: pair[1] for name, pair in (LIF | PRICED).items()}
    every = jax.tree.map(lambda value: jnp.array([value, value / 2]), h)
    by = lambda estimator: jax.jit(jax.vmap(partial(spiking, estimator=estimator)))(every)
    pair = map(jax.tree.leaves, (by(gradients.by_hand), by(gradients.by_autodiff)))
    for a, b in zip(*pair, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
        assert np.abs(a).max() > 0


def test_traced_numbers_of_neurons_are_arguments_of_the_loop_in_place(monkeypatch):
    current, origins = jnp.ones((6, 3, 5)), []
    examine = scan.in_place
    monkeypatch.setattr(scan, "in_place", lambda *a: origins.append(examine(*a)) or origins[-1])

    def slopes(h):
        convention = sp.Convention(reset=0.1 * h)
        network = serial(sp.lif(sp.arctan(h), convention=convention), leaky_readout(h / 2))
        y, residual = network.forward(((), ()), current)
        return network.backward(({}, ()), residual, y)[1]

    jax.make_jaxpr(jax.vmap(slopes))(jnp.array([0.5, 1.0]))
    assert len(origins) == 4
    assert all(origins), "a loop that holds on to a traced number copies its rows"


def test_errors_of_known_numbers_stay():
    for make, message in [
        (lambda: ly.dropout(1.0), r"rate must be in \[0, 1\), got 1.0"),
        (lambda: losses.cross_entropy(1.5), r"smoothing must be in \[0, 1\), got 1.5"),
        (lambda: sp.arctan(0.0), "alpha must be > 0, got 0.0"),
        (lambda: sp.lif(decay=1.5), r"decay must be in \[0, 1\], got 1.5"),
        (lambda: sp.lif(convention=sp.Convention(reset=2.0)), "reset must be below the thresh"),
    ]:
        with pytest.raises(ValueError, match=message):
            jax.jit(lambda h: make() and h)(1.0)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda h: sp.EventNeuron(tau_m=h), "tau_m"),
        (lambda h: models.event_snn(duration=h), "duration"),
        (lambda h: sp.rate(h), "steps"),
        (lambda h: ly.dense(h), "n"),
    ],
)
def test_a_number_that_decides_the_program_is_refused_by_name(make, name):
    with pytest.raises(ValueError, match=f"^{name} decides the program: pass a number that is"):
        jax.jit(lambda h: make(h) and h)(2.0)


def test_a_traced_strength_is_present_and_zero_is_absent():
    layers = lambda **options: len(models.mlp(hidden=(6,), **options).init(
        jax.random.key(0), (10, 10))[0])  # fmt: skip
    counts = []
    jax.jit(lambda h: counts.append(layers(input_noise=h, hidden_noise=h)) or h)(0.0)
    assert counts == [layers(input_noise=0.1, hidden_noise=0.1)]
    assert counts[0] == layers() + 2
