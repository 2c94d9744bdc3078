"""Pytrees by name: paths, and comparisons leaf by leaf."""

from typing import Any

import jax
import numpy as np

Tree = Any


def named_leaves(tree: Tree) -> dict[str, Any]:
    """The leaves by path, as '0/weight'; a bare leaf is named 'value'."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    name = lambda path: jax.tree_util.keystr(path, simple=True, separator="/")
    return {name(path) or "value": leaf for path, leaf in leaves}


def require_same_leaves(tree: Tree, wanted: Tree, what: str) -> None:
    """Check that both trees have the same named leaves, each of the same shape.

    Raises:
      ValueError: naming the first leaf that is missing, unexpected or of another shape.
    """
    got, want = named_leaves(tree), named_leaves(wanted)
    for name in want:
        if name not in got:
            raise ValueError(f"{what} lack {name!r}, which has shape {np.shape(want[name])}")
        if np.shape(got[name]) != np.shape(want[name]):
            raise ValueError(
                f"{what}: {name!r} has shape {np.shape(got[name])}, not {np.shape(want[name])}"
            )
    if extra := sorted(set(got) - set(want)):
        raise ValueError(f"{what} have an unexpected {extra[0]!r}")


@np.errstate(invalid="ignore")  # not finite: that is an answer here
def relative_error(value: np.ndarray, reference: np.ndarray) -> float:
    """The largest |value − reference|, in units of the largest |reference|.

    Of arrays of one shape.  0 if both are all zero; infinite if only the reference is, or where
    either is not finite.
    """
    if value.size == 0:
        return 0.0
    difference, scale = np.abs(value - reference).max(), np.abs(reference).max()
    if not np.isfinite(difference):
        return float("inf")
    if scale == 0:
        return 0.0 if difference == 0 else float("inf")
    return float(difference / scale)


@np.errstate(invalid="ignore")
def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """The cosine of the angle between two arrays of one shape.

    1 if both are zero, 0 if one of them is.
    """
    norms = np.linalg.norm(a.ravel()), np.linalg.norm(b.ravel())
    if not all(norms):
        return 1.0 if not any(norms) else 0.0
    return float(np.clip(np.vdot(a / norms[0], b / norms[1]), -1, 1))


def parameter_count(params: Tree) -> int:
    """How many numbers a tree holds."""
    return sum(int(np.size(leaf)) for leaf in jax.tree.leaves(params))
