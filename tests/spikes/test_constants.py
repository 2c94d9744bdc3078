"""The constants of neurons: one number, one per neuron, given or learned."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.spikes import Convention, alif, cuba_lif_neuron, lif, recurrent

KEY = jax.random.key(0)
BOTH = ("decay", "threshold")


def run(layer, current, params=()):
    return layer.forward(params, current, None)


@pytest.mark.parametrize("reset", ["subtract", 0.0])
def test_constants_per_neuron_are_each_neuron_alone(reset):
    decay, threshold = np.array([0.5, 0.75, 1.0]), np.array([0.5, 1.0, 0.75])
    current = np.random.default_rng(1).integers(-4, 12, (9, 2, 3)).astype(np.float32) / 16
    options = dict(convention=Convention(reset=reset))
    together, _ = run(lif(decay=decay, threshold=threshold, **options), current)
    for n in range(3):
        layer = lif(decay=decay[n], threshold=threshold[n], **options)
        alone, _ = run(layer, current[..., n : n + 1])
        np.testing.assert_array_equal(together[..., n], alone[..., 0])


def test_learned_constants_start_where_they_were_given():
    layer = lif(decay=[0.25, 0.5], threshold=2.0, learn=BOTH)
    params, shape = layer.init(KEY, (4, 2))
    assert shape == (4, 2)
    np.testing.assert_allclose(jax.nn.sigmoid(params["decay"]), [0.25, 0.5], rtol=1e-6)
    np.testing.assert_allclose(jnp.exp(params["threshold"]), [2, 2], rtol=1e-6)
    assert set(lif(learn=("decay",)).init(KEY, (2,))[0]) == {"decay"}
    assert lif().init(KEY, (2,)) == ({}, (2,))


def test_a_learned_decay_near_one_has_a_finite_gradient():
    """1 − β is 0 in float32, and normalised input is multiplied by it."""
    layer = lif(threshold=0.5, learn=("decay",), convention=Convention(normalise=True))
    params = {"decay": jnp.full(2, 40.0)}
    spikes, kept = run(layer, jnp.ones((5, 2)), params)
    grads, lam = layer.backward(params, kept, jnp.ones_like(spikes))
    assert np.isfinite(grads["decay"]).all()
    assert np.isfinite(lam).all()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (dict(decay=[0.5] * 3), "decay has 3 numbers for 5 neurons: give one number, or one"),
        (dict(decay=[0.5] * 3, learn=BOTH), "decay has 3 numbers for 5 neurons"),
        (dict(threshold=[1.0] * 4), "threshold has 4 numbers"),
        (dict(threshold=[[1.0] * 5] * 2), r"threshold has the shape \(2, 5\) for 5 neurons"),
        (dict(convention=Convention(gain=(1.0, 2.0))), "gain has 2 numbers"),
        (dict(convention=Convention(reset=(0.0,) * 6)), "reset has 6 numbers"),
    ],
)
def test_constants_for_other_neurons_are_refused_by_init(options, match):
    for layer in (lif(**options), recurrent(cuba_lif_neuron(**options)), alif(**options)):
        with pytest.raises(ValueError, match=match):
            layer.init(KEY, (2, 5))


@pytest.mark.parametrize("one", [0.5, [0.5], [0.5] * 5])
def test_one_number_or_one_per_neuron_is_taken(one):
    for learn in ((), BOTH):
        params, _ = lif(decay=one, learn=learn).init(KEY, (2, 5))
        assert all(p.shape == (5,) for p in params.values())
