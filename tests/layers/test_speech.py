"""The spoken part of a sound, cut evenly, and what changes in it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.layers import log_bands, log_mel, spoken_frames, subtract_mean


def cut(x, frames, **options):
    return np.asarray(spoken_frames(frames, **options).forward((), jnp.asarray(x), None)[0])


def test_frames_are_cut_around_even_places_between_the_ends_of_speech():
    x = np.zeros((1, 100), np.float32)
    x[0, 20:60] = np.linspace(1, 2, 40)
    y = cut(x, 4, length=6, share=1e-6)
    assert y.shape == (1, 4, 6)
    for t, middle in enumerate((25, 35, 45, 55)):  # of 20..60
        np.testing.assert_array_equal(y[0, t], x[0, middle - 3 : middle + 3])


def test_another_moment_and_a_longer_silence_change_nothing():
    word = np.random.default_rng(0).standard_normal(300).astype(np.float32)
    sounds = [
        np.pad(word, (before, after)) for before, after in ((0, 500), (150, 350), (500, 0))
    ]
    y = cut(np.stack(sounds), 8, length=40)
    np.testing.assert_array_equal(y[0], y[1])
    np.testing.assert_array_equal(y[0], y[2])


def test_a_word_spoken_slower_gives_frames_of_the_same_sounds():
    tones = np.repeat(2 * np.pi * np.array([400.0, 900.0, 1600.0, 2500.0]), 1000)
    quick, slow = (np.sin(np.cumsum(np.repeat(tones, n)) / 8000) for n in (1, 2))
    frames = [cut(x[None].astype(np.float32), 8, length=200) for x in (quick, slow)]
    bands = [
        log_bands(length=200, bands=10).forward((), jnp.asarray(f), None)[0] for f in frames
    ]
    np.testing.assert_array_equal(*[np.asarray(b).argmax(-1) for b in bands])


def test_the_loudest_share_of_a_quiet_hum_is_the_speech():
    rng = np.random.default_rng(1)
    x = 1e-3 * rng.standard_normal((1, 1000)).astype(np.float32)
    x[0, 400:600] += rng.standard_normal(200).astype(np.float32)
    assert (np.abs(cut(x, 10, length=4)).max(-1) > 0.05).all()


def test_beyond_the_ends_is_silence_and_silence_has_frames_too():
    y = cut(np.ones((1, 10), np.float32), 2, length=16, share=1e-6)
    assert (y == 0).sum() + (y == 1).sum() == y.size
    assert (y == 0).any()
    np.testing.assert_array_equal(cut(np.zeros((2, 50), np.float32), 3, length=7), 0)


def test_the_gradient_goes_back_to_where_the_frames_were_cut():
    layer, x = spoken_frames(3, length=8), jnp.ones((2, 30))
    y, kept = layer.forward((), x, None)
    _, x_bar = layer.backward((), kept, jnp.ones_like(y))
    assert x_bar.shape == x.shape
    np.testing.assert_allclose(x_bar.sum(), y.sum())  # each 1 was read from a 1


def test_a_mean_over_time_is_taken_off_each_feature():
    x = np.random.default_rng(2).standard_normal((4, 7, 3)).astype(np.float32)
    y, _ = subtract_mean().forward((), jnp.asarray(x), None)
    np.testing.assert_allclose(y.mean(1), 0, atol=1e-6)
    shifted, _ = subtract_mean().forward((), jnp.asarray(x + np.array([5, -3, 1])), None)
    np.testing.assert_allclose(shifted, y, atol=1e-5)


def test_log_bands_of_frames_are_those_of_log_mel():
    x = np.random.default_rng(3).standard_normal(400).astype(np.float32)
    whole = log_mel(length=64, hop=32, bands=6).forward((), jnp.asarray(x), None)[0]
    one = log_bands(length=64, bands=6).forward((), jnp.asarray(x[None, 32:96]), None)[0]
    np.testing.assert_allclose(one[0], whole[2], rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: spoken_frames(0), "frames must be >= 1, got 0"),
        (lambda: spoken_frames(4, share=0.5), r"share must be in \(0, 0.5\), got 0.5"),
        (lambda: spoken_frames(4).init(None, (3, 4)), r"takes sounds \[N\], got features"),
        (lambda: cut(np.ones((2, 9), np.int16), 3), "takes floats, got int16: pass sounds in"),
        (lambda: log_bands(length=64, bands=6).init(None, (5, 32)),
         "takes frames of 64 samples"),
        (lambda: log_bands(length=1), "length must be >= 2, got 1"),
        (lambda: log_bands().forward((), jnp.ones((2, 256), int), jax.random.key(0)),
         "log_bands takes floats"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()
