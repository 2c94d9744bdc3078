"""The corruptions: in range, repeatable, and worse with each severity."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.data import digits
from jaxdigits.measure import CORRUPTIONS, corrupt

B = 200
IMAGES = jnp.asarray(digits()[1].inputs[:B])
FLOATS = np.asarray(IMAGES) / 255
KEYS = jax.random.split(jax.random.key(0), B)
EACH = pytest.mark.parametrize("name", CORRUPTIONS)


@EACH
def test_images_stay_images_and_get_worse(name):
    worse = [np.asarray(corrupt(name, KEYS, IMAGES, severity=s)) for s in (1, 2, 3, 4, 5)]
    away = [np.sqrt(((image - FLOATS) ** 2).mean((1, 2))).mean() for image in worse]
    for image in worse:
        assert image.shape == FLOATS.shape
        assert image.dtype == np.float32
        assert image.min() >= 0
        assert image.max() <= 1
    assert away[0] > 0.005
    assert all(a < b for a, b in pairwise(away))
    assert away[4] > 1.5 * away[0]


@EACH
def test_an_example_depends_on_its_own_key_alone(name):
    whole = corrupt(name, KEYS, IMAGES)
    part = corrupt(name, KEYS[7:9], IMAGES[7:9])
    np.testing.assert_allclose(part, whole[7:9], atol=1e-5)
    np.testing.assert_allclose(corrupt(name, KEYS, FLOATS), whole, atol=1e-5)


def test_there_are_five_kinds_and_each_has_its_strengths():
    kinds = {c.kind for c in CORRUPTIONS.values()}
    assert kinds == {"noise", "blur", "geometry", "occlusion", "intensity"}
    assert all(len(set(c.strength)) == 5 for c in CORRUPTIONS.values())


def test_what_is_rotated_has_turned_by_the_angle_in_the_table():
    bar = jnp.zeros((B, 28, 28)).at[:, 4:24, 13:15].set(1.0)
    place = np.arange(28) - 13.5
    for severity, degrees in zip((1, 3, 5), (10, 26, 42), strict=True):
        y = np.asarray(corrupt("rotate", KEYS, bar, severity=severity))
        up, across = np.meshgrid(place, place, indexing="ij")
        moment = lambda a: (y * a).sum((1, 2))
        angle = np.degrees(0.5 * np.arctan2(2 * moment(up * across), moment(up**2 - across**2)))
        np.testing.assert_allclose(np.abs(angle), degrees, atol=1)
        assert 0.3 < (angle > 0).mean() < 0.7


def test_what_is_shrunk_covers_less():
    block = jnp.zeros((B, 28, 28)).at[:, 4:24, 4:24].set(1.0)
    for severity, size in zip((1, 5), (0.85, 0.48), strict=True):
        y = corrupt("shrink", KEYS, block, severity=severity)
        np.testing.assert_allclose(y.sum((1, 2)), (20 * size) ** 2, rtol=0.1)


def test_salt_and_pepper_are_as_many_as_the_table_says():
    grey = jnp.full((B, 28, 28), 0.5)
    y = np.asarray(corrupt("salt_and_pepper", KEYS, grey))
    np.testing.assert_allclose((y == 0).mean(), 0.1, atol=0.01)
    np.testing.assert_allclose((y == 1).mean(), 0.1, atol=0.01)


def test_occlusion_never_adds_ink_but_a_line_does_nothing_else():
    for name in ("square", "bars"):
        assert (corrupt(name, KEYS, IMAGES) <= FLOATS + 1e-6).all()
    assert (corrupt("line", KEYS, IMAGES) >= FLOATS - 1e-6).all()


@pytest.mark.parametrize(
    ("name", "severity", "message"),
    [("rust", 3, "unknown corruption 'rust': choose from gaussian_noise, "),
     ("fog", 6, r"severity must be one of \(1, 2, 3, 4, 5\), got 6"),
     *(("fog", severity, "severity must be one of") for severity in (2.5, 3.0, True))],
)  # fmt: skip
def test_what_there_is_not_is_refused(name, severity, message):
    with pytest.raises(ValueError, match=message):
        corrupt(name, KEYS, IMAGES, severity=severity)
