"""The tables of `fields.py`, as Markdown, and the styles of its fields."""

import re
from typing import Any

import numpy as np

from jaxdigits.data import Style

COUNT = 4000  # fields of a style, unless a result says how many
STYLES = {
    "free": Style(touching=0.0, boxed=0.0),
    "boxed": Style(touching=0.0, boxed=1.0),
    "touching": Style(touching=1.0, boxed=0.0),
    "all": Style(),
}
KINDS = ("greedy", "length_known", "checksum")


def tables(results: dict[str, Any]) -> list[str]:
    """Return the tables of the page."""
    every = table, table_of_promises, table_of_cheques, table_of_surest
    return [make(results) for make in every]


def table(results: dict[str, Any]) -> str:
    """Return the share of right rows by style, in percent, with 95 % intervals."""
    lines = [
        ["run", "style", "best alignment", "length known", "checksum", "calibration error"]
    ]
    lines += [["---", "---", "---:", "---:", "---:", "---:"]]
    for name, row in results["synthetic"].items():
        of = f"{name}, {row['fields']:,} fields" if row.get("fields", COUNT) < COUNT else name
        for style in STYLES:
            each = row[style]
            shown = [_percent(each[k]) for k in KINDS]
            lines.append([of, style, *shown, f"{100 * each['calibration_error']:.1f}"])
    for name, seeds in _of_seeds(results["synthetic"]).items():
        for style in STYLES:
            means = [_spread([row[style][k][0] for row in seeds]) for k in KINDS]
            error = _spread([row[style]["calibration_error"] for row in seeds])
            lines.append([name, style, *means, error])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _of_seeds(rows: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the rows of each network that has several seeds, by its name and their number."""
    networks: dict[str, list[Any]] = {}
    for name, row in rows.items():
        networks.setdefault(re.sub(r"-\d+", "", name), []).append(row)
    return {f"{n}, {len(own)} seeds": own for n, own in networks.items() if len(own) > 1}


def _spread(shares: list[float]) -> str:
    return f"{100 * np.mean(shares):.1f} ± {100 * np.std(shares, ddof=1):.1f}"


def table_of_promises(results: dict[str, Any]) -> str:
    """Return how the promises of runs are kept, by writers that they never saw."""
    head = ["run", "fields", "promised", "answered, in %", "wrong", "their share, in %",
            "its bound of 95 %"]  # fmt: skip
    lines = [head, ["---", "---", *["---:"] * 5]]
    for name, row in results["synthetic"].items():
        for kind in ("any length", "checksum"):
            for promise, each in row.get(f"promised, {kind}", {}).items():
                most = f"{100 * float(promise):g} %"
                cells = ["not promised", "", "", ""]
                if each:
                    share = each["errors"] / max(each["answers"], 1)
                    coverage, bound = (
                        f"{100 * each['coverage']:.1f}",
                        f"{100 * each['bound']:.2f}",
                    )
                    cells = [coverage, f"{each['errors']}", f"{100 * share:.2f}", bound]
                lines.append([name, kind, most, *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def table_of_cheques(results: dict[str, Any]) -> str:
    """Return the share of amounts of real cheques, and those answered at 1 %."""
    lines = [["run", "right", "answered at 1 %", "of them wrong"], ["---", *["---:"] * 3]]
    for name, row in results["cheques"].items():
        promise = (row.get("promised") or {}).get("0.01")
        shown = ["none promised", ""]
        if promise:
            shown = [f"{100 * promise['coverage']:.1f}", f"{promise['errors']}"]
        lines.append([name, _percent(row["right"]), *shown])
    for name, seeds in _of_seeds(results["cheques"]).items():
        lines.append([name, _spread([row["right"][0] for row in seeds]), "", ""])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def table_of_surest(results: dict[str, Any]) -> str:
    """Return the wrong ones among the surest answers, and those whose label is wrong."""
    lines = [["run", "pictures", "right, in %", "surest", "of them wrong", "by the label"]]
    lines += [["---", *["---:"] * 5]]
    for name, row in results["surest"].items():
        lines.append([name, f"{row['pictures']}", f"{100 * row['right']:.1f}",
                      f"{row['surest']}", f"{len(row['wrong'])}",
                      f"{len(row['contradicted'])}"])  # fmt: skip
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _percent(share: list[float]) -> str:
    return "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * x for x in share))
