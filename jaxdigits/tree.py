"""Pytrees by name: paths, and comparisons leaf by leaf."""

from typing import Any

import jax
import numpy as np

Tree = Any


def named_leaves(tree: Tree) -> dict[str, Any]:
    """Return the leaves by path, as '0/weight'; a bare leaf is named 'value'."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    name = lambda path: jax.tree_util.keystr(path, simple=True, separator="/")
    return {name(path) or "value": leaf for path, leaf in leaves}


def require_same_leaves(tree: Tree, template: Tree, name_of_tree: str) -> None:
    """Check that a tree has the named leaves of a template, in the same shapes.

    Raises:
      ValueError: naming the first leaf that is missing, unexpected or of another shape.
    """
    leaves = named_leaves(tree)
    shapes = {name: np.shape(leaf) for name, leaf in named_leaves(template).items()}
    for name, shape in shapes.items():
        if name not in leaves:
            raise ValueError(f"{name_of_tree} lack {name!r}, which has shape {shape}")
        if (size := np.shape(leaves[name])) != shape:
            raise ValueError(f"{name_of_tree}: {name!r} has shape {size}, not {shape}")
    if extra := sorted(set(leaves) - set(shapes)):
        raise ValueError(f"{name_of_tree} have an unexpected {extra[0]!r}")


@np.errstate(invalid="ignore")  # not finite: that is an answer here
def relative_error(value: np.ndarray, reference: np.ndarray) -> float:
    """Return the largest |value − reference| in units of the largest |reference|.

    Both have one shape.  0 if both are all zero; infinite if only the reference is, or where
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
    """Return the cosine between arrays of one shape: 1 if both are zero, 0 if one is."""
    norms = np.linalg.norm(a.ravel()), np.linalg.norm(b.ravel())
    if not all(norms):
        return 1.0 if not any(norms) else 0.0
    return float(np.clip(np.vdot(a / norms[0], b / norms[1]), -1, 1))


def parameter_count(params: Tree) -> int:
    """Return the number of entries in all leaves."""
    return sum(int(np.size(leaf)) for leaf in jax.tree.leaves(params))
