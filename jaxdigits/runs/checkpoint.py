"""Checkpoints: snapshots of training on disk, of which none is executed when it is read.

    RUN/checkpoints/step-00001234.npz     all after 1,234 steps

A file is an ordinary `.npz` of arrays named by path, with one more, `about`, that is JSON: the
format, the step, the dtypes that NumPy has no name for, the losses of the unfinished epoch and
the history.  The zip archive's comment is the SHA-256, in hexadecimal, of every byte before it,
so whatever byte is wrong or missing, the file is known to be damaged before it is parsed.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits.runs.folder import RunError, one_line, replace_file, writing
from jaxdigits.train.sharding import by_first_process
from jaxdigits.train.snapshot import Snapshot
from jaxdigits.tree import named_leaves, require_same_leaves

FORMAT = 1
FOLDER = "checkpoints"
LAST = 2  # kept: the newest, and the one before it in case that is damaged
LARGEST = 16 << 30  # bytes
DIGEST = 64  # hexadecimal digits of a SHA-256


@by_first_process
def save_checkpoint(run: Path, snapshot: Snapshot, last: int = LAST) -> None:
    """Write a snapshot to the run's folder, atomically, and keep the `last` newest.

    Raises:
      RunError: if it cannot be written; earlier checkpoints are then still there.
    """
    step, data = int(np.max(snapshot.state.step)), to_bytes(snapshot)
    with writing(run):
        (run / FOLDER).mkdir(exist_ok=True)
        replace_file(run / FOLDER / f"step-{step:08d}.npz", lambda file: file.write(data))
        for old in checkpoints(run)[last:]:
            old.unlink()


def checkpoints(run: Path) -> list[Path]:
    """The run's checkpoints, newest first."""
    return sorted((run / FOLDER).glob("step-*.npz"), reverse=True)


def newest_snapshot(run: Path, start: Snapshot, warn: Callable[[str], None]) -> Snapshot:
    """The run's newest snapshot that can be read; `start` if there is none.

    Args:
      start: what the same run begins with, whose arrays' names, shapes and dtypes are wanted.
      warn: called with one line for each file that cannot be read.

    Raises:
      RunError: for a checkpoint that is whole, but of another format or another network.
    """
    paths = checkpoints(run)
    for path in paths:
        try:
            return load_checkpoint(path, start)
        except Damaged as error:
            none = "there is none before it, so that training starts over"
            warn(f"{error}: {none if path == paths[-1] else 'the one before it is used'}")
    return start


class Damaged(RunError):
    """A checkpoint that is not as it was written."""


def load_checkpoint(path: Path, like: Snapshot) -> Snapshot:
    """Read one checkpoint.

    Args:
      like: a snapshot with the arrays' names, shapes and dtypes.

    Raises:
      Damaged: if any byte is wrong or missing, naming the file.
      RunError: if it cannot be opened, or is of another format or another network.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise RunError(f"{path} cannot be used: it is too large")
        data = path.read_bytes()
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(data) < DIGEST or _digest(memoryview(data)[:-DIGEST]) != data[-DIGEST:]:
        raise Damaged(f"{path} is damaged")
    try:
        return _from_bytes(data, like)
    except Exception as error:  # as of a program that computes the same checksum
        raise RunError(f"{path} cannot be used: {one_line(error)}") from error


@by_first_process
def remove_unfinished(run: Path) -> None:
    """Remove the files that a killed process had begun: those of `replace_file`, hidden ones.

    Raises:
      RunError: if one cannot be removed.
    """
    with writing(run):
        for path in [*run.glob(".*.*-*"), *(run / FOLDER).glob(".*.*-*")]:
            path.unlink(missing_ok=True)


def remove_checkpoints(run: Path) -> None:
    """Remove the run's checkpoints and their folder.

    Raises:
      RunError: if one cannot be removed.
    """
    with writing(run):
        for path in checkpoints(run):
            path.unlink(missing_ok=True)
        if (run / FOLDER).exists():
            (run / FOLDER).rmdir()


def to_bytes(snapshot: Snapshot) -> bytes:
    """A snapshot as the bytes of its file."""
    named = named_leaves((snapshot.state, snapshot.best))
    about = dict(
        format=FORMAT, step=np.asarray(snapshot.state.step).tolist(),
        dtypes={name: str(leaf.dtype) for name, leaf in named.items()},
        losses=snapshot.losses.tolist(), history=snapshot.history,
    )  # fmt: skip
    text = np.frombuffer(json.dumps(about).encode(), np.uint8)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in {"about": text, **jax.tree.map(_plain, named)}.items():
            # Without a date: the same snapshot is the same bytes.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)
        archive.comment = b"0" * DIGEST
    digest = _digest(file.getbuffer()[:-DIGEST])
    file.seek(-DIGEST, io.SEEK_END)
    file.write(digest)
    return file.getvalue()  # shares the buffer: a view that outlives `file` raises BufferError


def _from_bytes(data: bytes, like: Snapshot) -> Snapshot:
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    about = json.loads(arrays.pop("about").tobytes())
    if about["format"] != FORMAT:
        raise ValueError(f"this version reads checkpoint format {FORMAT} only")
    wanted = named_leaves((like.state, like.best))
    require_same_leaves(arrays, jax.tree.map(_plain_shape, wanted), "its arrays")
    leaves = []
    for name, leaf in wanted.items():
        if about["dtypes"][name] != str(leaf.dtype):
            raise ValueError(f"{name!r} is {about['dtypes'][name]}, not {leaf.dtype}")
        leaves.append(_as_leaf(arrays[name], leaf))
    structure = jax.tree.structure((like.state, like.best))
    state, best = jax.tree.unflatten(structure, leaves)
    losses = np.array(about["losses"], like.losses.dtype)
    losses = losses.reshape(*like.losses.shape[:-1], -1)
    return Snapshot(state, best, losses, tuple(about["history"]))


def _plain(leaf: Any) -> np.ndarray:
    """A leaf as an array that NumPy's format has a name for."""
    if _is_key(leaf):
        leaf = jax.random.key_data(leaf)
    array = np.asarray(leaf)
    return array.view(f"u{array.itemsize}") if array.dtype.kind == "V" else array


def _plain_shape(leaf: Any) -> Any:
    return jax.eval_shape(jax.random.key_data, leaf) if _is_key(leaf) else leaf


def _as_leaf(array: np.ndarray, leaf: Any) -> jax.Array:
    if _is_key(leaf):
        return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(leaf))
    # A copy: the state is donated, and NumPy's memory is not JAX's to give away.
    return jnp.array(array.view(leaf.dtype) if leaf.dtype.kind == "V" else array)


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _digest(data: memoryview) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()
