"""Sounds at another moment, pace and loudness, in noise, and spectrograms with gaps."""

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
    mask_bands,
    mask_frames,
    shift_time,
)

B, N = 200, 400
KEYS = jax.random.split(jax.random.key(1), B)
SOUND = np.sin(2 * np.pi * np.arange(N) / 20).astype(np.float32)
SOUNDS = jnp.broadcast_to(SOUND, (B, N))
SPECTRA = jnp.broadcast_to(jnp.arange(12 * 10, dtype=jnp.float32).reshape(12, 10), (B, 12, 10))
OF_SOUNDS = [
    shift_time(50),
    change_speed(),
    change_gain(),
    add_noise(),
    cut_ends(),
    drop_stretch(),
]
OF_SPECTRA = [mask_bands(4), mask_frames(4)]
ALL = [*((f, SOUNDS) for f in OF_SOUNDS), *((f, SPECTRA) for f in OF_SPECTRA)]


@pytest.mark.parametrize(("augment", "x"), ALL)
def test_each_example_changes_in_its_own_way_whatever_its_batch(augment, x):
    y = np.asarray(jax.jit(augment)(KEYS, x))
    assert y.shape == x.shape
    assert y.dtype == np.float32
    assert len(np.unique(y.reshape(B, -1), axis=0)) > 20
    np.testing.assert_allclose(augment(KEYS[7:9], x[7:9]), y[7:9], atol=1e-5)


@pytest.mark.parametrize(
    ("augment", "x"),
    [(shift_time(0), SOUNDS), (change_speed(0.0), SOUNDS), (change_gain(0.0), SOUNDS),
     (cut_ends(0.0), SOUNDS), (drop_stretch(0.0), SOUNDS),
     (add_noise(200.0, 200.0), SOUNDS), (mask_bands(0), SPECTRA), (mask_frames(0), SPECTRA)],
)  # fmt: skip
def test_without_a_limit_nothing_changes(augment, x):
    np.testing.assert_allclose(augment(KEYS, x), x, atol=1e-6)


def test_a_shift_is_whole_samples_and_silence_comes_in():
    y = np.asarray(shift_time(50)(KEYS, SOUNDS + 2))  # nowhere silent by itself
    late = (y[:, 0] == 0) | (y[:, -1] != SOUND[-1] + 2)
    assert 0.8 < late.mean() <= 1
    moved = [int((row == 0).sum()) * (1 if row[0] == 0 else -1) for row in y]
    assert min(moved) < -40
    assert max(moved) > 40
    assert max(map(abs, moved)) <= 50
    for row, by in zip(y, moved, strict=True):
        kept = slice(max(by, 0), N + min(by, 0))
        there = slice(max(-by, 0), N - max(by, 0))
        np.testing.assert_allclose(row[kept], SOUND[there] + 2, atol=1e-6)


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


@pytest.mark.parametrize(("mask", "axis"), [(mask_bands, 2), (mask_frames, 1)])
def test_a_mask_is_a_stretch_of_bands_or_frames_at_the_mean(mask, axis):
    y = np.asarray(mask(4)(KEYS, SPECTRA))
    gone = y != np.asarray(SPECTRA)
    lines = gone.any(3 - axis)
    np.testing.assert_array_equal(
        gone, np.broadcast_to(np.expand_dims(lines, 3 - axis), gone.shape)
    )
    np.testing.assert_allclose(y[gone], 59.5)
    assert set(lines.sum(1)) == {0, 1, 2, 3, 4}
    assert (np.abs(np.diff(lines.astype(int), axis=1)).sum(1) <= 2).all()
    assert (lines.mean(0) > 0.05).all()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: shift_time(-1), "limit must be >= 0, got -1"),
        (lambda: change_speed(1.0), r"limit must be in \[0, 1\), got 1.0"),
        (lambda: change_gain(-1.0), "decibels must be >= 0, got -1.0"),
        (lambda: add_noise(9.0, 3.0), "least must be <= most = 3, got 9.0"),
        (lambda: cut_ends(0.5), r"limit must be in \[0, 0.5\), got 0.5"),
        (lambda: drop_stretch(-0.1), r"limit must be in \[0, 1\), got -0.1"),
        (lambda: mask_bands(-1), "width must be >= 0, got -1"),
        (lambda: mask_frames(-1), "width must be >= 0, got -1"),
        (lambda: shift_time()(KEYS, SPECTRA), r"sounds are \[B, N\] floats, got float32"),
        (lambda: mask_bands()(KEYS, SOUNDS), r"spectrograms are \[B, F, M\] floats"),
        (lambda: shift_time()(KEYS, SOUNDS.astype(int)), r"sounds are .* got int"),
    ],
)
def test_what_makes_no_sense_is_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()
