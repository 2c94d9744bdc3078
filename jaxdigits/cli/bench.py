"""`jaxdigits bench`."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from jaxdigits.cli.report import percent, say, table

File = Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")]
COLUMNS = (
    "step ms",
    "quartiles",
    "floor ms",
    "ratio",
    "samples/s",
    "GFLOP/s",
    "MB",
    "compile s",
)
WIDTHS = (9, 19, 9, 6, 10, 8, 7, 9)


@dataclass(frozen=True)
class Bench:
    """Time steps of the library beside the matrix products that they cannot do without.

    For each workload: the median step and its quartiles; the floor, which is the time of the
    step's matrix products or convolutions alone, measured in turn with it; their ratio, which
    a busy machine changes least; samples and floating-point operations (of the products) a
    second; the memory of the compiled program; and the time to compile it. W9 trains on MNIST
    in a process of its own, if MNIST is there. docs/benchmark.md tells more.

      $ jaxdigits bench
      $ jaxdigits bench W1 W4-forward --repeats 50
    """

    workloads: Positional[tuple[str, ...]] = ()
    """What to time, as `W1 W4-forward`; by default everything."""
    device: Annotated[
        str | None, arg(metavar="NAME", help_behavior_hint="(default: JAX's)")
    ] = None
    """cpu, gpu or tpu."""
    repeats: int = 20
    """How often step and floor are timed, in turn."""
    json: File = None
    """Where to put the results, for --compare; written as they come."""
    compare: File = None
    """Results of an earlier run to compare with."""
    figure: File = None
    """Where to put a picture of the ratios (.png, .svg or .pdf). Needs the extra `plots`."""
    data_dir: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """W9: folder with MNIST's four files; by default JAXDIGITS_DATA, or the cache."""

    def run(self) -> int:
        """Measure, and print a row as each is done."""
        from jaxdigits.bench import (
            GOALS,
            WORKLOADS,
            keep_freed_memory,
            load,
            report,
            save,
            select,
        )

        names = select(self.workloads, [*WORKLOADS, *GOALS])
        use_device(self.device)
        if self.repeats < 1:
            raise ValueError(f"--repeats must be >= 1, got {self.repeats}")
        for file in (self.json, self.figure):
            if file and not file.parent.is_dir():
                raise ValueError(f"cannot write {file}: there is no folder {file.parent}")
        old = load(self.compare)["rows"] if self.compare else None
        if self.figure:
            self._draw({})  # without matplotlib, it had better fail now
        keep_freed_memory()
        rows: dict[str, dict[str, Any]] = {}
        say(line("", COLUMNS))
        for name, row in self._measured(names):
            rows[name] = row
            say(cold_line(name, row) if "cold_seconds" in row else line(name, cells(row)))
            if self.json:
                ordered = {n: rows[n] for n in names if n in rows}
                save(self.json, report(ordered, repeats=self.repeats))
        if old is not None:
            say(f"\n{changes(old, rows)}")
        if self.figure:
            self._draw(rows)
            say(f"\nfigure in {self.figure}" if _timed(rows) else "\nno steps: no figure")
        return 0

    def _measured(self, names: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        from jaxdigits.bench import GOALS, WORKLOADS, measure, measure_cold, mnist_folder

        # First those in a process of their own, while this one has not compiled anything.
        cold = [name for name in names if name in GOALS]
        folder = mnist_folder(self.data_dir) if cold else None
        for name in cold:
            if folder is None:
                where = self.data_dir or "--data-dir, JAXDIGITS_DATA or the cache"
                say(f"{name:14s} skipped: no MNIST in {where}")
            else:
                yield name, measure_cold(name, folder)
        for name in names:
            if name in WORKLOADS:
                yield name, measure(WORKLOADS[name], repeats=self.repeats)

    def _draw(self, rows: dict[str, dict[str, Any]]) -> None:
        from jaxdigits.plots import ratio_figure

        quartiles = {name: tuple(r["ratio"].values()) for name, r in _timed(rows).items()}
        label = "time of the step ÷ time of its products alone"
        figure, file = ratio_figure(quartiles, x_label=label), self.figure
        known = figure.canvas.get_supported_filetypes()
        if file and file.suffix[1:].lower() not in known:
            raise ValueError(f"cannot draw {file}: name it .png, .svg or .pdf")
        if quartiles and file:
            figure.savefig(file, dpi=150)


def _timed(rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The rows of steps, which have a ratio."""
    return {name: row for name, row in rows.items() if "ratio" in row}


def use_device(name: str | None) -> None:
    """Have JAX use that kind of device, here and in a process that starts from here.

    Raises:
      ValueError: if there is none.
    """
    if name is None:
        return
    import jax

    before = jax.config.values["jax_platforms"]
    jax.config.update("jax_platforms", name)
    try:
        found = jax.devices()[0].platform
    except RuntimeError:
        found = None
    if found != name:
        jax.config.update("jax_platforms", before)
        raise ValueError(f"--device {name}: JAX finds no such device here")
    os.environ["JAX_PLATFORMS"] = name


def line(name: str, values: tuple[str, ...]) -> str:
    """A row of the table, in columns of fixed width: it is printed before the next is known."""
    columns = [value.rjust(width) for value, width in zip(values, WIDTHS, strict=True)]
    return "  ".join([name.ljust(14), *columns]).rstrip()


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """What the table says of a row that has steps."""
    low, median, high = (milliseconds(s) for s in row["step_seconds"].values())
    return (
        median, f"[{low}, {high}]", milliseconds(row["floor_seconds"]["median"]),
        f"{row['ratio']['median']:.2f}", f"{row['samples_per_second']:,.0f}",
        f"{row['flops_per_second'] / 1e9:.1f}", f"{row['program_bytes'] / 1e6:.1f}",
        f"{row['compile_seconds']:.2f}",
    )  # fmt: skip


def cold_line(name: str, row: dict[str, Any]) -> str:
    """What is said of a cold start."""
    parts = ", ".join(f"{part} {s:.1f} s" for part, s in row["cold_seconds"].items())
    reached = row["valid_accuracies"]
    best = f"{percent(max(reached))} after {len(reached)} epochs"
    verdict = best if row["reached"] else f"goal not reached: {best}"
    return f"{name:14s} {parts}; {verdict}; peak {row['peak_rss_bytes'] / 1e6:.0f} MB"


def milliseconds(seconds: float) -> str:
    """Three digits or more."""
    value = 1e3 * seconds
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def changes(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Both measurements side by side."""
    from jaxdigits.bench import compare

    shown = lambda value, form: "n/a" if value is None else form(value)
    rows = []
    for c in compare(old, new):
        rows.append([
            c.name,
            shown(c.old_ratio, "{:.2f}".format), shown(c.new_ratio, "{:.2f}".format),
            change(c.old_ratio, c.new_ratio),
            shown(c.old_seconds, milliseconds), shown(c.new_seconds, milliseconds),
            change(c.old_seconds, c.new_seconds),
        ])  # fmt: skip
    head = ["", "old ratio", "new ratio", "change", "old ms", "new ms", "change"]
    return table(head, rows)


def change(old: float | None, new: float | None) -> str:
    """By how many per cent a number changed."""
    return f"{100 * (new / old - 1):+.1f} %" if old and new else "n/a"
