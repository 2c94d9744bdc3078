"""Light, paper and pens: each does what its formula says, and stays in [0, 1]."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.augment import background, blur, brightness, contrast, erase, invert, noise

B = 256
KEYS = jax.random.split(jax.random.key(1), B)
RNG = np.random.default_rng(0)
DIGITS = jnp.zeros((B, 28, 28)).at[:, 9:19, 9:19].set(RNG.random((B, 10, 10)))
GREY = jnp.full((B, 28, 28), 0.5)
ALL = [contrast(), brightness(), background(), invert(), noise(), blur(), erase()]


@pytest.mark.parametrize("augment", ALL)
def test_all_stay_in_range_and_vary_by_example(augment):
    y = augment(KEYS, DIGITS)
    assert y.shape == DIGITS.shape
    assert y.min() >= 0
    assert y.max() <= 1
    if augment is not ALL[3]:
        same = jnp.broadcast_to(DIGITS[:1], DIGITS.shape)
        different = np.unique(np.asarray(augment(KEYS, same)).reshape(B, -1), axis=0)
        assert len(different) > B // 4  # a rectangle may miss all ink


@pytest.mark.parametrize(
    "augment", [contrast(0.0), brightness(0.0), background(0.0), noise(0.0), blur(0.0),
                erase(0.0, 0.0)]
)  # fmt: skip
def test_without_a_limit_nothing_changes(augment):
    changed = ~np.isclose(augment(KEYS, DIGITS), DIGITS, atol=1e-6)
    assert changed.mean() < 1e-3  # a rectangle without area may still meet a pixel's centre


def test_contrast_pulls_to_the_middle():
    y = contrast(0.8)(KEYS, DIGITS)
    factor = (y - 0.5)[:, 0, 0] / -0.5
    assert 0.2 <= factor.min() < 0.25
    assert 0.95 < factor.max() <= 1
    assert np.allclose(y, 0.5 + factor[:, None, None] * (DIGITS - 0.5), atol=1e-6)


def test_brightness_adds_and_clips():
    y = brightness(0.4)(KEYS, GREY)
    moved = y[:, 0, 0] - 0.5
    assert (y == y[:, :1, :1]).all()
    assert -0.4 <= moved.min() < -0.35
    assert 0.35 < moved.max() <= 0.4
    assert (brightness(1.0)(KEYS, DIGITS) == 0).any()
    assert (brightness(1.0)(KEYS, DIGITS) == 1).any()


def test_background_is_bilinear_and_leaves_ink():
    shade = np.asarray(background(0.6)(KEYS, jnp.zeros_like(DIGITS)))
    assert np.allclose(np.diff(shade, 2, axis=1), 0, atol=1e-6)
    assert np.allclose(np.diff(shade, 2, axis=2), 0, atol=1e-6)
    corners = shade[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.min() >= 0
    assert 0.55 < corners.max() <= 0.6
    assert abs(np.corrcoef(corners.T) - np.eye(4)).max() < 0.25
    assert (background(0.6)(KEYS, jnp.ones_like(DIGITS)) == 1).all()


def test_invert_is_its_own_inverse():
    assert np.allclose(invert()(KEYS, invert()(KEYS, DIGITS)), DIGITS, atol=1e-7)
    assert (invert()(KEYS, DIGITS) == 1 - DIGITS).all()


def test_noise_has_the_deviation_that_it_draws():
    y = np.asarray(noise(0.1)(KEYS, GREY)) - 0.5
    deviation = y.std((1, 2))
    assert 0 <= deviation.min() < 0.01
    assert 0.09 < deviation.max() < 0.11
    z = y[deviation > 0.02] / deviation[deviation > 0.02, None, None]
    assert abs(z.mean()) < 0.01
    assert abs((z**4).mean() - 3) < 0.1  # of a normal distribution
    assert abs(np.corrcoef(z[:, 0, :-1].ravel(), z[:, 0, 1:].ravel())[0, 1]) < 0.05


def test_blur_spreads_a_point_to_a_gaussian_along_each_axis_by_itself():
    point = jnp.zeros((B, 29, 29)).at[:, 14, 14].set(1.0)
    y = np.asarray(blur(2.0)(KEYS, point))
    assert np.allclose(y.sum((1, 2)), 1, atol=1e-5)
    place = np.arange(29) - 14
    lines = np.stack([y.sum(2), y.sum(1)])
    assert np.allclose(y, lines[0, :, :, None] * lines[1, :, None], atol=1e-6)
    variance = (lines * place**2).sum(-1)
    for along in variance:
        assert 3.5 < along.max() < 4.01
    assert abs(np.corrcoef(variance)[0, 1]) < 0.2
    wide = variance > 1
    row = np.exp(-(place[:, None] ** 2) / (2 * variance[wide])).T
    assert np.allclose(lines[wide], row / row.sum(1, keepdims=True), atol=1e-3)


def test_blur_keeps_even_paper_even():
    assert np.allclose(blur(3.0)(KEYS, GREY), 0.5, atol=1e-6)


def test_erase_takes_one_rectangle_of_the_asked_area():
    gone = np.asarray(erase(0.1, 0.2)(KEYS, jnp.ones((B, 28, 28)))) == 0
    rows, columns = gone.any(2), gone.any(1)
    assert (gone == rows[:, :, None] & columns[:, None]).all()  # a rectangle
    for line in (rows, columns):
        assert (np.abs(np.diff(line.astype(int), axis=1)).sum(1) <= 2).all()  # without a gap
    inner = ~(rows[:, 0] | rows[:, -1] | columns[:, 0] | columns[:, -1])
    assert inner.sum() > 20
    area = gone[inner].mean((1, 2))
    assert 0.08 < area.min() < 0.13
    assert 0.17 < area.max() < 0.23
    shape = rows[inner].sum(1) / columns[inner].sum(1)
    assert 0.4 < shape.min() < 0.7
    assert 1.4 < shape.max() < 2.5


def test_a_blot_is_as_dark_as_is_drawn_and_may_be_a_stroke():
    y = np.asarray(erase(0.05, 0.05, stretch=100.0, ink=0.8)(KEYS, jnp.full((B, 28, 28), -1.0)))
    blot = y > -1
    shade = np.array([np.unique(each[covered]) for each, covered in zip(y, blot, strict=True)
                      if covered.any()])  # fmt: skip
    assert shade.shape[1] == 1  # one darkness each
    assert shade.min() < 0.05
    assert 0.75 < shade.max() <= 0.8
    sides = np.array([(each.any(1).sum(), each.any(0).sum()) for each in blot if each.any()])
    assert (sides[:, 0] >= 8 * sides[:, 1]).any()
    assert (sides[:, 1] >= 8 * sides[:, 0]).any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: contrast(1.5), r"limit must be in \[0, 1\], got 1.5"),
        (lambda: brightness(-0.1), r"limit must be in \[0, 1\], got -0.1"),
        (lambda: background(float("nan")), r"limit must be in \[0, 1\], got nan"),
        (lambda: noise(-1.0), "limit must be >= 0, got -1.0"),
        (lambda: blur(-1.0), "limit must be >= 0, got -1.0"),
        (lambda: erase(0.5, 0.1), "least and most must be"),
        (lambda: erase(0.5, 1.1), "least and most must be"),
        (lambda: erase(stretch=0.5), "stretch must be >= 1 and ink in"),
        (lambda: erase(ink=1.5), "stretch must be >= 1 and ink in"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
