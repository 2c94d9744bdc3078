"""Forward gradients: exact along all directions, right on average along a few."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.gradients import by_autodiff, by_hand
from jaxdigits.gradients.rules import forward_gradient
from jaxdigits.gradients.rules.forward import of_weights
from jaxdigits.losses import cross_entropy
from jaxdigits.models import cnn, snn
from jaxdigits.tree import cosine

IMAGE = np.random.default_rng(0).integers(0, 256, (5, 4, 4), "u1")
LABEL = np.array([0, 2, 1, 1, 2])
CURRENTS = dict(mlp=5, snn=8 * 6)  # of one example


@pytest.mark.parametrize("make", ["mlp", "snn"])
@pytest.mark.parametrize("perturb", ["weights", "activities"])
def test_a_complete_set_of_directions_gives_jax_grad(networks, make, perturb):
    build = getattr(networks, make)
    loss, exact, residual = networks.result(build(), by_autodiff)
    if make == "snn":
        networks.assert_lively(residual)
    count = (
        sum(leaf.size for leaf in exact.values()) if perturb == "weights" else CURRENTS[make]
    )
    chain = forward_gradient(perturb, tangents=count, orthonormal=True)
    got = networks.result(build(chain=chain))
    assert got[0] == loss
    assert networks.error(got[1], exact) < 1e-10


def test_one_direction_less_is_not_enough(networks):
    chain = forward_gradient(tangents=CURRENTS["mlp"] - 1, orthonormal=True)
    exact = networks.grads(networks.mlp())
    assert networks.error(networks.grads(networks.mlp(chain=chain)), exact) > 1e-3


def test_more_directions_than_dimensions_are_refused(networks):
    chain = forward_gradient(tangents=CURRENTS["mlp"] + 1, orthonormal=True)
    with pytest.raises(ValueError, match=r"tangents must be <= 5 for orthonormal .* got 6"):
        networks.grads(networks.mlp(chain=chain))


@pytest.mark.parametrize("orthonormal", [False, True])
@pytest.mark.parametrize("perturb", ["weights", "activities"])
def test_random_directions_are_right_on_average(networks, perturb, orthonormal):
    """With N directions a draw, over n draws, the mean is some √(P / nN) away."""
    tangents = 4
    chain = forward_gradient(perturb, tangents=tangents, orthonormal=orthonormal)
    network, exact = networks.mlp(dropout_rate=0.0, chain=chain), networks.mlp(dropout_rate=0.0)
    params, image = networks.params(exact), jnp.asarray(IMAGE)
    flat = lambda tree: np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])
    draws = 800
    logits, residual = exact.forward(params, image, None)
    y_bar = cross_entropy().slope(logits, LABEL)
    wanted = flat(exact.backward(params, residual, y_bar)[0])

    @jax.jit
    @jax.vmap
    def draw(key):
        _, residual = network.forward(params, image, key)
        return network.backward(params, residual, y_bar)[0]

    grads = draw(jax.random.split(jax.random.key(9), draws))
    mean = flat(jax.tree.map(lambda g: g.mean(0), grads))
    P = wanted.size if perturb == "weights" else CURRENTS["mlp"]
    expected = (P / (draws * tangents)) ** 0.5
    assert np.linalg.norm(mean - wanted) < 2 * expected * np.linalg.norm(wanted)
    assert cosine(mean, wanted) > 1 - expected**2


def test_the_output_needs_no_direction(networks):
    exact = networks.grads(networks.snn())
    got = networks.grads(networks.snn(chain=forward_gradient()))
    assert networks.error(got, exact, ("5/",)) < 1e-10
    assert networks.error(got, exact, ("2/",)) > 1e-2


def test_weights_of_any_network_can_be_perturbed(networks):
    small = dict(channels=(2,), kernel=2, hidden=(), norm=None, dropout_rate=0.0, classes=3)
    network = cnn(**small)
    exact = networks.grads(network, estimator=by_autodiff)
    complete = partial(of_weights, tangents=sum(leaf.size for leaf in exact.values()))
    got = networks.grads(complete(network, orthonormal=True))
    assert networks.error(got, exact) < 1e-10


def test_memory_hardly_grows_with_the_directions():
    def memory(tangents):
        network = snn(hidden=(16,), steps=10, chain=forward_gradient(tangents=tangents))
        params, _ = network.init(jax.random.key(0), (6, 6))
        batch = jnp.zeros((32, 6, 6), jnp.uint8), jnp.zeros(32, jnp.int32)
        estimate = jax.jit(lambda *a: by_hand(network, cross_entropy())(*a)[:2])
        compiled = estimate.lower(params, batch, jax.random.key(0)).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    direction = 10 * 32 * 16 * 4  # bytes, of which bits are kept and logits
    assert memory(34) - memory(2) < 32 * direction / 8
