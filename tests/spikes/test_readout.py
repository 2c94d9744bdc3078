"""Readouts against hand arithmetic in dyadic numbers."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.spikes import leaky_readout, spike_count

# β = 1/2, i = 1, 1, −2, 0:   u = 1, 3/2, −5/4, −5/8
CURRENT = jnp.array([[1.0], [1.0], [-2.0], [0.0]])
MEMBRANE = [1, 3 / 2, -5 / 4, -5 / 8]


@pytest.mark.parametrize(
    ("reduce", "y", "lam"),
    [  # with ȳ = 8: gₜ = 2 at every step; 8 at the second; 8 at the last
        ("mean", 5 / 32, [15 / 4, 7 / 2, 3, 2]),
        ("max", 3 / 2, [4, 8, 0, 0]),
        ("last", -5 / 8, [1, 2, 4, 8]),
    ],
)
def test_the_leaky_readout_matches_hand_arithmetic(reduce, y, lam):
    layer = leaky_readout(0.5, reduce=reduce)
    out, u = layer.forward((), CURRENT, None)
    np.testing.assert_array_equal(u[:, 0], MEMBRANE)
    np.testing.assert_array_equal(out, [y])
    np.testing.assert_array_equal(layer.backward((), u, jnp.array([8.0]))[1][:, 0], lam)


def test_the_first_of_equal_maxima_takes_the_gradient():
    layer = leaky_readout(0.0, reduce="max")
    y, u = layer.forward((), jnp.array([[0.0], [2.0], [1.0], [2.0]]), None)
    assert y == 2
    np.testing.assert_array_equal(layer.backward((), u, jnp.ones(1))[1][:, 0], [0, 1, 0, 0])


def test_a_readout_that_forgets_nothing_sums_the_charge():
    y, _ = leaky_readout(1.0, reduce="last").forward((), CURRENT, None)
    assert y == CURRENT.sum() == 0


def test_spikes_are_counted_and_the_count_hands_each_its_share():
    spikes = jnp.array([[1.0, 0], [1, 0], [0, 0], [1, 1]])
    y_bar = jnp.array([4.0, 8.0])
    for mean, share in ((False, 1), (True, 4)):
        layer = spike_count(mean=mean)
        out, kept = layer.forward((), spikes, None)
        np.testing.assert_array_equal(out, [3 / share, 1 / share])
        wanted = np.tile(y_bar / share, (4, 1))
        np.testing.assert_array_equal(layer.backward((), kept, y_bar)[1], wanted)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (dict(decay=1.1), r"decay must be in \[0, 1\], got 1.1"),
        (dict(decay=-0.5), "decay"),
        (dict(reduce="sum"), "reduce must be one of mean, max, last, got 'sum'"),
    ],
)
def test_bad_arguments_are_refused_by_name(options, match):
    with pytest.raises(ValueError, match=match):
        leaky_readout(**options)
