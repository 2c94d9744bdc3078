"""The contrastive loss against a loop over pictures, and at points that decide."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.losses import contrastive

POINTS = np.random.default_rng(0).normal(size=(3, 4, 2, 5))
POINTS /= np.linalg.norm(POINTS, axis=-1, keepdims=True)
LABEL = np.zeros(3, int)


@pytest.mark.usefixtures("float64")
def test_it_is_the_mean_over_pictures_of_their_hands_chance():
    losses = []
    for hands in POINTS:
        flat = [(k, point) for k, views in enumerate(hands) for point in views]
        for i, (hand, point) in enumerate(flat):
            others = [(k, other) for j, (k, other) in enumerate(flat) if j != i]
            weight = np.array([np.exp(point @ other / 0.2) for _, other in others])
            same = np.array([k == hand for k, _ in others])
            losses.append(-np.log(weight[same].sum() / weight.sum()))
    value = contrastive(0.2).value(jnp.asarray(POINTS), LABEL)
    np.testing.assert_allclose(value, np.mean(losses), rtol=1e-12)


def test_the_same_hand_at_one_point_and_others_opposite_cost_nothing():
    one = jnp.asarray([1.0, 0.0])
    points = jnp.stack([jnp.stack([one, one]), jnp.stack([-one, -one])])[None]
    assert contrastive(0.05).value(points, LABEL[:1]) < 1e-6


def test_all_points_in_one_place_are_chance():
    points = jnp.ones((1, 4, 2, 1))
    np.testing.assert_allclose(contrastive().value(points, LABEL[:1]), np.log(7), rtol=1e-6)
    assert np.isfinite(contrastive().slope(points, LABEL[:1])).all()


def test_an_example_is_right_if_its_first_picture_is_nearest_to_its_hand():
    one, other = jnp.asarray([1.0, 0.0]), jnp.asarray([0.0, 1.0])
    near = (one + 0.5 * other) / 1.25**0.5
    right = jnp.stack([jnp.stack([one, near]), jnp.stack([other, other])])
    wrong = jnp.stack([jnp.stack([one, other]), jnp.stack([near, other])])
    answer = contrastive().right(jnp.stack([right, wrong]), LABEL[:2])
    np.testing.assert_array_equal(answer, [True, False])


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 4, 1, 5)])
def test_points_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"\[B, K, V, D\] of V >= 2 pictures, got"):
        contrastive().value(jnp.ones(shape), LABEL)


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(ValueError, match="temperature must be > 0, got 0"):
        contrastive(0)
