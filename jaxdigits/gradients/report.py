"""The result of a check: a table for people, JSON for machines, errors in tests."""

import json
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

LIVELY = (0.005, 0.995)  # share of neurons and steps with a spike: beyond, no slope is tested
AGREES, DIFFERS, NOT_APPLICABLE = "agrees", "differs", "not applicable"


class BadGradient(AssertionError):
    """A gradient that did not pass its check; the message is the report's table."""


class Row(NamedTuple):
    """One leaf of a gradient before one witness."""

    leaf: str
    error: float
    """largest difference, in units of the largest number that the witness has for the leaf"""
    cosine: float
    where: tuple[int, ...]
    """index of the largest difference; empty for random directions"""
    witness: str = "jax.vjp"
    """"jax.vjp", "twin", "reference", "directions", "coordinates" or "complex step"; with
    "soft " in front, for the soft twin"""
    tolerance: float = 1e-10
    verdict: str = AGREES
    """"agrees", "differs" or "not applicable": this witness can decide nothing"""
    note: str = ""
    """the reason, where the numbers do not show it"""
    steps: tuple[int, int] | None = None
    """for a time series that differs: first and last step at which the two part ways"""


class Spiking(NamedTuple):
    """The activity of one spiking layer."""

    rate: float  # spikes per neuron and step; per neuron, where spikes are times
    active: float  # share of neurons and steps (or of neurons) with a spike
    hard: bool  # whether its spikes are whole numbers at steps: no difference quotient


class Report(NamedTuple):
    """The result of a check; `str(report)` is a table.

    It is ok if there is a gradient, no witness contradicts, every leaf has at least one witness
    that agrees, and every spiking layer is lively: a silent network agrees with any gradient.
    """

    ok: bool
    error: float
    """the largest error of the first witness (JAX, or the reference)"""
    cosine: float
    """the smallest cosine with the first witness"""
    worst: str
    """the leaf that is farthest from agreeing"""
    rows: tuple[Row, ...]
    firing_rates: tuple[float, ...]
    """per spiking layer, in spikes per neuron and step; or per neuron, if they are times"""
    reason: str
    """why it is not ok, in one line; empty if it is"""
    dtype: str = "float64"
    """of the whole computation"""
    tolerance: float = 1e-10
    """the largest relative error of the first witness that agrees"""
    constants: tuple[str, ...] = ()
    """leaves that are not floats and so have no gradient, with their dtypes"""
    notes: tuple[str, ...] = ()
    """leaves whose numbers hide some mistakes: all zero, or inputs of one sign"""

    def __str__(self) -> str:
        head = ("leaf", "witness", "error", "cosine", "at", "verdict")
        lines = [head, *map(_cells, self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        pad = lambda line: "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True))
        rates = " ".join(f"{rate:.3f}" for rate in self.firing_rates)
        facts = [f"{self.dtype}, tolerance {self.tolerance:.0e}"]
        facts += [f"spikes per neuron and step: {rates}"] if rates else []
        facts += [f"no gradient: {', '.join(self.constants)}"] if self.constants else []
        facts += [*self.notes]
        verdict = "ok" if self.ok else f"NOT OK: {self.reason}"
        return "\n".join([*(pad(line).rstrip() for line in lines), "; ".join(facts), verdict])

    def raise_if_bad(self) -> "Report":
        """Return the report itself, if it is ok: for a test.

        Raises:
          BadGradient: (an AssertionError) with the table, if it is not.
        """
        if not self.ok:
            raise BadGradient(f"{self.reason}\n\n{self}")
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return everything, in types of JSON; a number that is not finite is None."""
        plain = lambda values: {k: _plain(v) for k, v in values._asdict().items()}
        nulls = dict(error=None, cosine=None)  # of a witness that decides nothing
        void = lambda row: nulls if row.verdict == NOT_APPLICABLE else {}
        return plain(self) | {"rows": [plain(row) | void(row) for row in self.rows]}

    def to_json(self) -> str:
        """Return `to_dict` as one JSON object."""
        return json.dumps(self.to_dict(), allow_nan=False)


def summarise(
    rows: Sequence[Row],
    spiking: Sequence[Spiking],
    tolerance: float,
    constants: tuple[str, ...],
    notes: tuple[str, ...],
) -> Report:
    """Return the report of all rows, the rows of the first witness first."""
    verdicts = [r for r in rows if r.witness == rows[0].witness and r.verdict != NOT_APPLICABLE]
    worst = _worst(rows)
    reason = "; ".join([*_contradictions(rows), *_untested(rows), *_lifeless(spiking)])
    error = max((row.error for row in verdicts), default=0.0)
    cosine = min((row.cosine for row in verdicts), default=1.0)
    name, rates = worst.leaf if worst else "nothing", tuple(layer.rate for layer in spiking)
    return Report(not reason, error, cosine, name, tuple(rows), rates, reason,
                  tolerance=tolerance, constants=constants, notes=notes)  # fmt: skip


def _worst(rows: Sequence[Row]) -> Row | None:
    """Return the row farthest from agreeing; among rows that differ, by the first witness."""
    wrong = [row for row in rows if row.verdict == DIFFERS]
    rows = [row for row in wrong if row.witness == wrong[0].witness] or [
        row for row in rows if row.verdict == AGREES
    ]
    return max(rows, key=lambda row: row.error / row.tolerance, default=None)


def _contradictions(rows: Sequence[Row]) -> list[str]:
    """Return one line about the worst row, if it differs."""
    row = _worst(rows)
    if row is None or row.verdict != DIFFERS:
        return []
    if not math.isfinite(row.error) and row.note:
        return [f"{row.leaf}: {row.note}"]
    place = f" at {row.where}" if row.where else ""
    time = f", at steps {row.steps[0]} to {row.steps[1]}" if row.steps else ""
    note = f" ({row.note})" if row.note else ""
    return [f"{row.leaf} differs by {row.error:.1e}{place} from {row.witness}{time}{note}"]


def _untested(rows: Sequence[Row]) -> list[str]:
    """Return one line about the first leaf without a verdict, or about the soft twin."""
    if not rows:
        return ["no leaf has a gradient: nothing was tested"]
    leaves = {row.leaf for row in rows if row.verdict != NOT_APPLICABLE}
    for row in rows:
        if row.leaf not in leaves:
            return [f"{row.leaf}: no witness applies ({row.note})"]
    soft = [row for row in rows if row.witness in ("soft directions", "soft coordinates")]
    if soft and all(row.verdict == NOT_APPLICABLE for row in soft):
        return ["the soft twin does not respond: does it fire by the surrogate of `build`?"]
    return []


def _lifeless(spiking: Sequence[Spiking]) -> list[str]:
    reasons = []
    for i, layer in enumerate(spiking, start=1):
        silent = layer.active < LIVELY[0]
        if silent or (layer.hard and layer.active > LIVELY[1]):
            state = f"{'silent' if silent else 'saturated'} (rate {layer.rate:.3g})"
            reasons.append(f"spiking layer {i} is {state}: nothing was tested")
    return reasons


def _cells(row: Row) -> tuple[str, ...]:
    verdict = f"{row.verdict}: {row.note}" if row.note else row.verdict
    if row.steps:
        verdict += f", steps {row.steps[0]} to {row.steps[1]}"
    if row.verdict == NOT_APPLICABLE:
        return row.leaf, row.witness, "", "", "", verdict
    where = str(row.where) if row.where else ""
    return row.leaf, row.witness, f"{row.error:.1e}", f"{row.cosine:.6f}", where, verdict


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return list(value) if isinstance(value, tuple) else value
