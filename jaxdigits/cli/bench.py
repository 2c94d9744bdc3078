"""`jaxdigits bench`."""

from dataclasses import dataclass
from typing import Annotated, Any

from jaxdigits.cli.parser import File, Names
from jaxdigits.cli.report import say, table

COLUMNS = {"step ms": 9, "quartiles": 19, "floor ms": 9, "ratio": 6, "samples/s": 10,
           "GFLOP/s": 8, "MB": 7, "compile s": 9}  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """Time steps of the library beside the matrix products that they cannot do without.

    For each workload: the median step and its quartiles; the floor, which is the time of the
    step's matrix products or convolutions alone, measured in turn with it; their ratio, which
    a busy machine changes least; samples and floating-point operations (of the products) a
    second; the memory of the compiled program; and the time to compile it. See
    docs/benchmark.md.

      $ jaxdigits bench
      $ jaxdigits bench W1 W4-forward --repeats 50
    """

    workloads: Names = ()
    """Workloads to time, as `W1 W4-forward`; by default all."""
    device: Annotated[str | None, "NAME"] = None
    """Kind of device: cpu, gpu or tpu; by default JAX's own."""
    repeats: int = 20
    """How often step and floor are timed, in turn."""
    json: File = None
    """Write the results to this file, for --compare; row by row."""
    compare: File = None
    """Compare with the results in this file."""

    def run(self) -> int:
        """Measure, and print each row as it is done."""
        from jaxdigits import bench
        from jaxdigits.runs.plain_files import write_json

        names = bench.select(self.workloads, list(bench.WORKLOADS))
        use_device(self.device)
        if self.repeats < 1:
            raise ValueError(f"--repeats must be >= 1, got {self.repeats}")
        if self.json and not self.json.parent.is_dir():
            raise ValueError(f"cannot write {self.json}: there is no folder {self.json.parent}")
        old = bench.load(self.compare)["rows"] if self.compare else None
        bench.keep_freed_memory()
        rows: dict[str, dict[str, Any]] = {}
        say(line("", tuple(COLUMNS)))
        for name in names:
            rows[name] = bench.measure(bench.WORKLOADS[name], repeats=self.repeats)
            say(line(name, cells(rows[name])))
            if self.json:
                write_json(self.json, bench.report(rows, repeats=self.repeats))
        if old is not None:
            say(f"\n{changes(old, rows)}")
        return 0


def use_device(name: str | None) -> None:
    """Let JAX use that kind of device.

    Raises:
      ValueError: if there is none.
    """
    if name is None:
        return
    import jax

    before = jax.config.values["jax_platforms"]
    jax.config.update("jax_platforms", name)
    try:
        platform = jax.devices()[0].platform
    except RuntimeError:
        platform = None
    if platform != name:
        jax.config.update("jax_platforms", before)
        raise ValueError(f"--device {name}: JAX finds no such device here")


def line(name: str, values: tuple[str, ...]) -> str:
    """Return a row in columns of fixed width: it is printed before the next is known."""
    columns = [text.rjust(n) for text, n in zip(values, COLUMNS.values(), strict=True)]
    return "  ".join([name.ljust(14), *columns]).rstrip()


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """Return the texts of a row's columns."""
    low, median, high = (milliseconds(s) for s in row["step_seconds"].values())
    return (
        median, f"[{low}, {high}]", milliseconds(row["floor_seconds"]["median"]),
        f"{row['ratio']['median']:.2f}", f"{row['samples_per_second']:,.0f}",
        f"{row['flops_per_second'] / 1e9:.1f}", f"{row['program_bytes'] / 1e6:.1f}",
        f"{row['compile_seconds']:.2f}",
    )  # fmt: skip


def milliseconds(seconds: float) -> str:
    """Return a time with three digits or more."""
    value = 1e3 * seconds
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def changes(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Return a table of both measurements; "n/a" where one of them lacks a workload."""

    def columns(key: str, name: str, form) -> list[str]:
        a, b = (rows[name][key]["median"] if name in rows else None for rows in (old, new))
        text = lambda value: "n/a" if value is None else form(value)
        return [text(a), text(b), f"{100 * (b / a - 1):+.1f} %" if a and b else "n/a"]

    names = [*new, *(name for name in old if name not in new and "ratio" in old[name])]
    ratios = [columns("ratio", name, "{:.2f}".format) for name in names]
    times = [columns("step_seconds", name, milliseconds) for name in names]
    head = ["", "old ratio", "new ratio", "change", "old ms", "new ms", "change"]
    return table(head, [[n, *r, *t] for n, r, t in zip(names, ratios, times, strict=True)])
