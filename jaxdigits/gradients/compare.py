"""Two gradients, leaf by leaf.

The error of a leaf is its largest difference in units of the largest number of the
reference's leaf, whatever the other leaves' units are.  A leaf whose true gradient is zero (a
bias before batch norm) is rounding noise on both sides: the caller measures it, and passes the
smallest unit of each leaf.  A leaf that is exactly zero on both sides decides nothing: a
`backward` that returns anything times zero would agree.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdigits.gradients.report import AGREES, DIFFERS, NOT_APPLICABLE, Row
from jaxdigits.tree import cosine, named_leaves

ZERO = "zero on both sides: nothing was tested"


def compare(
    hand: Any, reference: Any, *, tolerance: float, witness: str = "jax.vjp",
    sides: tuple[str, str] = ("by hand", "by JAX"), steps: int | None = None,
    floors: Mapping[str, float] | None = None,
) -> tuple[Row, ...]:  # fmt: skip
    """Return one row per leaf of two pytrees of arrays; `reference` sets the scale.

    An input of `steps` rows is a time series; `floors` has the smallest unit of error by leaf.
    """
    ours, theirs = named_leaves(hand), named_leaves(reference)
    require_alike(ours, theirs, sides)
    rows = []
    for name, b in theirs.items():
        a, floor = ours[name], (floors or {}).get(name, 0.0)
        row = _row(name, np.asarray(a), np.asarray(b), floor, sides)
        verdict = AGREES if row.error <= tolerance and not row.note else DIFFERS
        row = row._replace(witness=witness, tolerance=tolerance, verdict=verdict)
        if not (row.note or largest(a) or largest(b)):
            row = row._replace(verdict=NOT_APPLICABLE, note=ZERO)
        is_series = not name.startswith("params") and np.ndim(a) > 1 and len(a) == steps
        if verdict == DIFFERS and not row.note and is_series:
            apart = np.abs(np.asarray(a) - b) > tolerance * max(largest(b), floor)
            first, *_, last = 2 * [*np.flatnonzero(apart.reshape(len(apart), -1).any(1))]
            row = row._replace(steps=(int(first), int(last)))
        rows.append(row)
    return tuple(rows)


def require_alike(ours: dict[str, Any], theirs: dict[str, Any], sides: tuple[str, str]) -> None:
    """Check that two gradients have the same leaves, shapes and dtypes."""
    quoted = lambda leaves: ", ".join(map(repr, leaves)) or "none"
    for name in sorted(set(ours) ^ set(theirs)):
        raise ValueError(f"only the gradient {sides[name not in ours]} has a leaf {name!r} "
                         f"(they have {quoted(ours)} and {quoted(theirs)})")  # fmt: skip
    for name, a in ours.items():
        for fact, of in (("shape", np.shape), ("dtype", jnp.result_type)):
            if of(a) != of(theirs[name]):
                raise ValueError(f"{name}: {fact} {of(a)} {sides[0]}, {fact} "
                                 f"{of(theirs[name])} {sides[1]}")  # fmt: skip


def is_float(leaf: Any) -> bool:
    """Check that a leaf holds real numbers, which have gradients."""
    return jnp.issubdtype(getattr(leaf, "dtype", jnp.result_type(leaf)), jnp.floating)


def floats_of(tree: Any) -> Any:
    """Replace each leaf that is not a float (a label, a key, a float0) by None."""
    return jax.tree.map(lambda leaf: leaf if is_float(leaf) else None, tree)


def not_finite(name: str, value: np.ndarray, side: str) -> Row | None:
    """Return the row of a leaf with a number that is not finite; None if all are finite."""
    bad = np.argwhere(~np.isfinite(value))
    if not len(bad):
        return None
    where = tuple(map(int, bad[0]))
    note = f"not finite {side} at {where} ({len(bad)} of {value.size})"
    return Row(name, float("inf"), 0.0, where, verdict=DIFFERS, note=note)


def _row(name, a, b, floor, sides) -> Row:
    for side, value in zip(sides, (a, b), strict=True):
        if row := not_finite(name, value, side):
            return row
    if not a.size:
        return Row(name, 0.0, 1.0, ())
    difference = np.abs(a - b)
    where = tuple(map(int, np.unravel_index(difference.argmax(), a.shape)))
    unit, error = max(largest(b), floor), float(difference.max())
    error = error / unit if unit else (float("inf") if error else 0.0)
    noise = max(largest(a), largest(b)) <= 1e-8 * floor  # the cosine of noise means nothing
    return Row(name, error, 1.0 if noise else cosine(a, b), where)


def largest(leaf: Any) -> float:
    """Return the largest magnitude among the finite numbers of a leaf."""
    magnitude = np.abs(np.asarray(leaf, float)).ravel()
    return float(magnitude[np.isfinite(magnitude)].max(initial=0.0))
