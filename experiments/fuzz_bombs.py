"""Files that were made to do harm, for `experiments/fuzz.py`.

A bomb is small on disk, or at least allowed, and large or slow for a reader that trusts it.
"""

import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import soundfile
from fuzz_files import RECORDINGS, Files, ear_files, pictures, tone
from PIL import Image


def idx_bombs() -> Files:
    huge = struct.pack(">2I", 0x801, 1 << 28)
    yield gzip.compress(huge + bytes(1 << 28), 1)
    yield gzip.compress(struct.pack(">2I", 0x801, (1 << 28) - 100) + bytes((1 << 28) - 100), 1)
    yield gzip.compress(struct.pack(">2I", 0x801, 9) + bytes(1 << 29), 1)
    yield struct.pack(">4I", 0x803, 0, 0xFFFFFFFF, 0xFFFFFFFF)
    yield struct.pack(">9I", 0x808, *[0xFFFFFFFF] * 8)
    yield b"\x1f\x8b\x08\x08" + bytes(6) + b"a" * 100_000_000  # a name without an end
    yield gzip.compress(b"", mtime=0) * 3_000_000


def csv_bombs() -> Files:
    yield gzip.compress(bytes(1 << 29), 1)
    yield gzip.compress(b"9" * 1_000_000, 1)
    yield gzip.compress(b"," * 1_000_000, 1)
    yield gzip.compress(b"\n" * 1_000_000, 1)
    yield gzip.compress(b"1" * 30 + b"\n", 1)


def archive_bombs() -> Files:
    first = next(iter(RECORDINGS))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        out.writestr(f"a/{first}", bytes(1 << 29))
    yield file.getvalue()
    many = (b"PK\1\2\x14\0\x14" + bytes(39)) * 1_300_000
    yield many + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 65535, 65535, len(many), 0, 0)
    for escape in (f"../../{first}", f"/etc/{first}", f"..\\{first}"):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as out:
            out.writestr(escape, b"no")
        yield file.getvalue()


def sound_bombs() -> Files:
    def written(wave, rate, **options):
        file = io.BytesIO()
        soundfile.write(file, wave, rate, **options)
        return file.getvalue()

    quiet = np.zeros((4_000_000, 8), np.int16)
    quiet[::1000] = 10_000
    yield written(quiet[:3_700_000], 192_000, format="FLAC")
    yield written(quiet, 192_000, format="FLAC")
    yield written(np.stack([tone(0.06)] * 1000, 1), 8000, format="WAV")
    yield written(tone(29.9, 399_989), 399_989, format="WAV")
    yield written(tone(29.9, 48_000), 48_000, format="OGG")
    yield written(tone(0.1), 8000, format="WAV")[:-200]
    head = written(tone(0.1), 8000, format="WAV")
    yield head[:12] + struct.pack("<4sI", b"junk", 0) * 6_000_000


def chunk(kind: bytes, data: bytes) -> bytes:
    return (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    )


def png(side: int, bits: int, colour: int, *chunks: bytes, lace: int = 0) -> bytes:
    return png_of(side, side, bits, colour, *chunks, lace=lace)


def png_of(
    width: int, height: int, bits: int, colour: int, *chunks: bytes, lace: int = 0
) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, lace)
    parts = chunk(b"IHDR", head) + b"".join(chunks) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


LACE = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
        (0, 1, 1, 2))  # fmt: skip
"""the first column and row of each pass of an interlaced PNG, and the steps from there"""


def picture_bombs() -> Files:
    side = 7999
    for bits, colour, channels in ((8, 0, 1), (8, 6, 4), (16, 6, 4), (16, 0, 1), (16, 4, 2)):
        for lace, passes in enumerate(([(0, 0, 1, 1)], LACE)):
            packer, parts = zlib.compressobj(1), []
            for x, y, dx, dy in passes:
                row = b"\0" + b"\xff" * (-(-(side - x) // dx) * channels * bits // 8)
                parts += [packer.compress(row) for _ in range(y, side, dy)]
            data = b"".join([*parts, packer.flush()])
            yield png(side, bits, colour, chunk(b"IDAT", data), lace=lace)
    for width, height in ((1, 63_000_000), (63_000_000, 1), (960, 65_535), (65_535, 960)):
        data = zlib.compress((b"\0" + b"\xff" * 4 * width) * height, 1)
        yield png_of(width, height, 8, 6, chunk(b"IDAT", data))
    little = next(pictures())
    yield little[:33] + chunk(b"teXt", b"") * 4_000_000 + little[33:]
    yield little[:33] + chunk(b"eXIf", exif_bomb(40_000, 20_000_000)) + little[33:]
    yield little[:33] + chunk(b"eXIf", exif_bomb(5_000, 60_000)) + little[33:]
    text = zlib.compress(bytes(60_000_000))
    yield little[:33] + chunk(b"zTXt", b"a\0\0" + text) + little[33:]
    yield little[:33] + chunk(b"iCCP", b"a\0\0" + text) + little[33:]
    raw = exif_bomb(40_000, 400_000).hex().encode()
    raw = zlib.compress(b"\nexif\n  400000\n" + raw)
    yield little[:33] + chunk(b"zTXt", b"Raw profile type exif\0\0" + raw) + little[33:]
    jpeg = list(pictures())[4]
    yield jpeg[:2] + b"\xff\xfe\0\2" * 12_000_000 + jpeg[2:]
    yield jpeg[:2] + b"\xff" * 49_000_000 + jpeg[2:]
    yield jpeg[:2] + (b"\xff\xf0\xff\xff" + bytes(65533)) * 700 + jpeg[2:]
    part = b"Exif\0\0" + exif_bomb(5_000, 60_000)
    yield jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part + jpeg[2:]
    file = io.BytesIO()
    white = Image.new("L", (side, side), 255)
    white.save(file, "JPEG", progressive=True)
    content = file.getvalue()
    yield content
    scans = content.index(b"\xff\xda", content.rindex(b"\xff\xc4"))
    yield content[:-2] + content[scans:-2] * 2000 + content[-2:]


def exif_bomb(entries: int, size: int) -> bytes:
    """Return EXIF data in which each entry claims nearly all bytes."""
    entries = min(entries, 65535, (size - 20) // 12)
    claims = b"".join(struct.pack("<HHII", i, 7, size - 10, 8) for i in range(entries))
    data = b"II*\0\x08\0\0\0" + struct.pack("<H", entries) + claims
    return data + bytes(max(size - len(data), 0))


def event_bombs() -> Files:
    yield bytes(10_000_000)
    yield bytes(10_000_001)


def ear_bombs() -> Files:
    def changed(change: Callable[[h5py.File], object]) -> bytes:
        file = io.BytesIO(next(ear_files()))
        with h5py.File(file, "r+") as out:
            del out["labels"]
            change(out)
        return file.getvalue()

    def swelling(out):
        labels = out.create_dataset(
            "labels", (3,), "i8", maxshape=(None,), chunks=(50_000_000,), compression="gzip"
        )
        labels[:] = [0, 1, 2]

    def overfull(size):
        """Return a chunk of three numbers that unpacks to that many bytes."""

        def change(out):
            labels = out.create_dataset("labels", (3,), "i8", chunks=(3,), compression="gzip")
            labels.id.write_direct_chunk((0,), zlib.compress(bytes(size), 9), 0)

        return change

    def twice(out):
        """Return a chunk that unpacks to another packed chunk."""
        settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        settings.set_chunk((3,))
        settings.set_deflate(9)
        settings.set_deflate(9)
        space = h5py.h5s.create_simple((3,))
        labels = h5py.h5d.create(out.id, b"labels", h5py.h5t.NATIVE_INT64, space, settings)
        data = zlib.compress(zlib.compress(bytes(1 << 30), 9), 9)
        h5py.Dataset(labels).id.write_direct_chunk((0,), data, 0)

    yield changed(lambda out: out.create_dataset("labels", (10**12,), "i8", chunks=(10**6,)))
    yield changed(swelling)
    yield changed(overfull(400_000_000))
    yield changed(overfull(1 << 29))
    yield changed(twice)
    yield changed(lambda out: out.__setitem__("labels", h5py.ExternalLink("/etc/passwd", "a")))
    yield changed(lambda out: out.__setitem__("labels", h5py.SoftLink("/labels")))
    yield changed(
        lambda out: out.create_dataset("labels", (3,), "i8", external=[("/dev/zero", 0, 24)])
    )


def settings_bombs(folder: Path) -> Files:
    head = json.loads((folder / "config.json").read_text())
    make = lambda network, **options: json.dumps(
        head | dict(config=head["config"] | dict(network=network, options=options))
    ).encode()
    yield b"[" * 1_000_000
    yield b'{"a":' * 200_000
    yield b'{"format": ' + b"9" * 1_000_000 + b"}"
    yield make("mlp", hidden=[8] * 100_000)
    yield make("cnn", channels=[1] * 100_000)
    yield make("snn", hidden=[8], steps=10**9)
    yield make("event_snn", hidden=[8], steps=10**9)
    yield make("event_snn", hidden=[8], steps=1e9)
    yield make("event_snn", hidden=[8], most=10**4)
    yield make("cnn", channels=[8], kernel=10**6)
    sees = lambda **options: make("multimodal", **options).replace(
        b'"digits"', b'"digits+fsdd"'
    )
    yield sees(taps=10**7)
    yield sees(bands=10**7)
    yield sees(steps=10**7)
    yield sees(steps=10**7, vision="saccades")
    yield sees(sound_channels=[1] * 1000)


def params_bombs(folder: Path) -> Files:
    with np.load(folder / "params.npz") as arrays:
        held: dict[str, Any] = dict(arrays)
    name = max(held, key=lambda name: held[name].size)
    file = io.BytesIO()
    swollen: Any = held | {name: np.zeros(1 << 28, np.float32)}
    np.savez_compressed(file, **swollen)
    yield file.getvalue()
    shape = repr(held[name].shape).encode()
    content = (folder / "params.npz").read_bytes()
    for told in (b"(300000000,)", b"(1, 300000000)"):
        gap = len(told) - len(shape)
        yield content.replace(shape + b", }" + b" " * max(gap, 0), told + b", }")
    yield from archive_bombs()
