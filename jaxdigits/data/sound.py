"""A recording of one spoken digit, brought to 8,000 samples a second.

It may be WAV, FLAC or OGG, of any sampling rate and with any number of channels.  Channels are
averaged, another rate is resampled, and `Recording.notes` lists these changes.
"""

import os
from collections.abc import Iterator
from io import BytesIO
from math import gcd
from types import ModuleType
from typing import Any, BinaryIO, Literal, NamedTuple

import numpy as np

from jaxdigits.data.files import Source, name_of, opened
from jaxdigits.errors import DataError

RATE = 8000  # samples a second, as in the Free Spoken Digit Dataset
MAX_BYTES = 50_000_000
SHORTEST, LONGEST = 0.05, 30.0  # seconds: a click, and longer than anyone says a digit
SILENT = 1e-4  # of full scale: some three units of 16 bits
RATES = (1000, 400_000)
MAX_SAMPLES = 30_000_000  # of all channels: a well compressed file may have any number
KINDS = "WAV, FLAC or OGG"
RIFF: dict[bytes, Literal["little", "big"]] = {b"RIFF": "little", b"RIFX": "big"}
MAGIC = (*RIFF, b"RF64", b"fLaC", b"OggS")
MAX_CHUNKS = 10_000  # of a WAV, before its samples
UNKNOWN_SIZES = (0, 0xFFFFFFFF)  # of programs that do not know the length yet


class Recording(NamedTuple):
    """A sound, and the changes made to it."""

    wave: np.ndarray
    """[N] float32 in [-1, 1], at 8 kHz"""
    notes: tuple[str, ...]
    """one line for each change, for a user to read; empty if the sound is unchanged"""


def read_sound(path: Source) -> Recording:
    """Read the sound in a WAV, FLAC or OGG file.

    Args:
      path: of the file, or a binary file that is open.

    Raises:
      DataError: if the file is missing, over 50 MB, no sound, damaged, shorter than its header
        says, silent, of channels that cancel, not 0.05 to 30 seconds long, or of over 30
        million samples in all.
      ImportError: if soundfile is not installed.
    """
    soundfile = load_soundfile()
    _check_file(path)
    source, path = _with_length(path) or _plain(path), name_of(path)
    try:
        with soundfile.SoundFile(source) as file:
            rate, count, channels = file.samplerate, file.frames, file.channels
            _check_length(path, rate, count, channels)
            samples = file.read(count, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, OSError) as error:
        reason = type(error).__name__
        raise DataError(f"{path}: not a whole {KINDS} ({reason}); save it again") from error
    if len(samples) != count:
        raise DataError(f"{path}: truncated, {len(samples)} of {count} samples; get it again")
    if not np.isfinite(samples).all():
        raise DataError(f"{path}: has samples that are not finite; save it again")
    notes = [f"{channels} channels, averaged"] if channels > 1 else []
    wave, loudest = samples.mean(1, dtype=np.float32), np.abs(samples).max()
    if rate != RATE:
        notes.append(f"resampled from {rate} to {RATE} samples a second")
        wave = resample(wave, rate)
    if np.abs(wave).max() < SILENT <= loudest:
        raise DataError(f"{path}: its {channels} channels cancel; save one of them as mono")
    if loudest < SILENT:
        raise DataError(f"{path}: there is no sound in it")
    return Recording(np.clip(wave, -1, 1), tuple(notes))


def resample(wave: np.ndarray, rate: int) -> np.ndarray:
    """Resample [N] at `rate` a second to [M] at 8,000, without frequencies above 4 kHz."""
    from scipy.signal import resample_poly  # takes a second to import

    common = gcd(RATE, rate)
    return resample_poly(wave, RATE // common, rate // common).astype(np.float32)


def fixed_length(wave: np.ndarray, samples: int) -> np.ndarray:
    """Bring [N] to [samples]: add silence at the end, or cut out the loudest stretch."""
    missing = samples - len(wave)
    if missing >= 0:
        return np.pad(wave, (0, missing))
    energy = np.concatenate([[0.0], np.cumsum(np.square(wave, dtype=np.float64))])
    start = int(np.argmax(energy[samples:] - energy[:-samples]))
    return wave[start : start + samples]


def _plain(source: Source) -> Any:
    """Return a path, or the content of an open file without its name: it may end in `.raw`."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    with opened(source, MAX_BYTES) as file:
        return BytesIO(file.read())


def _check_file(source: Source) -> None:
    """Reject a file that is too large, of another kind, or a WAV with too few bytes."""
    path = name_of(source)
    try:
        with opened(source, MAX_BYTES) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            head = file.read(12)
            end = max(_ends(file, head)) if head[:4] in RIFF else size
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    if head[:4] not in MAGIC:  # soundfile reads others too, and some of them open further files
        raise DataError(f"{path}: not a {KINDS}; save it as one")
    if end > size:
        raise DataError(f"{path}: truncated, {end - size} bytes missing; get it again")


def _ends(file: BinaryIO, head: bytes) -> Iterator[int]:
    """Yield where a WAV and its samples end by their headers, as far as these know it."""
    number = lambda field: int.from_bytes(field, RIFF[head[:4]])
    yield 0
    if (length := number(head[4:8])) not in UNKNOWN_SIZES:
        yield length + 8
    size = _samples_size(file, head)
    yield 0 if size in (None, *UNKNOWN_SIZES) else file.tell() + size


def _samples_size(file: BinaryIO, head: bytes) -> int | None:
    """Walk to the samples of a WAV and return their size by its header; None without them."""
    for _ in range(MAX_CHUNKS):
        name, size = file.read(4), file.read(4)
        if len(size) < 4:
            return None
        number = int.from_bytes(size, RIFF[head[:4]])
        if name == b"data":
            return number
        file.seek(number + number % 2, 1)
    return None


def _with_length(path: Source) -> BytesIO | None:
    """Return a WAV whose header says that it has no samples, with their length; else None.

    A program that streams writes the header before it knows the length, and may leave a 0.
    """
    with opened(path, MAX_BYTES) as file:
        head = file.read(12)
        if head[:4] not in RIFF or _samples_size(file, head) != 0:
            return None
        start = file.tell()
        file.seek(0)
        content = bytearray(file.read(MAX_BYTES))
    if content[start : start + 4] in (b"", b"LIST"):  # really none
        return None
    order = RIFF[head[:4]]
    content[start - 4 : start] = (len(content) - start).to_bytes(4, order)
    content[4:8] = (len(content) - 8).to_bytes(4, order)
    return BytesIO(content)


def _check_length(path: Any, rate: int, count: int, channels: int) -> None:
    if not RATES[0] <= rate <= RATES[1]:
        raise DataError(f"{path}: {rate} samples a second; {RATES[0]} to {RATES[1]} are read")
    if not SHORTEST <= count / rate <= LONGEST:
        limits = f"{SHORTEST:g} to {LONGEST:g} s"
        raise DataError(f"{path}: {count / rate:.4g} s long; a spoken digit takes {limits}")
    if count * channels > MAX_SAMPLES:
        raise DataError(f"{path}: {channels} channels of {count} samples; save it as mono")


def load_soundfile() -> ModuleType:
    """Import soundfile, or raise an ImportError that says how to install it."""
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: without its C library
        raise ImportError('sounds need soundfile: pip install "jaxdigits[audio]"') from error
    return soundfile
