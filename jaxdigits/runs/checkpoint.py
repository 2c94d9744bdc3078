"""Checkpoints: snapshots of training on disk.  Reading one executes nothing.

    RUN/checkpoints/step-00001234.npz     the snapshot after 1,234 steps

A file is an ordinary `.npz` of arrays named by path, with one more, `about`, that is JSON: the
format, the dtypes (NumPy has no name for some), the losses of the unfinished epoch and the
history.  The archive's checksums (CRC-32) are compared before an array is used.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits.data.files import replace_file
from jaxdigits.runs.folder import RunError
from jaxdigits.runs.plain_files import in_one_line, read_npz, writing
from jaxdigits.train.sharding import by_first_process
from jaxdigits.train.snapshot import Snapshot
from jaxdigits.tree import named_leaves, require_same_leaves

FORMAT = 1
FOLDER = "checkpoints"
LAST = 2  # checkpoints of a run: the newest, and the one before it in case it is damaged
LARGEST = 16 << 30  # bytes


@by_first_process
def save_checkpoint(run: Path, snapshot: Snapshot, last: int = LAST) -> None:
    """Write a snapshot to the run's folder, atomically, and remove all but the `last` newest.

    Raises:
      RunError: if it cannot be written; earlier checkpoints are then still there.
    """
    step, arrays = int(np.max(snapshot.state.step)), _arrays(snapshot)
    with writing(run):
        (run / FOLDER).mkdir(exist_ok=True)
        path = run / FOLDER / f"step-{step:08d}.npz"
        replace_file(path, lambda file: np.savez(file, **arrays))
        for old in checkpoints(run)[last:]:
            old.unlink()


def checkpoints(run: Path) -> list[Path]:
    """Return the paths of the run's checkpoints, newest first."""
    return sorted((run / FOLDER).glob("step-*.npz"), reverse=True)


def newest_snapshot(run: Path, start: Snapshot, warn: Callable[[str], None]) -> Snapshot:
    """Read the run's newest checkpoint that is not damaged; return `start` if there is none.

    Args:
      start: the snapshot before the first step, with the arrays' names, shapes and dtypes.
      warn: called with one line for each damaged file.

    Raises:
      RunError: for a checkpoint of another format or another network.
    """
    paths = checkpoints(run)
    for path in paths:
        try:
            return load_checkpoint(path, start)
        except Damaged as error:
            none = "there is none before it, so training starts over"
            warn(f"{error}: {none if path == paths[-1] else 'the one before it is used'}")
    return start


class Damaged(RunError):
    """A checkpoint is not as it was written."""


def load_checkpoint(path: Path, like: Snapshot) -> Snapshot:
    """Read one checkpoint.

    Args:
      like: a snapshot with the arrays' names, shapes and dtypes.

    Raises:
      Damaged: if the content is wrong or incomplete, naming the file.
      RunError: if it cannot be opened, or is of another format or another network.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise RunError(f"{path} cannot be used: it is too large")
        path.open("rb").close()
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        arrays = read_npz(path, LARGEST)
        about = json.loads(arrays.pop("about").tobytes())
        if arrays.keys() != about["dtypes"].keys():
            raise ValueError("arrays are missing")
    except MemoryError:
        raise
    except Exception as error:  # zipfile and NumPy raise a dozen types on broken files
        raise Damaged(f"{path} is damaged") from error
    try:
        return _snapshot(arrays, about, like)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path} cannot be used: {in_one_line(error)}") from error


@by_first_process
def remove_unfinished(run: Path) -> None:
    """Remove the hidden files that `replace_file` leaves in a killed process.

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


def _arrays(snapshot: Snapshot) -> dict[str, Any]:
    named = named_leaves((snapshot.state, snapshot.best))
    about = dict(
        format=FORMAT, dtypes={name: str(leaf.dtype) for name, leaf in named.items()},
        losses=snapshot.losses.tolist(), history=snapshot.history,
    )  # fmt: skip
    text = np.frombuffer(json.dumps(about).encode(), np.uint8)
    return {"about": text, **jax.tree.map(_plain, named)}


def _snapshot(arrays: dict[str, np.ndarray], about: Any, like: Snapshot) -> Snapshot:
    if about["format"] != FORMAT:
        raise ValueError(f"this version reads checkpoint format {FORMAT} only")
    named = named_leaves((like.state, like.best))
    require_same_leaves(arrays, jax.tree.map(_plain_shape, named), "its arrays")
    leaves = []
    for name, leaf in named.items():
        if about["dtypes"][name] != str(leaf.dtype):
            raise ValueError(f"{name!r} is {about['dtypes'][name]}, not {leaf.dtype}")
        leaves.append(_as_leaf(arrays[name], leaf))
    structure = jax.tree.structure((like.state, like.best))
    state, best = jax.tree.unflatten(structure, leaves)
    losses = np.array(about["losses"], like.losses.dtype)
    losses = losses.reshape(*like.losses.shape[:-1], -1)
    return Snapshot(state, best, losses, tuple(about["history"]))


def _plain(leaf: Any) -> np.ndarray:
    """Return a leaf as an array that NumPy's format has a name for."""
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
