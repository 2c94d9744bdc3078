"""The tables of docs/benchmark.md, from the committed JSON."""

from typing import Any

Rows = dict[str, dict[str, Any]]


def tables(bench: dict[str, Any], *peers: dict[str, Any]) -> str:
    """Return every table, in the order of the page, with the machine of its measurement.

    Args:
      peers: the comparison with the peers; and others, as with a second floor.
    """
    parts = []
    if bench["rows"]:
        parts += [machine(bench["machine"]), floors(bench["rows"]), cold(bench["rows"])]
    for i, each in enumerate(peers):
        if each["rows"]:
            parts += [machine(each["machine"])] if i or not bench["rows"] else []  # one session
            parts += [against_peers(each["rows"])]
            parts += [] if i else [memory(each["rows"]), participants(each)]
    return "\n\n".join(part for part in parts if part)


def machine(of: dict[str, Any]) -> str:
    """Return a line that names the machine."""
    return (
        f"{of['processor']}, {of['usable_cores']} cores, {of['platform']} ({of['device']}), "
        f"jax {of['jax']}, Python {of['python']}"
    )


def floors(rows: Rows) -> str:
    """Return each step beside its products."""
    head = ["", "step ms", "quartiles", "floor ms", "ratio", "samples/s", "GFLOP/s",
            "memory MB", "compile s"]  # fmt: skip
    lines = []
    for name, row in rows.items():
        if "step_seconds" in row:
            low, median, high = row["step_seconds"].values()
            ratio = "{median:.2f} [{low:.2f}, {high:.2f}]".format(**row["ratio"])
            lines.append([
                name, ms(median), f"{ms(low)} to {ms(high)}",
                ms(row["floor_seconds"]["median"]), ratio,
                f"{row['samples_per_second']:,.0f}", f"{row['flops_per_second'] / 1e9:.0f}",
                f"{row['program_bytes'] / 1e6:.0f}",
                f"{row['compile_seconds']:.1f}",
            ])  # fmt: skip
    return markdown(head, lines)


def cold(rows: Rows) -> str:
    """Return times from a cold start to an accuracy; nothing if they were not measured."""
    lines = []
    for name, row in rows.items():
        if "cold_seconds" in row:
            of, reached = row["cold_seconds"], row["valid_accuracies"]
            seconds = [
                f"{of[k]:.1f}" for k in ("total", "import", "data", "compile", "training")
            ]
            verdict = f"{100 * max(reached):.2f} %" + (
                "" if row["reached"] else ", not reached"
            )
            lines.append([name, f"{100 * row['goal']:.0f} %", verdict, f"{len(reached)}",
                          *seconds, f"{row['peak_rss_bytes'] / 1e6:.0f}"])  # fmt: skip
    head = ["", "goal", "validation accuracy", "epochs", "total s", "import s", "data s",
            "compile s", "training s", "peak RSS MB"]  # fmt: skip
    return markdown(head, lines) if lines else ""


def against_peers(rows: Rows) -> str:
    """Return milliseconds a step, and in brackets the ratio to our time."""

    def cell(row: dict[str, Any]) -> str:
        if "step_seconds" not in row:
            return "failed" if "error" in row else ""
        ratio = row.get("ratio_to_ours", {}).get("median")
        return ms(row["step_seconds"]["median"]) + (f" ({ratio:.2f})" if ratio else "")

    return _by_workload(rows, cell)


def memory(rows: Rows) -> str:
    """Return peak resident memory of each participant's process, libraries included, in MB."""
    peak = lambda row: row.get("peak_rss_bytes")
    return _by_workload(rows, lambda row: f"{peak(row) / 1e6:.0f}" if peak(row) else "")


def participants(peers: dict[str, Any]) -> str:
    """Return the participants, their configuration, and their distance from our outputs."""
    lines = []
    for who, about in peers["participants"].items():
        versions = ", ".join(f"{k} {v}" for k, v in about.get("versions", {}).items())
        found = [of[who] for of in peers["checks"].values() if who in of]
        largest = f"{max(f['max_difference'] for f in found):.1g}" if found else ""
        how = about.get("configuration", about.get("error", ""))
        size = about.get("import_rss_bytes")
        lines.append([who, versions, how, f"{size / 1e6:.0f}" if size else "", largest])
    head = ["", "versions", "configuration", "import MB", "largest difference"]
    return markdown(head, lines, texts=3)


def markdown(head: list[str], rows: list[list[str]], *, texts: int = 1) -> str:
    """Return a Markdown table: `left` columns of text, then numbers."""
    line = lambda cells: "| " + " | ".join(cells) + " |"
    rule = "|" + " --- |" * texts + " ---: |" * (len(head) - texts)
    return "\n".join([line(head), rule, *map(line, rows)])


def ms(seconds: float) -> str:
    """Format milliseconds with three digits or more."""
    value = 1e3 * seconds
    return f"{value:.3f}" if value < 1 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _by_workload(rows: Rows, cell) -> str:
    names = dict.fromkeys(who for row in rows.values() for who in row)
    lines = [[who, *(cell(row.get(who, {})) for row in rows.values())] for who in names]
    return markdown(["", *rows], lines)
