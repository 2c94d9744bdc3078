"""The log-mel spectrogram: by its definition, by librosa, and its gradient."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.layers import log_mel
from jaxdigits.layers.spectrogram import mel_filters

KEY = jax.random.key(0)
LIBROSA = json.loads(Path(__file__).with_name("log_mel_librosa.json").read_text())


def spectrogram(x, **options):
    return np.asarray(log_mel(**options).forward((), jnp.asarray(x), None)[0])


def sound(samples=1000):
    """A chirp and a tone, at 8 kHz."""
    n = np.arange(samples) / 8000
    chirp = 0.5 * np.sin(2 * np.pi * (300 + 1500 * n) * n)
    return chirp + 0.25 * np.sin(2 * np.pi * 2500 * n)


@pytest.mark.parametrize("case", LIBROSA["cases"])
@pytest.mark.usefixtures("float64")
def test_it_is_that_of_librosa(case):
    np.testing.assert_allclose(
        spectrogram(sound(), **case["options"]), case["log_mel"], atol=1e-5
    )


@pytest.mark.parametrize("case", LIBROSA["cases"])
def test_in_float32_it_is_that_of_librosa_down_to_the_rounding_of_what_is_loud(case):
    ours, theirs = spectrogram(np.float32(sound()), **case["options"]), case["log_mel"]
    loud = np.array(theirs) > np.max(theirs) - np.log(1e6)
    assert loud.mean() > 0.4
    np.testing.assert_allclose(ours[loud], np.array(theirs)[loud], atol=1e-4)


@pytest.mark.parametrize("window", ["hann", "hamming", "rectangle"])
@pytest.mark.parametrize("length", [16, 17])
@pytest.mark.usefixtures("float64")
def test_each_number_is_what_the_formulas_say(window, length):
    x, hop, rate = sound(50), 7, 8000
    ours = spectrogram(x, length=length, hop=hop, bands=3, window=window)
    assert ours.shape == (1 + 50 // 7, 3)
    filters = mel_filters(rate, length, 3, 0, rate / 2)
    for t, row in enumerate(ours):
        power = np.zeros(length // 2 + 1)
        for k in range(len(power)):
            total = 0
            for n in range(length):
                place = t * hop - length // 2 + n
                turn = np.cos(2 * np.pi * n / length)
                w = {"hann": 0.5 - 0.5 * turn, "hamming": 0.54 - 0.46 * turn}.get(window, 1.0)
                inside = x[place] if 0 <= place < 50 else 0.0
                total += w * inside * np.exp(-2j * np.pi * k * n / length)
            power[k] = abs(total) ** 2
        np.testing.assert_allclose(row, np.log(filters @ power + 1e-6), atol=1e-9)


def test_a_tone_is_loudest_in_the_band_that_holds_it():
    points = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 4000 / 700), 14) / 2595) - 1)
    for band, middle in enumerate(points[1:-1]):
        tone = np.sin(2 * np.pi * middle * np.arange(2048) / 8000)
        loud = spectrogram(tone.astype(np.float32), length=512, bands=12)[8]
        assert loud.argmax() == band


def test_silence_is_the_logarithm_of_epsilon():
    np.testing.assert_allclose(spectrogram(np.zeros(300)), np.log(1e-6), rtol=1e-6)


@pytest.mark.usefixtures("float64")
def test_twice_as_loud_is_log_4_more():
    louder = spectrogram(2 * sound(), epsilon=1e-20) - spectrogram(sound(), epsilon=1e-20)
    np.testing.assert_allclose(louder, np.log(4), rtol=1e-6)


def test_sounds_in_a_batch_are_each_by_themselves():
    x = np.stack([sound(), sound()[::-1]]).astype(np.float32)
    whole = spectrogram(x, bands=8)
    assert whole.shape == (2, 8, 8)
    np.testing.assert_allclose(whole[1], spectrogram(x[1], bands=8), rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (dict(length=1), "length must be >= 2, got 1"),
        (dict(hop=0), "hop must be >= 1, got 0"),
        (dict(bands=0), "bands must be >= 1, got 0"),
        (dict(window="kaiser"), "window must be one of hann, .*, got 'kaiser'"),
        (dict(low=-1.0), "0 <= low < high <= rate / 2, got -1, 4000 and 8000"),
        (dict(low=900.0, high=900.0), "0 <= low < high"),
        (dict(high=4001.0), "0 <= low < high"),
        (dict(length=64), "no bin is in band 0 of 40: take fewer bands, or longer frames"),
        (dict(epsilon=0.0), "epsilon must be > 0, got 0.0"),
    ],
)
def test_what_makes_no_spectrogram_is_refused(options, match):
    with pytest.raises(ValueError, match=match):
        log_mel(**options)


def test_an_image_is_no_sound():
    with pytest.raises(
        ValueError, match=r"log_mel takes sounds \[N\], got features \(28, 28\)"
    ):
        log_mel().init(KEY, (28, 28))


def test_whole_numbers_are_no_sound():
    with pytest.raises(ValueError, match="log_mel takes floats, got int16: pass sounds in"):
        spectrogram(np.zeros(300, np.int16))
