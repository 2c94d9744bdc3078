"""Small good files of each format, for `experiments/fuzz.py` to spoil."""

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import soundfile
from PIL import Image

RECORDINGS = {f"{digit}_ada_0.wav": bytes([digit]) * 400 for digit in range(3)}
Files = Iterator[bytes]


def idx_files() -> Files:
    """Return an image file of three, labels, and floats; each plain and gzipped."""
    images = struct.pack(">I3I", 0x803, 3, 4, 5) + bytes(range(60))
    labels = struct.pack(">2I", 0x801, 20) + bytes(20)
    floats = struct.pack(">2I", 0xD01, 3) + np.arange(3, dtype=">f4").tobytes()
    for content in (images, labels, floats):
        yield content
        yield gzip.compress(content, mtime=0)


def csv_files() -> Files:
    yield gzip.compress(b"\n".join([b",".join([b"7"] * 65)] * 1797), 1, mtime=0)
    yield gzip.compress(b"1,2\n3,4\n", mtime=0)


def archives() -> Files:
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", kind) as out:
            for name, content in RECORDINGS.items():
                out.writestr(f"fsdd-1.0/recordings/{name}", content)
            out.comment = b"0123456789abcdef" * (kind == zipfile.ZIP_DEFLATED)
        yield file.getvalue()


def tone(seconds: float, rate: int = 8000) -> np.ndarray:
    return 0.5 * np.sin(np.arange(int(seconds * rate)) * 2764 / rate)


def sounds() -> Files:
    for kind, subtype, channels in (
        ("WAV", "PCM_16", 1), ("WAV", "PCM_U8", 2), ("WAV", "FLOAT", 1), ("WAV", "MS_ADPCM", 1),
        ("WAV", "GSM610", 1), ("FLAC", "PCM_16", 1), ("OGG", "VORBIS", 1), ("OGG", "OPUS", 1),
    ):  # fmt: skip
        file = io.BytesIO()
        wave = np.stack([tone(0.1)] * channels, 1)
        soundfile.write(file, wave, 8000, format=kind, subtype=subtype)
        yield file.getvalue()


def pictures() -> Files:
    grey = np.full((40, 40), 250, np.uint8)
    grey[8:32, 15:22] = 10
    image = Image.fromarray(grey)
    for kind, mode, options in (
        ("PNG", "L", {}), ("PNG", "RGBA", {}), ("PNG", "P", {}), ("PNG", "1", {}),
        ("JPEG", "L", {}), ("JPEG", "RGB", dict(progressive=True)), ("JPEG", "CMYK", {}),
    ):  # fmt: skip
        file = io.BytesIO()
        image.convert(mode).save(file, kind, **options)
        yield file.getvalue()
    for kind in ("PNG", "JPEG"):
        file, exif = io.BytesIO(), Image.Exif()
        exif[0x0112] = 6
        image.save(file, kind, exif=exif)
        yield file.getvalue()


def event_files() -> Files:
    words = [(x << 32 | y << 24 | p << 23 | t) for x, y, p, t in
             ((3, 5, 1, 0), (33, 0, 0, 1_000), (0, 33, 1, 0x7FFFFF), (7, 8, 0, 9))]  # fmt: skip
    yield b"".join(word.to_bytes(5, "big") for word in words)
    yield bytes(5 * 1000)


def ear_files() -> Files:
    for libver in ("earliest", "latest"):
        file = io.BytesIO()
        with h5py.File(file, "w", libver=libver) as out:
            group = out.create_group("spikes")
            for name, kind in (("times", np.float16), ("units", np.uint16)):
                data = group.create_dataset(name, (3,), h5py.vlen_dtype(kind))
                for i in range(3):
                    data[i] = np.arange(5 * i) / 16 if kind is np.float16 else np.arange(5 * i)
            packing = dict(compression="gzip", chunks=(3,)) if libver == "latest" else {}
            out.create_dataset("labels", data=[0, 7, 19], **packing)
        yield file.getvalue()


def settings(folder: Path) -> Files:
    """Return the configurations of a run, and others of all networks."""
    head = json.loads((folder / "config.json").read_text())
    yield json.dumps(head).encode()
    for network, data, options in (
        ("snn", "digits", dict(hidden=[4], steps=3, neuron="alif", reset="zero")),
        ("cnn", "digits", dict(channels=[2], kernel=3, hidden=[4], norm="batch")),
        ("conv_snn", "digits", dict(channels=[2], kernel=3, steps=3)),
        ("event_snn", "digits", dict(hidden=[4], steps=3)),
        ("multimodal", "digits+fsdd", dict(steps=3, taps=2, bands=12, image_hidden=[4],
         sound_channels=[2], sound_hidden=[4], hidden=[4], vision="saccades")),
    ):  # fmt: skip
        config = head["config"] | dict(network=network, data=data, options=options)
        yield json.dumps(head | dict(config=config)).encode()


def params(folder: Path) -> Files:
    yield (folder / "params.npz").read_bytes()
    with np.load(folder / "params.npz") as arrays:
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)
    yield file.getvalue()
