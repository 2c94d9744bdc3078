"""Adaptive-threshold neurons against hand arithmetic, JAX, differences and known limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.spikes import firing_rates, sigmoid, soft_twin, traces, triangle
from jaxdigits.spikes.adaptive import alif, alif_neuron
from jaxdigits.spikes.convention import Convention
from jaxdigits.spikes.lif import lif
from jaxdigits.spikes.unroll import over_time

LEARN = ("decay", "threshold", "adaptation", "adaptation_decay")
OTHER = Convention(
    reset=0.25, reset_step="same", fires="at", spikes="several", spike_from="old",
    differentiate_reset=True, gain=4.0, normalise=True,
)  # fmt: skip
FLOW = Convention(differentiate_reset=True)
OPTIONS = dict(decay=0.75, threshold=0.5, adaptation=[0.5, 1.0], adaptation_decay=[0.5, 0.75])


def normal(shape):
    return np.random.default_rng(0).normal(0.9, 1.0, shape)


def test_adaptation_potentials_and_spikes_match_hand_arithmetic():
    # β = ρ = 1/2, θ = 1/2, b = 1, iₜ = 3/4; A = θ + b a; * fires, and then A is subtracted
    layer = alif(decay=0.5, threshold=0.5, adaptation=1.0, adaptation_decay=0.5)
    spikes, kept = layer.forward((), jnp.full((4, 1), 0.75), None)
    np.testing.assert_array_equal(kept[1]["adaptation"][:, 0], [0, 1 / 2, 1 / 4, 5 / 8])
    np.testing.assert_array_equal(kept[0].v[:, 0], [3 / 4, 5 / 8, 17 / 16, 17 / 32])
    np.testing.assert_array_equal(spikes[:, 0], [1, 0, 1, 0])
    assert traces(kept)[0] is kept[0]


def test_the_gradient_matches_hand_arithmetic():
    # As above with T = 2, h(u) = 1 − |u|, s̄ = 1: u = (1/4, −3/8), h = (3/4, 5/8)
    # t = 2: e = 1, λ = 5/8, Ā = −5/8, ā = −5/8
    # t = 1: e = 1 + ā/2 = 11/16, λ = 5/16 + 3/4 · 11/16, Ā = −33/64 − 5/8
    layer = alif(
        triangle(), decay=0.5, threshold=0.5, adaptation=1.0, adaptation_decay=0.5, learn=LEARN
    )
    params, _ = layer.init(jax.random.key(0), (1,))
    spikes, kept = layer.forward(params, jnp.full((2, 1), 0.75), None)
    grads, lam = layer.backward(params, kept, jnp.ones_like(spikes))
    np.testing.assert_allclose(lam[:, 0], [53 / 64, 5 / 8], rtol=1e-6)
    wanted = {
        "decay": 1 / 4 * 5 / 8 * 3 / 4,
        "threshold": 1 / 2 * (-5 / 8 - 33 / 64 - 5 / 8),
        "adaptation": 1 / 2 * -5 / 8,
        "adaptation_decay": 1 / 4 * -5 / 8 * (0 - 1),
    }
    for name in LEARN:
        np.testing.assert_allclose(grads[name], wanted[name], rtol=1e-6, err_msg=name)


@pytest.mark.usefixtures("float64")
def test_the_gradient_by_hand_is_that_of_jax(gradients):
    layers = [
        alif(sigmoid(2.0), **OPTIONS, learn=LEARN),
        alif(sigmoid(2.0), **OPTIONS, learn=LEARN, convention=FLOW),
        alif(sigmoid(2.0), **OPTIONS, learn=LEARN, convention=OTHER),
        alif(sigmoid(2.0), **OPTIONS, learn=("adaptation",), convention=OTHER),
        over_time(
            alif_neuron(sigmoid(2.0), **OPTIONS, learn=LEARN, convention=OTHER),
            emit="potential",
        ),
    ]
    found = gradients(layers, normal((8, 3, 2)))
    assert all(0.05 < firing_rates(kept)[0] < 1.5 for _, kept in found)
    assert [sorted(grads) for (grads, _), _ in found][2:4] == [sorted(LEARN), ["adaptation"]]


@pytest.mark.usefixtures("float64")
def test_the_gradient_by_hand_is_that_of_differences_when_firing_is_soft(slopes):
    twin = soft_twin(sigmoid(2.0))
    layers = [alif(twin, **OPTIONS, learn=LEARN, convention=c) for c in (FLOW, OTHER)]
    by_hand, differences = slopes(layers, normal((8, 3, 2)))
    np.testing.assert_allclose(by_hand, differences, rtol=1e-7)


@pytest.mark.parametrize(
    "off", [dict(adaptation=0.0), dict(adaptation=2.0, adaptation_decay=1.0)]
)
def test_without_adaptation_it_is_lif(off):
    """No size, or a filter that lets nothing in."""
    current = jnp.asarray(normal((20, 3)), jnp.float32)
    plain, kept = lif(decay=0.75, threshold=0.5).forward((), current, None)
    spikes, kept_too = alif(decay=0.75, threshold=0.5, **off).forward((), current, None)
    assert 0.05 < plain.mean() < 0.95
    np.testing.assert_array_equal(spikes, plain)
    np.testing.assert_array_equal(traces(kept_too)[0].v, kept.v)


def test_a_constant_current_fires_ever_more_slowly():
    spikes, kept = alif(adaptation=1.8, adaptation_decay=0.95).forward(
        (), jnp.full((200, 1), 0.5), None
    )
    gaps = np.diff(np.flatnonzero(spikes[:, 0]))
    assert len(gaps) > 10
    assert gaps[0] < gaps[-1]
    assert (gaps[1:] - gaps[:-1] >= -1).all()
    assert (kept[1]["adaptation"] < 1).all()  # it is a rate


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (dict(adaptation=-1.0), "adaptation must be >= 0, got -1.0"),
        (dict(adaptation=0.0, learn=LEARN), "adaptation must be > 0"),
        (dict(adaptation_decay=2.0), r"adaptation_decay must be in \[0, 1\]"),
        (dict(convention=Convention(reset=2.0)), "reset must be below the threshold"),
        (dict(learn=("delay",)), "learn takes names from .*adaptation_decay.* got 'delay'"),
    ],
)
def test_bad_arguments_are_refused_by_name(options, match):
    with pytest.raises(ValueError, match=match):
        alif(**options)
