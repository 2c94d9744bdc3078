"""Checkpoints: read back to the bit, or refused by name; whole, whatever the disk does."""

import errno
import json
import os
import resource
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdigits.runs import RunError
from jaxdigits.runs.checkpoint import (
    Damaged,
    checkpoints,
    load_checkpoint,
    newest_snapshot,
    remove_checkpoints,
    remove_unfinished,
    save_checkpoint,
)
from jaxdigits.train import Snapshot, TrainState
from jaxdigits.train.epoch import Best

HISTORY = ({"epoch": 1, "loss": 0.1 + 0.2, "firing_rates": [], "seconds": 1.5},)


def snapshot(step=3, scale=1.0, history=HISTORY, width=3):
    """A small one, with an array of each kind."""
    params = ({"weight": jnp.full((2, width), scale / 3, jnp.float32)}, ())
    moments = {"mu": jnp.full(2, scale / 3, jnp.bfloat16), "count": jnp.int32(step)}
    state = TrainState(params, moments, (), jnp.int32(step), jax.random.key(7))
    best = Best(params, (), jnp.float32(0.5), jnp.float32(jnp.inf), jnp.int32(1))
    return Snapshot(state, best, np.array([0.1, np.nan], np.float32), history)


def same(got, wanted):
    assert got.history == wanted.history
    np.testing.assert_array_equal(got.losses, wanted.losses)
    assert got.losses.dtype == wanted.losses.dtype
    for a, b in zip(jax.tree.leaves(got[:2]), jax.tree.leaves(wanted[:2]), strict=True):
        assert a.dtype == b.dtype
        if jax.dtypes.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = map(jax.random.key_data, (a, b))
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


@pytest.fixture
def saved(tmp_path):
    """A run's folder with the checkpoints of two steps."""
    for step in (3, 4):
        save_checkpoint(tmp_path, snapshot(step))
    return tmp_path


def test_a_snapshot_comes_back_to_the_bit_bfloat16_and_keys_too(saved):
    newest, before = checkpoints(saved)
    same(load_checkpoint(newest, snapshot(0, 9.0)), snapshot(4))
    same(load_checkpoint(before, snapshot(0, 9.0)), snapshot(3))


def test_it_is_an_ordinary_npz_without_objects(saved):
    with np.load(checkpoints(saved)[0], allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    np.testing.assert_array_equal(
        arrays["0/params/0/weight"], snapshot().state.params[0]["weight"]
    )
    assert json.loads(arrays["about"].tobytes())["format"] == 1


def test_the_same_snapshot_is_the_same_bytes(saved, tmp_path):
    newest = checkpoints(saved)[0].read_bytes()
    save_checkpoint(saved, snapshot(4))
    assert checkpoints(saved)[0].read_bytes() == newest
    save_checkpoint(saved, snapshot(4, scale=2.0))
    assert checkpoints(saved)[0].read_bytes() != newest


def test_the_last_ones_are_kept(tmp_path):
    for step in range(1, 6):
        save_checkpoint(tmp_path, snapshot(step), last=3)
    assert [path.name[-6:] for path in checkpoints(tmp_path)] == ["05.npz", "04.npz", "03.npz"]
    remove_checkpoints(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_wrong_bit_is_found_or_changes_nothing_and_a_missing_byte_is_found(saved):
    path, rng, damaged = checkpoints(saved)[0], np.random.default_rng(0), 0
    good = path.read_bytes()
    places = {0, len(good) - 1, *rng.integers(0, len(good), 300).tolist()}
    for place in places:
        flipped = bytearray(good)
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        try:
            same(load_checkpoint(path, snapshot(0, 9.0)), snapshot(4))
        except Damaged as error:
            damaged += str(error) == f"{path} is damaged"
        path.write_bytes(good[:place])
        with pytest.raises(Damaged, match=f"^{path} is damaged$"):
            load_checkpoint(path, snapshot())
    assert damaged > 0.5 * len(places)


def test_a_wrong_shape_or_dtype_in_a_header_is_damage(saved):
    path = checkpoints(saved)[0]
    good = path.read_bytes()
    for header, wrong in ((b"(2, 3)", b"(2, 2)"), (b"'<f4'", b"'<f2'")):
        assert header in good
        path.write_bytes(good.replace(header, wrong, 1))
        with pytest.raises(Damaged):
            load_checkpoint(path, snapshot())


def test_a_damaged_one_is_said_and_the_one_before_is_used(saved):
    newest, before = checkpoints(saved)
    newest.write_bytes(newest.read_bytes()[:-1])
    lines = []
    same(newest_snapshot(saved, snapshot(0), lines.append), snapshot(3))
    assert lines == [f"{newest} is damaged: the one before it is used"]
    before.write_bytes(b"")
    start = snapshot(0)
    assert newest_snapshot(saved, start, lines.append) is start
    assert lines[1:] == [
        f"{newest} is damaged: the one before it is used",
        f"{before} is damaged: there is none before it, so training starts over",
    ]


def test_a_whole_file_of_another_run_is_refused_by_name(saved):
    path = checkpoints(saved)[0]
    for other, what in [
        (snapshot(width=4), "'0/params/0/weight' has shape (2, 3), not (2, 4)"),
        (snapshot()._replace(best=snapshot().best._replace(loss=np.float64(1))), "float32"),
        (snapshot()._replace(state=snapshot().state._replace(average=jnp.ones(1))), "average"),
    ]:
        with pytest.raises(RunError, match="cannot be used") as caught:
            newest_snapshot(saved, other, print)
        assert what in str(caught.value)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_another_format_is_refused_by_name(saved, monkeypatch):
    monkeypatch.setattr("jaxdigits.runs.checkpoint.FORMAT", 2)
    with pytest.raises(RunError, match="this version reads checkpoint format 2 only"):
        newest_snapshot(saved, snapshot(), print)


def test_a_file_that_is_too_large_is_not_read(saved, monkeypatch):
    monkeypatch.setattr("jaxdigits.runs.checkpoint.LARGEST", 100)
    with pytest.raises(RunError, match="it is too large"):
        newest_snapshot(saved, snapshot(), print)


class Bomb:
    """What a pickle would run."""

    def __reduce__(self):
        return os._exit, (1,)


def test_nothing_in_a_file_is_executed(tmp_path):
    np.savez(tmp_path / "bad.npz", about=np.array([Bomb()], object))
    with pytest.raises(Damaged) as caught:
        load_checkpoint(tmp_path / "bad.npz", snapshot())
    assert str(caught.value.__cause__).startswith("Object arrays cannot be loaded")


def contents(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("culprit", ["os.replace", "os.fsync"])
def test_a_full_disk_is_one_line_and_leaves_the_last_good_ones(saved, monkeypatch, culprit):
    before = contents(saved)
    monkeypatch.setattr(f"jaxdigits.runs.folder.{culprit}", full)
    with pytest.raises(RunError, match=f"^cannot write {saved}: No space left on device$"):
        save_checkpoint(saved, snapshot(5))
    assert contents(saved) == before


def test_a_file_that_may_not_grow_is_one_line_and_leaves_the_last_good_ones(saved):
    before, limits = contents(saved), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(RunError, match=f"^cannot write {saved}: File too large$"):
            save_checkpoint(saved, snapshot(5))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert contents(saved) == before


def test_a_folder_that_vanishes_is_one_line(saved):
    shutil.rmtree(saved)
    with pytest.raises(RunError, match=f"^cannot write {saved}: No such file or directory$"):
        save_checkpoint(saved, snapshot(5))


def test_a_file_in_the_folders_place_is_one_line(tmp_path):
    (tmp_path / "checkpoints").touch()
    with pytest.raises(RunError, match=f"^cannot write {tmp_path}: "):
        save_checkpoint(tmp_path, snapshot(5))


def test_what_a_killed_process_had_begun_is_removed_and_nothing_else(saved):
    before = contents(saved)
    for begun in (".config.json-12", ".params.npz-345", "checkpoints/.step-00000009.npz-6"):
        (saved / begun).touch()
    remove_unfinished(saved)
    assert contents(saved) == before
