"""The price on spikes: its formula, its slope, and that training pays it."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdigits.data import digits
from jaxdigits.gradients import by_autodiff, by_hand
from jaxdigits.layers import dense
from jaxdigits.losses import cross_entropy
from jaxdigits.models import snn
from jaxdigits.spikes import penalties, rate_penalty, traces
from jaxdigits.train import Recipe, fit

KEY = jax.random.key(0)
TRAIN, TEST = (d[:256] for d in digits())


def test_rates_above_the_target_cost_their_square():
    # Rates 1, 1/2, 1/4 and 0 of the two neurons in two examples, 1/4 of them free.
    fired = [[[1, 1], [1, 0]], [[1, 0], [0, 0]], [[1, 1], [0, 0]], [[1, 0], [0, 0]]]
    spikes = jnp.array(fired, float)
    layer = rate_penalty(8.0, 0.25)
    y, kept = layer.forward((), spikes, None)
    assert (y == spikes).all()
    assert penalties(kept) == 8 * (0.75**2 + 0.25**2) / 4
    _, x_bar = layer.backward((), kept, jnp.ones_like(spikes))
    slope = 2 * 8 * np.array([[0.75, 0.25], [0, 0]]) / (4 * 4)
    np.testing.assert_array_equal(x_bar, np.broadcast_to(1 + slope, spikes.shape))


def test_the_loss_and_both_gradients_have_it():
    network = snn(hidden=(16,), steps=8, rate_penalty=5.0)
    params, _ = network.init(KEY, (28, 28))
    batch = jnp.asarray(TRAIN.inputs[:32]), jnp.asarray(TRAIN.label[:32])
    loss = cross_entropy()
    hand, auto = (
        jax.jit(make(network, loss))(params, batch, KEY) for make in (by_hand, by_autodiff)
    )
    logits, residual = jax.jit(network.forward)(params, batch[0], KEY)
    rates = traces(residual)[0].spikes.mean(0)
    assert rates.max() > 0.1
    price = 5 * (rates**2).mean()
    np.testing.assert_allclose(hand[0], loss.value(logits, batch[1]) + price, rtol=1e-6)
    np.testing.assert_allclose(auto[0], hand[0], rtol=1e-6)
    free, _ = snn(hidden=(16,), steps=8).init(KEY, (28, 28))
    plain = jax.jit(by_hand(snn(hidden=(16,), steps=8), loss))
    assert penalties(plain(free, batch, KEY)[2]) is None
    first = lambda grads: grads[2]["weight"]
    np.testing.assert_allclose(first(auto[1]), first(hand[1]), atol=1e-6)
    assert not np.allclose(first(plain(params[:4] + params[5:], batch, KEY)[1]), first(hand[1]))


def test_training_under_a_price_fires_less():
    build = partial(snn, hidden=(32,), steps=8)
    recipes = (
        Recipe(partial(build, rate_penalty=price), optax.adam(5e-3), epochs=3, batch=64)
        for price in (0.0, 50.0)
    )
    free, dear = (fit(recipe, TRAIN, TEST, KEY).history[-1] for recipe in recipes)
    assert max(dear["firing_rates"]) < 0.5 * max(free["firing_rates"])


def test_a_rule_has_no_slope_of_it():
    from jaxdigits.gradients.rules import eprop

    with pytest.raises(ValueError, match="rate_penalty is for backpropagation"):
        snn(rate_penalty=1.0, chain=eprop())


@pytest.mark.parametrize(("weight", "target"), [(-1.0, 0.0), (1.0, -0.1), (float("nan"), 0.0)])
def test_a_price_below_zero_is_refused(weight, target):
    with pytest.raises(ValueError, match="must be finite and >= 0"):
        rate_penalty(weight, target)


def test_layers_without_spikes_cost_nothing():
    layer = dense(3)
    params, _ = layer.init(KEY, (4,))
    assert penalties(layer.forward(params, jnp.ones((2, 4)), None)[1]) is None
