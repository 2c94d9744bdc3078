"""Two gradients, leaf by leaf.

The error of a leaf is its largest difference in units of the largest number of the
reference's leaf.  A leaf whose true gradient is zero (a bias before batch norm) is rounding
noise on both sides, so the unit is never smaller than `FLOOR` times the largest number of
the whole gradient: at a tolerance of 1e-10, differences of 1e-14 of it agree.  Where the
whole gradient may be zero, the caller says below what size a leaf is noise.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits.gradients.report import AGREES, DIFFERS, Row
from jaxdigits.tree import cosine, named_leaves

FLOOR = 1e-4


def compare(
    hand: Any,
    reference: Any,
    *,
    tolerance: float,
    witness: str = "jax.vjp",
    sides: tuple[str, str] = ("by hand", "by JAX"),
    steps: int | None = None,
    floors: Mapping[str, float] | None = None,
) -> tuple[Row, ...]:
    """One row per leaf, `reference` setting the scale.

    Args:
      hand: a gradient, a pytree of arrays.
      reference: another of the same structure.
      tolerance: the largest relative error that agrees.
      witness: what `reference` is.
      sides: what to call the two in errors.
      steps: number of time steps; an input whose first axis has that length is a time series.
      floors: by leaf, the smallest unit of its error.

    Raises:
      ValueError: if they are not alike in leaves, shapes and dtypes, naming the leaf.
    """
    ours, theirs = named_leaves(hand), named_leaves(reference)
    require_alike(ours, theirs, sides)
    least = FLOOR * max(map(_largest, theirs.values()), default=0.0)
    rows = []
    for name in theirs:
        floor = max(least, (floors or {}).get(name, 0.0))
        row = _row(name, np.asarray(ours[name]), np.asarray(theirs[name]), floor, sides)
        verdict = AGREES if row.error <= tolerance and not row.note else DIFFERS
        row = row._replace(witness=witness, tolerance=tolerance, verdict=verdict)
        if not (row.note or _largest(ours[name]) or _largest(theirs[name])):
            row = row._replace(note="zero on both sides")
        if verdict == DIFFERS and not row.note and _is_series(name, ours[name], steps):
            row = row._replace(steps=_parting(ours[name], theirs[name], tolerance, floor))
        rows.append(row)
    return tuple(rows)


def require_alike(ours: dict[str, Any], theirs: dict[str, Any], sides: tuple[str, str]) -> None:
    """Check two gradients by name for leaves, shapes and dtypes.

    Raises:
      ValueError: naming the first leaf in which they are not alike.
    """
    for name in sorted(set(ours) ^ set(theirs)):
        raise ValueError(
            f"only the gradient {sides[name not in ours]} has a leaf {name!r} "
            f"(they have {_listed(ours)} and {_listed(theirs)})"
        )
    for name, a in ours.items():
        b = theirs[name]
        for what, of_a, of_b in (
            ("shape", np.shape(a), np.shape(b)),
            ("dtype", jnp.result_type(a), jnp.result_type(b)),
        ):
            if of_a != of_b:
                raise ValueError(f"{name}: {what} {of_a} {sides[0]}, {what} {of_b} {sides[1]}")


def is_float(leaf: Any) -> bool:
    """Whether a leaf is of real numbers, which have gradients."""
    return jnp.issubdtype(getattr(leaf, "dtype", jnp.result_type(leaf)), jnp.floating)


def floats_of(tree: Any) -> Any:
    """The tree with None in the place of what is no float (a label, a key, a float0)."""
    return jax.tree.map(lambda leaf: leaf if is_float(leaf) else None, tree)


def not_finite(name: str, value: np.ndarray, side: str) -> Row | None:
    """The row of a leaf in which a number is not finite; None if all are."""
    bad = np.argwhere(~np.isfinite(value))
    if not len(bad):
        return None
    where = tuple(int(i) for i in bad[0])
    note = f"not finite {side} at {where} ({len(bad)} of {value.size})"
    return Row(name, float("inf"), 0.0, where, verdict=DIFFERS, note=note)


def _row(name, a, b, floor, sides) -> Row:
    for side, value in zip(sides, (a, b), strict=True):
        if row := not_finite(name, value, side):
            return row
    if not a.size:
        return Row(name, 0.0, 1.0, ())
    difference = np.abs(a - b)
    where = tuple(int(i) for i in np.unravel_index(difference.argmax(), a.shape))
    scale = max(_largest(b), floor)
    largest = float(difference.max())
    error = largest / scale if scale else (float("inf") if largest else 0.0)
    noise = max(_largest(a), _largest(b)) <= 1e-8 * floor  # of both: its direction says nothing
    return Row(name, error, 1.0 if noise else cosine(a, b), where)


def _parting(a, b, tolerance, floor) -> tuple[int, int]:
    """The first and the last step at which a series differs."""
    apart = np.abs(np.asarray(a) - np.asarray(b)) > tolerance * max(_largest(b), floor)
    at = np.flatnonzero(apart.reshape(len(apart), -1).any(1))
    return int(at[0]), int(at[-1])


def _is_series(name: str, leaf: Any, steps: int | None) -> bool:
    return not name.startswith("params") and np.ndim(leaf) > 1 and np.shape(leaf)[0] == steps


def _largest(leaf: Any) -> float:
    """The largest magnitude among the finite numbers of a leaf."""
    magnitude = np.abs(np.asarray(leaf, float)).ravel()
    return float(magnitude[np.isfinite(magnitude)].max(initial=0.0))


def _listed(leaves: dict[str, Any]) -> str:
    return ", ".join(map(repr, leaves)) or "none"
