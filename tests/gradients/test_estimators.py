"""Estimators: one signature, the same gradient, and no autodiff in the one by hand."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import cnn, conv_snn, mlp, snn
from jaxdigits.gradients import ESTIMATORS, by_autodiff, by_hand, in_microbatches
from jaxdigits.losses import cross_entropy
from jaxdigits.spikes import firing_rates, lif

NETWORKS = {
    "mlp": mlp(hidden=(8,)),
    "cnn": cnn(channels=(3,), hidden=(8,)),
    "snn": snn(hidden=(8,), steps=5, neuron=partial(lif, threshold=0.25), dropout_rate=0.2),
    "conv_snn": conv_snn(channels=(3, 4), kernel=3, steps=5),
}
AUTODIFF = ("grad", "value_and_grad", "vjp", "jvp", "linearize", "jacrev", "jacfwd", "hessian")
LOSS = cross_entropy()
networks = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


def example(network):
    """(params, batch, keys): six images [12, 12] in uint8."""
    grey = np.random.default_rng(0).random((6, 12, 12))
    image = jnp.asarray(255 * grey * (grey > 0.5), jnp.uint8)
    keys = jax.random.split(jax.random.key(1), 6)
    return network.init(jax.random.key(0), (12, 12))[0], (image, jnp.arange(6)), keys


@networks
def test_by_hand_and_by_autodiff_agree_in_float32(network):
    estimators = [make(network, LOSS) for make in ESTIMATORS.values()]
    params, batch, keys = example(network)
    both = jax.jit(lambda *a: [estimate(*a) for estimate in estimators])
    (loss, grads, kept), (loss_, grads_, _) = both(params, batch, keys)
    assert all(0.02 < rate < 0.98 for rate in firing_rates(kept))
    np.testing.assert_allclose(loss, loss_, rtol=1e-5)
    for mine, other in zip(jax.tree.leaves(grads), jax.tree.leaves(grads_), strict=True):
        assert mine.dtype == jnp.float32
        assert np.abs(other).max() > 0
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-5 * np.abs(other).max())


@networks
def test_by_hand_never_calls_autodiff(network, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("autodiff was called")

    arguments = example(network)
    for name in AUTODIFF:
        monkeypatch.setattr(jax, name, refuse)
    jax.eval_shape(by_hand(network, LOSS), *arguments)
    with pytest.raises(AssertionError, match="autodiff was called"):
        jax.eval_shape(by_autodiff(network, LOSS), *arguments)


def test_the_residual_is_that_of_the_forward_pass():
    network = NETWORKS["mlp"]
    params, (image, label), keys = example(network)
    for make in ESTIMATORS.values():
        kept = jax.eval_shape(make(network, LOSS), params, (image, label), keys)[2]
        wanted = jax.eval_shape(network.forward, params, image, keys)[1]
        assert jax.tree.map(jnp.shape, kept) == jax.tree.map(jnp.shape, wanted)


APART = {
    "mlp": mlp(hidden=(8,), dropout_rate=0.4),
    "cnn": cnn(channels=(3,), hidden=(8,), norm="layer", dropout_rate=0.4),
    "snn": NETWORKS["snn"],  # rate code and dropout
    "snn that recomputes": snn(hidden=(8,), steps=5, recompute=True, dropout_rate=0.2),
}


@pytest.mark.parametrize(
    ("make", "network"),
    [*((by_hand, network) for network in APART.values()), (by_autodiff, APART["mlp"])],
    ids=[*APART, "mlp, by_autodiff"],
)
@pytest.mark.usefixtures("float64")
def test_microbatches_have_the_gradient_of_the_whole(make, network):
    arguments, whole = example(network), make(network, LOSS)
    estimators = [whole, *(in_microbatches(whole, count) for count in (1, 2, 6))]
    (loss, grads, _), *rest = jax.jit(lambda *a: [e(*a) for e in estimators])(*arguments)
    assert all(np.abs(leaf).max() > 1e-3 for leaf in jax.tree.leaves(grads))
    for loss_, grads_, kept in rest:
        np.testing.assert_allclose(loss_, loss, rtol=1e-12)
        close = lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
        jax.tree.map(close, grads_, grads)
        assert kept == ()


@pytest.mark.usefixtures("float64")
def test_microbatches_of_a_network_without_random_numbers_need_no_key():
    network = mlp(hidden=(8,), dropout_rate=0.0)
    params, batch, _ = example(network)
    wanted = by_hand(network, LOSS)(params, batch, None)[1]
    grads = jax.jit(in_microbatches(by_hand(network, LOSS), 3))(params, batch, None)[1]
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    jax.tree.map(close, grads, wanted)


def test_no_microbatches_are_refused():
    network = NETWORKS["mlp"]
    params, batch, keys = example(network)
    for count in (0, -2):
        with pytest.raises(ValueError, match=f"count must be >= 1, got {count}"):
            in_microbatches(by_hand(network, LOSS), count)
    with pytest.raises(ValueError, match="a batch of 6 has no 4 equal microbatches"):
        in_microbatches(by_hand(network, LOSS), 4)(params, batch, keys)
    with pytest.raises(ValueError, match="one key per example: `example_keys`"):
        in_microbatches(by_hand(network, LOSS), 2)(params, batch, jax.random.key(0))
