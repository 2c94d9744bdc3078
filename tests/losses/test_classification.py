"""Losses against optax, hand arithmetic and central differences."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdigits.losses import cross_entropy, rate_error

LOGITS = np.random.default_rng(0).normal(0, 3, (6, 10))
LABEL = np.array([0, 3, 3, 9, 5, 1])
LOSSES = [cross_entropy(), cross_entropy(0.1), rate_error(), rate_error(0.9, 0.1)]
all_losses = pytest.mark.parametrize("loss", LOSSES, ids=["ce", "smoothed", "rate", "rates"])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.usefixtures("float64")
def test_cross_entropy_is_that_of_optax(smoothing):
    target = optax.smooth_labels(jax.nn.one_hot(LABEL, 10), smoothing)
    theirs = lambda z: optax.softmax_cross_entropy(z, target).mean()
    loss, z = cross_entropy(smoothing), jnp.asarray(LOGITS)
    np.testing.assert_allclose(loss.value(z, LABEL), theirs(z), rtol=1e-12)
    np.testing.assert_allclose(loss.slope(z, LABEL), jax.grad(theirs)(z), atol=1e-15)


def test_cross_entropy_of_no_idea_is_the_logarithm_of_the_classes():
    no_idea = jnp.zeros((3, 10))
    for smoothing in (0.0, 0.3):
        value = cross_entropy(smoothing).value(no_idea, LABEL[:3])
        assert value == pytest.approx(np.log(10), rel=1e-6)


def test_a_class_that_is_ruled_out_costs_nothing():
    z, label, loss = jnp.array([[0.0, 1.0, -jnp.inf]]), jnp.array([0]), cross_entropy()
    assert loss.value(z, label) == pytest.approx(np.log1p(np.e))  # 1.3133
    slope = [[-np.e / (1 + np.e), np.e / (1 + np.e), 0]]
    np.testing.assert_allclose(loss.slope(z, label), slope, rtol=1e-6)
    np.testing.assert_allclose(jax.grad(loss.value)(z, label), slope, rtol=1e-6)
    assert loss.value(z, jnp.array([2])) == jnp.inf


def test_rate_error_matches_hand_arithmetic():
    # targets 3/4 and 1/4: ((1/4)² + (1/4)² + 0² + (1/2)²) / 4
    rates, label = jnp.array([[0.5, 0.5], [0.25, 0.25]]), jnp.array([0, 1])
    loss = rate_error(0.75, 0.25)
    assert loss.value(rates, label) == (1 / 16 + 1 / 16 + 0 + 1 / 4) / 4
    np.testing.assert_array_equal(loss.slope(rates, label), [[-1 / 8, 1 / 8], [0, -1 / 4]])


@all_losses
@pytest.mark.usefixtures("float64")
def test_the_slope_is_what_central_differences_see(loss):
    h, direction = 1e-5, np.random.default_rng(1).standard_normal(LOGITS.shape)
    moved = [loss.value(jnp.asarray(LOGITS + sign * h * direction), LABEL) for sign in (1, -1)]
    by_hand = np.vdot(loss.slope(jnp.asarray(LOGITS), LABEL), direction)
    np.testing.assert_allclose((moved[0] - moved[1]) / (2 * h), by_hand, rtol=1e-8)


@all_losses
def test_a_batch_said_twice_has_the_same_loss_and_half_the_slope(loss):
    z, twice = jnp.asarray(LOGITS, jnp.float32), np.tile(LABEL, 2)
    z2 = jnp.tile(z, (2, 1))
    np.testing.assert_allclose(loss.value(z2, twice), loss.value(z, LABEL), rtol=1e-6)
    np.testing.assert_allclose(loss.slope(z2, twice)[:6], loss.slope(z, LABEL) / 2, rtol=1e-5)


@all_losses
def test_the_largest_logits_give_finite_numbers_in_float32(loss):
    z = jnp.asarray(1e4 * np.sign(LOGITS), jnp.float32)
    value, slope = jax.jit(lambda z: (loss.value(z, LABEL), loss.slope(z, LABEL)))(z)
    assert value.dtype == slope.dtype == jnp.float32
    assert np.isfinite(value)
    assert np.isfinite(slope).all()


def test_the_slope_of_cross_entropy_moves_no_probability_in_sum():
    np.testing.assert_allclose(
        cross_entropy(0.1).slope(jnp.asarray(LOGITS), LABEL).sum(-1), 0, atol=1e-6
    )


def test_a_label_that_is_no_class_has_the_slope_of_its_value():
    logits, label = jnp.array([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]]), jnp.array([7, 1])
    for loss in (cross_entropy(), cross_entropy(0.1)):
        wanted = jax.grad(loss.value)(logits, label)
        np.testing.assert_allclose(loss.slope(logits, label), wanted, atol=1e-7)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, float("nan")])
def test_a_smoothing_that_is_no_share_is_refused(smoothing):
    with pytest.raises(ValueError, match="smoothing"):
        cross_entropy(smoothing)
