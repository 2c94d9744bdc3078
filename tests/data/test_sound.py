"""Recordings in every shape that users have them in, and those that are refused."""

import struct
import sys

import numpy as np
import pytest
import soundfile

from jaxdigits.data import DataError, read_sound
from jaxdigits.data.sound import fixed_length, resample

TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(4000) / 8000)).astype(np.float32)


def written(path, wave, rate=8000, **options):
    soundfile.write(path, wave, rate, **options)
    return path


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg"])
def test_a_sound_comes_as_floats_as_it_is(tmp_path, kind):
    wave, notes = read_sound(written(tmp_path / f"tone.{kind}", TONE))
    assert wave.dtype == np.float32
    assert notes == ()
    close = 0.05 if kind == "ogg" else 1e-4
    np.testing.assert_allclose(wave, TONE, atol=close)


def test_channels_are_averaged_and_it_is_said(tmp_path):
    path = written(tmp_path / "stereo.wav", np.stack([TONE, 0 * TONE], 1))
    wave, notes = read_sound(path)
    np.testing.assert_allclose(wave, TONE / 2, atol=1e-4)
    assert notes == ("2 channels, averaged",)


@pytest.mark.parametrize("rate", [44100, 16000, 11025, 6000])
def test_another_rate_is_resampled_and_it_is_said(tmp_path, rate):
    n = np.arange(rate // 2)
    path = written(tmp_path / "tone.wav", 0.5 * np.sin(2 * np.pi * 440 * n / rate), rate)
    wave, notes = read_sound(path)
    assert notes == (f"resampled from {rate} to 8000 samples a second",)
    assert abs(len(wave) - 4000) <= 1
    np.testing.assert_allclose(wave[100:3900], TONE[100:3900], atol=0.01)


def test_what_8_khz_cannot_hold_is_gone_not_folded():
    high = np.sin(2 * np.pi * 5000 * np.arange(16000) / 16000).astype(np.float32)
    assert np.abs(resample(high, 16000)[100:-100]).max() < 0.01


def test_silence_follows_a_short_sound_and_a_long_one_keeps_its_loudest_stretch():
    np.testing.assert_array_equal(fixed_length(np.ones(2), 4), [1, 1, 0, 0])
    np.testing.assert_array_equal(fixed_length(np.ones(4), 4), np.ones(4))
    long = np.array([0.0, 0.1, 3.0, -2.0, 0.1, 1.0])
    np.testing.assert_array_equal(fixed_length(long, 2), [3, -2])


def test_a_length_that_a_program_did_not_know_is_no_fault(tmp_path):
    path = written(tmp_path / "piped.wav", TONE)
    content = bytearray(path.read_bytes())
    content[4:8] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(content)
    np.testing.assert_allclose(read_sound(path).wave, TONE, atol=1e-4)


@pytest.mark.parametrize("total", [0, 0xFFFFFFFF])
def test_a_stream_whose_length_stayed_0_is_read_to_its_end(tmp_path, total):
    path = written(tmp_path / "stream.wav", TONE)
    content = bytearray(path.read_bytes())
    place = content.index(b"data") + 4
    content[4:8], content[place : place + 4] = struct.pack("<I", total), bytes(4)
    path.write_bytes(content)
    np.testing.assert_allclose(read_sound(path).wave, TONE, atol=1e-4)
    path.write_bytes(content[: place + 4])
    with pytest.raises(DataError, match="0 s long; a spoken digit takes"):
        read_sound(path)


def test_channels_that_cancel_are_named(tmp_path):
    path = written(tmp_path / "stereo.wav", np.stack([TONE, -TONE], 1))
    with pytest.raises(DataError, match="its 2 channels cancel; save one of them as mono"):
        read_sound(path)
    path = written(tmp_path / "silent.wav", np.zeros((4000, 2)))
    with pytest.raises(DataError, match="there is no sound in it"):
        read_sound(path)


def shorter(content):
    return content[:-100]


def of_text(content):
    return b"RIFF, but only in name"


def other_start(content):
    return b"\0" * 12 + content[12:]


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (shorter, "truncated, 100 bytes missing; get it again"),
        (of_text, "truncated|not a whole WAV, FLAC or OGG"),
        (other_start, "not a WAV, FLAC or OGG; save it as one"),
        (lambda content: b"", "not a WAV, FLAC or OGG"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path, damage, match):
    path = written(tmp_path / "tone.wav", TONE)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=match) as error:
        read_sound(path)
    assert "tone.wav" in str(error.value)
    assert "\n" not in str(error.value)


def claiming(content, more):
    """A WAV whose whole is told rightly, and its samples are not."""
    at = content.index(b"data") + 4
    told = struct.unpack_from("<I", content, at)[0]
    return content[:at] + struct.pack("<I", told + more) + content[at + 4 :]


def test_samples_that_are_claimed_and_not_there_are_refused(tmp_path):
    path = written(tmp_path / "tone.wav", TONE)
    content = path.read_bytes()
    path.write_bytes(claiming(content, 500))
    with pytest.raises(DataError, match=r"tone.wav: truncated, 500 bytes missing"):
        read_sound(path)
    path.write_bytes(claiming(content, -2000))  # what follows the samples is something else
    np.testing.assert_allclose(read_sound(path).wave, TONE[:3000], atol=1e-4)


def test_a_sound_that_cannot_be_wound_back_is_read(tmp_path):
    path = written(tmp_path / "phone.wav", TONE, subtype="GSM610")
    wave, _ = read_sound(path)
    assert np.corrcoef(wave[: len(TONE)], TONE)[0, 1] > 0.9


def test_a_format_that_others_read_is_not_tried(tmp_path):
    path = written(tmp_path / "tone.aiff", TONE, format="AIFF")
    with pytest.raises(DataError, match=r"tone.aiff: not a WAV, FLAC or OGG; save it as one"):
        read_sound(path)


def test_channels_without_end_are_refused_before_they_are_read(tmp_path, monkeypatch):
    path = written(tmp_path / "choir.flac", np.stack([TONE] * 8, 1))
    monkeypatch.setattr("jaxdigits.data.sound.MAX_SAMPLES", 31_999)
    with pytest.raises(DataError, match="8 channels of 4000 samples; save it as mono"):
        read_sound(path)


@pytest.mark.parametrize(
    ("wave", "rate", "match"),
    [
        (TONE[:1], 8000, r"0.000125 s long; a spoken digit takes 0.05 to 30 s"),
        (np.zeros(8000 * 600, np.float32), 8000, r"600 s long; a spoken digit takes"),
        (np.zeros(4000), 8000, "there is no sound in it"),
        (TONE, 500, "500 samples a second; 1000 to 400000 are read"),
    ],
)
def test_what_is_no_spoken_digit_is_refused(tmp_path, wave, rate, match):
    with pytest.raises(DataError, match=match):
        read_sound(written(tmp_path / "sound.wav", wave, rate))


def test_samples_that_are_not_finite_are_refused(tmp_path):
    wave = TONE.copy()
    wave[7] = np.nan
    path = written(tmp_path / "nan.wav", wave, subtype="FLOAT")
    with pytest.raises(DataError, match="samples that are not finite"):
        read_sound(path)


def test_files_that_are_missing_or_enormous_are_refused(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="no such file"):
        read_sound(tmp_path / "none.wav")
    with pytest.raises(DataError, match="not a file"):
        read_sound(tmp_path)
    path = written(tmp_path / "tone.wav", TONE)
    monkeypatch.setattr("jaxdigits.data.sound.MAX_BYTES", 1_000)
    with pytest.raises(DataError, match="over 1,000 bytes"):
        read_sound(path)


def test_without_soundfile_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ImportError, match=r'pip install "jaxdigits\[audio\]"'):
        read_sound(tmp_path / "tone.wav")
