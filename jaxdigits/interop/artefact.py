"""Exported networks on disk: a file of any format, and beside it a manifest in JSON.

The manifest says which run the network is, which arrays go in and come out, how the file
answered the test set beside the run, and the file's SHA-256.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxdigits.data.files import read_file, replace_file
from jaxdigits.errors import DataError
from jaxdigits.interop.stablehlo import run_stablehlo
from jaxdigits.train.state import evaluation_keys

FORMAT = 1
LARGEST = 1 << 30  # bytes of a file that is read
LARGEST_MANIFEST = 1 << 20
BATCH = 500  # examples at once
PIXELS = "pixels"  # the name of the only input


def write_artefact(
    path: Path | str,
    data: bytes,
    example: Any,
    /,
    *,
    kind: str = "stablehlo",
    seed: int = 0,
    **facts: Any,
) -> None:
    """Write a file, and its manifest as FILE.json, each atomically.

    Args:
      example: inputs [N, ...] of the network, or a dict of them, for their shapes and dtypes.
      kind: of the file.
      seed: of the spikes that the network draws without a key.
      facts: further ones, for the manifest.

    Raises:
      DataError: as `require_free`.
      OSError: if it cannot be written.
    """
    path = Path(path)
    require_free(path)
    versions = {name: version(name) for name in ("jaxdigits", "jax")}
    sha256 = hashlib.sha256(data).hexdigest()
    manifest = dict(
        format=FORMAT, kind=kind, seed=seed, inputs=_described(example), **facts,
        versions=versions, bytes=len(data), sha256=sha256,
    )  # fmt: skip
    text = json.dumps(manifest, indent=2) + "\n"
    replace_file(path, lambda file: file.write(data))
    replace_file(manifest_of(path), lambda file: file.write(text.encode()))


def require_free(path: Path) -> None:
    """Check that an export may be written: over nothing, or over an earlier export.

    Raises:
      DataError: without the folder, or where another file would be lost.
    """
    if not path.parent.is_dir():
        raise DataError(f"{path.parent}: no such folder; make it, or choose another file")
    for each in (path, manifest_of(path)):
        if each.exists() and not (each.is_file() and _manifest(manifest_of(path))):
            raise DataError(f"{each} is there and is no export: choose another file")


def _manifest(path: Path) -> dict[str, Any] | None:
    """Return the facts of a manifest, or None for another file."""
    try:
        facts = json.loads(read_file(path, LARGEST_MANIFEST))
        specs = facts["inputs"].values()
        right = isinstance(facts["seed"], int) and isinstance(facts["sha256"], str)
        right = right and all(spec.keys() >= {"dtype", "shape"} for spec in specs)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None
    return facts if right and facts.get("format") == FORMAT else None


def manifest_of(path: Path) -> Path:
    """Return the path of a file's manifest."""
    return path.with_name(f"{path.name}.json")


def read_artefact(path: Path) -> tuple[bytes, dict[str, Any]]:
    """Return a file and its manifest.

    Raises:
      DataError: for a file or a manifest that is missing, too large or damaged, or that do not
        belong together.
    """
    manifest, size = manifest_of(path), path.stat().st_size if path.is_file() else None
    if size is None:
        raise DataError(f"{path}: no such file; `jaxdigits export RUN` writes one")
    if not manifest.is_file():
        raise DataError(f"{manifest} is missing: keep it beside the file that it describes")
    if size > LARGEST:
        raise DataError(f"{path} is too large to be an export: {size} bytes")
    facts = _manifest(manifest)
    if facts is None:
        raise DataError(f"{manifest} is no manifest of this version: export again")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != facts["sha256"]:
        raise DataError(f"{path} is not the file of its manifest: export again")
    return data, facts


def load_exported(path: Path | str) -> Callable[..., np.ndarray]:
    """Return a network that was exported to StableHLO as a function (inputs, key=None).

    Its inputs are those of the run, as uint8 images [N, H, W]; it returns the logits [N, K],
    or [N, T, K].  Without a key example n draws the spikes that it draws in
    `predict` of the run; with one, those of that key.

    Raises:
      ImportError: without flatbuffers.
      DataError: for a file that cannot be used, with the remedy; in a call, for inputs of
        another shape or dtype.
    """
    path = Path(path)
    data, facts = read_artefact(path)
    if facts.get("kind") != "stablehlo":
        raise DataError(f"{path} is {facts.get('kind')}: export the run --to stablehlo")
    try:
        program = run_stablehlo(data)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    specs, seed = facts["inputs"], facts["seed"]

    def logits(inputs: Any, key: Array | None = None) -> np.ndarray:
        arrays = _checked(inputs, specs, path)
        key = jax.random.key(seed) if key is None else key
        rows = np.arange(len(jax.tree.leaves(arrays)[0]))
        shares = (rows[i : i + BATCH] for i in range(0, len(rows), BATCH))
        return np.concatenate([program(*_share(arrays, key, share)) for share in shares])

    return logits


def _share(arrays: Any, key: Array, rows: np.ndarray) -> tuple[Any, Array]:
    """Return the inputs of some of the examples, and their keys' data."""
    part = jax.tree.map(lambda a: a[rows[0] : rows[-1] + 1], arrays)
    return part, jax.random.key_data(evaluation_keys(key, jnp.asarray(rows)))


def _described(example: Any) -> dict[str, Any]:
    """Return name -> {"dtype", "shape"} of one example."""
    named = example if isinstance(example, Mapping) else {PIXELS: example}
    return {name: dict(dtype=str(a.dtype), shape=a.shape[1:]) for name, a in named.items()}


def _checked(inputs: Any, specs: dict[str, Any], path: Path) -> Any:
    """Return the inputs as arrays, if they are those that the program takes."""
    alone = set(specs) == {PIXELS}
    named = {PIXELS: inputs} if alone else dict(inputs)
    if set(named) != set(specs):
        raise DataError(f"{path} takes a dict of {', '.join(specs)}, got {', '.join(named)}")
    arrays = {name: np.asarray(a) for name, a in named.items()}
    for name, a in arrays.items():
        dtype, shape = specs[name]["dtype"], specs[name]["shape"]
        if a.dtype != dtype or [*a.shape[1:]] != shape or not len(a):
            expected = ", ".join(map(str, ["N", *shape]))
            raise DataError(
                f"{path} takes {name} as {dtype} [{expected}], got {a.dtype} {[*a.shape]}"
            )
    return arrays[PIXELS] if alone else arrays
