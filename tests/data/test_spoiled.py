"""Spoiled files of every kind: a reader reads them, or rejects them in one line by name.

One to four changes flip, cut, insert or drop bytes, or write an extreme number where a length
may be.  Some are made behind a checksum, which is then right again: without that, a reader's
checksum would hide the rest of it from the changes.
"""

import gzip
import hashlib
import io
import json
import struct
import zipfile
import zlib
from functools import partial
from importlib import import_module
from unittest import mock

import h5py
import jax
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from jaxdigits.data import DataError, read_idx, read_nmnist, read_picture, read_shd, read_sound
from jaxdigits.data.files import BROKEN
from jaxdigits.runs import Config, RunError, load_run
from jaxdigits.runs.folder import create_run, save_params

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 1 << 31, (1 << 32) - 1, (1 << 63) - 1)
VALUES = (None, True, -1, 0, 10**30, 1e300, "", "mlp", [], [8] * 200, {}, float("nan"))


@st.composite
def spoiled(draw, files):
    """One of some files, after one to four changes."""
    content = bytearray(draw(st.sampled_from(files)))
    for _ in range(draw(st.integers(1, 4))):
        # Lengths are near the beginning.
        at = draw(st.integers(0, 64) | st.integers(0, len(content))) % (len(content) + 1)
        size = draw(st.sampled_from((1, 2, 4, 8)))
        match draw(st.sampled_from(("flip", "number", "cut", "insert", "drop"))):
            case "flip" if at < len(content):
                content[at] ^= 1 << draw(st.integers(0, 7))
            case "number":
                value = draw(st.sampled_from(EXTREMES)) % (1 << 8 * size)
                order = draw(st.sampled_from(("big", "little")))
                content[at : at + size] = value.to_bytes(size, order)
            case "cut":
                del content[at:]
            case "insert":
                content[at:at] = draw(st.binary(max_size=32))
            case "drop":
                del content[at : at + 8 * size]
    return bytes(content)


def with_png_checksums(content):
    """The file with the right checksum of each of its chunks."""
    changed, at = bytearray(content), 8
    while at + 12 <= len(changed):
        end = at + 8 + int.from_bytes(changed[at : at + 4], "big")
        if end + 4 > len(changed):
            break
        changed[end : end + 4] = struct.pack(">I", zlib.crc32(changed[at + 4 : end]))
        at = end + 4
    return bytes(changed)


def in_archive(name, content):
    """An archive of one file, not compressed."""
    with zipfile.ZipFile(file := io.BytesIO(), "w") as out:
        out.writestr(name, content)
    return file.getvalue()


def idx_files():
    yield struct.pack(">I3I", 0x803, 3, 4, 5) + bytes(range(60))
    yield struct.pack(">2I", 0xD01, 3) + np.arange(3, dtype=">f4").tobytes()


def event_files():
    yield b"".join(
        (x << 32 | y << 24 | t).to_bytes(5, "big") for x, y, t in ((3, 5, 0), (33, 0, 9))
    )


def sounds():
    wave = 0.5 * np.sin(np.arange(800) / 3)
    for kind, subtype in (("WAV", "PCM_16"), ("WAV", "GSM610"), ("FLAC", None), ("OGG", None)):
        soundfile.write(file := io.BytesIO(), wave, 8000, format=kind, subtype=subtype)
        yield file.getvalue()


def pictures(kind, *modes, **options):
    grey = np.full((40, 40), 250, np.uint8)
    grey[8:32, 15:22] = 10
    for mode in modes:
        Image.fromarray(grey).convert(mode).save(file := io.BytesIO(), kind, **options)
        yield file.getvalue()


def ear_files():
    with h5py.File(file := io.BytesIO(), "w") as out:
        for name, kind in (("times", np.float32), ("units", np.int16)):
            table = out.create_dataset(f"spikes/{name}", (2,), h5py.vlen_dtype(kind))
            table[0], table[1] = np.arange(3, dtype=kind), np.arange(2, dtype=kind)
        out["labels"] = [0, 19]
    yield file.getvalue()


def unpack(path):
    """Unpack an archive of one recording; name it in its errors, as a mirror's are."""
    digests = {"a.wav": hashlib.sha256(bytes(400)).hexdigest()}
    fsdd = import_module("jaxdigits.data.fsdd")
    try:
        with mock.patch.object(fsdd, "_manifest", return_value=digests):
            fsdd._unpack(path)
    except (OSError, ValueError, *BROKEN) as error:
        raise DataError(f"{path}: {type(error).__name__}") from error


table_of_digits = import_module("jaxdigits.data.digits")._read
csv = b"\n".join([b",".join([b"7"] * 65)] * 3)
zipped = partial(gzip.compress, compresslevel=1, mtime=0)
READERS = {
    "IDX": (read_idx, idx_files(), bytes),
    "IDX, gzipped": (read_idx, map(zipped, idx_files()), bytes),
    "IDX within gzip": (read_idx, idx_files(), zipped),
    "table of digits": (table_of_digits, [zipped(csv)], bytes),
    "table of digits within gzip": (table_of_digits, [csv], zipped),
    "archive of recordings": (unpack, [in_archive("fsdd/a.wav", bytes(400))], bytes),
    "WAV, FLAC, OGG": (read_sound, sounds(), bytes),
    "PNG": (read_picture, pictures("PNG", "L", "RGBA", "P", "1"), bytes),
    "PNG with its checksums": (read_picture, pictures("PNG", "L", "RGBA"), with_png_checksums),
    "JPEG": (read_picture, pictures("JPEG", "L", "CMYK"), bytes),
    "progressive JPEG": (read_picture, pictures("JPEG", "RGB", progressive=True), bytes),
    "N-MNIST": (read_nmnist, event_files(), bytes),
    "SHD": (read_shd, ear_files(), bytes),
}


def reads_or_rejects(read, path, named):
    try:
        read(path)
    except (DataError, RunError) as error:
        assert "\n" not in str(error)  # noqa: PT017
        assert str(named) in str(error)  # noqa: PT017


fixed = partial(settings, derandomize=True, database=None, deadline=None)


@pytest.mark.parametrize(("read", "files", "mend"), READERS.values(), ids=READERS)
def test_a_spoiled_file_is_read_or_rejected_in_one_line(tmp_path, read, files, mend):
    path, files = tmp_path / "input", tuple(files)

    @fixed(max_examples=60)
    @given(spoiled(files) | st.binary(max_size=60))
    def check(content):
        path.write_bytes(mend(content))
        reads_or_rejects(read, path, path)

    check()


@pytest.mark.parametrize("pack", [bytes, zipped], ids=["plain", "gzip"])
def test_a_spoiled_idx_file_that_is_read_is_read_as_it_is(tmp_path, pack):
    path, content = tmp_path / "input", next(idx_files())
    good = pack(content)

    @fixed(max_examples=200)
    @given(spoiled((good,)))
    def check(changed):
        path.write_bytes(changed)
        try:
            array = read_idx(path)
        except DataError:
            return
        if pack is zipped:  # only bytes that do not touch the content pass its checksum
            assert array.tobytes() == content[16:]
        else:
            assert (
                array.astype(array.dtype.newbyteorder(">")).tobytes()
                == changed[-array.nbytes :]
            )

    check()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """An untrained network's run."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    options = {"hidden": [4]}
    config = Config("mlp", "digits", epochs=1, batch=8, learning_rate=1e-3, options=options)
    params, _ = config.build()(training=True).init(jax.random.key(0), (28, 28))
    create_run(folder, config)
    save_params(folder, params, ())
    return folder


@pytest.mark.parametrize("name", ["config.json", "params.npz"])
def test_a_spoiled_run_is_read_or_rejected_in_one_line(run, name):
    good = (run / name).read_bytes()

    @fixed(max_examples=25)
    @given(spoiled((good,)))
    def check(content):
        (run / name).write_bytes(content)
        reads_or_rejects(load_run, run, run)

    check()
    (run / name).write_bytes(good)
    load_run(run)


def test_a_run_with_other_values_is_read_or_rejected_in_one_line(run):
    good = (run / "config.json").read_bytes()
    config = json.loads(good)["config"]

    @fixed(max_examples=25)
    @given(st.sampled_from(sorted(config)), st.sampled_from(VALUES))
    def check(name, value):
        changed = json.loads(good) | {"config": config | {name: value}}
        (run / "config.json").write_text(json.dumps(changed))
        reads_or_rejects(load_run, run, run)

    check()
    (run / "config.json").write_bytes(good)


def test_params_with_a_spoiled_array_are_read_or_rejected_in_one_line(run):
    good = (run / "params.npz").read_bytes()
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        name, *others = archive.namelist()
        first = archive.read(name)
        rest = [(other, archive.read(other)) for other in others]

    @fixed(max_examples=25)
    @given(spoiled((first,)))
    def check(content):
        with zipfile.ZipFile(run / "params.npz", "w") as out:
            for member, data in [(name, content), *rest]:
                out.writestr(member, data)
        reads_or_rejects(load_run, run, run)

    check()
    (run / "params.npz").write_bytes(good)
