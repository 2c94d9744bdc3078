"""Adversarial training: images that mislead, found by the gradient by hand."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits import mlp, serial, snn
from jaxdigits.gradients import adversarial, by_hand
from jaxdigits.gradients.rules import forward_gradient
from jaxdigits.layers import dense, flatten, standardise
from jaxdigits.losses import cross_entropy
from jaxdigits.spikes import firing_rates, lif

LOSS = cross_entropy(0.1)
NETWORKS = {
    "mlp": mlp(hidden=(8,), dropout_rate=0.2),
    "snn": snn(hidden=(8,), steps=4, neuron=partial(lif, threshold=0.25), dropout_rate=0.2),
}
networks = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


def example(network, dtype="uint8"):
    grey = np.random.default_rng(0).random((6, 12, 12)) * (np.arange(12) > 3)
    image = jnp.asarray(255 * grey, jnp.uint8)
    if dtype == "float":
        image = image / jnp.float32(255)
    keys = jax.random.split(jax.random.key(1), 6)
    return network.init(jax.random.key(0), (12, 12))[0], (image, jnp.arange(6)), keys


def by_autodiff_in_words(network, params, batch, key, epsilon, share):
    """The same of `jax.grad`, with the worse images as a constant."""
    image, label = batch
    loss = lambda params, x: LOSS.value(network.forward(params, x, key)[0], label)
    worse = jnp.clip(image + epsilon * jnp.sign(jax.grad(loss, 1)(params, image)), 0, 1)
    whole = lambda params: (1 - share) * loss(params, image) + share * loss(params, worse)
    return *jax.value_and_grad(whole)(params), worse


@networks
@pytest.mark.parametrize("share", [0.25, 1.0])
def test_it_is_the_gradient_of_both_losses(network, share):
    params, batch, keys = example(network, "float")
    estimate = adversarial(0.25, share=share)(network, LOSS)
    loss, grads, kept = jax.jit(estimate)(params, batch, keys)
    reference = jax.jit(partial(by_autodiff_in_words, network, epsilon=0.25, share=share))
    loss_, grads_, worse = reference(params, batch, keys)
    assert all(rate > 0.02 for rate in firing_rates(kept))
    assert 0.2 < np.abs(worse - batch[0]).max() <= 0.25 + 1e-6
    np.testing.assert_allclose(loss, loss_, rtol=1e-5)
    for mine, other in zip(jax.tree.leaves(grads), jax.tree.leaves(grads_), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5 * np.abs(other).max())


def test_the_images_mislead_and_stay_images():
    network = serial(standardise(), flatten(), dense(10))
    params, batch, _ = example(network)
    last = by_hand(network, LOSS)(params, batch, None)[0]
    for epsilon in (1e-3, 0.05, 0.3):
        estimate = adversarial(epsilon, share=1.0)(network, LOSS)
        loss, _, kept = estimate(params, batch, None)
        seen = kept[-1]  # what the weights were given
        assert loss > last
        assert jnp.abs(seen - batch[0].reshape(6, -1) / 255).max() <= epsilon + 1e-6
        assert seen.min() == 0
        assert seen.max() <= 1
        last = loss


def test_bytes_are_taken_as_floats():
    network = mlp(hidden=(8,), dropout_rate=0.0)
    estimate = adversarial(0.1)(network, LOSS)
    of_bytes, of_floats = (estimate(*example(network, d)) for d in ("uint8", "float"))
    np.testing.assert_allclose(of_bytes[0], of_floats[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [(dict(epsilon=0.0), "epsilon must be in"), (dict(epsilon=1.5), "epsilon must be in"),
     (dict(epsilon=float("nan")), "epsilon must be in"),
     (dict(epsilon=0.1, share=0.0), "share must be in"),
     (dict(epsilon=0.1, share=1.1), "share must be in")],
)  # fmt: skip
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        adversarial(**options)


def test_senses_are_refused():
    network = mlp(hidden=(8,))
    params, (image, label), keys = example(network)
    with pytest.raises(ValueError, match="one array of images"):
        adversarial(0.1)(network, LOSS)(params, ({"image": image}, label), keys)


def test_arrays_of_numpy_are_images_too():
    network = mlp(hidden=(8,), dropout_rate=0.0)
    params, (image, label), keys = example(network)
    wanted = adversarial(0.1)(network, LOSS)(params, (image, label), keys)[0]
    arrays = np.asarray(image), np.asarray(label)
    assert adversarial(0.1)(network, LOSS)(params, arrays, keys)[0] == wanted


def test_a_rule_without_a_gradient_of_images_is_refused():
    network = mlp(hidden=(8,), dropout_rate=0.0, chain=forward_gradient())
    with pytest.raises(ValueError, match="this network's rule has none"):
        adversarial(0.1)(network, LOSS)(*example(network))
