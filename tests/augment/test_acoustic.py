"""Sounds at another pace and loudness, in noise, and with gaps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.augment import (
    add_noise,
    change_gain,
    change_speed,
    cut_ends,
    drop_stretch,
)

B, N = 200, 400
KEYS = jax.random.split(jax.random.key(1), B)
SOUND = np.sin(2 * np.pi * np.arange(N) / 20).astype(np.float32)
SOUNDS = jnp.broadcast_to(SOUND, (B, N))
OF_SOUNDS = [
    change_speed(),
    change_gain(),
    add_noise(),
    cut_ends(),
    drop_stretch(),
]


@pytest.mark.parametrize("augment", OF_SOUNDS)
def test_each_example_changes_in_its_own_way_whatever_its_batch(augment):
    y = np.asarray(jax.jit(augment)(KEYS, SOUNDS))
    assert y.shape == SOUNDS.shape
    assert y.dtype == np.float32
    assert len(np.unique(y.reshape(B, -1), axis=0)) > 20
    np.testing.assert_allclose(augment(KEYS[7:9], SOUNDS[7:9]), y[7:9], atol=1e-5)


@pytest.mark.parametrize(
    "augment",
    [change_speed(0.0), change_gain(0.0), cut_ends(0.0), drop_stretch(0.0),
     add_noise(200.0, 200.0)],
)  # fmt: skip
def test_without_a_limit_nothing_changes(augment):
    np.testing.assert_allclose(augment(KEYS, SOUNDS), SOUNDS, atol=1e-6)


def test_a_faster_sound_is_higher_and_ends_sooner():
    y = np.asarray(change_speed(0.5)(KEYS, SOUNDS))
    ends = np.array([np.flatnonzero(np.abs(row) > 1e-3).max() for row in y])
    pace = np.minimum(N / (ends + 1), 2)
    pitch = np.abs(np.fft.rfft(y[:, :200])).argmax(1) / 10
    assert pace.max() > 1.4
    assert pitch.min() < 0.7
    fast = pace > 1.1
    np.testing.assert_allclose(pitch[fast], pace[fast], atol=0.1)


def test_loudness_is_within_the_decibels():
    y = np.asarray(change_gain(6.0)(KEYS, SOUNDS))
    decibels = 20 * np.log10(y[:, 5] / SOUND[5])
    assert -6 <= decibels.min() < -5.5
    assert 5.5 < decibels.max() <= 6


def test_noise_is_so_far_below_the_sound():
    noise = np.asarray(add_noise(10.0, 10.0)(KEYS, 3 * SOUNDS)) - 3 * SOUND
    below = 10 * np.log10((9 * SOUND**2).mean() / (noise**2).mean())
    assert below == pytest.approx(10, abs=0.1)
    assert np.abs(np.corrcoef(noise[0], noise[1])[0, 1]) < 0.2


WORD = slice(100, 300)  # of 400 samples; around it is a hum
SPOKEN = jnp.full((B, N), 1e-3).at[:, WORD].set(1.0)


def gaps(y):
    """[B] where what is silent begins, and where it ends; and that nothing else has changed."""
    y = np.asarray(y)
    assert set(np.unique(y)) <= set(np.asarray([0, 1e-3, 1], np.float32))
    assert ((y == SPOKEN) | (y == 0)).all()
    return [np.flatnonzero(row == 0) for row in y]


def test_the_ends_of_speech_are_cut_and_not_the_silence_around_it():
    silent = gaps(cut_ends(0.25)(KEYS, SPOKEN))
    first = np.array([(gap < 200).sum() for gap in silent])
    last = np.array([(gap >= 200).sum() for gap in silent])
    for gone in (first, last):
        assert gone.min() < 5
        assert 45 < gone.max() <= 50  # of 200 samples a quarter
    assert np.abs(np.corrcoef(first, last)[0, 1]) < 0.2
    for gap, a, b in zip(silent, first, last, strict=True):
        at = np.concatenate([np.arange(101, 101 + a), np.arange(299 - b, 299)])
        assert np.abs(gap - at).max(initial=0) <= 1  # 0.5 % of its energy is before its begin


def test_a_stretch_within_speech_is_silent():
    silent = gaps(drop_stretch(0.25)(KEYS, SPOKEN))
    lengths = np.array([len(gap) for gap in silent])
    assert lengths.min() < 5
    assert 45 < lengths.max() <= 50
    some = [gap for gap in silent if len(gap)]
    assert all((np.diff(gap) == 1).all() for gap in some)
    assert min(gap[0] for gap in some) < 130
    assert max(gap[-1] for gap in some) > 270
    assert all(gap[0] >= 100 and gap[-1] < 300 for gap in some)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: change_speed(1.0), r"limit must be in \[0, 1\), got 1.0"),
        (lambda: change_gain(-1.0), "decibels must be >= 0, got -1.0"),
        (lambda: add_noise(9.0, 3.0), "least must be <= most = 3, got 9.0"),
        (lambda: cut_ends(0.5), r"limit must be in \[0, 0.5\), got 0.5"),
        (lambda: drop_stretch(-0.1), r"limit must be in \[0, 1\), got -0.1"),
        (lambda: change_gain()(KEYS, SOUND), r"sounds must be \[B, N\] floats, got float32"),
        (lambda: change_gain()(KEYS, SOUNDS.astype(int)), r"sounds must be .* got int"),
    ],
)
def test_what_makes_no_sense_is_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()
